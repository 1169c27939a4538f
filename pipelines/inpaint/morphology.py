"""The arithmetic below the mask operations: dilation, distances and blurring of H×W float32 arrays.

All of it takes time in proportion to the pixels, hardly to the radius. OpenCV is imported where it is used,
so that schemas can be read without it.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from pipelines.graph.values import Array

_STRAIGHT: Final = 0.3827
_DIAGONAL: Final = 0.2706
"""Half lengths (in steps) of the segments whose sum is a regular octagon in a circle of radius 1."""
_CHAMFER: Final = 1.0179
"""The distance of OpenCV's 5×5 masks is too small by at most this factor (a knight's move, √5 for 2.1969)."""
_EXACT_PIXELS: Final = 2**22
"""Above this, distances are approximate: within 2 %, and in a third of the time."""
_SMALL: Final = 3
"""Below this radius in pixels an octagon of whole steps is too coarse."""
DUST: Final = 1 / 1024
"""Smaller values left by a blur are none."""


def is_hard(values: Array) -> bool:
    """Whether there is nothing between 0 and 1."""
    return bool(((values == 0) | (values == 1)).all())


def distance(inside: Array) -> Array:
    """Distance of each pixel to the nearest pixel of ``inside`` (H×W bool), between centres; 0 on it.

    Exact up to 4 million pixels; above, never less than it is and at most 5 % more. Infinite if nothing is
    inside.
    """
    import cv2

    outside = np.logical_not(inside).view(np.uint8)
    if outside.all():
        return np.full(outside.shape, np.inf, np.float32)
    if outside.size <= _EXACT_PIXELS:
        return np.asarray(cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
    return np.asarray(cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_5)) * np.float32(_CHAMFER)


def margin(radius: float) -> int:
    """Pixels beyond the edges of an array that :func:`dilated` needs to be as wide at edges as elsewhere."""
    return math.ceil(_DIAGONAL * radius)


def dilated(values: Array, radius: float) -> Array:
    """The greatest value within ``radius`` px of each pixel; outside the array is nothing.

    Hard values: a disc. Soft ones: a regular octagon inside that disc, the sum of four segments, so that
    every level of the mask moves outwards alike (R. Adams, "Radial decomposition of discs and spheres",
    CVGIP 55, 1993). Never smaller than ``values``.
    """
    if is_hard(values):
        return (distance(values > 0) <= radius).astype(np.float32)
    # sixteen bits halve the memory that has to be moved; the greater of that and the original is kept
    levels = np.rint(values * np.float32(65_535)).astype(np.uint16)
    levels = _small_disc(levels, radius) if radius < _SMALL else _octagon(levels, radius)
    grown = levels.astype(np.float32)
    grown *= np.float32(1 / 65_535)
    return np.maximum(grown, values, out=grown)


def _small_disc(values: Array, radius: float) -> Array:
    """The greatest value within a few pixels: point by point."""
    import cv2

    steps = np.arange(-int(radius), int(radius) + 1)
    kernel = np.hypot(*np.meshgrid(steps, steps)) <= radius
    return np.asarray(cv2.dilate(values, kernel.astype(np.uint8)))


def _octagon(values: Array, radius: float) -> Array:
    """The greatest value within the largest octagon of whole steps in a circle."""
    straight, diagonal = int(_STRAIGHT * radius), int(_DIAGONAL * radius)
    while math.hypot(straight + 1 + 2 * diagonal, straight + 1) <= radius:
        straight += 1
    for step_x, step_y, length in ((1, 0, straight), (0, 1, straight), (1, 1, diagonal), (1, -1, diagonal)):
        values = _along(values, step_x, step_y, length)
    return values


def _along(values: Array, step_x: int, step_y: int, length: int) -> Array:
    """The greatest value within ``length`` steps of (``step_x``, ``step_y``) to either side.

    A segment is the sum of few pairs of points, each three times as far apart as the last (Adams 1993).
    """
    import cv2

    reached = 0
    while reached < length:
        stride = min(2 * reached + 1, length - reached)
        kernel = np.zeros((2 * stride * abs(step_y) + 1, 2 * stride * abs(step_x) + 1), np.uint8)
        points = np.arange(3) * stride
        rows, columns = points * abs(step_y), points * abs(step_x)
        kernel[rows if step_y >= 0 else rows[::-1], columns] = 1
        values = np.asarray(cv2.dilate(values, kernel))
        reached += stride
    return values


def blurred(values: Array, width: float) -> Array:
    """``values`` blurred so that a hard edge becomes ``width`` px wide; edges of the array are continued.

    Three box passes, close to a Gaussian of σ ≈ width/6 (P. Kovesi, "Fast almost-Gaussian filtering", 2010),
    with nothing further than ``width``/2 px from where it was.
    """
    import cv2

    total = int(width / 2)
    soft = values
    for left in (3, 2, 1):
        radius = total // left
        total -= radius
        if radius:
            size = (2 * radius + 1, 2 * radius + 1)
            soft = np.asarray(cv2.blur(soft, size, borderType=cv2.BORDER_REPLICATE))
    if soft is values:
        return values
    np.putmask(soft, soft < DUST, 0)
    np.putmask(soft, soft > 1 - DUST, 1)
    return soft
