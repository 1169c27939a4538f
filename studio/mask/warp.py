"""Pixels scaled, mirrored, turned and skewed: arrays in, arrays out. Safe in any thread."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from PySide6.QtCore import QRect, QRectF, QSize
from PySide6.QtGui import QTransform

from studio.mask.resample import kernel_for, resized_array, within_alpha
from studio.mask.tile import Array

BLOCK: Final = 1024
"""Results are computed in squares of this many pixels: OpenCV counts them in 16 bits."""
ROOM: Final = 6
"""Pixels round a block that the kernel may read."""
NEAR: Final = 1e-6
"""Differences that are rounding."""


def goal_of(local: QTransform, width: int, height: int) -> QRect:
    """The pixels that a result may touch."""
    rect = local.mapRect(QRectF(0, 0, width, height))
    if not is_upright(local):
        return rect.adjusted(-1, -1, 1, 1).toAlignedRect()
    left, top = round(rect.left()), round(rect.top())
    across, down = max(1, round(rect.width())), max(1, round(rect.height()))
    return QRect(left, top, across, down)


def is_upright(matrix: QTransform) -> bool:
    """Whether it turns by quarters only."""
    straight = abs(matrix.m12()) < NEAR and abs(matrix.m21()) < NEAR
    return straight or (abs(matrix.m11()) < NEAR and abs(matrix.m22()) < NEAR)


def worth_it(local: QTransform, pixels: Array, goal: QRect) -> bool:
    """Whether most of what a resize would compute is wanted."""
    whole = goal_of(local, pixels.shape[1], pixels.shape[0])
    most = max(4 * goal.width() * goal.height(), pixels.shape[0] * pixels.shape[1])
    return whole.width() * whole.height() <= most


def upright(pixels: Array, local: QTransform, goal: QRect) -> Array:
    """Scaled, mirrored and turned by quarters: edges stay whole pixels."""
    height, width = pixels.shape[:2]
    whole = goal_of(local, width, height)
    if abs(local.m11()) < NEAR:
        pixels = pixels.swapaxes(0, 1)
        across, down = local.m21(), local.m12()
    else:
        across, down = local.m11(), local.m22()
    pixels = pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
    pixels = np.ascontiguousarray(pixels)
    if (pixels.shape[1], pixels.shape[0]) != (whole.width(), whole.height()):
        pixels = resized_array(pixels, whole.size())
    left, top = goal.x() - whole.x(), goal.y() - whole.y()
    return pixels[top : top + goal.height(), left : left + goal.width()]


def warped(pixels: Array, local: QTransform, goal: QRect, *, quickly: bool = False) -> Array:
    """Pixels where an affine transform takes them, ``goal`` of it.

    Args:
        quickly: interpolate linearly, and leave out what does not matter in a look.
    """
    import cv2

    straight = is_upright(local)
    height, width = pixels.shape[:2]
    # a kernel of fixed width leaves out pixels when it shrinks: average first
    across = min(1.0, math.hypot(local.m11(), local.m12()))
    down = min(1.0, math.hypot(local.m21(), local.m22()))
    small = QSize(max(1, math.ceil(width * across - NEAR)), max(1, math.ceil(height * down - NEAR)))
    if small != QSize(width, height) and not (quickly and across * down > 0.2):
        pixels = resized_array(pixels, small)
        local = QTransform.fromScale(width / small.width(), height / small.height()) * local
    back, _ = local.inverted()
    # upright edges are whole pixels, and stay as they are: nothing beyond them is asked for
    border = cv2.BORDER_REPLICATE if straight else cv2.BORDER_CONSTANT
    kernel = cv2.INTER_LINEAR if quickly else kernel_for(pixels, edges=not straight)
    out = np.zeros((max(0, goal.height()), max(0, goal.width()), *pixels.shape[2:]), pixels.dtype)
    for block in _blocks(goal):
        found = back.mapRect(QRectF(block)).toAlignedRect().adjusted(-ROOM, -ROOM, ROOM, ROOM)
        found = found & QRect(0, 0, pixels.shape[1], pixels.shape[0])
        if found.isEmpty():
            continue
        part = pixels[found.top() : found.bottom() + 1, found.left() : found.right() + 1]
        # OpenCV counts from the middle of the first pixel
        here = QTransform.fromTranslate(block.x() + 0.5, block.y() + 0.5) * back
        here = here * QTransform.fromTranslate(-found.x() - 0.5, -found.y() - 0.5)
        rows = np.array([[here.m11(), here.m21(), here.dx()], [here.m12(), here.m22(), here.dy()]])
        side, flags = (block.width(), block.height()), kernel | cv2.WARP_INVERSE_MAP
        done = cv2.warpAffine(part, rows, side, flags=flags, borderMode=border)
        top, left = block.y() - goal.y(), block.x() - goal.x()
        out[top : top + block.height(), left : left + block.width()] = done
    return within_alpha(out) if kernel == cv2.INTER_CUBIC else out


def _blocks(goal: QRect) -> Iterator[QRect]:
    for y in range(goal.top(), goal.bottom() + 1, BLOCK):
        for x in range(goal.left(), goal.right() + 1, BLOCK):
            yield QRect(x, y, BLOCK, BLOCK) & goal
