"""Which wires are near a place: squares of the scene with the wires that run through them.

Wires tell when they are somewhere else; they are looked up anew when somebody asks, so that a frame of a
gesture looks at a few wires instead of all of them, and building a scene does not wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

from PySide6.QtCore import QPointF, QRectF

from studio.canvas.node_index import Area

CELL = 320.0
SHORT = 9
"""A wire whose bounds cover no more squares than this is noted in all of them; a longer one is followed."""
Square = tuple[int, int]


class Led(Protocol):
    """What runs through the scene, by points counted from its own place."""

    @property
    def points(self) -> list[QPointF]: ...
    @property
    def area(self) -> Area: ...
    def pos(self) -> QPointF: ...


Item = TypeVar("Item", bound=Led)


class WireIndex(Generic[Item]):
    """Wires by the squares they run through."""

    def __init__(self, wires: Iterable[Item] = ()) -> None:
        self._cells: dict[Square, dict[Item, None]] = {}
        self._known: dict[Item, list[Square]] = {}
        self._moved: dict[Item, None] = dict.fromkeys(wires)

    def moved(self, wire: Item) -> None:
        """A wire is new, or somewhere else."""
        self._moved[wire] = None

    def remove(self, wire: Item) -> None:
        """A wire is gone."""
        self._moved.pop(wire, None)
        self._take(wire)

    def near(self, area: QRectF) -> list[Item]:
        """The wires that may run through a rectangle of the scene."""
        self._follow()
        found: dict[Item, None] = {}
        for square in _squares(area.left(), area.top(), area.right(), area.bottom()):
            found.update(self._cells.get(square, {}))
        return list(found)

    def _follow(self) -> None:
        """Note where the wires are that moved."""
        moved, self._moved = self._moved, {}
        for wire in moved:
            self._take(wire)
            squares = _squares(*wire.area) if _extent(wire.area) <= SHORT else _along(wire)
            self._known[wire] = list(squares)
            for square in self._known[wire]:
                self._cells.setdefault(square, {})[wire] = None

    def _take(self, wire: Item) -> None:
        for square in self._known.pop(wire, ()):
            del self._cells[square][wire]


def _extent(area: Area) -> float:
    """About how many squares an area covers."""
    return ((area[2] - area[0]) / CELL + 1) * ((area[3] - area[1]) / CELL + 1)


def _along(wire: Led) -> set[Square]:
    x, y = wire.pos().x(), wire.pos().y()
    places = [(point.x() + x, point.y() + y) for point in wire.points]
    return {
        square
        for (x0, y0), (x1, y1) in pairwise(places)
        for square in _squares(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    }


def _squares(left: float, top: float, right: float, bottom: float) -> Iterator[Square]:
    for column in range(int(left // CELL), int(right // CELL) + 1):
        for row in range(int(top // CELL), int(bottom // CELL) + 1):
            yield column, row
