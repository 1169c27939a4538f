"""Making up what is behind something, without a model: from the colours round it, or from pieces of them.

All take H×W×C float32 ``values`` in 0..1 and H×W bool ``unknown``, and give H×W×C float32.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.graph.values import Array
from pipelines.inpaint.color_match import membrane
from pipelines.inpaint.morphology import blurred, distance
from pipelines.inpaint.patches import patch_fill

_THIN: Final = 6.0
"""Gaps with no pixel further than this from a known one are bridged: scratches, wires, lettering."""
_RING: Final = (4.0, 24.0)
"""Least and greatest width in px of the ring that tells whether what is round a gap is smooth."""
_SMOOTH: Final = 0.02
"""Root mean square of what a smooth surface misses, in 0..1, up to which it is one. Grain doesn't count."""
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

    height, width, channels = values.shape
    detail = values - _blurred(values)
    usual = 1.4826 * np.median(np.abs(detail[~unknown]), axis=0)  # of normal noise, its standard deviation
    usual = np.minimum(usual, _COARSEST)
    detail = np.clip(detail, -_RARE * usual, _RARE * usual)
    y, x = np.nonzero(unknown)
    rows, columns = distance_transform_edt(unknown, return_distances=False, return_indices=True)
    from_y, from_x = 2 * rows[y, x] - y, 2 * columns[y, x] - x
    inside = (from_y >= 0) & (from_y < height) & (from_x >= 0) & (from_x < width)
    from_y, from_x = from_y.clip(0, height - 1), from_x.clip(0, width - 1)
    found = inside & ~unknown[from_y, from_x]
    grain = np.zeros((height, width, channels), np.float32)
    grain[y[found], x[found]] = detail[from_y[found], from_x[found]]
    return grain


def _blurred(values: Array) -> Array:
    """H×W×C, each channel by itself."""
    return np.dstack([blurred(values[..., channel], _GRAIN) for channel in range(values.shape[2])])
