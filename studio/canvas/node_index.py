"""Which nodes are near a place: squares of the scene with the nodes that reach into them.

Kept up to date by the items themselves, so that a pointer or a dragged node looks at a few nodes, not at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from PySide6.QtCore import QPointF

CELL = 320.0
Area = tuple[float, float, float, float]
"""Left, top, right and bottom in the scene."""
Squares = tuple[int, int, int, int]
"""First and last column, first and last row."""


class Placed(Protocol):
    """What has a place in the scene."""

    @property
    def area(self) -> Area: ...


Item = TypeVar("Item", bound=Placed)


class NodeIndex(Generic[Item]):
    """Node items by the squares that they reach into."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], list[Item]] = {}
        self._known: dict[Item, Squares] = {}

    def put(self, item: Item) -> None:
        """Note where an item is now."""
        squares, known = _squares(item.area), self._known.get(item)
        if squares == known:
            return
        if known is not None:
            self._take(item, known)
        self._known[item] = squares
        for square in _each(squares):
            self._cells.setdefault(square, []).append(item)

    def remove(self, item: Item) -> None:
        """Forget an item."""
        known = self._known.pop(item, None)
        if known is not None:
            self._take(item, known)

    def _take(self, item: Item, squares: Squares) -> None:
        for square in _each(squares):
            cell = self._cells[square]
            cell.remove(item)
            if not cell:
                del self._cells[square]

    def near(self, area: Area) -> list[Item]:
        """The items whose bodies touch an area."""
        left, top, right, bottom = area
        first, last, upper, lower = squares = _squares(area)
        if (last - first + 1) * (lower - upper + 1) >= len(self._cells):
            found = list(self._known)
        else:
            cells = self._cells
            found = list(dict.fromkeys(item for square in _each(squares) for item in cells.get(square, ())))
        return [
            item
            for item in found
            if item.area[0] <= right
            and item.area[2] >= left
            and item.area[1] <= bottom
            and item.area[3] >= top
        ]

    def room_below(self, area: Area, most: float) -> float:
        """How far below an area the next item is, if it is less than ``most``; else infinity.

        Items that begin above the area's top don't count, nor those beside it.
        """
        left, top, right, bottom = area
        below = (
            item.area[1]
            for item in self.near((left, top, right, bottom + most))
            if item.area[1] > top and item.area[0] < right and item.area[2] > left
        )
        nearest = min(below, default=math.inf)
        return nearest - bottom if nearest - bottom < most else math.inf


def round_about(at: QPointF, reach: float) -> Area:
    """The square round a point, ``reach`` to each side."""
    return at.x() - reach, at.y() - reach, at.x() + reach, at.y() + reach


def _squares(area: Area) -> Squares:
    return int(area[0] // CELL), int(area[2] // CELL), int(area[1] // CELL), int(area[3] // CELL)


def _each(squares: Squares) -> Iterator[tuple[int, int]]:
    first, last, upper, lower = squares
    for column in range(first, last + 1):
        for row in range(upper, lower + 1):
            yield column, row
