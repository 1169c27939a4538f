"""The way of a stroke: samples of a pointer become a smooth curve, the curve evenly spaced dabs."""

from __future__ import annotations

import math

from PySide6.QtCore import QRect

from studio.mask.brush import BrushSettings, StampCache
from studio.mask.surface import Surface

_PIECE = 4.0
"""Curves are walked in straight pieces of about this many pixels."""
_STEADIEST = 0.94
"""How much of the way to the pointer full smoothing leaves for the next sample."""


class DabPath:
    """Draws into ``surface``, which it opens; :meth:`cancel` leaves it as it was, else the owner commits.

    Pixel i reaches from i to i+1 in the coordinates of a sample; pressure is 0..1 (a mouse has 1). Subclasses
    say what a dab does, and compute the pixels that changed once an event.
    """

    def __init__(self, surface: Surface, settings: BrushSettings, stamps: StampCache) -> None:
        self._surface, self._settings, self._stamps = surface, settings, stamps
        self._raw: tuple[float, float, float] | None = None
        self._at: tuple[float, float, float] | None = None
        self._tangent = (0.0, 0.0)
        self._rest = 0.0
        surface.begin()

    def _dab(self, x: float, y: float, pressure: float) -> None:
        raise NotImplementedError

    def _flush(self) -> QRect:
        """Bring the surface up to date; gives the area that changed since the last time."""
        raise NotImplementedError

    # --- samples ---------------------------------------------------------------------------------------

    def add(self, x: float, y: float, pressure: float = 1.0) -> QRect:
        """The pointer is here now; gives the area that changed."""
        self._raw = (x, y, pressure)
        if self._at is None:
            self._at = self._raw
            self._dab(x, y, pressure)
            self._rest = self._gap(pressure)
            return self._flush()
        keep = self._settings.smoothing * _STEADIEST
        goal = tuple(new + (old - new) * keep for old, new in zip(self._at, self._raw, strict=True))
        self._curve((goal[0], goal[1], goal[2]))
        return self._flush()

    def line(self, x: float, y: float, pressure: float = 1.0) -> QRect:
        """Straight to here, without smoothing; gives the area that changed."""
        if self._at is None:
            return self.add(x, y, pressure)
        self._straight((x, y, pressure))
        self._raw = self._at
        return self._flush()

    def finish(self) -> QRect:
        """The pointer left: what smoothing held back is drawn; gives the area that changed."""
        if self._raw is not None and self._at is not None and self._raw[:2] != self._at[:2]:
            self._curve(self._raw)
        return self._flush()

    def cancel(self) -> QRect:
        """Leave the surface as it was; gives the area that looked different."""
        return self._surface.rollback()

    # --- the way between samples -----------------------------------------------------------------------

    def _gap(self, pressure: float) -> float:
        return max(0.5, self._settings.spacing * self._settings.diameter(pressure))

    def _curve(self, goal: tuple[float, float, float]) -> None:
        """A cubic Hermite curve whose start follows the last direction: smooth, and it never lags behind."""
        start = self._at
        if start is None:
            return
        ax, ay, bx, by = start[0], start[1], goal[0], goal[1]
        dx, dy = bx - ax, by - ay
        length = math.hypot(dx, dy)
        if not length:
            self._at = goal
            return
        tx, ty = self._tangent
        before = math.hypot(tx, ty)
        if before and (tx * dx + ty * dy) > 0:  # a sharp turn stays sharp
            tx, ty = (tx / before * length + dx) / 2, (ty / before * length + dy) / 2
        else:
            tx, ty = dx, dy
        pieces = max(1, min(64, round(length / _PIECE)))
        for index in range(1, pieces + 1):
            t = index / pieces
            h1, h2 = t * t * (3 - 2 * t), t * (1 - t) * (1 - t)
            h3 = t * t * (t - 1)
            self._straight(
                (
                    ax + dx * h1 + tx * h2 + dx * h3,
                    ay + dy * h1 + ty * h2 + dy * h3,
                    start[2] + (goal[2] - start[2]) * t,
                )
            )
        self._at, self._tangent = goal, (dx, dy)

    def _straight(self, goal: tuple[float, float, float]) -> None:
        start = self._at
        if start is None:
            return
        length = math.hypot(goal[0] - start[0], goal[1] - start[1])
        walked = 0.0
        while length - walked >= self._rest:
            walked += self._rest
            x, y, pressure = (a + (b - a) * walked / length for a, b in zip(start, goal, strict=True))
            self._dab(x, y, pressure)
            self._rest = self._gap(pressure)
        self._rest -= length - walked
        self._at = goal
