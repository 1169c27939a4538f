"""The Create form: prompt, model, shape, quality, count and seed; the rest behind a remembered “More”.

A view of the document's arguments: each edit is one undo command, and what others change is shown at once.
What the graph doesn't have is hidden, and a sentence says so.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget

from pipelines.engine.protocol import Forecasted
from studio.create.binding import Binding
from studio.create.form_arranged import add_arranged
from studio.create.form_edits import FormEdits
from studio.create.form_fields import MAIN
from studio.create.form_groups import add_count_and_seed, add_model, add_quality, add_shape, add_texts
from studio.create.form_layers import add_layers
from studio.create.form_loras import add_loras
from studio.create.form_more import add_chosen, add_more
from studio.create.form_page import FormPage
from studio.create.form_parts import add_parts
from studio.create.form_refiner import add_refiner
from studio.create.form_speed import add_speed
from studio.create.model_card import ModelCard
from studio.create.model_values import ModelValues
from studio.models.choices import ModelChoices
from studio.settings import SettingsStore
from studio.translate import tr
from studio.widgets.field_row import FieldRow
from studio.widgets.param_editor import tool_button
from studio.widgets.param_editors import ask_for_model
from studio.widgets.prompt_editor import PromptEditor
from studio.widgets.run_button import RunButton
from studio.widgets.section import Section
from studio.widgets.seed_field import SeedField

_STANDS_FOR = {"width": "shape", "height": "shape", "steps": "quality"}
"""Arguments that are shown in a row of another name too."""


class CreateForm(QWidget):
    """``run_requested`` and ``cancel_requested`` come from the one button at the bottom;
    ``presets_requested`` from the one beside the model, which it carries; ``models_wanted`` asks which models
    there are to get."""

    run_requested = Signal()
    cancel_requested = Signal()
    models_wanted = Signal()
    presets_requested = Signal(object)

    def __init__(
        self, binding: Binding, models: ModelChoices, settings: SettingsStore, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._binding, self._models, self._settings = binding, models, settings
        self._values = ModelValues(binding, models)
        self.edits = FormEdits(binding, models, self._values, settings, self)
        self._made_of: tuple[object, ...] = ()
        self._page: FormPage | None = None
        self._presets: QToolButton | None = None
        self._drawn: int | None = None
        self._forecast: Forecasted | None = None
        self.card: ModelCard | None = None
        self.note = QLabel()
        self._scroll = QScrollArea(self)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.button = RunButton()
        self.button.run_requested.connect(self.run_requested)
        self.button.cancel_requested.connect(self.cancel_requested)
        self.foot = QVBoxLayout()
        self.foot.setContentsMargins(16, 10, 16, 14)
        self.foot.setSpacing(10)
        self.foot.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._scroll, 1)
        layout.addLayout(self.foot)
        binding.changed.connect(self.refresh)
        models.changed.connect(self.refresh)
        settings.changed.connect(self.refresh)
        self.refresh()

    # --- building --------------------------------------------------------------------------------------

    @property
    def rows(self) -> dict[str, FieldRow]:
        """The rows by the names of their arguments (and ``shape``, ``quality``)."""
        return self._page.rows if self._page is not None else {}

    @property
    def sections(self) -> dict[str, Section]:
        """The parts that fold: ``negative`` and ``more``."""
        return self._page.sections if self._page is not None else {}

    @Slot()
    def refresh(self) -> None:
        """Show the document as it is; the fields are made again only if there are others."""
        names = self._binding.names
        binding = self._binding
        fields = tuple(
            (name, place, binding.is_linked(name), binding.given_title(name), binding.is_more(name))
            for name, place in names.items()
        )
        made_of = (binding.is_arranged, fields)
        if made_of != self._made_of or self._page is None:
            self._made_of = made_of
            self._page = self._build()
            self._page.forecast = self._forecast
        self._page.show_values()

    def _build(self) -> FormPage:
        page = FormPage(self._binding, self._values, self.edits, self._settings)
        self._scroll.setWidget(page)
        self._presets = self._presets_button() if self._binding.has("model") else None
        if self._binding.is_arranged:
            self.card = add_arranged(
                page, self._models, self.choose_own_model, lambda: self._drawn, self._presets
            )
        else:
            self._add_usual(page)
        if self.card is not None:
            self.card.more_requested.connect(self.models_wanted)
        self.note = QLabel(self._missing())
        self.note.setProperty("role", "hint")
        self.note.setWordWrap(True)
        self.note.setVisible(bool(self.note.text()))
        page.put(self.note)
        page.end()
        return page

    def _presets_button(self) -> QToolButton:
        button = tool_button("preset", tr("Presets: this model with all that goes with it"))
        button.clicked.connect(lambda: self.presets_requested.emit(button))
        return button

    def presets_button(self) -> QToolButton | None:
        """Where a menu of presets opens; None where there is no model to set."""
        return self._presets

    def _add_usual(self, page: FormPage) -> None:
        """The form as it is while nobody arranged it."""
        self.card = add_texts(page, self._models)
        add_model(page, self._models, self.card, self.choose_own_model, self._presets)
        add_loras(page, self._models)
        add_shape(page, self._models)
        add_quality(page)
        add_count_and_seed(page, lambda: self._drawn)
        add_layers(page, self._models)
        add_parts(page, self._models)
        add_refiner(page, self._models)
        add_chosen(page)
        add_more(page)
        add_speed(page, self._models)

    def _missing(self) -> str:
        texts = bool(self._binding.texts())
        lacking = [
            tr(words)
            for name, words in MAIN
            if not self._binding.has(name) and not (name == "prompt" and texts)
        ]
        if not lacking:
            return ""
        return tr("This graph has no place for {names} here; it is left as it is.", names=", ".join(lacking))

    # --- from outside ----------------------------------------------------------------------------------

    def choose_model(self, value: str) -> None:
        """Set the model with what its family asks for."""
        self.edits.choose_model(value)

    @Slot()
    def choose_own_model(self) -> None:
        """Ask for a file or folder and use it as the model."""
        path = ask_for_model(self)
        if path:
            self.choose_model(path)

    def show_drawn_seed(self, seed: int | None) -> None:
        """The seed of the last run, shown in grey while the dice is on; no edit."""
        self._drawn = seed
        row = self.rows.get("seed")
        if row is not None and isinstance(row.field, SeedField):
            row.field.show_drawn(seed)

    @Slot(object)
    def show_forecast(self, made: Forecasted | None) -> None:
        """What is known beforehand of the next run, with the times of earlier ones; no edit."""
        self._forecast = made
        if self._page is not None:
            self._page.forecast = made
            self._page.show_values()

    def show_message(self, name: str, text: str, severity: str) -> bool:
        """A message at a field; False if there is no such field."""
        name = name if name in self.rows else _STANDS_FOR.get(name, name)
        return self._page is not None and self._page.show_message(name, text, severity)

    def clear_messages(self) -> None:
        """Take all messages away (a new run begins)."""
        if self._page is not None:
            self._page.clear_messages()

    def focus_prompt(self) -> None:
        """Put the cursor into the first text."""
        for name in ("prompt", "idea", *self.rows):
            row = self.rows.get(name)
            if row is not None and isinstance(row.field, PromptEditor):
                row.field.setFocus(Qt.FocusReason.OtherFocusReason)
                row.field.selectAll()
                return
