"""A reroute dot: a handle on a wire that the wire leads through. Part of its wire, painted by Qt alone."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QGraphicsEllipseItem, QGraphicsItem

from studio.canvas.style import CanvasStyle

RADIUS = 5.5


class DotItem(QGraphicsEllipseItem):
    """One dot, in the hue of its wire; brass round it if it is selected."""

    def __init__(self, wire: QGraphicsItem) -> None:
        super().__init__(QRectF(-RADIUS, -RADIUS, 2 * RADIUS, 2 * RADIUS), wire)
        self.selected = False

    def refresh(self, colour: QColor, style: CanvasStyle) -> None:
        """Pens and brush from the wire's present colour."""
        self.setPen(QPen(style.colour("brass" if self.selected else "bg0"), 2.0))
        self.setBrush(colour)
