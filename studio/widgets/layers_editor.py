"""Layers that a node holds: how many there are, and the way to where they are painted."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from pipelines.graph.registry import ParamSchema
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.param_editor import ParamEditor


class LayersEditor(ParamEditor):
    """``canvas_requested`` when the user wants to paint. The value itself is changed by the canvas alone."""

    canvas_requested = Signal()

    def __init__(self, param: ParamSchema, parent: QWidget | None = None) -> None:
        super().__init__(param, parent)
        self._layers: Any = ()
        self.button = QPushButton(tr("Edit on the canvas"))
        self.button.setIcon(current_theme().icon("canvas"))
        self.button.setIconSize(QSize(16, 16))
        self.button.clicked.connect(self.canvas_requested)
        self.count = QLabel()
        self.count.setProperty("role", "hint")
        self._add(self.button, 1)
        self._add(self.count)
        self.set_value(param.default)

    def value(self) -> Any:
        return self._layers

    def set_value(self, value: Any) -> None:
        self._layers = value if isinstance(value, list | tuple) else ()
        count = len(self._layers)
        self.count.setText(tr("1 layer") if count == 1 else tr("{count} layers", count=count))
