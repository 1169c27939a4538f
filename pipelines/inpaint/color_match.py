"""Making colours meet at a seam, and continuing colours into a gap, by the same smooth surface."""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.graph.values import Array, Image, Mask

_GRID: Final = 256
"""Longest side of the grid on which the surface is computed: it is smooth anyway."""
_SWEEPS: Final = 6
"""Smoothing rounds on each grid: the gaps come close to the surface of least slope (Laplace's equation)."""
_NONE: Final = 1e-6


def membrane(values: Array, weight: Array) -> Array:
    """A smooth surface through H×W×C float32 ``values`` where ``weight`` (H×W, 0..1) says they are known.

    Pull and push: known values are averaged into ever coarser grids, and gaps filled from there and evened
    out (S. Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4.2). All zeros if nothing is known.
    """
    import cv2

    height, width, channels = values.shape
    if channels > 3:  # OpenCV resamples four at once, and one of them is the weight
        return np.dstack([membrane(values[..., :3], weight), membrane(values[..., 3:], weight)])
    scale = min(1.0, _GRID / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    known = np.dstack([values * weight[..., None], weight])
    if scale < 1:
        known = np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_AREA))
    surface = _pull_push(known.reshape(size[1], size[0], channels + 1))
    if scale < 1:
        surface = np.asarray(cv2.resize(surface, (width, height), interpolation=cv2.INTER_CUBIC))
    return surface.reshape(height, width, channels)


def _pull_push(known: Array) -> Array:
    """H×W×C of H×W×(C + 1): values times their weight, and the weight."""
    import cv2

    levels = [known]
    while max(known.shape[:2]) > 1:
        size = (-(-known.shape[1] // 2), -(-known.shape[0] // 2))
        known = np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_AREA)).reshape(*size[::-1], -1)
        levels.append(known)
    surface = levels[-1][..., :-1] / np.maximum(levels[-1][..., -1:], _NONE)
    for level in reversed(levels[:-1]):
        size = (level.shape[1], level.shape[0])
        rough = np.asarray(cv2.resize(surface, size, interpolation=cv2.INTER_LINEAR)).reshape(*size[::-1], -1)
        sure = np.clip(level[..., -1:], 0, 1)
        here = level[..., :-1] / np.maximum(level[..., -1:], _NONE)
        surface = rough + sure * (here - rough)
        for _ in range(_SWEEPS):
            even = np.asarray(cv2.blur(surface, (3, 3), borderType=cv2.BORDER_REPLICATE)).reshape(
                surface.shape
            )
            surface = even + sure * (here - even)
    return surface


def match_colours(drawn: Image, original: Image, denoise: Mask) -> Image:
    """``drawn`` with its colours moved so that they meet those of ``original`` outside the denoise mask.

    What a model doesn't repaint still passes through its encoder and decoder, which shift colours a little;
    that shift is known where nothing was denoised, and continued smoothly under the mask. Alpha stays.
    All three have the same size.
    """
    first, second = _colours(drawn), _colours(original)
    if first.shape[2] != second.shape[2]:
        first, second = (np.broadcast_to(colours, (*colours.shape[:2], 3)) for colours in (first, second))
    known = 1 - denoise.values
    if original.channels == 4:
        known = known * original.as_float()[..., 3]
    shift = membrane(second - first, known)
    moved = np.clip(first + shift, 0, 1).astype(np.float32)
    if drawn.channels == 4:
        moved = np.dstack([moved, drawn.as_float()[..., 3]])
    return drawn.with_pixels(moved)


def _colours(image: Image) -> Array:
    """H×W×(1|3) float32 without alpha."""
    return image.as_float()[..., :3]
