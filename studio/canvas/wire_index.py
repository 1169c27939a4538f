"""Which wires are near a place: squares of the scene with the wires that run through them.

Made when a gesture begins, so that each of its frames looks at a few wires instead of all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from PySide6.QtCore import QRectF

from studio.canvas.items import WireItem

CELL = 320.0
SHORT = 9
"""A wire whose bounds cover no more squares than this is noted in all of them; a longer one is followed."""


class WireIndex:
    """Wires by the squares they run through, as they are now."""

    def __init__(self, wires: Iterable[WireItem]) -> None:
        self._cells: dict[tuple[int, int], list[WireItem]] = {}
        for wire in wires:
            for square in _squares(*wire.area) if _extent(wire.area) <= SHORT else _along(wire):
                self._cells.setdefault(square, []).append(wire)

    def near(self, area: QRectF) -> list[WireItem]:
        """The wires that may run through a rectangle of the scene."""
        found: dict[tuple[str, str], WireItem] = {}
        for square in _squares(area.left(), area.top(), area.right(), area.bottom()):
            found.update((wire.key, wire) for wire in self._cells.get(square, ()))
        return list(found.values())


def _extent(area: tuple[float, float, float, float]) -> float:
    """About how many squares an area covers."""
    return ((area[2] - area[0]) / CELL + 1) * ((area[3] - area[1]) / CELL + 1)


def _along(wire: WireItem) -> set[tuple[int, int]]:
    x, y = wire.pos().x(), wire.pos().y()
    places = [(point.x() + x, point.y() + y) for point in wire.points]
    return {
        square
        for (x0, y0), (x1, y1) in pairwise(places)
        for square in _squares(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    }


def _squares(left: float, top: float, right: float, bottom: float) -> Iterator[tuple[int, int]]:
    for column in range(int(left // CELL), int(right // CELL) + 1):
        for row in range(int(top // CELL), int(bottom // CELL) + 1):
            yield column, row
