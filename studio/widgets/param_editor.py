"""What all editors of params have in common."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from pipelines.graph.registry import ParamSchema
from studio.theme import current_theme
from studio.translate import tr


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


def tool_button(icon: str, tip: str) -> QToolButton:
    """A small button beside the field."""
    button = QToolButton()
    button.setIcon(current_theme().icon(icon))
    button.setIconSize(QSize(18, 18))
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
