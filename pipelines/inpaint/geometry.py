"""Where to repaint: from a selection to the part that is cut out, the size it is drawn at, and two masks.

The *denoise mask* says how much each pixel may change; the *composite mask*, a little wider, how the drawn
part is laid over the picture. All lengths are pixels of the original picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from blake3 import blake3

from pipelines.diffusion.sizes.size_limits import SizeLimits
from pipelines.errors import MaskEmpty
from pipelines.graph.values import Array, Mask, Size, check_size
from pipelines.inpaint import morphology
from pipelines.inpaint.box import Box
from pipelines.inpaint.masks import bounds

_FULL: Final = 512
"""From this shortest side of a picture on, the constants of the formulas hold; below, they shrink with it."""
_NEAR: Final = 0.9
"""What has this share of a model's native pixels is drawn as it is: resampling would cost more."""
_COARSE: Final = 16
"""Steps a feathered edge has at least; wider ones are computed on a coarser grid."""


@dataclass(frozen=True, slots=True)
class MaskSettings:
    """What may be set beside a mask, in pixels; ``None`` is the default formula (see :func:`resolve`).

    Args:
        grow: how far the selection is widened before its edge is softened.
        feather: how wide that edge is.
        blend: how far beyond, the drawn part fades into the picture.
        context: how much round the selection the model sees.
        padding: more of it, on top.
    """

    grow: float | None = None
    feather: float | None = None
    blend: float | None = None
    context: float | None = None
    padding: int = 0

    def __post_init__(self) -> None:
        for name in ("grow", "feather", "blend", "context", "padding"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"{name} must be 0 or more, not {value}")


@dataclass(frozen=True, slots=True)
class ResolvedSettings:
    """The numbers that were used, in pixels; ``strength`` is the denoising strength in 0..1."""

    strength: float
    grow: float
    feather: float
    blend: float
    context: float
    padding: int

    @property
    def reach(self) -> float:
        """How far from the selection, to each side, the composite mask can be above 0."""
        return self.grow + self.feather / 2 + self.blend


@dataclass(frozen=True, slots=True)
class CropPlan:
    """What is cut out and how it is drawn.

    ``denoise`` and ``composite`` have the size of ``box``. The crop fills ``content`` of ``work``, from the
    top left corner: all of it if it is resampled; else it is continued by its mirror image to the next
    multiple, fewer than ``multiple`` px.
    """

    box: Box
    work: Size
    denoise: Mask
    composite: Mask
    settings: ResolvedSettings
    content: Size
    picture: Size
    selection_hash: str
    """BLAKE3 of the selection: sizes, bounds and the values in them."""

    @property
    def scale(self) -> float:
        """Drawn pixels for one of the picture, along a side; 1 if nothing is resampled."""
        if self.content == (self.box.width, self.box.height):
            return 1.0
        return math.sqrt(self.content.width * self.content.height / (self.box.width * self.box.height))


def plan_crop(
    selection: Mask, strength: float, limits: SizeLimits, settings: MaskSettings | None = None
) -> CropPlan:
    """What to cut out of a picture to repaint ``selection``, which has the picture's size.

    The crop is the selection's bounds with context on all sides (always enough for the composite mask), at
    least ``min_side`` a side, moved and then cut to lie in the picture.

    Args:
        strength: of the denoising, 0..1.

    Raises:
        MaskEmpty: nothing is selected.
        ImageTooLarge: the picture has more pixels than allowed.
        ValueError: the strength is out of range.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"the denoising strength must be in 0..1, not {strength}")
    check_size(selection.width, selection.height)
    picture = Size(selection.width, selection.height)
    found = bounds(selection)
    if found is None:
        raise MaskEmpty(port="mask")
    numbers = resolve(settings or MaskSettings(), strength, found, picture)
    box = crop_box(found, numbers, limits, picture)
    work, content = work_size(box, limits)
    denoise, composite = _masks(selection, found, box, numbers)
    digest = blake3(repr((picture, found)).encode())
    digest.update(np.ascontiguousarray(selection.values[found.slices]).view(np.uint8).data)
    return CropPlan(box, work, denoise, composite, numbers, content, picture, digest.hexdigest())


def resolve(settings: MaskSettings, strength: float, found: Box, picture: Size) -> ResolvedSettings:
    """The numbers for a selection with the bounds ``found``.

    With s the strength, D the diagonal of the bounds and u = 1 for pictures of 512 px and more a side::

        feather = max(0.10·s·D, 32·s·u)     grow = 4·u + feather/2     blend = min(25·u, grow + feather/2)
        context = s · max(longest side of the picture / 16, average side of the bounds / 2)

    In smaller pictures u = shortest side / 512, so that the constants keep their proportion: at 64 px, 32 px
    of feather would be half the picture. Less strength keeps more of what is there, so it needs less round
    it. Context and padding together always hold the composite mask.
    """
    unit = min(1.0, min(picture) / _FULL)
    feather = settings.feather
    if feather is None:
        feather = max(0.10 * strength * found.diagonal, 32 * strength * unit)
    grow = settings.grow if settings.grow is not None else 4 * unit + feather / 2
    blend = settings.blend if settings.blend is not None else min(25 * unit, grow + feather / 2)
    context = settings.context
    if context is None:
        context = strength * max(max(picture) / 16, (found.width + found.height) / 4)
    context = max(context, grow + feather / 2 + blend)
    return ResolvedSettings(strength, grow, feather, blend, context, settings.padding)


def crop_box(found: Box, numbers: ResolvedSettings, limits: SizeLimits, picture: Size) -> Box:
    """The part of the picture that the model sees; multiples of what the model needs where there is room."""
    around = found.grown(numbers.context + numbers.padding).clipped(*picture)
    x, width = _span(around.x, around.width, found.x + found.width / 2, picture.width, limits)
    y, height = _span(around.y, around.height, found.y + found.height / 2, picture.height, limits)
    return Box(x, y, width, height)


def _span(start: int, length: int, middle: float, whole: int, limits: SizeLimits) -> tuple[int, int]:
    """One side of a crop that holds ``start`` … ``start + length``: where it begins and how long it is."""
    wanted = max(length, limits.min_side)
    wanted = min(whole, -(-wanted // limits.multiple) * limits.multiple)
    first = round(middle - wanted / 2)
    first = max(start + length - wanted, min(first, start))
    return max(0, min(first, whole - wanted)), wanted


def work_size(box: Box, limits: SizeLimits) -> tuple[Size, Size]:
    """At what size a crop is drawn, and what part of that it fills (see :class:`CropPlan`).

    Between nine tenths of the native pixels and ``max_pixels`` as it is; else brought to the native pixels,
    or down to ``max_pixels``, in its own proportions as far as multiples allow.
    """
    multiple, pixels = limits.multiple, box.width * box.height
    padded = Size(*(-(-side // multiple) * multiple for side in (box.width, box.height)))
    largest = limits.max_pixels
    native = min(limits.native[0] * limits.native[1], largest)
    if pixels >= _NEAR * native and padded.width * padded.height <= largest:
        return padded, Size(box.width, box.height)
    scale = math.sqrt((native if pixels < native else largest) / pixels)
    width, height = (
        max(multiple, round(side * scale / multiple) * multiple) for side in (box.width, box.height)
    )
    if width * height > largest:
        shorter = min(width, height, math.isqrt(largest) // multiple * multiple)
        longer = largest // shorter // multiple * multiple
        width, height = (longer, shorter) if box.width >= box.height else (shorter, longer)
    return Size(width, height), Size(width, height)


def _masks(selection: Mask, found: Box, box: Box, numbers: ResolvedSettings) -> tuple[Mask, Mask]:
    """The denoise and the composite mask, of the size of ``box``."""
    area = found.grown(numbers.reach).clipped(selection.width, selection.height)
    chosen = selection.values[area.slices]
    denoise = np.maximum(_softened(chosen, numbers.grow, numbers.feather), chosen)
    repainted = denoise > 0
    composite = repainted.astype(np.float32)
    if numbers.blend > 1 and not repainted.all():  # the next pixel is at 1
        away = morphology.distance(repainted, exact=False)
        band = np.flatnonzero((away < numbers.blend) & ~repainted)
        turn = away.ravel()[band] * np.float32(math.pi / numbers.blend)
        composite.ravel()[band] = 0.5 + 0.5 * np.cos(turn)
    return _framed(denoise, area, box), _framed(composite, area, box)


def _framed(values: Array, area: Box, box: Box) -> Mask:
    """A mask of the size of ``box`` with ``values`` in ``area``, both in the picture's coordinates."""
    if area == box:
        return Mask(values)
    whole = np.zeros((box.height, box.width), np.float32)
    whole[area.moved(box.x, box.y).slices] = values
    return Mask(whole)


def _softened(values: Array, grow: float, feather: float) -> Array:
    """``values`` grown by ``grow`` px, then with edges ``feather`` px wide.

    Wide edges are computed on a coarser grid, of the greatest values, so that thin lines aren't lost. A block
    and its interpolation reach 1.5 steps further, so the edge there is 3 steps narrower.
    """
    import cv2

    height, width = values.shape
    step = min(int(feather / _COARSE), height, width)
    if step <= 1:
        return morphology.blurred(morphology.dilated(values, grow), feather)
    padded = np.pad(values, ((0, -height % step), (0, -width % step)))
    coarse = padded.reshape(-1, step, padded.shape[1]).max(axis=1)
    coarse = coarse.reshape(coarse.shape[0], -1, step).max(axis=2)
    soft = morphology.blurred(morphology.dilated(coarse, grow / step), feather / step - 3)
    full = cv2.resize(soft, (padded.shape[1], padded.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full)[:height, :width]
