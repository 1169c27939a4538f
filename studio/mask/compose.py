"""Layers laid over each other: for the screen (with the masks' overlays) or as the picture they make."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QImage, QPainter

from studio.mask.layers import Layer, LayerKind
from studio.mask.surface import slices, tile_rect
from studio.mask.tile import Array

PICTURE: Final = frozenset({LayerKind.IMAGE, LayerKind.PAINT})
EVERYTHING: Final = frozenset(LayerKind)
_FORMAT = QImage.Format.Format_ARGB32_Premultiplied


def compose(
    target: QImage, layers: Sequence[Layer], rect: QRect, kinds: Collection[LayerKind] = EVERYTHING
) -> None:
    """Draw the visible ``layers`` (bottom first) of ``kinds`` into ``rect`` of ``target``, in its own pixels."""
    painter = QPainter(target)
    painter.setClipRect(rect)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
    shown = [layer for layer in layers if layer.visible and layer.opacity > 0 and layer.kind in kinds]
    covered = bool(shown) and _covers(shown[0], rect)
    if not covered:
        painter.fillRect(rect, 0)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
    for layer in shown:
        if layer.image is not None:
            painter.setOpacity(layer.opacity)
            painter.drawImage(rect.topLeft(), layer.image, rect)
        elif layer.surface is not None:
            painter.setOpacity(layer.opacity if layer.kind is LayerKind.PAINT else 1.0)
            _draw_surface(painter, layer, rect)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
    painter.end()


def flattened(layers: Sequence[Layer], rect: QRect) -> QImage:
    """The picture that image and paint layers make, ``rect`` of it, premultiplied."""
    image = QImage(rect.size(), _FORMAT)
    image.setOffset(QPoint(-rect.x(), -rect.y()))
    whole = QImage(rect.size(), _FORMAT)
    painter = QPainter(whole)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
    painter.fillRect(whole.rect(), 0)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
    painter.translate(-rect.x(), -rect.y())
    for layer in layers:
        if not layer.visible or layer.kind not in PICTURE:
            continue
        painter.setOpacity(layer.opacity)
        if layer.image is not None:
            painter.drawImage(rect.topLeft(), layer.image, rect)
        else:
            _draw_surface(painter, layer, rect)
    painter.end()
    return whole


def _covers(layer: Layer, rect: QRect) -> bool:
    image = layer.image
    return (
        image is not None
        and layer.opacity >= 1
        and not image.hasAlphaChannel()
        and image.rect().contains(rect)
    )


def _draw_surface(painter: QPainter, layer: Layer, rect: QRect) -> None:
    surface = layer.surface
    if surface is None:
        return
    for key in surface.keys(rect):
        pixels = surface.peek(key)
        if pixels is None:
            continue
        part = tile_rect(key) & rect
        shown = pixels[slices(part, tile_rect(key))]
        if surface.kind == "mask":
            colour = layer.overlay_colour()
            shown = _overlay(colour.rgb(), round(layer.opacity * 255)).take(shown >> 8)
        image = QImage(shown.data if shown.flags.c_contiguous else _flat(shown),
                       part.width(), part.height(), shown.strides[0], _FORMAT)  # fmt: skip
        painter.drawImage(part.topLeft(), image)


def _flat(shown: Array) -> memoryview:
    """The memory from the first pixel on; rows keep their stride."""
    length = (shown.shape[0] - 1) * shown.strides[0] + shown.shape[1] * shown.strides[1]
    return memoryview(np.lib.stride_tricks.as_strided(shown, (length,), (1,), writeable=False)).cast("B")


@lru_cache(maxsize=64)
def _overlay(rgb: int, opacity: int) -> Array:
    """256 premultiplied colours: the overlay at each value of a mask."""
    alpha = np.arange(256) * opacity / 255
    channels = [np.rint(((rgb >> shift) & 255) * alpha / 255).astype(np.uint32) for shift in (16, 8, 0)]
    table = np.rint(alpha).astype(np.uint32) << 24
    for channel, shift in zip(channels, (16, 8, 0), strict=True):
        table |= channel << shift
    return np.ascontiguousarray(table)
