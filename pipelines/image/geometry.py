"""Resampling and cropping."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from PIL import Image as Pillow

from pipelines.errors import CropOutside
from pipelines.graph.values import Array, Image, check_size

Resampling = Literal["lanczos", "bicubic", "bilinear", "area", "nearest"]

_FILTERS: Final[dict[str, Pillow.Resampling]] = {
    "lanczos": Pillow.Resampling.LANCZOS,
    "bicubic": Pillow.Resampling.BICUBIC,
    "bilinear": Pillow.Resampling.BILINEAR,
    "area": Pillow.Resampling.BOX,
    "nearest": Pillow.Resampling.NEAREST,
}


def resize(image: Image, width: int, height: int, method: Resampling = "lanczos") -> Image:
    """Resample to ``width`` × ``height`` px; the type of the pixels (uint8, float32) is kept.

    Filters are widened when shrinking, so that nothing aliases (unlike OpenCV's). Work is done on
    sRGB-encoded values, as most programs do, not in linear light. Colours are weighted by alpha, so that what
    is transparent doesn't bleed.

    Raises:
        ImageTooLarge: more pixels than allowed.
    """
    check_size(width, height)
    if (width, height) == (image.width, image.height):
        return image
    size, kernel = (width, height), _FILTERS[method]
    if method == "nearest" or (image.channels != 4 and image.pixels.dtype == np.uint8):
        return image.with_pixels(_resample(image.pixels, size, kernel))
    pixels = image.as_float()
    if image.channels == 4:
        pixels = np.concatenate([pixels[..., :3] * pixels[..., 3:], pixels[..., 3:]], axis=2)
    result = _resample(pixels, size, kernel)
    if image.channels == 4:
        alpha = result[..., 3:]
        colour = np.divide(result[..., :3], alpha, out=np.zeros_like(result[..., :3]), where=alpha > 1e-6)
        result = np.concatenate([colour, alpha], axis=2)
    resized = image.with_pixels(np.clip(result, 0, 1))
    return resized.with_pixels(resized.as_uint8()) if image.pixels.dtype == np.uint8 else resized


def _resample(pixels: Array, size: tuple[int, int], kernel: Pillow.Resampling) -> Array:
    """H×W×C through Pillow, one channel after another (its float mode has one channel only)."""
    if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        return np.asarray(Pillow.fromarray(pixels).resize(size, kernel))
    planes = [
        np.asarray(Pillow.fromarray(np.ascontiguousarray(pixels[..., channel])).resize(size, kernel))
        for channel in range(pixels.shape[2])
    ]
    return np.stack(planes, axis=2)


def crop(image: Image, x: int, y: int, width: int, height: int) -> Image:
    """The rectangle of ``width`` × ``height`` px whose top left corner is at ``x``, ``y``.

    Raises:
        CropOutside: it reaches outside the picture; the message has all the numbers.
    """
    if x < 0 or y < 0 or width < 1 or height < 1 or x + width > image.width or y + height > image.height:
        raise CropOutside(
            x=x, y=y, width=width, height=height, image_width=image.width, image_height=image.height
        )
    return image.with_pixels(image.pixels[y : y + height, x : x + width].copy())
