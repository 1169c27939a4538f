"""Wires: a bezier, kept as a polyline so that painting it is cheap, in the hue of its source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsEllipseItem, QGraphicsPathItem

from pipelines.graph.types import PortType
from studio.canvas.items.dot import DotItem
from studio.canvas.style import CanvasStyle

WIDTH = 1.5
WIDE = 2.5
GRIP = 3.5
OFF_PORT = 16.0
LIT = 3.5
"""A wire that something is about to happen to."""


def curve(start: QPointF, end: QPointF) -> list[QPointF]:
    """A bezier from an output (leaving to the right) to an input (arriving from the left), as points."""
    reach = min(max(abs(end.x() - start.x()) * 0.5, 36.0), 200.0)
    if end.x() < start.x():
        reach = min(max(reach, abs(end.y() - start.y()) * 0.35), 220.0)
    length = math.hypot(end.x() - start.x(), end.y() - start.y())
    count = int(min(max(length / 14, 10), 28))
    return _bezier(start, QPointF(reach, 0), QPointF(reach, 0), end, count)


def _bezier(start: QPointF, leave: QPointF, arrive: QPointF, end: QPointF, count: int) -> list[QPointF]:
    """A cubic from ``start``, leaving along one vector, to ``end``, arriving along the other."""
    x0, y0, x3, y3 = start.x(), start.y(), end.x(), end.y()
    x1, y1, x2, y2 = x0 + leave.x(), y0 + leave.y(), x3 - arrive.x(), y3 - arrive.y()
    points = []
    for index in range(count + 1):
        t = index / count
        a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
        points.append(QPointF(a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3))
    return points


def curve_through(start: QPointF, via: Sequence[QPointF], end: QPointF) -> list[QPointF]:
    """A curve like :func:`curve` through dots; at each it is parallel to the line between its neighbours."""
    if not via:
        return curve(start, end)
    stops = [start, *via, end]
    points = [start]
    for index in range(len(stops) - 1):
        a, b = stops[index], stops[index + 1]
        length = math.hypot(b.x() - a.x(), b.y() - a.y())
        tangents = [
            QPointF(1, 0) if at in (0, len(stops) - 1) else _tangent(stops, at) for at in (index, index + 1)
        ]
        leave, arrive = (tangent * (length * 0.38) for tangent in tangents)
        points += _bezier(a, leave, arrive, b, int(min(max(length / 9, 6), 24)))[1:]
    return points


def _tangent(stops: Sequence[QPointF], index: int) -> QPointF:
    along = stops[index + 1] - stops[index - 1]
    length = math.hypot(along.x(), along.y())
    return along / length if length else QPointF(1, 0)


def distance(points: list[QPointF], at: QPointF) -> float:
    """How far a point is from a polyline."""
    return min((_apart(_foot(a, b, at), at) for a, b in pairwise(points)), default=math.inf)


def _foot(a: QPointF, b: QPointF, at: QPointF) -> QPointF:
    """The point of a segment that is nearest to ``at``."""
    dx, dy = b.x() - a.x(), b.y() - a.y()
    square = dx * dx + dy * dy
    t = 0.0 if square == 0 else ((at.x() - a.x()) * dx + (at.y() - a.y()) * dy) / square
    t = min(1.0, max(0.0, t))
    return QPointF(a.x() + t * dx, a.y() + t * dy)


def _along(points: Sequence[QPointF], length: float) -> QPointF:
    """The point of a polyline at a length from its start; its end, if it is shorter."""
    for a, b in pairwise(points):
        part = _apart(a, b)
        if part >= length:
            return a + (b - a) * (length / part)
        length -= part
    return points[-1]


def _apart(a: QPointF, b: QPointF) -> float:
    return math.hypot(a.x() - b.x(), a.y() - b.y())


def segment_meets(area: QRectF, a: QPointF, b: QPointF) -> bool:
    """Whether a segment has a point in a rectangle (Liang and Barsky, "A new concept and method for line
    clipping", 1984)."""
    enter, leave = 0.0, 1.0
    dx, dy = b.x() - a.x(), b.y() - a.y()
    for way, room in (
        (-dx, a.x() - area.left()), (dx, area.right() - a.x()),
        (-dy, a.y() - area.top()), (dy, area.bottom() - a.y()),
    ):  # fmt: skip
        if way == 0:
            if room < 0:
                return False
        elif way < 0:
            enter = max(enter, room / way)
        else:
            leave = min(leave, room / way)
    return enter <= leave


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
        self.dots: list[DotItem] = []
        self._route: tuple[float, ...] = ()
        self.hovered = self.selected = self.stale = self.flowing = self.wrong = False
        self.lit = self.cut = False
        self._style = style
        self._mark: QGraphicsEllipseItem | None = None
        self._grip: QGraphicsEllipseItem | None = None
        self.setZValue(0)

    @property
    def key(self) -> tuple[str, str]:
        return self.target, self.input

    def set_style(self, style: CanvasStyle) -> None:
        self._style = style
        self.refresh()

    def set_route(self, start: QPointF, end: QPointF, via: Sequence[QPointF] = ()) -> None:
        """Lead the wire from an output through dots to an input."""
        route = tuple(value for stop in (start, end, *via) for value in (stop.x(), stop.y()))
        if route == self._route:
            return
        before, self._route = self._route, route
        if len(before) == len(route):
            dx, dy = route[0] - before[0], route[1] - before[1]
            alike = all(
                now - was == (dy if index % 2 else dx)
                for index, (was, now) in enumerate(zip(before, route, strict=True))
            )
        else:
            alike = False
        if alike:  # every stop moved alike: the same curve elsewhere
            self.moveBy(dx, dy)
            left, top, right, bottom = self.area
            self.area = (left + dx, top + dy, right + dx, bottom + dy)
            return
        self.setPos(0, 0)
        points = self.points = curve_through(start, via, end)
        polygon = QPolygonF(points)
        box = polygon.boundingRect()
        self.area = (box.left(), box.top(), box.right(), box.bottom())
        path = QPainterPath()
        path.addPolygon(polygon)
        self.setPath(path)
        if self._mark is not None:
            self._mark.setPos(points[len(points) // 2])
        self._show_dots(via)

    def _show_dots(self, via: Sequence[QPointF]) -> None:
        while len(self.dots) > len(via):
            self.scene().removeItem(self.dots.pop())
        new = len(via) - len(self.dots)
        self.dots += [DotItem(self) for _ in range(new)]
        for dot, at in zip(self.dots, via, strict=True):
            dot.setPos(at)
        if new > 0:
            self.refresh()

    def stops(self) -> list[QPointF]:
        """Start, dots and end, in the scene."""
        xs, ys = self._route[::2], self._route[1::2]
        points = [QPointF(x, y) for x, y in zip(xs, ys, strict=True)]
        return [points[0], *points[2:], points[1]] if points else []

    def set_look(self, **changes: bool) -> None:
        """Change hovered, selected, stale, flowing, wrong, lit (to take a node) or cut (about to go)."""
        changed = False
        for name, value in changes.items():
            changed |= getattr(self, name) is not value
            setattr(self, name, value)
        if changed:
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
        colour = style.colour("bad") if self.wrong or self.cut else style.hue(self.kind)
        strong = self.hovered or self.selected or self.cut or self.lit
        brass = style.colour("brass") if self.selected or self.lit else colour
        pen = QPen(brass, LIT if self.lit else WIDE if strong else WIDTH)
        pen.setJoinStyle(Qt.PenJoinStyle.BevelJoin)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        if self.stale or self.wrong or self.cut:
            pen.setDashPattern([4, 3])
        elif self.flowing:
            pen.setDashPattern([8, 4])
        self.setPen(pen)
        self.setZValue(0.5 if strong else 0)
        if self._mark is not None:
            self._mark.setPen(QPen(colour, WIDTH))
            self._mark.setBrush(style.colour("bg0"))
        for dot in self.dots:
            dot.refresh(colour, style)

    def advance_flow(self, offset: float) -> None:
        """Move the dash along the wire while data flows."""
        pen = self.pen()
        pen.setDashOffset(-offset)
        self.setPen(pen)

    def show_grip(self, at_source: bool | None) -> None:
        """Mark the end that a drag would take along; ``None``: neither."""
        if at_source is None:
            if self._grip is not None:
                self.scene().removeItem(self._grip)
            self._grip = None
            return
        if self._grip is None:
            self._grip = QGraphicsEllipseItem(QRectF(-GRIP, -GRIP, 2 * GRIP, 2 * GRIP), self)
            self._grip.setPen(QPen(self._style.hue(self.kind), WIDTH))
        # off the port, which has a place of its own to press
        self._grip.setPos(_along(self.points if at_source else self.points[::-1], OFF_PORT))

    def distance_to(self, at: QPointF) -> float:
        return distance(self.points, at - self.pos()) if self.points else math.inf

    def nearer_end_is_source(self, at: QPointF) -> bool:
        """Whether a point is nearer to the output than to the input, along the wire."""
        at, points = at - self.pos(), self.points
        lengths = [math.hypot(b.x() - a.x(), b.y() - a.y()) for a, b in pairwise(points)]
        nearest = min(range(len(lengths)), key=lambda index: distance(points[index : index + 2], at))
        return sum(lengths[:nearest]) + lengths[nearest] / 2 < sum(lengths) / 2

    def nearest(self, at: QPointF) -> QPointF:
        """The point of the wire that is nearest to a point of the scene."""
        at = at - self.pos()
        return (
            min((_foot(a, b, at) for a, b in pairwise(self.points)), key=lambda p: _apart(p, at)) + self.pos()
        )

    def crosses_line(self, start: QPointF, end: QPointF) -> bool:
        """Whether a segment, in the scene, crosses it."""
        start, end = start - self.pos(), end - self.pos()

        def side(a: QPointF, b: QPointF, c: QPointF) -> float:
            return (b.x() - a.x()) * (c.y() - a.y()) - (b.y() - a.y()) * (c.x() - a.x())

        return any(
            side(start, end, a) * side(start, end, b) <= 0 and side(a, b, start) * side(a, b, end) <= 0
            for a, b in pairwise(self.points)
        )

    def crosses(self, area: QRectF) -> bool:
        """Whether it runs through a rectangle of the scene."""
        area = area.translated(-self.pos())
        return any(segment_meets(area, a, b) for a, b in pairwise(self.points))


class DraftWire(QGraphicsPathItem):
    """The wire being drawn by a gesture; no document knows of it."""

    def __init__(self, kind: PortType, style: CanvasStyle, *, lit: bool = False) -> None:
        super().__init__()
        pen = QPen(style.colour("brass") if lit else style.hue(kind), LIT if lit else WIDE)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        self.setPen(pen)
        self.setZValue(3)

    def set_ends(self, start: QPointF, end: QPointF) -> None:
        path = QPainterPath()
        path.addPolygon(QPolygonF(curve(start, end)))
        self.setPath(path)
