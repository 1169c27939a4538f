"""Editors made from a node's schema: :func:`editor_for` gives the one that fits a param.

Every editor has ``value()``, ``set_value()`` and the signal ``value_changed``; ``set_value`` never sends it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSlider,
    QToolButton,
    QWidget,
)

from pipelines.diffusion.samplers import SAMPLERS, SCHEDULE_TITLES
from pipelines.errors import GraphUnreadable
from pipelines.graph import jsontext, types
from pipelines.graph.node import Input
from pipelines.graph.registry import ParamSchema
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.choice_field import ChoiceField, NoWheel
from studio.widgets.number_field import NumberField
from studio.widgets.prompt_editor import PromptEditor
from studio.widgets.seed_field import SeedField

Choices = Sequence[tuple[str, str]]


class ParamEditor(QWidget):
    """Base: a row with one or more widgets. ``noticed`` explains a value that was not taken as typed."""

    value_changed = Signal(object)
    noticed = Signal(str)

    def __init__(self, param: ParamSchema, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.param = param
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(4)

    def _add(self, widget: QWidget, stretch: int = 0) -> None:
        self._row.addWidget(widget, stretch)
        if self._row.count() == 1:
            self.setFocusProxy(widget)
        if not widget.accessibleName():
            widget.setAccessibleName(tr(self.param.title))
        if self.param.description:
            widget.setAccessibleDescription(tr(self.param.description))
            widget.setToolTip(widget.toolTip() or tr(self.param.description))

    def value(self) -> Any:
        """The value as it goes into the document."""
        raise NotImplementedError

    def set_value(self, value: Any) -> None:
        """Show a value without telling anyone."""
        raise NotImplementedError


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
        super().__init__(param, (("", tr("Starter model")), *(item for item in choices if item[0])), parent)
        self.own = _tool("folder", tr("Use a model of my own…"))
        self.own.clicked.connect(self._browse)
        self._add(self.own)

    def set_choices(self, choices: Choices) -> None:
        super().set_choices((("", tr("Starter model")), *(item for item in choices if item[0])))

    @Slot()
    def _browse(self) -> None:
        path = ask_for_model(self)
        if path:
            self.set_value(path)
            self.value_changed.emit(path)


class TextEditor(ParamEditor):
    """One line, or several with the hint ``multiline``."""

    def __init__(self, param: ParamSchema, parent: QWidget | None = None) -> None:
        super().__init__(param, parent)
        self.field: QLineEdit | PromptEditor
        if param.widget == "multiline":
            self.field = PromptEditor(rows=2)
            self.field.value_changed.connect(self.value_changed)
        else:
            self.field = QLineEdit()
            self.field.setPlaceholderText(tr(param.empty))
            self.field.textEdited.connect(self._typed)
        self._add(self.field, 1)

    @Slot(str)
    def _typed(self, text: str) -> None:
        self.value_changed.emit(text)

    def value(self) -> str:
        return self.field.value() if isinstance(self.field, PromptEditor) else self.field.text()

    def set_value(self, value: Any) -> None:
        text = "" if value is None else str(value)
        if isinstance(self.field, PromptEditor):
            self.field.set_value(text)
        elif text != self.field.text():
            self.field.setText(text)


class PathEditor(TextEditor):
    """A path with a button that asks for it: a file, a folder, or a file to be written."""

    def __init__(self, param: ParamSchema, parent: QWidget | None = None) -> None:
        super().__init__(param, parent)
        self.browse = _tool("folder", tr("Choose…"))
        self.browse.clicked.connect(self._browse)
        self._add(self.browse)

    @Slot()
    def _browse(self) -> None:
        title, here = tr(self.param.title), self.value()
        if self.param.widget == "folder":
            path = QFileDialog.getExistingDirectory(self, title, here)
        elif self.param.widget == "save":
            path = QFileDialog.getSaveFileName(self, title, here)[0]
        else:
            path = QFileDialog.getOpenFileName(self, title, here)[0]
        if path:
            self.set_value(path)
            self.value_changed.emit(path)


class ColorEditor(ParamEditor):
    """``#rrggbb`` or ``#rrggbbaa``: a swatch that opens the colour dialog, and the text itself."""

    def __init__(self, param: ParamSchema, parent: QWidget | None = None) -> None:
        super().__init__(param, parent)
        self.swatch = QPushButton()
        self.swatch.setFixedWidth(44)
        self.swatch.setAccessibleName(tr("Choose a colour"))
        self.line = QLineEdit()
        self.line.setMaxLength(9)
        self._add(self.line, 1)
        self._add(self.swatch)
        self.swatch.clicked.connect(self._choose)
        self.line.editingFinished.connect(self._commit)
        self._value = "#000000"
        self.set_value(param.default or "#000000")

    def value(self) -> str:
        return self._value

    def set_value(self, value: Any) -> None:
        self._value = str(value)
        self.line.setText(self._value)
        pixmap = QPixmap(24, 14)
        pixmap.fill(_color(self._value) or QColor())
        self.swatch.setIcon(QIcon(pixmap))
        self.swatch.setIconSize(QSize(24, 14))

    @Slot()
    def _commit(self) -> None:
        text = self.line.text().strip()
        if text == self._value:
            return
        if _color(text) is None:
            self.noticed.emit(tr("A colour is written as #rrggbb, like #d2ae66."))
            self.line.setText(self._value)
            return
        self.set_value(text)
        self.value_changed.emit(text)

    @Slot()
    def _choose(self) -> None:
        option = QColorDialog.ColorDialogOption.ShowAlphaChannel
        found = QColorDialog.getColor(_color(self._value) or QColor(), self, tr(self.param.title), option)
        if found.isValid():
            text = found.name() + (f"{found.alpha():02x}" if found.alpha() < 255 else "")
            self.set_value(text)
            self.value_changed.emit(text)


class JsonEditor(ParamEditor):
    """Anything else, as JSON."""

    def __init__(self, param: ParamSchema, parent: QWidget | None = None) -> None:
        super().__init__(param, parent)
        self.line = QLineEdit()
        self.line.setFont(current_theme().font("mono"))
        self._value: Any = param.default
        self._add(self.line, 1)
        self.line.editingFinished.connect(self._commit)
        self.set_value(param.default)

    def value(self) -> Any:
        return self._value

    def set_value(self, value: Any) -> None:
        self._value = value
        self.line.setText(json.dumps(value, ensure_ascii=False))

    @Slot()
    def _commit(self) -> None:
        try:
            value = jsontext.loads(self.line.text(), tr("The text"))
        except GraphUnreadable as error:
            self.noticed.emit(error.info().sentences(tr)[1])
            self.set_value(self._value)
            return
        if value != self._value:
            self.set_value(value)
            self.value_changed.emit(value)


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
        return NumberEditor(param, parent)
    if param.widget == "color":
        return ColorEditor(param, parent)
    if param.widget in ("file", "folder", "save"):
        return PathEditor(param, parent)
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


def _tool(icon: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setIcon(current_theme().icon(icon))
    button.setIconSize(QSize(18, 18))
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def _color(text: str) -> QColor | None:
    if not (len(text) in (7, 9) and text.startswith("#")):
        return None
    color = QColor(text[:7])
    if not color.isValid():
        return None
    if len(text) == 9:
        try:
            color.setAlpha(int(text[7:], 16))
        except ValueError:
            return None
    return color
