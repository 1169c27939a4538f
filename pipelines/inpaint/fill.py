"""What stands under a mask before denoising begins, and larger pictures for outpainting."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np

from pipelines.graph.values import Array, Image, Mask, check_size
from pipelines.inpaint.box import Box
from pipelines.inpaint.color_match import membrane
from pipelines.inpaint.masks import bounds, check_mask
from pipelines.inpaint.morphology import blurred
from pipelines.inpaint.patches import patch_fill

_OCTAVES: Final = (1, 2, 4, 8, 16, 32)
"""Grain sizes of the noise in pixels. Fine grain alone would be gone after a model's encoder."""


class Fill(StrEnum):
    """What stands under the mask when denoising begins."""

    ORIGINAL = "original"
    BLUR = "blur"
    NEUTRAL = "neutral"
    NOISE = "noise"
    BORDER = "border"
    PATCH = "patch"


def fill(image: Image, mask: Mask, mode: Fill, seed: int = 0) -> Image:
    """The picture with what is under ``mask`` replaced, as far as its values say.

    ``ORIGINAL`` leaves it as it is, ``BLUR`` keeps its colours without its shapes, ``NEUTRAL`` is middle
    grey, ``NOISE`` grain of all sizes round it, ``BORDER`` the colours beside the mask, drawn inwards, and
    ``PATCH`` pieces of
    the picture round it. What is filled is opaque. Size, channels,
    type and history are kept, and pixels where the mask is 0 are untouched.

    Args:
        seed: of the noise, and of the search for pieces.

    Raises:
        MaskSizeDiffers: the mask has another size.
    """
    check_mask(mask, image.width, image.height)
    found = bounds(mask)
    if mode is Fill.ORIGINAL or found is None:
        return image
    area = found.grown(max(found.width, found.height) / 2 + 16).clipped(image.width, image.height)
    pixels = image.pixels.copy()
    part, share = Image(pixels[area.slices].copy()), mask.values[area.slices]
    values, alpha = part.as_float()[..., :3], part.as_float()[..., 3:]
    visible = alpha[..., 0] if part.channels == 4 else np.ones_like(share)
    match mode:
        case Fill.BLUR:
            new = _blur(values, visible, found)
        case Fill.NEUTRAL:
            new = np.full_like(values, 0.5)
        case Fill.NOISE:
            new = _noise(values.shape, seed)
        case Fill.BORDER:
            new = membrane(values, (1 - share) * visible)
        case Fill.PATCH:
            new = patch_fill(values, (share > 0) | (visible == 0), seed)
    new = np.clip(new, 0, 1)
    if part.channels == 4:
        new = np.dstack([new, np.ones(share.shape, np.float32)])
    mixed = part.with_pixels(part.as_float() + share[..., None] * (new - part.as_float()))
    chosen = share > 0
    target = pixels[area.slices]
    target[chosen] = (mixed.as_uint8() if pixels.dtype == np.uint8 else mixed.pixels)[chosen]
    return image.with_pixels(pixels)


def extend(image: Image, left: int, top: int, right: int, bottom: int, mode: Fill) -> tuple[Image, Mask]:
    """A larger picture, and the selection of what is new in it.

    The new area begins as the continued edge (all that ``ORIGINAL`` does), and is then filled by ``mode``.
    The original's pixels are untouched.

    Args:
        left, top, right, bottom: pixels to add on each side, 0 or more.

    Raises:
        ImageTooLarge: the result would have more pixels than allowed.
        ValueError: an amount is negative.
    """
    if min(left, top, right, bottom) < 0:
        raise ValueError(f"amounts must be 0 or more, not {(left, top, right, bottom)}")
    width, height = image.width + left + right, image.height + top + bottom
    check_size(width, height)
    if (width, height) == (image.width, image.height):
        return image, Mask(np.zeros((height, width), np.float32))
    pixels = np.pad(image.pixels, ((top, bottom), (left, right), (0, 0)), mode="edge")
    new = np.ones((height, width), np.float32)
    new[Box(left, top, image.width, image.height).slices] = 0
    mask = Mask(new)
    return fill(image.with_pixels(pixels), mask, mode), mask


def _blur(values: Array, visible: Array, found: Box) -> Array:
    """Blurred over half the shorter side of the mask's bounds, weighed by opacity."""
    width = max(4.0, min(found.width, found.height) / 2)
    weight = blurred(visible, width)[..., None]
    planes = [blurred(values[..., channel] * visible, width) for channel in range(values.shape[2])]
    return np.divide(np.dstack(planes), weight, out=values.copy(), where=weight > 0)


def _noise(shape: tuple[int, ...], seed: int) -> Array:
    """Middle grey with normal noise of all grain sizes: σ 0.25, colours independent of each other."""
    import cv2

    height, width, channels = shape
    generator = np.random.default_rng(seed)
    total = np.zeros((height, width, channels), np.float32)
    for grain in _OCTAVES:
        size = (-(-height // grain) + 1, -(-width // grain) + 1, channels)
        grains = generator.standard_normal(size, np.float32)
        if grain > 1:
            larger = (size[1] * grain, size[0] * grain)
            grains = cv2.resize(grains, larger, interpolation=cv2.INTER_CUBIC).reshape(
                *larger[::-1], channels
            )
        total += grains[:height, :width]
    return 0.5 + 0.25 / np.sqrt(np.float32(len(_OCTAVES))) * total
