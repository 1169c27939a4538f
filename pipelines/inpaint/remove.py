"""Taking something out of a picture: what a mask touches is filled with what is round it, without a prompt.

What fills is a function of pixels (:data:`Filler`): a model (:mod:`pipelines.inpaint.by_model`), or one of
those in :mod:`pipelines.inpaint.background`. The gap is cut out with what is round it, filled, and pasted
back, so that nothing else changes by a single bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from pipelines.diffusion.sizes.size_limits import SizeLimits
from pipelines.errors import MaskCoversAll, NothingToRemove
from pipelines.graph.values import MAX_PIXELS, Array, Image, Mask, check_size
from pipelines.inpaint.background import is_smooth, is_thin, patches, surroundings
from pipelines.inpaint.box import Box
from pipelines.inpaint.geometry import CropPlan, MaskSettings, plan_crop
from pipelines.inpaint.masks import bounds, fitted
from pipelines.inpaint.morphology import distance
from pipelines.inpaint.stitch import cut, paste

Filler = Callable[[Array, Array], Array]
"""H×W×C float32 in 0..1 (C = 1, 3, or 4 with colours weighted by alpha) and H×W bool, which pixels are not
known -> H×W×C with those made up."""

AS_IT_IS: Final = SizeLimits((1, 1), 1, MAX_PIXELS, 1)
"""Nothing is resampled."""
_FULL: Final = 512
"""Shortest side in px of a picture from which on the margins hold; below, they shrink with it."""
_LARGEST_GROW: Final = 16.0
_LARGEST_BLEND: Final = 16.0
_LARGEST_CONTEXT: Final = 512.0
_SEEN: Final = 1e-3
"""Less opaque than this has no colour of its own."""


class Removal(StrEnum):
    """How a gap is filled."""

    AUTO = "auto"
    MODEL = "model"
    SURROUNDINGS = "surroundings"
    PATCHES = "patches"


def remove(
    image: Image,
    mask: Mask,
    method: Removal = Removal.AUTO,
    settings: MaskSettings | None = None,
    *,
    model: Filler | None = None,
    limits: SizeLimits = AS_IT_IS,
    story: Mapping[str, Any] = MappingProxyType({}),
) -> Image:
    """The picture without what ``mask`` touches. Size, channels and type stay.

    Every pixel where the mask is above 0 is made up, however little: half of a thing would be its ghost. Past
    that, and past ``grow``, what was made up fades into the picture over ``blend`` px; further off, every
    pixel keeps its bits. Transparency is filled like a colour.

    Args:
        image: grey, RGB or RGBA.
        mask: resampled if it has another size.
        method: for ``AUTO`` without a model, smooth surfaces where the gap is thin or what is round it is
            smooth, else pieces of the picture.
        settings: grow, blend, context and padding in px; None is chosen by size. Its feather isn't used.
        model: what fills, if not one of ours.
        limits: at what sizes that works.
        story: more to be remembered.

    Raises:
        NothingToRemove: the mask is empty.
        MaskCoversAll: it leaves nothing to fill from.
        ImageTooLarge: the picture has more pixels than allowed.
        ValueError: the method is ``MODEL``, and there is none.
    """
    if method is Removal.MODEL and model is None:
        raise ValueError("there is no model")
    check_size(image.width, image.height)
    selection = fitted(mask, image.width, image.height)
    plan = _plan(selection, settings or MaskSettings(), limits)
    piece, hole, stitch = cut(image, plan)
    unknown = hole.values > 0
    values = _weighted(piece, unknown)
    if model is not None:
        method, made = Removal.MODEL, model(values, unknown)
    else:
        if method is Removal.AUTO:
            plain = is_thin(unknown) or is_smooth(values, unknown)
            method = Removal.SURROUNDINGS if plain else Removal.PATCHES
        made = (surroundings if method is Removal.SURROUNDINGS else patches)(values, unknown)
    told = {"method": str(method), **_told(stitch.info["inpaint"]), **story}
    filled = _picture(np.where(unknown[..., None], made, values), piece, unknown)
    return paste(replace(stitch, info={"removal": told}), Image(filled))


def _told(crop: Mapping[str, Any]) -> dict[str, Any]:
    """What is remembered of a crop: all but what is for drawing alone."""
    return {name: value for name, value in crop.items() if name not in ("strength", "feather")}


def _plan(selection: Mask, settings: MaskSettings, limits: SizeLimits) -> CropPlan:
    """What to cut out; its denoise mask is 1 wherever pixels are made up.

    That reaches as far as the fading does, so that two backgrounds fade into each other.
    """
    found = bounds(selection)
    if found is None:
        raise NothingToRemove(port="mask")
    plan = plan_crop(selection, 1.0, limits, _margins(settings, selection, found))
    chosen = selection.values[plan.box.slices] > 0
    for hole in (plan.composite.values > 0, plan.denoise.values > 0, chosen):
        if not hole.all():
            break
    else:
        raise MaskCoversAll(port="mask")
    composite = plan.composite if hole is not chosen else Mask(hole.astype(np.float32))
    return replace(plan, denoise=Mask(hole.astype(np.float32)), composite=composite)


def _margins(settings: MaskSettings, selection: Mask, found: Box) -> MaskSettings:
    """The settings with what is left open chosen: a little more than the mask, and its size round it.

    With T the mask's greatest thickness and u = 1 for pictures of 512 px and more a side, else side / 512::

        grow = min(16, 2·u + 0.03·T)     blend = min(16, 2·u + 0.05·T)
        context = max(longest side of the picture / 8, min(512, 1.5·a), a / 2)

    with a the average side of the bounds.
    """
    longest, average = max(selection.width, selection.height), (found.width + found.height) / 2
    unit = min(1.0, min(selection.width, selection.height) / _FULL)
    inside = np.pad(selection.values[found.slices] > 0, 1)
    thickness = 2 * float(distance(~inside).max())
    chosen = {
        "grow": min(_LARGEST_GROW, 2 * unit + 0.03 * thickness),
        "blend": min(_LARGEST_BLEND, 2 * unit + 0.05 * thickness),
        "context": max(longest / 8, min(1.5 * average, _LARGEST_CONTEXT), average / 2),
    }
    given = {name: getattr(settings, name) for name in chosen}
    lengths = {name: chosen[name] if value is None else value for name, value in given.items()}
    return MaskSettings(**lengths, feather=0, padding=settings.padding)


def _opacity(piece: Image, unknown: Array) -> float | None:
    """The one opacity of all that is known and can be seen; ``None`` if it has several, or none."""
    if piece.channels != 4:
        return 1.0
    known = piece.as_float()[..., 3][~unknown]
    least = float(known.min())
    return least if least == known.max() and least > 0 else None


def _weighted(piece: Image, unknown: Array) -> Array:
    """H×W×C float32: the colours, and where they are not all as opaque, weighted by alpha, and alpha."""
    values = np.nan_to_num(piece.as_float())
    if _opacity(piece, unknown) is not None:
        return values[..., :3]
    return np.concatenate([values[..., :3] * values[..., 3:], values[..., 3:]], axis=2)


def _picture(values: Array, piece: Image, unknown: Array) -> Array:
    """The inverse of :func:`_weighted`: as many channels as ``piece`` has."""
    if piece.channels != 4:
        return np.clip(values, 0, 1)
    opacity = _opacity(piece, unknown)
    if opacity is not None:
        return np.dstack([np.clip(values, 0, 1), np.full(unknown.shape, opacity, np.float32)])
    alpha = np.clip(values[..., 3:], 0, 1)
    colour = np.divide(values[..., :3], alpha, out=piece.as_float()[..., :3].copy(), where=alpha > _SEEN)
    return np.clip(np.concatenate([colour, alpha], axis=2), 0, 1)
