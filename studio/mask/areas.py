"""Areas laid on a layer: shapes, gradients and what a colour selects, added, subtracted or intersected.

An area is a function from a rectangle to coverage (float32 in 0..1), asked for one tile at a time. Nothing
here touches a document, so that all of it runs in worker threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QImage, QPainter, QPainterPath

from pipelines.graph.values import Mask
from studio.mask.stroke import Ink
from studio.mask.surface import FULL, Kind, Surface, blank_tile, slices, tile_rect
from studio.mask.tile import Array, Key, Tile
from studio.mask.tool_settings import Combine

LARGE: Final = 2**20
"""Areas with more pixels than this are computed in a worker thread."""
Coverage = Callable[[QRect], Array]


def combined(
    surface: Surface, tiles: Mapping[Key, Tile], area: QRect, coverage: Coverage, combine: Combine, ink: Ink
) -> dict[Key, Tile | None]:
    """The tiles of ``surface`` (as they were in ``tiles``) with an area laid on them.

    On a mask: the larger of both (add), the smaller of it and the area's complement (subtract) or the area
    (intersect). On paint: the ink over it, erased by it, or erased outside of it. ``area`` bounds the
    coverage.
    """
    area = area & surface.rect
    keys = set(surface.keys(area))
    if combine in (Combine.REPLACE, Combine.INTERSECT):
        keys |= set(tiles)
    result: dict[Key, Tile | None] = {}
    for key in keys:
        whole = tile_rect(key)
        part = whole & area
        tile = tiles.get(key)
        pixels = blank_tile(surface.kind) if tile is None else tile.pixels.copy()
        cover = np.zeros(pixels.shape[:2], np.float32)
        if not part.isEmpty():
            cover[slices(part, whole)] = coverage(part)
        _lay(surface.kind, pixels, cover, combine, ink)
        result[key] = Tile(pixels) if pixels.any() else None
    return result


def _lay(kind: Kind, pixels: Array, cover: Array, combine: Combine, ink: Ink) -> None:
    if kind == "mask":
        values = np.rint(cover * np.float32(FULL)).astype(np.uint16)
        if combine is Combine.ADD:
            np.maximum(pixels, values, out=pixels)
        elif combine is Combine.SUBTRACT:
            np.minimum(pixels, FULL - values, out=pixels)
        elif combine is Combine.INTERSECT:
            np.minimum(pixels, values, out=pixels)
        else:
            pixels[...] = values
        return
    cover = cover[..., None]
    colour = np.array(ink.colour, np.float32)
    below = pixels.astype(np.float32)
    if combine is Combine.ADD:
        below = below * (1 - cover * (colour[3] / 255)) + colour * cover
    elif combine is Combine.SUBTRACT:
        below *= 1 - cover
    elif combine is Combine.INTERSECT:
        below *= cover
    else:
        below = colour * cover
    pixels[...] = np.minimum(below + np.float32(0.5), 255)


# --- shapes --------------------------------------------------------------------------------------------


def path_area(path: QPainterPath, within: QRect) -> QRect:
    """The pixels that a shape may touch, ``within`` the canvas: a drag may go far beyond it."""
    return (path.boundingRect() & QRectF(within)).toAlignedRect()


def path_coverage(path: QPainterPath, area: QRect) -> Coverage:
    """A filled shape with antialiased edges; drawn once, when it is first asked for."""
    drawn: list[Array] = []

    def coverage(rect: QRect) -> Array:
        if not drawn:
            drawn.append(_filled(path, area))
        return drawn[0][slices(rect, area)].astype(np.float32) / np.float32(255)

    return coverage


def _filled(path: QPainterPath, area: QRect) -> Array:
    image = QImage(area.size(), QImage.Format.Format_Grayscale8)
    image.fill(0)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(-area.topLeft())
    painter.fillPath(path, Qt.GlobalColor.white)
    painter.end()
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(area.height(), image.bytesPerLine())
    return rows[:, : area.width()].copy()


def gradient_coverage(start: QPointF, end: QPointF) -> Coverage:
    """1 at ``start`` and before it, falling evenly to 0 at ``end`` and beyond."""
    dx, dy = end.x() - start.x(), end.y() - start.y()
    length = dx * dx + dy * dy

    def coverage(rect: QRect) -> Array:
        columns = np.arange(rect.left(), rect.right() + 1, dtype=np.float32) + np.float32(0.5 - start.x())
        rows = np.arange(rect.top(), rect.bottom() + 1, dtype=np.float32) + np.float32(0.5 - start.y())
        along = (columns * np.float32(dx / length))[None, :] + (rows * np.float32(dy / length))[:, None]
        return np.clip(1 - along, 0, 1, out=along)

    return coverage


def mask_coverage(find: Callable[[], Mask]) -> Coverage:
    """A mask of the size of the canvas, found when it is first asked for."""
    found: list[Mask] = []

    def coverage(rect: QRect) -> Array:
        if not found:
            found.append(find())
        mask = found[0]
        return mask.values[slices(rect, QRect(0, 0, mask.width, mask.height))]

    return coverage


def distance(first: QPointF, second: QPointF) -> float:
    """How far two points are apart."""
    return math.hypot(first.x() - second.x(), first.y() - second.y())
