"""What a layer looks like while its box is dragged: quick, as a picture, never more than can be seen."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtGui import QTransform

from studio.mask.compose import overlay_table
from studio.mask.layers import Layer
from studio.mask.resample import image_of, resized_array
from studio.mask.tile import Array
from studio.mask.transforming import Content, content_of
from studio.mask.warp import goal_of, warped

PIXELS: Final = 2**20
"""Most pixels that are computed for one draft; larger ones get larger pixels."""


class TransformDraft:
    """A layer at the start of a transform. :meth:`at` gives it as a picture where a matrix takes it."""

    def __init__(self, layer: Layer, size: QSize) -> None:
        self._layer, self._canvas = layer, QRect(QPoint(0, 0), size)
        content = content_of(layer)
        pixels = _colours(layer, content.pixels)
        step = _step(pixels.shape[1] * pixels.shape[0])
        height, width = pixels.shape[:2]
        self._size = (width, height)
        small = QSize(max(1, width // step), max(1, height // step))
        if step > 1:
            pixels = resized_array(pixels, small)
        self._pixels = pixels
        self._grown = QTransform.fromScale(width / pixels.shape[1], height / pixels.shape[0])
        self._content: Content = content

    def at(self, matrix: QTransform) -> Layer:
        """The layer as it would be, nearly."""
        local = self._content.local(matrix)
        goal = goal_of(local, *self._size) & self._canvas
        if goal.isEmpty():
            goal = QRect(self._canvas.topLeft(), QSize(1, 1))
        step = _step(goal.width() * goal.height())
        shown = QRect(0, 0, math.ceil(goal.width() / step), math.ceil(goal.height() / step))
        down = QTransform.fromTranslate(-goal.x(), -goal.y()) * QTransform.fromScale(1 / step, 1 / step)
        pixels = warped(self._pixels, self._grown * local * down, shown, quickly=True)
        if step > 1:
            side = (shown.width() * step, shown.height() * step)
            pixels = cv2.resize(pixels, side, interpolation=cv2.INTER_NEAREST)
            pixels = pixels[: goal.height(), : goal.width()]
        return self._layer.with_(image=image_of(pixels), surface=None, x=goal.x(), y=goal.y())


def _step(pixels: int) -> int:
    return max(1, math.ceil(math.sqrt(pixels / PIXELS)))


def _colours(layer: Layer, pixels: Array) -> Array:
    """A mask as its overlay; colours as they are."""
    if pixels.ndim == 3:
        return pixels
    table = overlay_table(layer.overlay_colour().rgb(), round(layer.opacity * 255))
    shown = np.ascontiguousarray(table.take(pixels >> 8))
    return shown.view(np.uint8).reshape(*pixels.shape, 4)
