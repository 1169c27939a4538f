"""Layers laid over each other: for the screen (with the masks' overlays) or as the picture they make."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QImage, QPainter

from studio.mask.layers import PICTURE, Layer, LayerKind
from studio.mask.surface import Surface, slices, tile_rect
from studio.mask.tile import Array

EVERYTHING: Final = frozenset(LayerKind)
FORMAT: Final = QImage.Format.Format_ARGB32_Premultiplied


def compose(
    target: QImage, layers: Sequence[Layer], rect: QRect, kinds: Collection[LayerKind] = EVERYTHING
) -> None:
    """Draw the visible ``layers`` (bottom first) of ``kinds`` into ``rect`` of ``target``, pixel on pixel."""
    painter = QPainter(target)
    painter.setClipRect(rect)
    _lay(painter, layers, rect, kinds)
    painter.end()


def flattened(layers: Sequence[Layer], rect: QRect) -> QImage:
    """The picture that image and paint layers make, ``rect`` of it, ``ARGB32_Premultiplied``."""
    image = QImage(rect.size(), FORMAT)
    painter = QPainter(image)
    painter.translate(-rect.topLeft())
    _lay(painter, layers, rect, PICTURE)
    painter.end()
    return image


def _lay(painter: QPainter, layers: Sequence[Layer], rect: QRect, kinds: Collection[LayerKind]) -> None:
    shown = [layer for layer in layers if layer.visible and layer.opacity > 0 and layer.kind in kinds]
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
    if not (shown and shown[0].covers(rect)):
        painter.fillRect(rect, Qt.GlobalColor.transparent)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
    for layer in shown:
        draw_layer(painter, layer, rect)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)


def draw_layer(painter: QPainter, layer: Layer, rect: QRect) -> None:
    """Draw one layer at its opacity, ``rect`` of it, pixel on pixel."""
    painter.setOpacity(1.0 if layer.is_mask else layer.opacity)
    if layer.image is not None:
        part = rect & layer.place
        if not part.isEmpty():
            painter.drawImage(part.topLeft(), layer.image, part.translated(-layer.x, -layer.y))
    elif layer.surface is not None:
        _draw_surface(painter, layer, layer.surface, rect.translated(-layer.x, -layer.y))


def _draw_surface(painter: QPainter, layer: Layer, surface: Surface, rect: QRect) -> None:
    """``rect`` in pixels of the surface."""
    rect = rect & surface.rect
    for key in surface.keys(rect):
        pixels = surface.peek(key)
        if pixels is None:
            continue
        part = tile_rect(key) & rect
        if surface.kind == "mask":
            table = overlay_table(layer.overlay_colour().rgb(), round(layer.opacity * 255))
            shown = table.take(pixels[slices(part, tile_rect(key))] >> 8)
            source = QRect(0, 0, part.width(), part.height())
        else:
            shown, source = pixels, part.translated(-tile_rect(key).topLeft())
        image = QImage(shown.data, shown.shape[1], shown.shape[0], shown.strides[0], FORMAT)
        painter.drawImage(part.topLeft() + QPoint(layer.x, layer.y), image, source)


@lru_cache(maxsize=64)
def overlay_table(rgb: int, opacity: int) -> Array:
    """256 premultiplied colours: the overlay at each value of a mask."""
    alpha = np.arange(256) * opacity / 255
    channels = [np.rint(((rgb >> shift) & 255) * alpha / 255).astype(np.uint32) for shift in (16, 8, 0)]
    table = np.rint(alpha).astype(np.uint32) << 24
    for channel, shift in zip(channels, (16, 8, 0), strict=True):
        table |= channel << shift
    return np.ascontiguousarray(table)
