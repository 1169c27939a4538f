"""Lines and edges of a picture, white on black.

Line art and scribbles come from the extended difference of Gaussians (Winnemöller, Kyprianidis & Olsen 2012,
"XDoG: An eXtended difference-of-Gaussians compendium", section 2): dark lines and the dark sides of edges.
Widths follow the picture's shorter side, so that a picture gives the same lines at any size.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pipelines.graph.conversions import brightness
from pipelines.graph.values import Array, Image

SIDE: Final = 512
"""The shorter side in px at which widths are what they say."""
_RATIO: Final = 1.6
"""Of the two Gaussians, where their difference comes nearest to a Laplacian (Marr & Hildreth 1980)."""
_SHARPENING: Final = 20.0
_STEEPNESS: Final = 12.0
_LEVEL: Final = 0.86
"""Share of the surroundings' brightness below which a pixel belongs to a line."""
_SPECK: Final = 64
"""Pixels of the smallest mark a scribble keeps, before it is broadened."""


def edges(image: Image, low: float = 100, high: float = 200) -> Image:
    """Thin hard edges (Canny 1986), H×W×1 uint8 of 0 and 255.

    Args:
        image: any channels; what is transparent is black.
        low, high: gradients, 0..1020: edges begin above ``high`` and are followed down to ``low``.
    """
    import cv2

    low, high = min(low, high), max(low, high)
    return _made(image, np.asarray(cv2.Canny(np.rint(_seen(image) * 255).astype(np.uint8), low, high)))


def line_art(image: Image, detail: float = 0.5) -> Image:
    """Soft lines, H×W×1 uint8; with more ``detail`` (0..1) thinner and more of them."""
    dark = _darkness(_light(image), _scale(image) * (2.6 - 2.0 * min(max(detail, 0.0), 1.0)))
    return _made(image, np.rint(dark * 255).astype(np.uint8))


def scribble(image: Image, detail: float = 0.5) -> Image:
    """A few broad hard strokes, H×W×1 uint8 of 0 and 255; ``detail`` as in :func:`line_art`."""
    import cv2

    scale = _scale(image)
    dark = _darkness(_light(image), scale * (4.5 - 3 * min(max(detail, 0.0), 1.0)))
    strokes = (dark > 0.5).astype(np.uint8)
    count, labels, facts, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    kept = np.zeros(count, np.uint8)
    kept[1:] = np.asarray(facts)[1:, cv2.CC_STAT_AREA] >= _SPECK * scale * scale
    width = max(1, round(2 * scale)) | 1
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return _made(image, np.asarray(cv2.dilate(kept[np.asarray(labels)], pen)) * np.uint8(255))


def _made(image: Image, plane: Array) -> Image:
    return image.with_pixels(plane[..., None])


def _scale(image: Image) -> float:
    return min(image.width, image.height) / SIDE


def _seen(image: Image) -> Array:
    """H×W×C (1 or 3) float32 in 0..1, over a black ground."""
    pixels = np.clip(np.nan_to_num(image.as_float()), 0, 1)
    return np.ascontiguousarray(pixels[..., :3] * pixels[..., 3:] if image.channels == 4 else pixels)


def _light(image: Image) -> Array:
    """H×W float32: brightness over a black ground. Single channels hold more noise than lines."""
    return brightness(Image(_seen(image).astype(np.float32, copy=False)))


def _darkness(light: Array, sigma: float) -> Array:
    """How much darker each pixel of ``light`` (H×W) is than its surroundings, 0..1, softly thresholded."""
    import cv2

    sigma = max(sigma, 0.3)
    near, far = (
        np.asarray(cv2.GaussianBlur(light, (0, 0), width, borderType=cv2.BORDER_REPLICATE))
        for width in (sigma, sigma * _RATIO)
    )
    sharpened = near + _SHARPENING * (near - far)
    # Measured against the surroundings, so that a picture's dark parts aren't one large line.
    relative = (sharpened + 0.05) / (far + 0.05)
    return np.where(relative < _LEVEL, np.tanh(_STEEPNESS * (_LEVEL - relative)), 0).clip(0, 1)
