"""One stroke, from press to release: samples of a pointer become dabs, dabs become coverage, coverage becomes
pixels.

Coverage is kept apart from the pixels below it, so that a stroke builds up to its opacity and no further,
however often it crosses itself. Only the parts of tiles that a dab touched are computed again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRect

from studio.mask.brush import BrushSettings, StampCache
from studio.mask.surface import FULL, Surface
from studio.mask.tile import TILE, Array, Key

_PIECE = 4.0
"""Curves are walked in straight pieces of about this many pixels."""
_STEADIEST = 0.94
"""How much of the way to the pointer full smoothing leaves for the next sample."""


@dataclass(frozen=True, slots=True)
class Ink:
    """What full coverage leaves: 1 on a mask, ``colour`` (B, G, R, A premultiplied, 0..255) on paint, nothing
    if it erases."""

    erase: bool = False
    colour: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 255.0)


class Stroke:
    """Draws into ``surface``, which it opens; :meth:`cancel` leaves it as it was, else the owner commits.

    Pixel i reaches from i to i+1 in the coordinates of a sample; pressure is 0..1 (a mouse has 1).
    """

    def __init__(self, surface: Surface, settings: BrushSettings, ink: Ink, stamps: StampCache) -> None:
        self._surface, self._settings, self._ink, self._stamps = surface, settings, ink, stamps
        self._coverage: dict[Key, Array] = {}
        self._touched: dict[Key, list[int]] = {}
        self._raw: tuple[float, float, float] | None = None
        self._at: tuple[float, float, float] | None = None
        self._tangent = (0.0, 0.0)
        self._rest = 0.0
        surface.begin()

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

    # --- dabs ------------------------------------------------------------------------------------------

    def _dab(self, x: float, y: float, pressure: float) -> None:
        settings = self._settings
        ceiling = settings.ceiling(pressure)
        stamp, left, top = self._stamps.at(x, y, settings.diameter(pressure), settings.hardness)
        area = QRect(left, top, stamp.shape[1], stamp.shape[0]) & self._surface.rect
        for key in self._surface.keys(area):
            corner_x, corner_y = key[0] * TILE, key[1] * TILE
            x0, y0 = max(area.left(), corner_x), max(area.top(), corner_y)
            x1, y1 = min(area.right() + 1, corner_x + TILE), min(area.bottom() + 1, corner_y + TILE)
            coverage = self._coverage.get(key)
            if coverage is None:
                coverage = self._coverage[key] = np.zeros((TILE, TILE), np.float32)
            part = coverage[y0 - corner_y : y1 - corner_y, x0 - corner_x : x1 - corner_x]
            missing = np.float32(ceiling) - part
            if settings.pressure_opacity:
                np.maximum(missing, 0, out=missing)
            missing *= stamp[y0 - top : y1 - top, x0 - left : x1 - left]
            if settings.flow < 1:
                missing *= np.float32(settings.flow)
            part += missing
            self._touch(key, x0 - corner_x, y0 - corner_y, x1 - corner_x, y1 - corner_y)

    def _touch(self, key: Key, x0: int, y0: int, x1: int, y1: int) -> None:
        box = self._touched.get(key)
        if box is None:
            self._touched[key] = [x0, y0, x1, y1]
        else:
            box[:] = min(box[0], x0), min(box[1], y0), max(box[2], x1), max(box[3], y1)

    def _flush(self) -> QRect:
        """Compute the pixels that changed since the last time."""
        dirty = QRect()
        for key, (x0, y0, x1, y1) in self._touched.items():
            part = np.s_[y0:y1, x0:x1]
            draft = self._surface.draft(key)
            tile = self._surface.tiles.get(key)
            below = None if tile is None else tile.pixels[part]
            coverage = self._coverage[key][part]
            if self._surface.kind == "mask":
                draft[part] = _over_mask(below, coverage, self._ink)
            else:
                draft[part] = _over_paint(below, coverage, self._ink)
            dirty |= QRect(key[0] * TILE + x0, key[1] * TILE + y0, x1 - x0, y1 - y0)
        self._touched.clear()
        return dirty


def _over_mask(below: Array | None, coverage: Array, ink: Ink) -> Array:
    """``below`` (uint16) moved towards 1 (or 0) by ``coverage``: float32, rounded when it is stored."""
    if below is None:
        return np.zeros_like(coverage) if ink.erase else coverage * np.float32(FULL) + np.float32(0.5)
    values = below.astype(np.float32)
    step = np.multiply(values, coverage) if ink.erase else (np.float32(FULL) - values) * coverage
    result = np.subtract(values, step, out=step) if ink.erase else np.add(values, step, out=step)
    result += np.float32(0.5)
    return result


def _over_paint(below: Array | None, coverage: Array, ink: Ink) -> Array:
    """Source-over (or destination-out) of a colour with ``coverage``, in premultiplied values 0..255."""
    cover = coverage[..., None]
    if below is None:
        colour = np.zeros(4, np.float32) if ink.erase else np.array(ink.colour, np.float32)
        return colour * cover + np.float32(0.5)
    values = below.astype(np.float32)
    if ink.erase:
        values *= 1 - cover
    else:
        # an ink that is not opaque hides only its own share
        alpha = np.float32(ink.colour[3] / 255)
        values *= 1 - cover * alpha
        values += np.array(ink.colour, np.float32) * cover
    values += np.float32(0.5)
    return np.minimum(values, 255, out=values)
