"""The arithmetic below the mask operations: dilation, distances and blurring of H×W float32 arrays.

All of it takes time in proportion to the pixels, hardly to the radius. OpenCV is imported where it is used,
so that schemas can be read without it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from pipelines.graph.values import Array

Segments = tuple[tuple[int, int, float], ...]

_FINE: Final[Segments] = ((1, 0, 0.195), (0, 1, 0.195), (1, 1, 0.138), (1, -1, 0.138),
                (2, 1, 0.0872), (2, -1, 0.0872), (1, 2, 0.0872), (1, -2, 0.0872))  # fmt: skip
_COARSE: Final[Segments] = ((1, 0, 0.3827), (0, 1, 0.3827), (1, 1, 0.2706), (1, -1, 0.2706))
"""Segments (step in x and y, half length in steps) whose sum is a regular polygon of 16 or 8 sides with a
circumscribed circle of radius 1. Pairs cancel out, so that paths hardly leave the way."""
_ROOM: Final = 0.2706
_CHAMFER: Final = 1.0179
"""The distance of OpenCV's 5×5 masks is too small by at most this factor (a knight's move, √5 for 2.1969)."""
_EXACT_PIXELS: Final = 2**22
"""Above this, distances are approximate: within 2 %, and in a third of the time."""
_SMALL: Final = 5
"""Below this radius in pixels an octagon of whole steps is too coarse."""
_WIDE: Final = 12
"""From this radius on, the finer polygon has steps in all its directions."""
DUST: Final = 1 / 128
"""Smaller values left by a blur are none: so the outline of what is above 0 is round, not square."""


def is_hard(values: Array) -> bool:
    """Whether there is nothing between 0 and 1."""
    return bool(((values == 0) | (values == 1)).all())


def distance(inside: Array, exact: bool = True) -> Array:
    """Distance of each pixel to the nearest pixel of ``inside`` (H×W bool), between centres; 0 on it.

    Up to 4 million pixels ``exact`` is that; above, and without it, the distance is never less than it is and
    at most 5 % more, in a third of the time. Infinite if nothing is inside.
    """
    import cv2

    outside = np.logical_not(inside).view(np.uint8)
    if outside.all():
        return np.full(outside.shape, np.inf, np.float32)
    if exact and outside.size <= _EXACT_PIXELS:
        return np.asarray(cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
    return np.asarray(cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_5)) * np.float32(_CHAMFER)


def dilated(values: Array, radius: float) -> Array:
    """The greatest value within ``radius`` px of each pixel; outside the array is nothing.

    Hard values: a disc. Soft ones: a regular polygon in that disc (16 sides, 8 above 4 million pixels), the
    sum of segments, so that every level of the mask moves outwards alike (R. Adams, "Radial decomposition of
    discs and spheres", CVGIP 55, 1993). Never smaller than ``values``.
    """
    if radius < 1:
        return values
    if is_hard(values):
        return (distance(values > 0) <= radius).astype(np.float32)
    # Room beyond the edges: paths to a pixel may leave the array half way. Bounded for the thinnest arrays.
    room = min(math.ceil(_ROOM * radius), 4 * min(values.shape) + 64)
    # Sixteen bits halve the memory that has to be moved; the greater of that and the original is kept.
    rows, columns = values.shape
    levels = np.zeros((rows + 2 * room, columns + 2 * room), np.uint16)
    inner = levels[room : room + rows, room : room + columns]
    np.multiply(values, np.float32(65_535), out=inner, casting="unsafe")
    levels = _small_disc(levels, radius) if radius < _SMALL else _polygon(levels, radius)
    grown = levels[room : room + rows, room : room + columns] / np.float32(65_535)
    return np.maximum(grown, values, out=grown)


def _small_disc(values: Array, radius: float) -> Array:
    """The greatest value within a few pixels: point by point."""
    import cv2

    steps = np.arange(-int(radius), int(radius) + 1)
    kernel = np.hypot(*np.meshgrid(steps, steps)) <= radius
    return np.asarray(cv2.dilate(values, kernel.astype(np.uint8)))


def _polygon(values: Array, radius: float) -> Array:
    """The greatest value within a polygon of whole steps in a circle."""
    import cv2

    segments = _FINE if values.size <= _EXACT_PIXELS and radius >= _WIDE else _COARSE
    spare = np.empty_like(values)  # two arrays in turn: fresh memory would cost more than the work
    for (step_x, step_y, _), length in zip(segments, _lengths(segments, radius), strict=True):
        for kernel in _kernels(step_x, step_y, length):
            cv2.dilate(values, kernel, dst=spare)
            values, spare = spare, values
    return values


def _lengths(segments: Segments, radius: float) -> list[int]:
    """Whole half lengths near the ideal ones whose polygon stays in the circle and fills it best."""
    kinds = sorted({share for _, _, share in segments}, reverse=True)
    ideal = [int(share * radius) for share in kinds[1:]]
    best, filled = [0] * len(segments), -1.0
    for others in itertools.product(*((length - 1, length, length + 1) for length in ideal)):
        if min(others) < 0:
            continue
        straight = max(0, int(kinds[0] * radius) - 4)
        while True:
            chosen = dict(zip(kinds, (straight, *others), strict=True))
            lengths = [chosen[share] for _, _, share in segments]
            outer, inner = _radii(segments, lengths)
            if outer > radius:
                break
            if inner > filled:
                best, filled = lengths, inner
            straight += 1
    return best


def _radii(segments: Segments, lengths: list[int]) -> tuple[float, float]:
    """How far the corners of a sum of segments are from its middle, and how near its sides."""
    halves = sorted(
        ((x * length, y * length) for (x, y, _), length in zip(segments, lengths, strict=True) if length),
        key=lambda half: math.atan2(half[1], half[0]),
    )
    across = [(-y / math.hypot(x, y), x / math.hypot(x, y)) for x, y in halves]
    inner = min((sum(abs(x * u + y * v) for x, y in halves) for u, v in across), default=0.0)
    corner = [sum(x for x, _ in halves), sum(y for _, y in halves)]
    outer = math.hypot(*corner)
    for x, y in halves:  # from corner to corner, half way round
        corner = [corner[0] - 2 * x, corner[1] - 2 * y]
        outer = max(outer, math.hypot(*corner))
    return outer, inner


def _kernels(step_x: int, step_y: int, length: int) -> Iterator[Array]:
    """What to dilate by, one after another, to reach ``length`` steps of (``step_x``, ``step_y``) both ways.

    A segment is the sum of few triples of points, each three times as far apart as the last (Adams 1993).
    """
    reached = 0
    while reached < length:
        stride = min(2 * reached + 1, length - reached)
        kernel = np.zeros((2 * stride * abs(step_y) + 1, 2 * stride * abs(step_x) + 1), np.uint8)
        points = np.arange(3) * stride
        rows, columns = points * abs(step_y), points * abs(step_x)
        kernel[rows if step_y >= 0 else rows[::-1], columns] = 1
        yield kernel
        reached += stride


def blurred(values: Array, width: float) -> Array:
    """``values`` blurred so that a hard edge becomes ``width`` px wide; edges of the array are continued.

    Three box passes, close to a Gaussian of σ ≈ width/6 (P. Kovesi, "Fast almost-Gaussian filtering", 2010),
    with nothing further than ``width``/2 px from where it was.
    """
    import cv2

    total = int(width / 2)
    rows, columns = values.shape
    soft, spare = values, None
    for left in (3, 2, 1):
        radius = total // left
        total -= radius
        if radius:
            # wider than the array is no wider, only slower
            size = (2 * min(radius, columns) + 1, 2 * min(radius, rows) + 1)
            made = np.asarray(cv2.blur(soft, size, dst=spare, borderType=cv2.BORDER_REPLICATE))
            spare, soft = None if soft is values else soft, made
    if soft is values:
        return values
    cv2.threshold(soft, DUST, 0, cv2.THRESH_TOZERO, dst=soft)
    np.putmask(soft, soft > 1 - DUST, 1)
    return soft
