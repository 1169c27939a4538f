"""Wires: a bezier, kept as a polyline so that painting it is cheap, in the hue of its source."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsEllipseItem, QGraphicsPathItem

from pipelines.graph.types import PortType
from studio.canvas.style import CanvasStyle

WIDTH = 1.5
WIDE = 2.5


def curve(start: QPointF, end: QPointF) -> list[QPointF]:
    """A bezier from an output (leaving to the right) to an input (arriving from the left), as points."""
    reach = min(max(abs(end.x() - start.x()) * 0.5, 36.0), 200.0)
    if end.x() < start.x():
        reach = min(max(reach, abs(end.y() - start.y()) * 0.35), 220.0)
    length = math.hypot(end.x() - start.x(), end.y() - start.y())
    count = int(min(max(length / 14, 10), 28))
    x0, y0, x3, y3 = start.x(), start.y(), end.x(), end.y()
    x1, x2 = x0 + reach, x3 - reach
    points = []
    for index in range(count + 1):
        t = index / count
        a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
        points.append(QPointF(a * x0 + b * x1 + c * x2 + d * x3, (a + b) * y0 + (c + d) * y3))
    return points


def distance(points: list[QPointF], at: QPointF) -> float:
    """How far a point is from a polyline."""
    best = math.inf
    for index in range(len(points) - 1):
        a, b = points[index], points[index + 1]
        dx, dy = b.x() - a.x(), b.y() - a.y()
        square = dx * dx + dy * dy
        t = 0.0 if square == 0 else ((at.x() - a.x()) * dx + (at.y() - a.y()) * dy) / square
        t = min(1.0, max(0.0, t))
        best = min(best, math.hypot(a.x() + t * dx - at.x(), a.y() + t * dy - at.y()))
    return best


class WireItem(QGraphicsPathItem):
    """A link of the document, known by the input it ends in. Painted by Qt alone: no Python in a repaint."""

    def __init__(self, target: str, name: str, style: CanvasStyle) -> None:
        super().__init__()
        self.target, self.input = target, name
        self.source, self.output = "", ""
        self.kind = PortType("Any")
        self.words: str | None = None
        self.points: list[QPointF] = []
        """The curve, from output to input, in its own coordinates."""
        self.area = (0.0, 0.0, 0.0, 0.0)
        """Left, top, right and bottom in the scene."""
        self._ends: tuple[float, float, float, float] | None = None
        self.hovered = self.selected = self.stale = self.flowing = self.wrong = False
        self._style = style
        self._mark: QGraphicsEllipseItem | None = None
        self.setZValue(0)

    @property
    def key(self) -> tuple[str, str]:
        return self.target, self.input

    def set_style(self, style: CanvasStyle) -> None:
        self._style = style
        self.refresh()

    def set_ends(self, start: QPointF, end: QPointF) -> None:
        """Move the wire."""
        ends = (start.x(), start.y(), end.x(), end.y())
        if ends == self._ends:
            return
        before, self._ends = self._ends, ends
        if (
            before is not None
            and ends[2] - ends[0] == before[2] - before[0]
            and ends[3] - ends[1] == before[3] - before[1]
        ):
            # both ends moved alike: the same curve elsewhere
            dx, dy = ends[0] - before[0], ends[1] - before[1]
            self.moveBy(dx, dy)
            left, top, right, bottom = self.area
            self.area = (left + dx, top + dy, right + dx, bottom + dy)
            return
        self.setPos(0, 0)
        points = self.points = curve(start, end)
        polygon = QPolygonF(points)
        box = polygon.boundingRect()
        self.area = (box.left(), box.top(), box.right(), box.bottom())
        path = QPainterPath()
        path.addPolygon(polygon)
        self.setPath(path)
        if self._mark is not None:
            self._mark.setPos(points[len(points) // 2])

    def set_look(self, **changes: bool) -> None:
        """Change hovered, selected, stale, flowing or wrong."""
        before = (self.hovered, self.selected, self.stale, self.flowing, self.wrong)
        for name, value in changes.items():
            setattr(self, name, value)
        if before != (self.hovered, self.selected, self.stale, self.flowing, self.wrong):
            self.refresh()

    def set_conversion(self, words: str | None) -> None:
        """Show that a value is converted on its way (``words`` say how)."""
        self.words = words
        if words is None:
            if self._mark is not None and self.scene() is not None:
                self.scene().removeItem(self._mark)
            self._mark = None
        elif self._mark is None:
            self._mark = QGraphicsEllipseItem(QRectF(-3.5, -3.5, 7, 7), self)
            if self.points:
                self._mark.setPos(self.points[len(self.points) // 2])

    def refresh(self) -> None:
        """Pens from the present looks."""
        style = self._style
        colour = style.colour("bad") if self.wrong else style.hue(self.kind)
        strong = self.hovered or self.selected
        pen = QPen(style.colour("brass") if self.selected else colour, WIDE if strong else WIDTH)
        pen.setJoinStyle(Qt.PenJoinStyle.BevelJoin)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        if self.stale or self.wrong:
            pen.setDashPattern([4, 3])
        elif self.flowing:
            pen.setDashPattern([8, 4])
        self.setPen(pen)
        self.setZValue(0.5 if strong else 0)
        if self._mark is not None:
            self._mark.setPen(QPen(colour, WIDTH))
            self._mark.setBrush(style.colour("bg0"))

    def advance_flow(self, offset: float) -> None:
        """Move the dash along the wire while data flows."""
        pen = self.pen()
        pen.setDashOffset(-offset)
        self.setPen(pen)

    def distance_to(self, at: QPointF) -> float:
        return distance(self.points, at - self.pos()) if self.points else math.inf

    def nearer_end_is_source(self, at: QPointF) -> bool:
        """Whether a point is nearer to the output than to the input."""
        at = at - self.pos()
        first, last = self.points[0], self.points[-1]
        return (first - at).manhattanLength() < (last - at).manhattanLength()


class DraftWire(QGraphicsPathItem):
    """The wire being drawn by a gesture; no document knows of it."""

    def __init__(self, kind: PortType, style: CanvasStyle) -> None:
        super().__init__()
        pen = QPen(style.hue(kind), WIDE)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        self.setPen(pen)
        self.setZValue(3)

    def set_ends(self, start: QPointF, end: QPointF) -> None:
        path = QPainterPath()
        path.addPolygon(QPolygonF(curve(start, end)))
        self.setPath(path)
