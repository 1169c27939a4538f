"""Cutting the part to repaint out of a picture, and pasting what was drawn back into it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from pipelines.errors import MaskSizeDiffers
from pipelines.graph.conversions import brightness
from pipelines.graph.values import Array, Image, Mask, Size, Stitch
from pipelines.image import resize
from pipelines.inpaint.box import Box
from pipelines.inpaint.color_match import match_colours
from pipelines.inpaint.geometry import CropPlan


def cut(image: Image, plan: CropPlan) -> tuple[Image, Mask, Stitch]:
    """The part to repaint and its denoise mask, both of the size to draw at, and what :func:`paste` needs.

    Raises:
        MaskSizeDiffers: the plan was made for a mask of another size than the picture.
    """
    if (image.width, image.height) != plan.picture:
        width, height = plan.picture
        raise MaskSizeDiffers(width=image.width, height=image.height, other_width=width, other_height=height)
    part = image.with_pixels(image.pixels[plan.box.slices].copy())
    content, work = plan.content, plan.work
    drawn_from = part.with_pixels(_continued(_scaled(part, content).pixels, work))
    mask = Mask(_continued(_plane(plan.denoise.values, content), work))
    stitch = Stitch(image, plan.box, work, content, plan.denoise, plan.composite, {"inpaint": _story(plan)})
    return drawn_from, mask, stitch


def paste(stitch: Stitch, drawn: Image, match: bool = False) -> Image:
    """The whole picture with ``drawn`` in it, laid over by the composite mask.

    Pixels outside that mask are those of the original, bit for bit; so are size, channels and type. Where the
    original is transparent, it becomes opaque as far as it was denoised, unless ``drawn`` has an alpha of its
    own. In a grey picture, what was drawn is grey.

    Args:
        drawn: the part, of the size it was cut at, or larger or smaller in the same proportions.
        match: first bring its colours to those of the original where both should be alike.
    """
    original, box = stitch.original, Box(*stitch.box)
    part = original.with_pixels(original.pixels[box.slices].copy())
    brought = _brought_back(stitch, drawn)
    if match:
        brought = match_colours(brought, part, stitch.denoise)
    pixels = original.pixels.copy()
    pixels[box.slices] = _lay_over(part.pixels, _like(brought, part, stitch.denoise), stitch.composite.values)
    return original.with_pixels(pixels, **{**drawn.info, **stitch.info})


def _story(plan: CropPlan) -> dict[str, Any]:
    """What a picture remembers of its inpainting."""
    return {
        "crop": list(plan.box), "work": list(plan.work), "mask_hash": plan.selection_hash,
        **asdict(plan.settings),
    }  # fmt: skip


def _scaled(image: Image, size: Size) -> Image:
    """Resampled by OpenCV (area to shrink, bicubic to enlarge), unless alpha has to be weighed in."""
    import cv2

    if (image.width, image.height) == size:
        return image
    if image.channels == 4:
        return resize(image, *size)
    shrinks = size.width * size.height < image.width * image.height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    pixels = np.asarray(cv2.resize(image.pixels, size, interpolation=method))
    pixels = pixels.reshape(size.height, size.width, image.channels)
    return image.with_pixels(pixels if pixels.dtype == np.uint8 else np.clip(pixels, 0, 1))


def _plane(values: Array, size: Size) -> Array:
    """A mask at another size."""
    import cv2

    height, width = values.shape
    if (width, height) == size:
        return values
    method = cv2.INTER_AREA if size.width * size.height < width * height else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, size, interpolation=method))


def _continued(values: Array, size: Size) -> Array:
    """Mirrored at the right and the bottom up to ``size``."""
    more = [(0, size.height - values.shape[0]), (0, size.width - values.shape[1]), (0, 0)][: values.ndim]
    return np.pad(values, more, mode="symmetric") if any(end for _, end in more) else values


def _brought_back(stitch: Stitch, drawn: Image) -> Image:
    """The drawn part without what continued it, at the size of the box."""
    _, _, width, height = stitch.box
    content, work = stitch.content, stitch.work
    if content != work:
        columns = max(1, round(content.width * drawn.width / work.width))
        rows = max(1, round(content.height * drawn.height / work.height))
        drawn = drawn.with_pixels(drawn.pixels[:rows, :columns].copy())
    return _scaled(drawn, Size(width, height))


def _like(drawn: Image, part: Image, denoise: Mask) -> Array:
    """The pixels of ``drawn`` with the channels and the type of the part it replaces."""
    if drawn.channels != part.channels:
        colour = brightness(drawn)[..., None] if part.channels == 1 else drawn.as_float()[..., :3]
        if part.channels != 1 and colour.shape[2] == 1:
            colour = np.repeat(colour, 3, axis=2)
        if part.channels == 4:
            alpha = part.as_float()[..., 3]
            colour = np.dstack([colour, alpha + denoise.values * (1 - alpha)])
        drawn = drawn.with_pixels(colour)
    return drawn.as_uint8() if part.pixels.dtype == np.uint8 else drawn.as_float()


def _lay_over(below: Array, above: Array, weight: Array) -> Array:
    """``above`` mixed over ``below`` (both h×w×C of one type) by ``weight``; exact where that is 0 or 1."""
    import cv2

    channels = below.shape[2]
    whole = (weight >= 1).view(np.uint8)
    mixed = np.asarray(cv2.copyTo(above, whole, dst=below.copy())).reshape(below.shape)
    band = np.flatnonzero((weight > 0) & (weight < 1))
    first = below.reshape(-1, channels).take(band, axis=0).astype(np.float32)
    second = above.reshape(-1, channels).take(band, axis=0).astype(np.float32)
    share = weight.reshape(-1, 1).take(band, axis=0)
    between = first + share * (second - first)
    if channels == 4:
        between[:, :3] = _by_alpha(first, second, share, between[:, 3:])
    mixed.reshape(-1, channels)[band] = np.rint(between) if below.dtype == np.uint8 else between
    return mixed


def _by_alpha(first: Array, second: Array, share: Array, alpha: Array) -> Array:
    """N×3 colours mixed by how much of each is seen: colours that are transparent don't count."""
    seen = np.divide(share * second[:, 3:], alpha, out=share.copy(), where=alpha > 0)
    return first[:, :3] + seen * (second[:, :3] - first[:, :3])
