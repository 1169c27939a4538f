"""Brushes: their settings, and the stamps (*dabs*) that a stroke is made of."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import numpy as np

from studio.mask.tile import Array

MIN_SIZE, MAX_SIZE = 1.0, 2000.0
SUBPIXELS: Final = 4
"""Stamps exist at this many positions within a pixel, each way."""
CACHE_BYTES: Final = 48 * 2**20


@dataclass(frozen=True, slots=True)
class BrushSettings:
    """``size`` is a diameter in pixels of the picture; everything else is 0..1.

    A stroke never covers more than ``opacity``; each dab adds ``flow`` of what is missing to it. ``spacing``
    is the distance of dabs in diameters. ``smoothing`` steadies the hand.
    """

    size: float = 60.0
    hardness: float = 0.6
    opacity: float = 1.0
    flow: float = 1.0
    spacing: float = 0.1
    smoothing: float = 0.0
    pressure_size: bool = False
    pressure_opacity: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", min(max(self.size, MIN_SIZE), MAX_SIZE))
        object.__setattr__(self, "spacing", min(max(self.spacing, 0.01), 2.0))
        for name in ("hardness", "opacity", "flow", "smoothing"):
            object.__setattr__(self, name, min(max(getattr(self, name), 0.0), 1.0))

    def diameter(self, pressure: float) -> float:
        """Size at a pen pressure of 0..1."""
        return max(MIN_SIZE, self.size * pressure) if self.pressure_size else self.size

    def ceiling(self, pressure: float) -> float:
        """The most that the stroke may cover at a pen pressure of 0..1."""
        return self.opacity * pressure if self.pressure_opacity else self.opacity


def stamp(diameter: float, hardness: float, dx: float, dy: float) -> Array:
    """Coverage of one dab: (2n+1)×(2n+1) float32 in 0..1, its centre ``dx, dy`` right of and below the middle
    pixel's centre.

    1 up to ``hardness`` of the radius, then smoothly (3t² − 2t³) to 0 at the rim; the hardest brush keeps an
    antialiased edge one pixel wide.
    """
    radius = diameter / 2
    half = math.ceil(radius + 1)
    inner = max(0.0, min(hardness * radius, radius - 0.5))
    axis = np.arange(-half, half + 1, dtype=np.float32)
    distance = np.sqrt((axis - np.float32(dx))[None, :] ** 2 + (axis - np.float32(dy))[:, None] ** 2)
    distance -= np.float32(inner)
    distance *= np.float32(1 / (radius + 0.5 - inner))
    t = np.clip(distance, 0, 1, out=distance)
    return 1 - t * t * (3 - 2 * t)


class StampCache:
    """Stamps of late use, by size, hardness and place within a pixel; the least used go first."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit, self._bytes = limit, 0
        self._stamps: OrderedDict[tuple[float, float, int, int], Array] = OrderedDict()

    def at(self, x: float, y: float, diameter: float, hardness: float) -> tuple[Array, int, int]:
        """A stamp for a dab centred on ``x, y`` (pixel i reaches from i to i+1); where its corner goes."""
        if diameter <= 1:
            x, y = math.floor(x) + 0.5, math.floor(y) + 0.5
        # sizes come in steps of 1 %, or a pen's pressure would make a stamp of its own for every dab
        diameter = round(diameter * 4) / 4 if diameter < 32 else round(diameter, -1 if diameter > 999 else 0)
        column, row = math.floor(x), math.floor(y)
        sub_x, sub_y = int((x - column) * SUBPIXELS), int((y - row) * SUBPIXELS)
        key = (diameter, hardness, sub_x, sub_y)
        found = self._stamps.get(key)
        if found is None:
            dx, dy = (0.0 if diameter <= 1 else (sub + 0.5) / SUBPIXELS - 0.5 for sub in (sub_x, sub_y))
            found = stamp(diameter, hardness, dx, dy)
            self._keep(key, found)
        else:
            self._stamps.move_to_end(key)
        half = found.shape[0] // 2
        return found, column - half, row - half

    def _keep(self, key: tuple[float, float, int, int], found: Array) -> None:
        self._stamps[key] = found
        self._bytes += int(found.nbytes)
        while self._bytes > self._limit and len(self._stamps) > 1:
            self._bytes -= int(self._stamps.popitem(last=False)[1].nbytes)
