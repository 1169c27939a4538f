"""A result laid over the picture: drawn at any scale without losing detail, and its difference from what is
there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from PySide6.QtCore import QRect, QRectF, QSize
from PySide6.QtGui import QImage, QPainter

from studio.mask.compose import FORMAT
from studio.mask.drawing import draw_part
from studio.mask.tile import Array

GAIN: Final = 4
"""How many times as strong differences are shown."""
BLOCK: Final = 512
"""Differences are computed in squares of this many pixels, where they are looked at."""
MOST_BLOCKS: Final = 48
"""About 1 MB each."""
_DRAWN: Final = (FORMAT, QImage.Format.Format_RGB32)


class Comparison:
    """One result at full size and at halves of it, and what was computed of its difference.

    Args:
        image: the result, of any size.
        rect: where it lies, in pixels of the picture.
    """

    def __init__(self, image: QImage, rect: QRect) -> None:
        if image.format() not in _DRAWN:
            clear = image.hasAlphaChannel()
            image = image.convertToFormat(FORMAT if clear else QImage.Format.Format_RGB32)
        self.image, self.rect = image, rect
        self.halves: Sequence[QImage] = ()
        """The result at 1/2, 1/4, 1/8… of its size, once somebody has made them."""
        self._blocks: dict[tuple[int, int, int], QImage] = {}

    @property
    def pixel(self) -> float:
        """How many pixels of the picture one pixel of the result takes."""
        if self.image.isNull():
            return 1.0
        return min(self.rect.width() / self.image.width(), self.rect.height() / self.image.height())

    def source(self, scale: float) -> QImage:
        """The smallest form that will do when a pixel of the picture takes ``scale`` device pixels."""
        found, scale = self.image, scale * self.pixel
        for half in self.halves:
            if scale > 0.5:
                break
            found, scale = half, scale * 2
        return found

    def draw(self, painter: QPainter, wanted: QRect, scale: float) -> None:
        """Draw the result where ``wanted`` (pixels of the picture, the painter's coordinates) needs it."""
        part = self.rect & wanted
        if not (self.image.isNull() or part.isEmpty()):
            draw_part(painter, self.source(scale), QRectF(self.rect), part)

    # --- differences -----------------------------------------------------------------------------------

    def forget(self, rect: QRect) -> None:
        """The picture below changed here."""
        for key in list(self._blocks):
            if block_rect(key).intersects(rect):
                del self._blocks[key]

    def keep(self, seen: QRect, level: int) -> None:
        """Once there are many squares, keep only those that are seen."""
        if len(self._blocks) > MOST_BLOCKS:
            kept = set(self.blocks(seen, level))
            self._blocks = {key: block for key, block in self._blocks.items() if key in kept}

    def blocks(self, wanted: QRect, level: int) -> Iterator[tuple[int, int, int]]:
        """The squares at a level (1/2^level of the size) that ``wanted`` and the result share."""
        part, side = self.rect & wanted, BLOCK << level
        if part.isEmpty():
            return
        for row in range(part.top() // side, part.bottom() // side + 1):
            for column in range(part.left() // side, part.right() // side + 1):
                yield level, column, row

    def known(self, key: tuple[int, int, int]) -> QImage | None:
        """The difference in one square, if it was computed."""
        return self._blocks.get(key)

    def compute(self, key: tuple[int, int, int], below: QImage) -> QImage:
        """The difference in one square from ``below``: what the canvas shows there, at that level's size."""
        level = key[0]
        area = block_rect(key) & QRect(0, 0, below.width() << level, below.height() << level)
        before = below.copy(block_at(area, level))
        after = before.copy()
        painter = QPainter(after)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.scale(1 / (1 << level), 1 / (1 << level))
        painter.translate(-area.topLeft())
        painter.setClipRect(self.rect)
        self.draw(painter, area, 1 / (1 << level))
        painter.end()
        self._blocks[key] = difference(before, after)
        return self._blocks[key]


def block_rect(key: tuple[int, int, int]) -> QRect:
    """The pixels of the picture that a square covers."""
    level, column, row = key
    side = BLOCK << level
    return QRect(column * side, row * side, side, side)


def block_at(area: QRect, level: int) -> QRect:
    """``area`` (which starts on a whole pixel there) in pixels of a level, outward."""
    step = 1 << level
    size = QSize(math.ceil(area.width() / step), math.ceil(area.height() / step))
    return QRect(area.topLeft() / step, size)


def difference(before: QImage, after: QImage, gain: int = GAIN) -> QImage:
    """|after − before| of each channel, ``gain`` times as strong (at most white); both of one size."""
    first, second = _channels(before), _channels(after)
    amplified = np.minimum(np.arange(256) * gain, 255).astype(np.uint8)
    shown = amplified[np.maximum(first, second) - np.minimum(first, second)]
    image = QImage(before.size(), QImage.Format.Format_RGB32)
    rows = np.frombuffer(image.bits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    kept = rows[:, : 4 * image.width()].reshape(shown.shape)
    kept[...] = shown
    kept[..., 3] = 255
    return image


def _channels(image: QImage) -> Array:
    """Height × width × 4 (blue, green, red, alpha), uint8."""
    if image.format() not in _DRAWN:
        image = image.convertToFormat(FORMAT)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    # a copy: the picture that it lies in may be gone before it is used
    return rows[:, : 4 * image.width()].reshape(image.height(), image.width(), 4).copy()
