"""The curves of wires: cubic Béziers from port to port, as a path to paint and as points to measure by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath

Span = tuple[float, float, float, float, float, float, float, float]
"""One cubic: x and y of its start, of its two handles, and of its end."""


def spans(start: QPointF, via: Sequence[QPointF], end: QPointF) -> list[Span]:
    """From an output (leaving to the right) through dots to an input (arriving from the left).

    At each dot the curve is parallel to the line between its neighbours.
    """
    if not via:
        return [_plain(start.x(), start.y(), end.x(), end.y())]
    stops = [start, *via, end]
    result = []
    for index, (a, b) in enumerate(pairwise(stops)):
        length = math.hypot(b.x() - a.x(), b.y() - a.y()) * 0.38
        leave, arrive = (
            QPointF(1, 0) if at in (0, len(stops) - 1) else _tangent(stops, at) for at in (index, index + 1)
        )
        leave, arrive = a + leave * length, b - arrive * length
        result.append((a.x(), a.y(), leave.x(), leave.y(), arrive.x(), arrive.y(), b.x(), b.y()))
    return result


def _plain(x0: float, y0: float, x3: float, y3: float) -> Span:
    reach = min(max(abs(x3 - x0) * 0.5, 36.0), 200.0)
    if x3 < x0:
        reach = min(max(reach, abs(y3 - y0) * 0.35), 220.0)
    return x0, y0, x0 + reach, y0, x3 - reach, y3, x3, y3


def _tangent(stops: Sequence[QPointF], index: int) -> QPointF:
    along = stops[index + 1] - stops[index - 1]
    length = math.hypot(along.x(), along.y())
    return along / length if length else QPointF(1, 0)


def path_of(curve: Sequence[Span]) -> QPainterPath:
    """The curve as Qt paints it: flattened when it is painted, as finely as the zoom needs."""
    path = QPainterPath()
    path.moveTo(curve[0][0], curve[0][1])
    for span in curve:
        path.cubicTo(*span[2:])
    return path


def middle_of(curve: Sequence[Span]) -> QPointF:
    """A point about half way along."""
    if len(curve) % 2 == 0:
        return QPointF(*curve[len(curve) // 2][:2])
    x0, y0, x1, y1, x2, y2, x3, y3 = curve[len(curve) // 2]
    return QPointF((x0 + 3 * x1 + 3 * x2 + x3) / 8, (y0 + 3 * y1 + 3 * y2 + y3) / 8)


def points_of(curve: Sequence[Span]) -> list[QPointF]:
    """The curve as a polyline, to find what is near to it."""
    points = [QPointF(*curve[0][:2])]
    for span in curve:
        length = math.hypot(span[6] - span[0], span[7] - span[1])
        count = min(max(length / 14, 10), 28) if len(curve) == 1 else min(max(length / 9, 6), 24)
        x0, y0, x1, y1, x2, y2, x3, y3 = span
        points += [
            QPointF(a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3)
            for a, b, c, d in _weights(int(count))
        ]
    return points


@lru_cache(maxsize=32)
def _weights(count: int) -> tuple[tuple[float, float, float, float], ...]:
    """Bernstein polynomials at ``count`` even steps, without the first point."""
    steps = (index / count for index in range(1, count + 1))
    return tuple(((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3) for t in steps)


# --- measuring polylines ---------------------------------------------------------------------------------


def apart(a: QPointF, b: QPointF) -> float:
    """The distance of two points."""
    return math.hypot(a.x() - b.x(), a.y() - b.y())


def foot(a: QPointF, b: QPointF, at: QPointF) -> QPointF:
    """The point of a segment that is nearest to ``at``."""
    dx, dy = b.x() - a.x(), b.y() - a.y()
    square = dx * dx + dy * dy
    t = 0.0 if square == 0 else ((at.x() - a.x()) * dx + (at.y() - a.y()) * dy) / square
    t = min(1.0, max(0.0, t))
    return QPointF(a.x() + t * dx, a.y() + t * dy)


def distance(points: Iterable[QPointF], at: QPointF) -> float:
    """How far a point is from a polyline."""
    return min((apart(foot(a, b, at), at) for a, b in pairwise(points)), default=math.inf)


def along(points: Sequence[QPointF], length: float) -> QPointF:
    """The point of a polyline at a length from its start; its end, if it is shorter."""
    for a, b in pairwise(points):
        part = apart(a, b)
        if part >= length:
            return a + (b - a) * (length / part)
        length -= part
    return points[-1]


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
