"""Pictures and masks between the studio's form (``QImage``, surfaces) and the values of a graph. Safe in any
thread."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PySide6.QtGui import QImage

from pipelines.graph.values import Image, Mask
from studio.mask.surface import FULL
from studio.mask.tile import TILE, Array, Key, Tile


def image_value(image: QImage) -> Image:
    """A picture as uint8 RGB, or RGBA (straight alpha) if it has transparency."""
    clear = image.hasAlphaChannel()
    form = QImage.Format.Format_RGBA8888 if clear else QImage.Format.Format_RGB888
    image = image.convertToFormat(form)
    channels = 4 if clear else 3
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return Image(rows[:, : image.width() * channels].reshape(image.height(), image.width(), channels).copy())


def mask_of_tiles(tiles: Mapping[Key, Tile], width: int, height: int) -> Mask:
    """The mask that a surface's snapshot holds."""
    values = np.zeros((height, width), np.float32)
    for (column, row), tile in tiles.items():
        part = values[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
        np.multiply(
            tile.pixels[: part.shape[0], : part.shape[1]], np.float32(1 / FULL), out=part, casting="unsafe"
        )
    return Mask(values)


def greatest(masks: list[Array], width: int, height: int) -> Mask:
    """The greatest value of several masks at each pixel; nothing if there is none."""
    values = np.zeros((height, width), np.float32)
    for other in masks:
        np.maximum(values, other, out=values)
    return Mask(values)
