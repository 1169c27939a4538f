"""The Create form: prompt, model, shape, quality, count and seed; the rest behind a remembered “More”.

A view of the document's arguments: each edit is one undo command, and what others change is shown at once.
What the
graph doesn't have is hidden, and a sentence says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QScrollArea, QToolButton, QVBoxLayout, QWidget

from pipelines.diffusion.samplers import SAMPLERS, Schedule, schedule_note
from pipelines.graph.registry import ParamSchema
from studio.panels.binding import Binding
from studio.panels.create_fields import MAIN, MORE, TEXTS
from studio.panels.model_card import ModelCard
from studio.panels.model_choices import ModelChoices, family_values
from studio.panels.quality import FACTORS, quality_of, steps_for
from studio.settings import SettingsStore
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.choice_field import ChoiceField
from studio.widgets.field_row import FieldRow
from studio.widgets.number_field import NumberField, written
from studio.widgets.param_editors import ChoiceEditor, ask_for_model, choice_title, editor_for
from studio.widgets.prompt_editor import PromptEditor
from studio.widgets.section import Section
from studio.widgets.seed_field import SeedField
from studio.widgets.segmented import Segmented
from studio.widgets.shape_picker import ShapePicker
from studio.widgets.shapes import nearest

_LOCKS = {"shape": ("width", "height"), "quality": ("steps",)}
"""Rows that stand for several arguments; every other row locks the argument of its own name."""
_LOCKABLE = ("guidance_scale", "guidance_rescale", "sampler", "schedule")


class CreateForm(QWidget):
    """``run_requested`` and ``cancel_requested`` come from the one button at the bottom."""

    run_requested = Signal()
    cancel_requested = Signal()

    def __init__(
        self, binding: Binding, models: ModelChoices, settings: SettingsStore, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._binding, self._models, self._settings = binding, models, settings
        self._made_of: tuple[object, ...] = ()
        self._updates: list[Callable[[], None]] = []
        self._running = False
        self.rows: dict[str, FieldRow] = {}
        self.sections: dict[str, Section] = {}
        self.card: ModelCard | None = None
        self.note = QLabel()
        self._drawn: int | None = None
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.button = QPushButton()
        self.button.clicked.connect(self._pressed)
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 10, 16, 14)
        foot.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._scroll, 1)
        layout.addLayout(foot)
        self.set_running(False)
        binding.changed.connect(self.refresh)
        models.changed.connect(self.refresh)
        settings.changed.connect(self.refresh)
        self.refresh()

    # --- the button ------------------------------------------------------------------------------------

    def set_running(self, running: bool, waiting: int = 0) -> None:
        """Generate, or Cancel while a run is active."""
        self._running = running
        text = tr("Cancel") if running else tr("Generate")
        if running and waiting:
            text = tr("Cancel ({count} more waiting)", count=waiting)
        if self.button.text() == text:
            return
        self.button.setText(text)
        self.button.setToolTip(
            tr("Stop at the next step (Ctrl+.)") if running else tr("Draw it (Ctrl+Enter)")
        )
        self.button.setAccessibleName(text)
        self.button.setProperty("role", "stop" if running else "primary")
        self.button.style().unpolish(self.button)
        self.button.style().polish(self.button)

    @Slot()
    def _pressed(self) -> None:
        (self.cancel_requested if self._running else self.run_requested).emit()

    # --- building --------------------------------------------------------------------------------------

    @Slot()
    def refresh(self) -> None:
        """Show the document as it is; the fields are made again only if there are others."""
        names = self._binding.names
        made_of = tuple((name, place, self._binding.is_linked(name)) for name, place in names.items())
        if made_of != self._made_of or self._scroll.widget() is None:
            self._made_of = made_of
            self._build()
        for update in self._updates:
            update()

    def _build(self) -> None:
        self.rows, self.sections, self._updates, self.card = {}, {}, [], None
        page = QWidget()
        page.setProperty("role", "scrolled")
        self._column = QVBoxLayout(page)
        self._column.setContentsMargins(16, 14, 16, 8)
        self._column.setSpacing(12)
        self._add_texts()
        self._add_model()
        self._add_shape()
        self._add_quality()
        self._add_count_and_seed()
        self._add_more()
        self.note = QLabel(self._missing())
        self.note.setProperty("role", "hint")
        self.note.setWordWrap(True)
        self.note.setVisible(bool(self.note.text()))
        self._column.addWidget(self.note)
        self._column.addStretch(1)
        self._scroll.setWidget(page)

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

    def _row(self, name: str, field: QWidget, *, lockable: bool = False, labelled: bool = True) -> FieldRow:
        words = TEXTS.get(name)
        schema = self._binding.schema(name)
        label = tr(words.label) if words else self._binding.title(name)
        sentence = tr(words.sentence) if words else tr(schema.description) if schema is not None else ""
        row = FieldRow(label, field, sentence, lockable=lockable, show_label=labelled)
        row.lock_toggled.connect(lambda locked: self._lock(name, locked))
        self.rows[name] = row
        if hasattr(field, "noticed"):
            field.noticed.connect(row.notice)
        self._updates.append(lambda: self._show_row(row, name))
        return row

    def _show_row(self, row: FieldRow, name: str) -> None:
        """The lock, and the reason why the field has no effect with this model."""
        row.set_locked(self._is_locked(name))
        row.set_disabled_because(self._reason(_LOCKS.get(name, (name,))[0]))

    def _add_texts(self) -> None:
        order = ["prompt", "idea"]
        names = [name for name in self._binding.texts() if name not in ("negative", "system")]
        names.sort(key=lambda name: order.index(name) if name in order else len(order))
        for name in names:
            editor = self._text(name, rows=4 if len(names) == 1 else 3)
            self._column.addWidget(self._row(name, editor))
        if self._binding.has("prompt"):
            self.card = ModelCard(self._models, self._binding)
            self._column.addWidget(self.card.chips)
            self.card.example_chosen.connect(self._take_example)
        if self._binding.has("negative"):
            editor = self._text("negative", rows=2)
            self._in_section(
                "negative", tr("Negative prompt"), [self._row("negative", editor, labelled=False)]
            )

    def _text(self, name: str, rows: int) -> PromptEditor:
        editor = PromptEditor(rows)
        editor.setObjectName(f"create.{name}")
        editor.value_changed.connect(lambda text: self._typed(name, text))
        self._updates.append(lambda: editor.set_value(str(self._binding.value(name) or "")))
        return editor

    def _typed(self, name: str, text: str) -> None:
        self.rows[name].clear_message()
        self._binding.set(name, text)

    def _in_section(self, key: str, title: str, rows: list[FieldRow]) -> None:
        section = Section(title, key, expanded=key in self._settings.values.open_sections)
        section.content.setSpacing(12)
        for row in rows:
            section.content.addWidget(row)
        section.toggled.connect(lambda on: self._remember_section(key, on))
        self.sections[key] = section
        self._column.addWidget(section)

    def _add_model(self) -> None:
        if not self._binding.has("model"):
            return
        field = ChoiceField()
        field.setObjectName("create.model")
        own = QToolButton()
        own.setIcon(current_theme().icon("folder"))
        own.setIconSize(QSize(18, 18))
        own.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        own.setToolTip(tr("Use a model of my own…"))
        own.setAccessibleName(tr("Use a model of my own…"))
        own.clicked.connect(self.choose_own_model)
        both = QWidget()
        line = QHBoxLayout(both)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        line.addWidget(field, 1)
        line.addWidget(own)
        both.setFocusProxy(field)
        row = self._row("model", both)
        field.setAccessibleName(tr(TEXTS["model"].label))
        self._column.addWidget(row)
        if self.card is not None:
            self._column.addWidget(self.card)
            self.card.own_requested.connect(self.choose_own_model)

        def show() -> None:
            value = str(self._binding.value("model") or "")
            choices = self._models.choices("diffusion", value)
            if choices != field.choices():
                field.set_choices(choices)
            field.set_unavailable(self._models.problems())
            field.set_value(self._models.listed_value(value))

        field.value_changed.connect(self.choose_model)
        self._updates.append(show)

    def _add_shape(self) -> None:
        if not (self._binding.has("width") and self._binding.has("height")):
            return
        picker = ShapePicker()
        picker.set_ratio(self._settings.values.ratio)
        picker.size_chosen.connect(lambda size: self._set_size(*size))
        picker.ratio_changed.connect(lambda ratio: self._settings.change(ratio=ratio))
        row = self._row("shape", picker, lockable=True)
        row.reset_requested.connect(lambda: self._reset("width", "height"))
        self._column.addWidget(row)
        self._updates.append(lambda: self._show_shape(picker, row))

    def _add_quality(self) -> None:
        if not self._binding.has("steps"):
            return
        quality = Segmented()
        for value, title in zip(FACTORS, (tr("Draft"), tr("Normal"), tr("Fine")), strict=True):
            quality.add(value, title)
        quality.value_changed.connect(
            lambda value: self._binding.set("steps", steps_for(value, self._default_steps()))
        )
        row = self._row("quality", quality, lockable=True)
        row.reset_requested.connect(lambda: self._reset("steps"))
        self._column.addWidget(row)
        self._updates.append(lambda: self._show_quality(quality, row))

    def _show_shape(self, picker: ShapePicker, row: FieldRow) -> None:
        model = self._model_info()
        width, height = self._number("width", 512), self._number("height", 512)
        if model is not None and model.native_size is not None:
            picker.set_model(model.native_size, model.size_multiple)
        picker.set_size(width, height)
        row.set_origin(f"{width} × {height} px")
        native = self._default("width"), self._default("height")
        row.set_resettable(
            (width, height) != native, tr("Back to {width} × {height}", width=native[0], height=native[1])
        )

    def _show_quality(self, quality: Segmented, row: FieldRow) -> None:
        steps, default = self._number("steps", 20), self._default_steps()
        quality.set_value(quality_of(steps, default))
        for name in FACTORS:
            quality.button(name).setToolTip(tr("{steps} steps", steps=steps_for(name, default)))
        row.set_origin(tr("{steps} steps", steps=steps))
        row.set_resettable(steps != default, tr("Back to {value}", value=default))

    def _add_count_and_seed(self) -> None:
        line = QHBoxLayout()
        line.setSpacing(12)
        if self._binding.has("batch"):
            schema = self._binding.schema("batch")
            count = NumberField(1, minimum=1, maximum=schema.maximum if schema is not None else None)
            count.value_changed.connect(lambda value: self._binding.set("batch", value))
            count.setObjectName("create.batch")
            self._updates.append(lambda: count.set_value(self._number("batch", 1)))
            row = self._row("batch", count)
            row.setFixedWidth(current_theme().px(76))
            line.addWidget(row, 0, Qt.AlignmentFlag.AlignTop)
        if self._binding.has("seed"):
            seed = SeedField()
            seed.value_changed.connect(lambda value: self._binding.set("seed", value))
            row = self._row("seed", seed)
            line.addWidget(row, 1, Qt.AlignmentFlag.AlignTop)

            def show() -> None:
                value = self._binding.value("seed")
                seed.set_value(value if isinstance(value, int) else None)
                seed.show_drawn(self._drawn)

            self._updates.append(show)
        if line.count():
            self._column.addLayout(line)

    def _add_more(self) -> None:
        shown = {*self.rows, "prompt", "model", "batch", "seed", "negative", "system"}
        names = [name for name in MORE if self._binding.has(name)]
        names += [
            name for name in self._binding.names if name not in shown | set(MORE) and self._binding.has(name)
        ]
        rows = [row for name in names if (row := self._param_row(name)) is not None]
        if self._binding.has("system"):
            rows.insert(0, self._row("system", self._text("system", rows=3)))
        if rows:
            self._in_section("more", tr("More"), rows)

    def _param_row(self, name: str) -> FieldRow | None:
        schema = self._binding.schema(name)
        if schema is None:
            return None
        choices = [(item, choice_title(item)) for item in schema.choices]
        editor = editor_for(schema, choices)
        row = self._row(name, editor, lockable=name in _LOCKABLE)
        row.reset_requested.connect(lambda: self._reset(name))
        editor.value_changed.connect(lambda value: self._edited(name, value))

        def show() -> None:
            value = self._binding.value(name)
            editor.set_value(value)
            if isinstance(editor, ChoiceEditor):
                editor.field.set_unavailable(self._choice_reasons(name), self._choice_notes(name))
            self._show_state(row, name, value, schema)

        self._updates.append(show)
        return row

    def _show_state(self, row: FieldRow, name: str, value: Any, schema: ParamSchema) -> None:
        model = self._model_info()
        default = self._default(name)
        from_model = model is not None and name in family_values(model, ()) and value == default
        row.set_origin(tr("from the model") if from_model else "")
        plain = (
            written(default)
            if isinstance(default, int | float) and not isinstance(default, bool)
            else str(default)
        )
        row.set_resettable(value != default, tr("Back to {value}", value=plain))

    # --- what the model says ---------------------------------------------------------------------------

    def _model_info(self) -> Any:
        return self._models.find(str(self._binding.value("model") or ""))

    def _default(self, name: str) -> Any:
        model = self._model_info()
        values = family_values(model, ()) if model is not None else {}
        if name in values:
            return values[name]
        schema = self._binding.schema(name)
        return schema.default if schema is not None else None

    def _default_steps(self) -> int:
        default = self._default("steps")
        return default if isinstance(default, int) and default > 0 else 20

    def _reason(self, name: str) -> str:
        model = self._model_info()
        return tr(model.unavailable[name]) if model is not None and name in model.unavailable else ""

    def _choice_reasons(self, name: str) -> dict[str, str]:
        """Choices that can't be used: by the model's word, or because the sampler takes no such schedule."""
        model = self._model_info()
        found = model.unavailable.items() if model is not None else ()
        reasons = {key.removeprefix(f"{name}:"): tr(why) for key, why in found if key.startswith(f"{name}:")}
        spec = next(
            (item for item in SAMPLERS.values() if item.id.value == self._binding.value("sampler")), None
        )
        if name == "schedule" and spec is not None:
            why = tr("The sampler {sampler} can't take this schedule.", sampler=tr(spec.title))
            reasons |= {item.value: why for item in Schedule if item not in spec.schedules}
        return reasons

    def _choice_notes(self, name: str) -> dict[str, str]:
        """Where a schedule is not exactly what other programs compute, its tooltip says so."""
        spec = next(
            (item for item in SAMPLERS.values() if item.id.value == self._binding.value("sampler")), None
        )
        if name != "schedule" or spec is None:
            return {}
        return {item.value: tr(schedule_note(spec.id, item)) for item in spec.schedules}

    def _number(self, name: str, otherwise: int) -> int:
        value = self._binding.value(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else otherwise

    # --- acting ----------------------------------------------------------------------------------------

    @Slot(object)
    def choose_model(self, value: str) -> None:
        """Set the model and, as the same undo step, what its family asks for, except what is locked."""
        model = self._models.find(value)
        values = family_values(model, self._settings.values.locked) if model is not None else {}
        title = model.title if model is not None else value
        self._binding.set_many({"model": value, **values}, tr("Choose the model {title}", title=title))

    @Slot()
    def choose_own_model(self) -> None:
        """Ask for a file or folder and use it as the model."""
        path = ask_for_model(self)
        if path:
            self.choose_model(path)

    def _take_example(self, text: str) -> None:
        self._binding.set_many({"prompt": text}, tr("Use an example"))

    def _set_size(self, width: int, height: int) -> None:
        self._binding.set_many({"width": width, "height": height}, tr("Change the shape"))

    def _edited(self, name: str, value: Any) -> None:
        model = self._model_info()
        if name in ("width", "height") and model is not None and value % model.size_multiple:
            snapped = nearest(value, value, model.size_multiple)[0]
            self.rows[name].notice(
                tr(
                    "This model draws multiples of {multiple} px: set to {value}.",
                    multiple=model.size_multiple,
                    value=snapped,
                )
            )
            value = snapped
        else:
            self.rows[name].clear_message()
        self._binding.set(name, value)
        self.refresh()

    def _reset(self, *names: str) -> None:
        self._binding.set_many({name: self._default(name) for name in names}, tr("Back to the default"))

    def _is_locked(self, name: str) -> bool:
        locked = self._settings.values.locked
        return all(item in locked for item in _LOCKS.get(name, (name,)))

    def _lock(self, name: str, locked: bool) -> None:
        names = set(_LOCKS.get(name, (name,)))
        before = set(self._settings.values.locked)
        self._settings.change(locked=tuple(sorted(before | names if locked else before - names)))

    def _remember_section(self, key: str, expanded: bool) -> None:
        opened = set(self._settings.values.open_sections)
        opened = opened | {key} if expanded else opened - {key}
        self._settings.change(open_sections=tuple(sorted(opened)))

    # --- from runs -------------------------------------------------------------------------------------

    def show_drawn_seed(self, seed: int | None) -> None:
        """The seed of the last run, shown in grey while the dice is on; no edit."""
        self._drawn = seed
        row = self.rows.get("seed")
        if row is not None and isinstance(row.field, SeedField):
            row.field.show_drawn(seed)

    def show_message(self, name: str, text: str, severity: str) -> bool:
        """A message at a field; False if there is no such field."""
        row = self.rows.get({"width": "shape", "height": "shape", "steps": "quality"}.get(name, name))
        row = self.rows.get(name, row)
        if row is None:
            return False
        row.show_message(text, severity)
        for section in self.sections.values():
            if section.isAncestorOf(row):
                section.set_expanded(True)
        return True

    def clear_messages(self) -> None:
        """Take all messages away (a new run begins)."""
        for row in self.rows.values():
            row.clear_message()

    def focus_prompt(self) -> None:
        """Put the cursor into the first text."""
        for name in ("prompt", "idea", *self.rows):
            row = self.rows.get(name)
            if row is not None and isinstance(row.field, PromptEditor):
                row.field.setFocus(Qt.FocusReason.OtherFocusReason)
                row.field.selectAll()
                return
