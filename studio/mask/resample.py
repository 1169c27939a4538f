"""Layers at another size or place: when the canvas changes, what lies on it is taken along."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtGui import QImage, QPainter

from studio.mask.layers import Layer
from studio.mask.surface import Surface, image_array, slices, tile_rect
from studio.mask.tile import TILE, Array, Key, Tile

FORMAT = QImage.Format.Format_ARGB32_Premultiplied
Kernel = Literal["auto", "bilinear", "nearest"]
"""How pixels are made. ``auto``: averaged when smaller, by :func:`kernel_for` when larger. ``bilinear``:
softer when larger. ``nearest``: none that wasn't there before."""


def resampled(surface: Surface, size: QSize, kernel: Kernel = "auto") -> Surface:
    """The same content on a surface of ``size``."""
    if not surface.tiles or size.isEmpty():
        return surface.empty_copy(size)
    return Surface.from_array(resized_array(surface.read(surface.rect), size, kernel))


def resampled_image(image: QImage, size: QSize, kernel: Kernel = "auto") -> QImage:
    """A picture at another size, in the form that is drawn quickly."""
    if image.size() == size:
        return quick(image)
    return image_of(resized_array(image_array(image), size, kernel), opaque=not image.hasAlphaChannel())


def laid_at(image: QImage, rect: QRect, size: QSize) -> QImage:
    """A picture, resampled to ``rect``, on an empty canvas of ``size``; as it is if it fills that."""
    if rect == QRect(QPoint(0, 0), size):
        return image
    whole = QImage(size, FORMAT)
    whole.fill(0)
    painter = QPainter(whole)
    painter.drawImage(rect.topLeft(), resampled_image(image, rect.size()))
    painter.end()
    return whole


def resampled_layer(layer: Layer, across: float, down: float, size: QSize, kernel: Kernel = "auto") -> Layer:
    """A layer on a canvas of ``size`` that is ``across`` times as wide and ``down`` times as high."""
    if layer.surface is not None:
        return layer.with_(surface=resampled(layer.surface, size, kernel))
    if layer.image is None:
        return layer
    place = layer.place
    # by its edges, so that pictures that touch still do
    left, top = round(place.x() * across), round(place.y() * down)
    right = round((place.x() + place.width()) * across)
    bottom = round((place.y() + place.height()) * down)
    goal = QSize(max(1, right - left), max(1, bottom - top))
    return layer.with_(image=resampled_image(layer.image, goal, kernel), x=left, y=top)


def resized_array(values: Array, size: QSize, kernel: Kernel = "auto") -> Array:
    """A mask (uint16) or premultiplied colours (uint8 × 4) at another size."""
    import cv2

    shrinks = size.width() * size.height() < values.shape[0] * values.shape[1]
    if kernel == "nearest":
        way = cv2.INTER_NEAREST_EXACT
    elif shrinks:
        way = cv2.INTER_AREA
    else:
        way = cv2.INTER_LINEAR if kernel == "bilinear" else kernel_for(values)
    result = cv2.resize(values, (size.width(), size.height()), None, 0, 0, way)
    return within_alpha(result) if way == cv2.INTER_CUBIC else result


def kernel_for(values: Array, *, edges: bool = False) -> int:
    """OpenCV's kernel for enlarging or turning: none may leave a halo beyond an edge.

    Masks are interpolated linearly. The second lobe of a Lanczos kernel is positive, so it is for colours
    without transparency (and without ``edges`` to nothing); others get a cubic one.
    """
    import cv2

    if values.ndim == 2:
        return cv2.INTER_LINEAR
    return cv2.INTER_CUBIC if edges or not is_opaque(values) else cv2.INTER_LANCZOS4


def within_alpha(values: Array) -> Array:
    """Premultiplied colours that a kernel with negative parts has lifted above their alpha, put right."""
    for channel in range(3):
        np.minimum(values[..., channel], values[..., 3], out=values[..., channel])
    return values


def shifted(surface: Surface, dx: int, dy: int, size: QSize) -> Surface:
    """The same content on a surface of ``size``, moved by whole pixels; what leaves it is cut off.

    Tiles that stay whole are shared.
    """
    moved = surface.empty_copy(size)
    aligned = dx % TILE == 0 and dy % TILE == 0
    keys = {key for old in surface.snapshot() for key in moved.keys(tile_rect(old).translated(dx, dy))}
    tiles: dict[Key, Tile | None] = {}
    for key in keys:
        whole = tile_rect(key)
        if aligned and moved.rect.contains(whole):
            tiles[key] = surface.tiles.get((key[0] - dx // TILE, key[1] - dy // TILE))
            continue
        part = whole & moved.rect
        pixels = moved.blank()
        pixels[slices(part, whole)] = surface.read(part.translated(-dx, -dy))
        tiles[key] = Tile(pixels) if pixels.any() else None
    moved.put(tiles)
    return moved


def shifted_layer(layer: Layer, dx: int, dy: int, size: QSize) -> Layer:
    """A layer whose pixels lie elsewhere, on a canvas of ``size``; a picture may hang over its edges."""
    if layer.surface is not None:
        return layer.with_(surface=shifted(layer.surface, dx, dy, size))
    return layer.with_(x=layer.x + dx, y=layer.y + dy)


# --- forms of pictures ---------------------------------------------------------------------------------


def quick(image: QImage) -> QImage:
    """A picture in the form that is drawn quickly with every repaint."""
    return image.convertToFormat(FORMAT if image.hasAlphaChannel() else QImage.Format.Format_RGB32)


def image_of(values: Array, *, opaque: bool = False) -> QImage:
    """A picture of height × width × 4 uint8 (B, G, R, A premultiplied).

    Args:
        opaque: it is known to have no transparency.
    """
    values = np.ascontiguousarray(values)
    form = QImage.Format.Format_RGB32 if opaque else FORMAT
    return QImage(values.data, values.shape[1], values.shape[0], values.strides[0], form).copy()


def is_opaque(values: Array) -> bool:
    """Whether colours (height × width × 4) have no transparency."""
    return bool((values[..., 3] == 255).all())
