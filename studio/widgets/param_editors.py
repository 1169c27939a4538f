"""Editors made from a node's schema: :func:`editor_for` gives the one that fits a param.

Every editor has ``value()``, ``set_value()`` and the signal ``value_changed``; ``set_value`` never sends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QSlider,
    QWidget,
)

from pipelines.diffusion.samplers.table import SAMPLERS, SCHEDULE_TITLES
from pipelines.graph import types
from pipelines.graph.node import Input
from pipelines.graph.registry import ParamSchema
from studio.translate import tr
from studio.widgets.choice_field import ChoiceField, NoWheel
from studio.widgets.layers_editor import LayersEditor
from studio.widgets.number_field import NumberField
from studio.widgets.optional_number import OptionalNumberEditor
from studio.widgets.param_editor import ParamEditor, tool_button
from studio.widgets.seed_field import SeedField
from studio.widgets.text_editors import ColorEditor, JsonEditor, PathEditor, TextEditor

Choices = Sequence[tuple[str, str]]


class NumberEditor(ParamEditor):
    """A whole or decimal number; with the hint ``slider`` and a range, a slider beside it."""

    def __init__(self, param: ParamSchema, parent: QWidget | None = None) -> None:
        super().__init__(param, parent)
        self._whole = param.type == types.Integer
        step = param.step or (1 if self._whole else 0.1)
        default = param.default if isinstance(param.default, int | float) else 0
        self.field = NumberField(
            default,
            whole=self._whole,
            minimum=param.minimum,
            maximum=param.maximum,
            step=step,
            unit=tr(param.unit),
        )
        self.slider: QSlider | None = None
        if param.widget == "slider" and param.minimum is not None and param.maximum is not None:
            self._add_slider(param.minimum, param.maximum, step)
        self._add(self.field, 0 if self.slider else 1)
        self.field.value_changed.connect(self._changed)
        self.field.noticed.connect(self.noticed)
        self._show_on_slider(default)

    def _add_slider(self, low: float, high: float, step: float) -> None:
        self._low, self._step = low, step
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, max(1, round((high - low) / step)))
        self.slider.installEventFilter(NoWheel(self.slider))
        self.slider.valueChanged.connect(self._slid)
        self.field.setFixedWidth(84)
        self._add(self.slider, 1)

    def _show_on_slider(self, value: float) -> None:
        if self.slider is not None:
            blocked = self.slider.blockSignals(True)
            self.slider.setValue(round((value - self._low) / self._step))
            self.slider.blockSignals(blocked)

    @Slot(int)
    def _slid(self, position: int) -> None:
        number = round(self._low + position * self._step, 6)
        value = round(number) if self._whole else number
        self.field.set_value(value)
        self.value_changed.emit(value)

    @Slot(object)
    def _changed(self, value: float) -> None:
        self._show_on_slider(value)
        self.value_changed.emit(value)

    def value(self) -> int | float:
        return self.field.value()

    def set_value(self, value: Any) -> None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.field.set_value(value)
            self._show_on_slider(value)


class SeedEditor(ParamEditor):
    """A seed, or ``None`` for a new one every time."""

    def __init__(self, param: ParamSchema, parent: QWidget | None = None) -> None:
        super().__init__(param, parent)
        self.field = SeedField()
        self._add(self.field, 1)
        self.field.value_changed.connect(self.value_changed)
        self.field.noticed.connect(self.noticed)

    def value(self) -> int | None:
        return self.field.value()

    def set_value(self, value: Any) -> None:
        self.field.set_value(value if isinstance(value, int) else None)


class BooleanEditor(ParamEditor):
    """On or off."""

    def __init__(self, param: ParamSchema, parent: QWidget | None = None) -> None:
        super().__init__(param, parent)
        self.field = QCheckBox(tr("On"))
        self._add(self.field, 1)
        self.field.clicked.connect(self._clicked)

    @Slot(bool)
    def _clicked(self, checked: bool) -> None:
        self.value_changed.emit(checked)

    def value(self) -> bool:
        return self.field.isChecked()

    def set_value(self, value: Any) -> None:
        self.field.setChecked(bool(value))


class ChoiceEditor(ParamEditor):
    """One of a closed list."""

    def __init__(self, param: ParamSchema, choices: Choices = (), parent: QWidget | None = None) -> None:
        super().__init__(param, parent)
        self.field = ChoiceField(choices or [(item, choice_title(item)) for item in param.choices])
        self._add(self.field, 1)
        self.field.value_changed.connect(self.value_changed)

    def set_choices(self, choices: Choices) -> None:
        """Other choices (a dynamic list arrived)."""
        self.field.set_choices(choices)

    def value(self) -> str:
        return self.field.value()

    def set_value(self, value: Any) -> None:
        self.field.set_value(str(value))


class ModelEditor(ChoiceEditor):
    """A model of the catalogue, or a file or folder of one's own."""

    def __init__(self, param: ParamSchema, choices: Choices = (), parent: QWidget | None = None) -> None:
        self._none = ("", tr(param.empty or "Starter model"))
        super().__init__(param, (self._none, *(item for item in choices if item[0])), parent)
        self.own = tool_button("folder", tr("Use a model of my own…"))
        self.own.clicked.connect(self._browse)
        self._add(self.own)

    def set_choices(self, choices: Choices) -> None:
        super().set_choices((self._none, *(item for item in choices if item[0])))

    @Slot()
    def _browse(self) -> None:
        path = ask_for_model(self)
        if path:
            self.set_value(path)
            self.value_changed.emit(path)


def editor_for(param: ParamSchema, choices: Choices = (), parent: QWidget | None = None) -> ParamEditor:
    """The editor that fits ``param``. ``choices`` are ``(value, title)`` of its dynamic list, as far as it
    is known."""
    if param.dynamic_choices.startswith("models:") or param.widget == "model":
        return ModelEditor(param, choices, parent)
    if param.type == types.Choice or choices:
        return ChoiceEditor(param, choices, parent)
    if param.type == types.Seed or param.widget == "seed":
        return SeedEditor(param, parent)
    if param.type == types.Boolean:
        return BooleanEditor(param, parent)
    if param.type in (types.Integer, types.Number):
        return (OptionalNumberEditor if param.optional else NumberEditor)(param, parent)
    if param.widget == "color":
        return ColorEditor(param, parent)
    if param.widget in ("file", "folder", "save"):
        return PathEditor(param, parent)
    if param.widget == "canvas":
        return LayersEditor(param, parent)
    if param.type == types.Text:
        return TextEditor(param, parent)
    return JsonEditor(param, parent)


def param_of(port: Input) -> ParamSchema:
    """An input port that takes a literal, as a param (so that :func:`editor_for` can edit it)."""
    default = None if port.required else port.default
    hint = "multiline" if port.multiline else "seed" if port.type == types.Seed else ""
    return ParamSchema(port.name, port.type, port.label, port.description, default, widget=hint)


_WRITTEN: Final = {"png": "PNG", "webp": "WebP", "jpeg": "JPEG", "cpu": "CPU", "nf4": "NF4", "int8": "INT8"}
"""Names that are not written as words."""


def choice_title(value: str) -> str:
    """A choice as it is read: samplers and schedules by the names people know, ``sgm_uniform`` as “SGM
    uniform”."""
    known = next((spec.title for spec in SAMPLERS.values() if spec.id.value == value), "")
    known = known or next((title for key, title in SCHEDULE_TITLES.items() if key.value == value), "")
    if known:
        return tr(known)
    if value in _WRITTEN:
        return _WRITTEN[value]
    text = tr(value).replace("_", " ")
    return text[:1].upper() + text[1:] if text.islower() else text


def ask_for_model(parent: QWidget) -> str:
    """Ask for a model file or, if the user picks ``model_index.json``, its folder. Empty if the user
    cancelled."""
    title = tr("Use a model of my own: a .safetensors or .gguf file, or the model_index.json of a folder")
    kinds = tr("Models") + " (*.safetensors *.gguf model_index.json)"
    path = QFileDialog.getOpenFileName(parent, title, "", kinds)[0]
    return str(Path(path).parent) if Path(path).name == "model_index.json" else path
