"""The view goes along when something is dragged to its edge."""

from __future__ import annotations

from typing import Any, Protocol

from PySide6.QtCore import QObject, QPoint, QPointF, QRect, Qt, QTimer, Slot

from studio.canvas.interactions import Interaction

EDGE = 24
"""Width of the strip along the edge, in pixels of the view."""
FRAME_MS = 16
FASTEST = 18
"""Pixels a frame, at the edge and beyond it."""


class Canvas(Protocol):
    """What is needed of :class:`studio.canvas.view.GraphView`."""

    interaction: Interaction | None

    def viewport(self) -> Any: ...
    def mapToScene(self, at: QPoint, /) -> QPointF: ...
    def pan_by(self, pixels: QPoint) -> None: ...


class EdgePan(QObject):
    """Moves the view while a gesture's pointer is at its edge, and lets the gesture follow."""

    def __init__(self, view: Canvas, parent: QObject) -> None:
        super().__init__(parent)
        self._view = view
        self._at, self._modifiers = QPoint(), Qt.KeyboardModifier.NoModifier
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self._step)

    def follow(self, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        """The pointer of a gesture moved."""
        self._at, self._modifiers = view_at, modifiers
        gesture = self._view.interaction
        wanted = gesture is not None and gesture.dragging and gesture.pans_at_edge
        if not wanted or pace(self._view.viewport().rect(), view_at).isNull():
            self._timer.stop()
        elif not self._timer.isActive():
            self._timer.start()

    @Slot()
    def _step(self) -> None:
        gesture = self._view.interaction
        if gesture is None or not gesture.dragging:
            self._timer.stop()
            return
        self._view.pan_by(-pace(self._view.viewport().rect(), self._at))
        gesture.moved(self._view.mapToScene(self._at), self._at, self._modifiers)


def pace(area: QRect, at: QPoint) -> QPoint:
    """How many pixels the view goes in a frame; faster the nearer the pointer is to the edge."""

    def one(value: int, low: int, high: int) -> int:
        if value < low + EDGE:
            return -round(min(1.0, (low + EDGE - value) / EDGE) * FASTEST)
        if value > high - EDGE:
            return round(min(1.0, (value - high + EDGE) / EDGE) * FASTEST)
        return 0

    return QPoint(one(at.x(), area.left(), area.right()), one(at.y(), area.top(), area.bottom()))
