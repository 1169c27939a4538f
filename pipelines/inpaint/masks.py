"""Operations on soft masks: grow, shrink, feather, smooth, fill holes, combine.

Values stay float32 in 0..1 throughout; lengths are pixels. Work is done within the mask's bounds only.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np

from pipelines.errors import MaskSizeDiffers
from pipelines.graph.conversions import brightness
from pipelines.graph.values import Array, Image, Mask
from pipelines.image import alpha_mask, resize
from pipelines.inpaint import morphology
from pipelines.inpaint.box import Box

Combination = Literal["add", "subtract", "intersect", "difference"]
COMBINATIONS: tuple[Combination, ...] = get_args(Combination)
Channel = Literal["brightness", "alpha", "red", "green", "blue"]


def bounds(mask: Mask) -> Box | None:
    """The smallest box that holds all values above 0; ``None`` if there are none."""
    rows = np.flatnonzero(np.fmax.reduce(mask.values, axis=1, initial=0) > 0)
    if not rows.size:
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(np.fmax.reduce(mask.values[top:bottom], axis=0, initial=0) > 0)
    left, right = int(columns[0]), int(columns[-1]) + 1
    return Box(left, top, right - left, bottom - top)


def grow(mask: Mask, radius: float) -> Mask:
    """Every level of the mask moved outwards by ``radius`` px; a negative radius shrinks.

    Hard masks stay hard and grow by exact discs (within 2 % above 4 million pixels), soft ones keep the
    shape of their edges. Nothing appears further than ``radius`` from where something was.
    """
    if radius < 0:
        return shrink(mask, -radius)
    box = bounds(mask)
    if box is None or radius < 1:
        return mask
    radius = min(radius, math.hypot(mask.width, mask.height))
    area = box.grown(radius).clipped(mask.width, mask.height)
    return _placed(mask, area, morphology.dilated(mask.values[area.slices], radius))


def shrink(mask: Mask, radius: float) -> Mask:
    """Every level of the mask moved inwards by ``radius`` px, but not away from the edges of the picture."""
    box = bounds(mask)
    if box is None or radius < 1:
        return mask
    radius = min(radius, math.hypot(mask.width, mask.height))
    area = box.grown(1).clipped(mask.width, mask.height)
    before = mask.values[area.slices]
    shrunk = morphology.dilated(1 - before, radius)
    np.subtract(1, shrunk, out=shrunk)  # in place: at this size, fresh memory costs more than the work
    return _placed(mask, area, np.minimum(shrunk, before, out=shrunk))


def feather(mask: Mask, width: float) -> Mask:
    """Edges made ``width`` px wide, half of it inside and half outside; not at the edges of the picture."""
    box = bounds(mask)
    if box is None or width < 2:
        return mask
    area = box.grown(width / 2).clipped(mask.width, mask.height)
    return _placed(mask, area, morphology.blurred(mask.values[area.slices], width))


def smooth(mask: Mask, radius: float) -> Mask:
    """Outlines rounded: details smaller than ``radius`` px go, corners become arcs.

    The mask is blurred, then made steeper round the middle until its edges are as soft as they were.
    """
    box = bounds(mask)
    if box is None or radius < 1:
        return mask
    area = box.grown(radius).clipped(mask.width, mask.height)
    before = mask.values[area.slices]
    blurred = morphology.blurred(before, 2 * radius)
    softness = [_softness(values) for values in (morphology.blurred(before, 2), blurred)]
    steepness = max(1.0, softness[1] / softness[0]) if softness[0] > 0 else 1.0
    blurred *= np.float32(steepness)  # (blurred - 0.5) · steepness + 0.5; a mask is cut to 0..1
    blurred += np.float32(0.5 - 0.5 * steepness)
    return _placed(mask, area, blurred)


def _softness(values: Array) -> float:
    """The sum of v·(1 - v): how much of a mask lies between nothing and all."""
    return float(values.sum(dtype=np.float64) - np.vdot(values, values))


def fill_holes(mask: Mask) -> Mask:
    """Holes (less than a half, cut off from the picture's edge) filled to the least value round them."""
    import cv2

    box = bounds(mask)
    if box is None:
        return mask
    # the ring of nothing joins all gaps that are open to the outside
    values = np.pad(mask.values[box.slices], 1)
    gaps = (values < 0.5).astype(np.uint8)
    count, labels = cv2.connectedComponents(gaps, connectivity=4)
    if count <= 2:  # the selection and its surroundings
        return mask
    near = cv2.dilate(labels.astype(np.float32), np.ones((3, 3), np.uint8)).astype(np.int32)
    rim = (labels == 0) & (near > 0)
    least = np.full(count, np.inf, np.float32)
    np.minimum.at(least, near[rim], values[rim])
    least[[0, labels[0, 0]]] = 0
    filled = np.maximum(values, least[labels])
    return _placed(mask, box, filled[1:-1, 1:-1])


def invert(mask: Mask) -> Mask:
    """1 where it was 0."""
    return Mask(1 - mask.values)


def combine(first: Mask, second: Mask, how: Combination) -> Mask:
    """Two masks of one size: the greater value, the first without the second, the lesser, or how far apart.

    Raises:
        MaskSizeDiffers: they have different sizes.
    """
    check_mask(second, first.width, first.height)
    one, two = first.values, second.values
    match how:
        case "add":
            return Mask(np.maximum(one, two))
        case "subtract":
            return Mask(np.minimum(one, 1 - two))
        case "intersect":
            return Mask(np.minimum(one, two))
        case "difference":
            return Mask(np.abs(one - two))


def threshold(mask: Mask, level: float = 0.5) -> Mask:
    """A hard mask: 1 where there is at least ``level``, else 0."""
    return Mask((mask.values >= level).astype(np.float32))


def from_alpha(image: Image) -> Mask:
    """1 where the picture is transparent (which is to be repainted), 0 where it is opaque."""
    return alpha_mask(image)


def from_luminance(image: Image) -> Mask:
    """The brightness of a picture, as a mask."""
    return Mask(brightness(image))


def from_channel(image: Image, channel: Channel) -> Mask:
    """Brightness, transparency, or one colour of a picture (a grey one has the same of each)."""
    if channel == "alpha":
        return from_alpha(image)
    if channel == "brightness" or image.channels == 1:
        return from_luminance(image)
    return Mask(image.as_float()[..., ("red", "green", "blue").index(channel)])


def check_mask(mask: Mask, width: int, height: int) -> None:
    """Raise :class:`MaskSizeDiffers` unless the mask is ``width`` × ``height`` px."""
    if (mask.width, mask.height) != (width, height):
        raise MaskSizeDiffers(width=width, height=height, other_width=mask.width, other_height=mask.height)


def fitted(mask: Mask, width: int, height: int) -> Mask:
    """A mask resampled to a picture's size; edges that were hard get as soft as that makes them."""
    if (mask.width, mask.height) == (width, height):
        return mask
    return Mask(resize(Image(mask.values), width, height, "bilinear").pixels[..., 0])


def _placed(mask: Mask, area: Box, values: Array) -> Mask:
    """A mask of the same size with ``values`` in ``area``, and nothing elsewhere."""
    if (area.width, area.height) == (mask.width, mask.height):
        return Mask(values)
    whole = np.zeros_like(mask.values)
    whole[area.slices] = values
    return Mask(whole)
