"""Editors of params that are typed: text, paths, colours, JSON."""

from __future__ import annotations

import json
from typing import Any

from PySide6.QtCore import QSize, Slot
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import QColorDialog, QFileDialog, QLineEdit, QPushButton, QWidget

from pipelines.errors import GraphUnreadable
from pipelines.graph import jsontext
from pipelines.graph.registry import ParamSchema
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.param_editor import ParamEditor, tool_button
from studio.widgets.prompt_editor import PromptEditor


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
        self.browse = tool_button("folder", tr("Choose…"))
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
