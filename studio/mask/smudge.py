"""Smudging: a dab takes what is under it along to the next."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRect

from studio.mask.brush import BrushSettings, StampCache
from studio.mask.dab_path import DabPath
from studio.mask.surface import Surface, slices, tile_rect
from studio.mask.tile import Array


class Smudge(DabPath):
    """Moves pixels of a mask or a paint layer; the brush's opacity says how much is taken along."""

    def __init__(self, surface: Surface, settings: BrushSettings, stamps: StampCache) -> None:
        super().__init__(surface, settings, stamps)
        self._carried: Array | None = None
        self._dirty = QRect()

    def _dab(self, x: float, y: float, pressure: float) -> None:
        stamp, left, top = self._stamps.at(x, y, self._settings.diameter(pressure), self._settings.hardness)
        area = QRect(left, top, stamp.shape[1], stamp.shape[0])
        inside = area & self._surface.rect
        if inside.isEmpty():
            self._carried = None
            return
        here = self._read(area, inside)
        carried = self._carried
        if carried is None or carried.shape != here.shape:
            self._carried = here
            return
        weight = stamp * np.float32(self._settings.ceiling(pressure))
        carried = here + (carried - here) * (weight if here.ndim == 2 else weight[..., None])
        self._carried = carried
        self._write(carried[slices(inside, area)] + np.float32(0.5), inside)

    def _read(self, area: QRect, inside: QRect) -> Array:
        """What is under a dab, as float32; beyond the edges of the picture its outermost pixels go on."""
        pixels = self._surface.read(inside).astype(np.float32)
        before = (inside.top() - area.top(), inside.left() - area.left())
        after = (area.bottom() - inside.bottom(), area.right() - inside.right())
        rim = [(before[0], after[0]), (before[1], after[1]), (0, 0)][: pixels.ndim]
        return np.pad(pixels, rim, mode="edge") if any(before) or any(after) else pixels

    def _write(self, pixels: Array, inside: QRect) -> None:
        for key in self._surface.keys(inside):
            part = tile_rect(key) & inside
            self._surface.draft(key)[slices(part, tile_rect(key))] = pixels[slices(part, inside)]
        self._dirty |= inside

    def _flush(self) -> QRect:
        dirty, self._dirty = self._dirty, QRect()
        return dirty
