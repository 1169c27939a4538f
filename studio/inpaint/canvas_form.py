"""The form beside the canvas: the task, the prompt, how much may change, and the lengths round the mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QCheckBox, QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from pipelines.diffusion.samplers.levels import steps_to_run
from pipelines.inpaint.geometry import ResolvedSettings
from studio.create.form_edits import FormEdits
from studio.create.form_groups import add_count_and_seed, add_model, add_texts
from studio.create.form_loras import add_loras
from studio.create.form_more import add_more, param_row
from studio.create.form_page import FormPage
from studio.create.form_parts import add_parts
from studio.create.form_speed import add_speed
from studio.create.model_values import ModelValues
from studio.inpaint.canvas_binding import CanvasBinding
from studio.inpaint.canvas_graph import SIDES
from studio.inpaint.task_picker import TaskPicker
from studio.inpaint.tasks import task
from studio.models.choices import ModelChoices
from studio.settings import SettingsStore
from studio.translate import tr
from studio.widgets.field_row import FieldRow
from studio.widgets.number_field import NumberField
from studio.widgets.param_editors import ask_for_model
from studio.widgets.run_button import RunButton
from studio.widgets.section import Section

LENGTHS: Final = ("context", "padding", "grow", "feather", "blend")
_SIDE_TITLES: Final = ("Left", "Top", "Right", "Bottom")
MAX_SIDE: Final = 16_384


class CanvasForm(QWidget):
    """``task_chosen`` (id) and ``live_toggled`` are the user's; values go straight into the document."""

    run_requested = Signal()
    cancel_requested = Signal()
    task_chosen = Signal(str)
    live_toggled = Signal(bool)
    crop_toggled = Signal(bool)

    def __init__(
        self,
        binding: CanvasBinding,
        models: ModelChoices,
        settings: SettingsStore,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._binding, self._models, self._settings = binding, models, settings
        self._values = ModelValues(binding, models)
        self.edits = FormEdits(binding, models, self._values, settings, self)
        self._task = "fill"
        self._made_of: tuple[object, ...] = ()
        self._resolved: ResolvedSettings | None = None
        self._page: FormPage | None = None
        self._drawn: int | None = None
        self.picker = TaskPicker()
        self.sentence = QLabel()
        self.sentence.setProperty("role", "hint")
        self.sentence.setWordWrap(True)
        self.live = QCheckBox(tr("Live — draw while I paint"))
        self.live.setToolTip(
            tr("After each stroke a quick draft is drawn; a new stroke stops the one before.")
        )
        self.crop = QCheckBox(tr("Show what the model sees"))
        self.button = RunButton()
        self._scroll = QScrollArea(self)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFocusPolicy(self._scroll.focusPolicy().NoFocus)
        self._lay_out()
        self.picker.task_chosen.connect(self.task_chosen)
        self.live.toggled.connect(self.live_toggled)
        self.crop.toggled.connect(self._crop_clicked)
        self.button.run_requested.connect(self.run_requested)
        self.button.cancel_requested.connect(self.cancel_requested)
        self.crop.setChecked(settings.values.show_crop)
        binding.changed.connect(self.refresh)
        models.changed.connect(self.refresh)
        settings.changed.connect(self.refresh)
        self.refresh()

    def _lay_out(self) -> None:
        head = QVBoxLayout()
        head.setContentsMargins(16, 14, 16, 6)
        head.setSpacing(8)
        head.addWidget(self.picker)
        head.addWidget(self.sentence)
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 8, 16, 14)
        foot.setSpacing(8)
        foot.addWidget(self.crop)
        foot.addWidget(self.live)
        foot.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self._scroll, 1)
        layout.addLayout(foot)

    # --- what it shows ---------------------------------------------------------------------------------

    @property
    def rows(self) -> dict[str, FieldRow]:
        """The rows by the names of their params."""
        return self._page.rows if self._page is not None else {}

    @property
    def sections(self) -> dict[str, Section]:
        """The parts that fold."""
        return self._page.sections if self._page is not None else {}

    @property
    def task(self) -> str:
        """The id of the task that is shown."""
        return self._task

    def set_task(self, id: str) -> None:
        """Show a task; the document is not touched."""
        self._task = id
        self.refresh()

    def show_resolved(self, numbers: ResolvedSettings | None) -> None:
        """The lengths that the formulas choose for the present mask."""
        self._resolved = numbers
        if self._page is not None:
            self._page.show_values()

    def show_drawn_seed(self, seed: int | None) -> None:
        """The seed of the last run, shown in grey while the dice is on."""
        self._drawn = seed
        if self._page is not None:
            self._page.show_values()

    @Slot()
    def refresh(self) -> None:
        """Show the document as it is; the fields are made again only if there are others."""
        chosen = task(self._task)
        self.picker.set_task(chosen.id)
        self.sentence.setText(tr(chosen.sentence))
        names = self._binding.names
        made_of = (
            chosen.id,
            *((name, place, self._binding.is_linked(name)) for name, place in names.items()),
        )
        if made_of != self._made_of or self._page is None:
            self._made_of = made_of
            self._page = self._build()
        self._page.show_values()

    @Slot(bool)
    def _crop_clicked(self, on: bool) -> None:
        if on != self._settings.values.show_crop:
            self._settings.change(show_crop=on)
        self.crop_toggled.emit(on)

    # --- building --------------------------------------------------------------------------------------

    def _build(self) -> FormPage:
        page = FormPage(self._binding, self._values, self.edits, self._settings)
        self._scroll.setWidget(page)
        chosen = task(self._task)
        if chosen.has_prompt:
            card = add_texts(page, self._models)
            if chosen.id == "expand":
                _add_sides(page)
            _add_strength(page)
            add_model(page, self._models, card, self.choose_own_model)
            add_loras(page, self._models)
            add_parts(page, self._models)
            add_count_and_seed(page, lambda: self._drawn)
            self._add_mask(page)
            add_more(page, without=SIDES)
            add_speed(page, self._models)
        elif (row := param_row(page, "method")) is not None:
            page.put(row)
            self._add_mask(page)
        page.end()
        return page

    def _add_mask(self, page: FormPage) -> None:
        """The section of what lies round the mask."""
        names = [name for name in ("fill", *LENGTHS, "match_colours", "blending") if page.binding.has(name)]
        rows = [param_row(page, name) for name in names]
        shown = [row for row in rows if row is not None]
        if shown:
            page.put_section("mask", tr("Mask and blending"), shown)
        page.on_update(lambda: self._show_lengths(page))

    def _show_lengths(self, page: FormPage) -> None:
        for name in LENGTHS:
            row, value = page.rows.get(name), page.binding.value(name)
            if row is None or name == "padding":
                continue
            chosen = getattr(self._resolved, name) if self._resolved is not None else None
            automatic = isinstance(value, int | float) and value < 0
            text = (
                tr("automatic: {pixels} px", pixels=round(chosen)) if chosen is not None else tr("automatic")
            )
            row.set_origin(text if automatic else "")

    @Slot()
    def choose_own_model(self) -> None:
        """Ask for a file or folder and use it as the model."""
        path = ask_for_model(self)
        if path:
            self.edits.choose_model(path)

    # --- messages --------------------------------------------------------------------------------------

    def show_message(self, name: str, text: str, severity: str) -> bool:
        """A message at a field; False if there is no such field."""
        return self._page is not None and self._page.show_message(name, text, severity)

    def clear_messages(self) -> None:
        """Take all messages away."""
        if self._page is not None:
            self._page.clear_messages()

    def expansion(self) -> tuple[int, int, int, int]:
        """How far each side is to grow: left, top, right, bottom."""
        left, top, right, bottom = (_whole(self._binding.value(side)) for side in SIDES)
        return left, top, right, bottom

    def set_expansion(self, sides: Mapping[str, int]) -> None:
        """Let the sides grow by these amounts."""
        self._binding.set_many(sides, tr("Change how far the picture grows"), merge="expansion")


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _add_sides(page: FormPage) -> None:
    """Four numbers, laid out as the sides lie."""
    if not page.binding.has("left"):
        return
    box = QWidget()
    grid = QGridLayout(box)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setSpacing(6)
    places = {"top": (0, 1), "left": (1, 0), "right": (1, 2), "bottom": (2, 1)}
    for side, title in zip(SIDES, _SIDE_TITLES, strict=True):
        grid.addWidget(_side_field(page, side, tr(title)), *places[side])
    row = page.row("expand", box)
    row.label.setText(tr("Grow by"))
    page.put(row)


def _side_field(page: FormPage, side: str, title: str) -> NumberField:
    field = NumberField(0, minimum=0, maximum=MAX_SIDE, step=8, unit="px")
    field.setAccessibleName(title)
    field.setToolTip(title)
    field.value_changed.connect(lambda value: page.binding.set(side, value))
    page.on_update(lambda: field.set_value(_whole(page.binding.value(side))))
    return field


def _add_strength(page: FormPage) -> None:
    """The denoising strength, with the steps that it leaves."""
    row = param_row(page, "strength") if page.binding.has("strength") else None
    if row is None:
        return
    page.put(row)

    def show() -> None:
        strength, steps = page.binding.value("strength"), page.values.number("steps", 20)
        if isinstance(strength, int | float):
            run = steps_to_run(steps, float(strength))
            row.set_origin(tr("{run} of {steps} steps", run=run, steps=steps))

    page.on_update(show)
