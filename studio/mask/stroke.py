"""One stroke of the brush or the eraser: dabs become coverage, coverage becomes pixels.

Coverage is kept apart from the pixels below it, so that a stroke builds up to its opacity and no further,
however often it crosses itself. Only the parts of tiles that a dab touched are computed again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRect

from studio.mask.brush import BrushSettings, StampCache
from studio.mask.dab_path import DabPath
from studio.mask.surface import FULL, Surface
from studio.mask.tile import TILE, Array, Key


@dataclass(frozen=True, slots=True)
class Ink:
    """What full coverage leaves: 1 on a mask, ``colour`` (B, G, R, A premultiplied, 0..255) on paint, nothing
    if it erases."""

    erase: bool = False
    colour: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 255.0)


class Stroke(DabPath):
    """Paints or erases with an ink."""

    def __init__(self, surface: Surface, settings: BrushSettings, ink: Ink, stamps: StampCache) -> None:
        super().__init__(surface, settings, stamps)
        self._ink = ink
        self._coverage: dict[Key, Array] = {}
        self._touched: dict[Key, list[int]] = {}

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
