"""Wires: a curve from port to port, in the hue of its source. Painted by Qt alone: no Python in a repaint."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPen
from PySide6.QtWidgets import QGraphicsEllipseItem, QGraphicsPathItem

from pipelines.graph.types import PortType
from studio.canvas.items import curves
from studio.canvas.items.dot import DotItem
from studio.canvas.style import CanvasStyle

if TYPE_CHECKING:
    from studio.canvas.wire_index import WireIndex

WIDTH = 1.5
WIDE = 2.5
GRIP = 3.5
OFF_PORT = 16.0
LIT = 3.5
"""A wire that something is about to happen to."""


class WireItem(QGraphicsPathItem):
    """A link of the document, known by the input it ends in."""

    def __init__(self, target: str, name: str, style: CanvasStyle) -> None:
        super().__init__()
        self.target, self.input = target, name
        self.source, self.output = "", ""
        self.kind = PortType("Any")
        self.words: str | None = None
        self.index: WireIndex[WireItem] | None = None
        """What is told when the wire is somewhere else."""
        self.area = (0.0, 0.0, 0.0, 0.0)
        """Left, top, right and bottom in the scene."""
        self.dots: list[DotItem] = []
        self._route: tuple[float, ...] = ()
        self._curve: list[curves.Span] = []
        self._points: list[QPointF] | None = None
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
        if self.index is not None:
            self.index.moved(self)
        if alike:  # every stop moved alike: the same curve elsewhere
            self.moveBy(dx, dy)
            left, top, right, bottom = self.area
            self.area = (left + dx, top + dy, right + dx, bottom + dy)
            return
        self.setPos(0, 0)
        self._curve, self._points = curves.spans(start, via, end), None
        path = curves.path_of(self._curve)
        box = path.boundingRect()
        self.area = (box.left(), box.top(), box.right(), box.bottom())
        self.setPath(path)
        if self._mark is not None:
            self._mark.setPos(curves.middle_of(self._curve))
        if via or self.dots:
            self._show_dots(via)

    @property
    def points(self) -> list[QPointF]:
        """The curve as a polyline, from output to input, in its own coordinates."""
        if self._points is None:
            self._points = curves.points_of(self._curve) if self._curve else []
        return self._points

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
            if self._curve:
                self._mark.setPos(curves.middle_of(self._curve))

    def refresh(self) -> None:
        """Pens from the present looks."""
        style = self._style
        colour = style.colour("bad") if self.wrong or self.cut else style.hue(self.kind)
        strong = self.hovered or self.selected or self.cut or self.lit
        brass = style.colour("brass") if self.selected or self.lit else colour
        dashed = self.stale or self.wrong or self.cut
        dashes = (4, 3) if dashed else (8, 4) if self.flowing else ()
        self.setPen(style.wire_pen(brass, LIT if self.lit else WIDE if strong else WIDTH, dashes))
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
        self._grip.setPos(curves.along(self.points if at_source else self.points[::-1], OFF_PORT))

    def distance_to(self, at: QPointF) -> float:
        return curves.distance(self.points, at - self.pos()) if self.points else math.inf

    def nearer_end_is_source(self, at: QPointF) -> bool:
        """Whether a point is nearer to the output than to the input, along the wire."""
        at, points = at - self.pos(), self.points
        lengths = [math.hypot(b.x() - a.x(), b.y() - a.y()) for a, b in pairwise(points)]
        nearest = min(range(len(lengths)), key=lambda index: curves.distance(points[index : index + 2], at))
        return sum(lengths[:nearest]) + lengths[nearest] / 2 < sum(lengths) / 2

    def nearest(self, at: QPointF) -> QPointF:
        """The point of the wire that is nearest to a point of the scene."""
        at = at - self.pos()
        feet = (curves.foot(a, b, at) for a, b in pairwise(self.points))
        return min(feet, key=lambda foot: curves.apart(foot, at)) + self.pos()

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
        return any(curves.segment_meets(area, a, b) for a, b in pairwise(self.points))


class DraftWire(QGraphicsPathItem):
    """The wire being drawn by a gesture; no document knows of it."""

    def __init__(self, kind: PortType, style: CanvasStyle, *, lit: bool = False) -> None:
        super().__init__()
        pen = QPen(style.colour("brass") if lit else style.hue(kind), LIT if lit else WIDE)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        self.setPen(pen)
        self.setZValue(3)

    def set_ends(self, start: QPointF, end: QPointF) -> None:
        self.setPath(curves.path_of(curves.spans(start, (), end)))
