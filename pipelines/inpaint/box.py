"""A rectangle of whole pixels."""

from __future__ import annotations

import math
from typing import NamedTuple


class Box(NamedTuple):
    """``width`` × ``height`` px whose top left corner is at ``x``, ``y``; may reach outside a picture."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column behind it."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.y + self.height

    @property
    def diagonal(self) -> float:
        """From corner to corner, in pixels."""
        return math.hypot(self.width, self.height)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of an H×W array; the box must lie inside."""
        return slice(self.y, self.bottom), slice(self.x, self.right)

    def grown(self, by: float) -> Box:
        """With ``by`` px more on each side, rounded up."""
        more = math.ceil(by)
        return Box(self.x - more, self.y - more, self.width + 2 * more, self.height + 2 * more)

    def clipped(self, width: int, height: int) -> Box:
        """The part inside a picture of ``width`` × ``height`` px; some of it must be."""
        x, y = max(self.x, 0), max(self.y, 0)
        return Box(x, y, min(self.right, width) - x, min(self.bottom, height) - y)

    def moved(self, x: int, y: int) -> Box:
        """The same seen from an origin at ``x``, ``y``."""
        return Box(self.x - x, self.y - y, self.width, self.height)
