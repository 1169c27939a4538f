"""Alignment guides: where a dragged node is level with others, or makes a wire straight.

The arithmetic is plain; :class:`GuideItem` shows the lines.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from PySide6.QtCore import QLineF
from PySide6.QtGui import QPainterPath
from PySide6.QtWidgets import QGraphicsPathItem

from studio.canvas.style import CanvasStyle

Rect = tuple[float, float, float, float]
"""Left, top, right and bottom."""
REACH = 6.0
"""How near a node must be to a guide to jump to it, in pixels of the view."""
MOST = 2
"""Lines shown at once for each direction: the nearest."""


@dataclass(frozen=True, order=True, slots=True)
class Guide:
    """A line that an edge, a middle or a port can lie on."""

    value: float
    """What the edge, the middle, or for ports the node's top, must be."""
    at: float = field(compare=False)
    """Where the line is drawn."""
    low: float = field(compare=False)
    high: float = field(compare=False)
    """From where to where it runs, at least."""


@dataclass(frozen=True, slots=True)
class Snap:
    """How far to move a node to be level with others, if it is near to that; and the lines to show."""

    dx: float | None
    dy: float | None
    lines: tuple[QLineF, ...] = ()


class Guides:
    """The guides of the nodes that don't move.

    Args:
        rects: those nodes.
        straight: for each wire of the dragged node to one of them, the top that would make it straight.
    """

    def __init__(self, rects: Iterable[Rect], straight: Iterable[Guide] = ()) -> None:
        across: list[list[Guide]] = [[], [], []]
        along: list[list[Guide]] = [[], [], []]
        for left, top, right, bottom in rects:
            for kind, value in enumerate((left, (left + right) / 2, right)):
                across[kind].append(Guide(value, value, top, bottom))
            for kind, value in enumerate((top, (top + bottom) / 2, bottom)):
                along[kind].append(Guide(value, value, left, right))
        self._across = [sorted(guides) for guides in across]
        self._along = [sorted(guides) for guides in (*along, list(straight))]

    def snap(self, rect: Rect, reach: float) -> Snap:
        """Where a node at ``rect`` would jump to, within ``reach``: edges to edges, middles to middles."""
        left, top, right, bottom = rect
        xs = (left, (left + right) / 2, right)
        ys = (top, (top + bottom) / 2, bottom, top)
        dx, dy = _nearest(self._across, xs, reach), _nearest(self._along, ys, reach)
        by_x, by_y = dx or 0.0, dy or 0.0
        lines: list[QLineF] = []
        if dx is not None:
            span = (top + by_y, bottom + by_y)
            for guide in _met(self._across, xs, by_x, span):
                low, high = min(guide.low, span[0]), max(guide.high, span[1])
                lines.append(QLineF(guide.at, low, guide.at, high))
        if dy is not None:
            span = (left + by_x, right + by_x)
            for guide in _met(self._along, ys, by_y, span):
                low, high = min(guide.low, span[0]), max(guide.high, span[1])
                lines.append(QLineF(low, guide.at, high, guide.at))
        return Snap(dx, dy, tuple(lines))


def _nearest(kinds: Sequence[Sequence[Guide]], values: Sequence[float], reach: float) -> float | None:
    best: float | None = None
    for guides, value in zip(kinds, values, strict=True):
        at = bisect_left(guides, value, key=lambda guide: guide.value)
        for guide in guides[max(0, at - 1) : at + 1]:
            away = guide.value - value
            if abs(away) <= reach and (best is None or abs(away) < abs(best)):
                best = away
    return best


def _met(
    kinds: Sequence[Sequence[Guide]], values: Sequence[float], by: float, span: tuple[float, float]
) -> list[Guide]:
    """The guides that are met after the jump, nearest first, one for each place."""
    met: list[tuple[float, Guide]] = []
    for guides, value in zip(kinds, values, strict=True):
        first = bisect_left(guides, value + by - 0.25, key=lambda guide: guide.value)
        for guide in guides[first:]:
            if guide.value > value + by + 0.25:
                break
            met.append((max(guide.low - span[1], span[0] - guide.high, 0.0), guide))
    met.sort(key=lambda entry: entry[0])
    return list({guide.at: guide for _, guide in reversed(met[: 2 * MOST])}.values())[-MOST:]


class GuideItem(QGraphicsPathItem):
    """The lines of the guides that are met."""

    def __init__(self, style: CanvasStyle, pixel_ratio: float = 1.0) -> None:
        super().__init__()
        self.setPen(style.hairline(style.colour("brass"), pixel_ratio))
        self.setZValue(4)

    def show_lines(self, lines: Iterable[QLineF]) -> None:
        path = QPainterPath()
        for line in lines:
            path.moveTo(line.p1())
            path.lineTo(line.p2())
        if path != self.path():
            self.setPath(path)
