"""Making up what is behind something, without a model: from the colours round it, or from pieces of them.

All take H×W×C float32 ``values`` in 0..1 and H×W bool ``unknown``, and give H×W×C float32.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.graph.values import Array
from pipelines.inpaint.box import Box
from pipelines.inpaint.color_match import membrane
from pipelines.inpaint.morphology import blurred, distance
from pipelines.inpaint.patches import patch_fill

_THIN: Final = 6.0
"""Gaps with no pixel further than this from a known one are bridged: scratches, wires, lettering."""
_RING: Final = (4.0, 24.0)
"""Least and greatest width in px of the ring that tells whether what is round a gap is smooth."""
_SMOOTH: Final = 0.02
"""Root mean square of what a smooth surface misses, in 0..1, up to which it is one. Grain doesn't count."""
_GRID: Final = 512
"""Longest side in px at which that is tried."""
_GRAIN: Final = 6
"""Width in px of the blur that tells grain from shapes."""
_RARE: Final = 3.0
"""Detail beyond so many times the usual is no grain, but a thing."""
_COARSEST: Final = 0.03
"""Standard deviation of the coarsest grain; more is texture, which isn't made by mirroring."""
_RADIUS: Final = 5.0
"""Of what Telea's method looks at, in px."""


def is_thin(unknown: Array) -> bool:
    """Whether every pixel of the gap is near a known one."""
    return float(distance(~unknown).max(initial=0)) <= _THIN


def is_smooth(values: Array, unknown: Array) -> bool:
    """Whether a smooth surface would do: it is tried on a ring round the gap, where the answer is known."""
    values, unknown = _reduced(values, unknown)
    apart = distance(unknown)
    width = float(np.clip(distance(~unknown).max(initial=0), *_RING))
    ring = (apart > 0) & (apart <= width)
    known = (apart > width).astype(np.float32)
    if not ring.any() or not known.any():
        return False
    missed = (values - membrane(values, known)) * ring[..., None]
    share = np.maximum(_blurred(ring[..., None].astype(np.float32)), 1e-6)
    missed = (_blurred(missed) / share)[ring]
    return float(np.sqrt(np.mean(np.square(missed)))) <= _SMOOTH


def _reduced(values: Array, unknown: Array) -> tuple[Array, Array]:
    """No larger than :data:`_GRID`; a pixel is known where all of it is."""
    import cv2

    height, width = unknown.shape
    scale = _GRID / max(height, width)
    if scale >= 1:
        return values, unknown
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA))
    gaps = np.asarray(cv2.resize(unknown.astype(np.float32), size, interpolation=cv2.INTER_AREA))
    return small.reshape(*size[::-1], -1), gaps > 0


def surroundings(values: Array, unknown: Array) -> Array:
    """The colours round the gap, drawn inwards, with the grain of what is there.

    Thin gaps by fast marching (A. Telea, "An image inpainting technique based on the fast marching method",
    Journal of Graphics Tools 9, 2004), which goes on with lines; others by a smooth surface.
    """
    import cv2

    if is_thin(unknown):
        gap = unknown.astype(np.uint8)
        levels = np.rint(np.clip(values, 0, 1) * 65_535).astype(np.uint16)  # floats come back shifted
        planes = [
            cv2.inpaint(np.ascontiguousarray(levels[..., channel]), gap, _RADIUS, cv2.INPAINT_TELEA)
            for channel in range(values.shape[2])
        ]
        return np.dstack(planes).astype(np.float32) / np.float32(65_535)
    surface = np.where(unknown[..., None], membrane(values, (~unknown).astype(np.float32)), values)
    return surface + _grain(surface, unknown)


def patches(values: Array, unknown: Array) -> Array:
    """Pieces of what is round the gap (see :mod:`pipelines.inpaint.patches`)."""
    return patch_fill(values, unknown)


def _grain(values: Array, unknown: Array) -> Array:
    """H×W×C: in the gap, the grain of the pixels as far outside its edge as each is inside; 0 elsewhere."""
    from scipy.ndimage import distance_transform_edt

    height, width, _ = values.shape
    y, x = np.nonzero(unknown)
    box = Box(int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1)
    box = box.grown(1).clipped(width, height)  # what is nearest to a gap lies round it
    nearest = distance_transform_edt(unknown[box.slices], return_distances=False, return_indices=True)
    rows, columns = nearest[:, y - box.y, x - box.x]
    from_y, from_x = 2 * (rows + box.y) - y, 2 * (columns + box.x) - x
    found = (from_y >= 0) & (from_y < height) & (from_x >= 0) & (from_x < width)
    found[found] = ~unknown[from_y[found], from_x[found]]
    grain = np.zeros_like(values)
    if not found.any():
        return grain
    y, x, from_y, from_x = y[found], x[found], from_y[found], from_x[found]
    top, left = int(from_y.min()), int(from_x.min())
    part = values[top : int(from_y.max()) + 1, left : int(from_x.max()) + 1]
    detail = (part - _blurred(part))[from_y - top, from_x - left]
    usual = 1.4826 * np.median(np.abs(detail), axis=0)  # of normal noise, its standard deviation
    usual = np.minimum(usual, _COARSEST)
    grain[y, x] = np.clip(detail, -_RARE * usual, _RARE * usual)
    return grain


def _blurred(values: Array) -> Array:
    """H×W×C, each channel by itself."""
    result = np.empty_like(values)
    for channel in range(values.shape[2]):
        result[..., channel] = blurred(np.ascontiguousarray(values[..., channel]), _GRAIN)
    return result
