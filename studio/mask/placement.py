"""Where a transform puts a layer: a box scaled, turned and moved. In pixels of the canvas."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Final

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPolygonF, QTransform

SNAP: Final = 15.0
"""Degrees that Shift turns in."""
CORNERS: Final = ((-1, -1), (1, -1), (1, 1), (-1, 1))
EDGES: Final = ((0, -1), (1, 0), (0, 1), (-1, 0))
Handle = tuple[int, int]
"""A corner or the middle of an edge, seen from the middle of the box: -1, 0 or 1 across and down."""


@dataclass(frozen=True, slots=True)
class Placement:
    """``box`` scaled by ``across`` and ``down`` (negative ones mirror), then turned by ``angle`` (degrees
    clockwise) about its middle, then moved by ``by``."""

    box: QRectF
    across: float = 1.0
    down: float = 1.0
    angle: float = 0.0
    by: QPointF = field(default_factory=QPointF)

    @property
    def middle(self) -> QPointF:
        return self.box.center() + self.by

    @property
    def is_unchanged(self) -> bool:
        return (self.across, self.down, self.angle) == (1.0, 1.0, 0.0) and self.by.isNull()

    def matrix(self) -> QTransform:
        """From where the pixels are to where they go. Whole turns and moves by whole pixels are exact."""
        if self.is_unchanged:
            return QTransform()
        start, end = self.box.center(), self.middle
        there = QTransform.fromTranslate(-start.x(), -start.y()) * QTransform.fromScale(
            self.across, self.down
        )
        turned = there * QTransform().rotate(self.angle)
        return turned * QTransform.fromTranslate(end.x(), end.y())

    def outline(self) -> QPolygonF:
        """The corners, from the top left one on."""
        return QPolygonF([self.point(handle) for handle in CORNERS])

    def point(self, handle: Handle) -> QPointF:
        """Where a handle is; (0, 0) is the middle."""
        x = handle[0] * self.box.width() / 2 * self.across
        y = handle[1] * self.box.height() / 2 * self.down
        return self.middle + _turned(QPointF(x, y), self.angle)

    def moved(self, by: QPointF) -> Placement:
        """Moved further, so that the box is whole pixels away from where it was."""
        return replace(self, by=self.by + QPointF(round(by.x()), round(by.y())))

    def scaled(self, handle: Handle, to: QPointF, *, keep_ratio: bool, centred: bool = False) -> Placement:
        """With a handle at ``to``; what is opposite it stays (or the middle, if ``centred``)."""
        x, y = handle
        anchor = self.middle if centred else self.point((-x, -y))
        span = 0.5 if centred else 1.0
        way = _turned(to - anchor, -self.angle)
        width, height = self.box.width() * span, self.box.height() * span
        across = way.x() / (x * width) if x else self.across
        down = way.y() / (y * height) if y else self.down
        if keep_ratio:
            across, down = self._in_ratio(handle, way, across, down, span)
        across, down = _at_least(across, self.box.width()), _at_least(down, self.box.height())
        result = replace(self, across=across, down=down)
        return replace(result, by=result.by + anchor - (result.middle if centred else result.point((-x, -y))))

    def _in_ratio(
        self, handle: Handle, way: QPointF, across: float, down: float, span: float
    ) -> tuple[float, float]:
        x, y = handle
        if not x or not y:
            factor = across / self.across if x else down / self.down
            return self.across * factor, self.down * factor
        # the nearest point of the diagonal
        diagonal = QPointF(
            x * self.box.width() * self.across * span, y * self.box.height() * self.down * span
        )
        factor = QPointF.dotProduct(way, diagonal) / QPointF.dotProduct(diagonal, diagonal)
        return self.across * factor, self.down * factor

    def turned(self, start: QPointF, to: QPointF, *, steps: bool = False) -> Placement:
        """Turned about its middle as the way from ``start`` to ``to`` does, to full steps of
        :data:`SNAP` if ``steps``."""
        first, last = start - self.middle, to - self.middle
        angle = self.angle + math.degrees(math.atan2(last.y(), last.x()) - math.atan2(first.y(), first.x()))
        if steps:
            angle = round(angle / SNAP) * SNAP
        return replace(self, angle=(angle + 180) % 360 - 180)

    def mirrored(self, *, horizontal: bool) -> Placement:
        """Mirrored on the canvas's own axis through its middle."""
        if horizontal:
            return replace(self, across=-self.across, angle=-self.angle)
        return replace(self, down=-self.down, angle=-self.angle)


def _turned(point: QPointF, angle: float) -> QPointF:
    turn = math.radians(angle)
    cos, sin = math.cos(turn), math.sin(turn)
    return QPointF(point.x() * cos - point.y() * sin, point.x() * sin + point.y() * cos)


def _at_least(factor: float, side: float) -> float:
    """A side never gets shorter than a pixel."""
    least = 1 / max(side, 1.0)
    return factor if abs(factor) >= least else math.copysign(least, factor)
