"""Any size is right without thought: how a picture is drawn that the model can't draw well at once.

Below the model's range it is drawn at the native size and reduced. Above, it is composed at the native size,
where the model knows what things look like, enlarged, and drawn again with little strength, which adds detail
and keeps the composition. Plain arithmetic, no library: the studio says the plan beside the fields.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from pipelines.diffusion.sizes.size_limits import SizeLimits

Sizes = Literal["auto", "exact", "reference"]
"""What is done with sizes beyond the model: drawn as here planned, or as they are. ``reference``: the size is
left to the first reference, whose shape is drawn with as many pixels as the model draws best; without one,
that is ``auto``."""
Mode = Literal["direct", "reduced", "two_pass"]

DETAIL: Final = 0.4
"""Denoising strength of a second pass."""
MIN_DETAIL: Final = 0.1
MAX_DETAIL: Final = 0.9
_NEAR: Final = 0.9
"""The share of its native pixels from which a model draws as well; those of its training differ as much."""
_CUT: Final = 0.25
"""The most of a side that is cut away to keep proportions; past that, a picture is stretched."""


@dataclass(frozen=True, slots=True)
class SizePlan:
    """How a picture of ``width`` × ``height`` px is drawn; all sizes are (width, height) in px.

    ``direct``: at ``first``, from which less than one multiple a side is cut. ``reduced``: at ``first``, and
    resampled. ``two_pass``: at ``first``, enlarged by about ``factor``, and drawn again at ``second``.
    """

    width: int
    height: int
    mode: Mode
    first: tuple[int, int]
    second: tuple[int, int] | None = None

    @property
    def factor(self) -> float:
        """From the first size to the last, along a side (the mean of both)."""
        return math.sqrt(self.width * self.height / (self.first[0] * self.first[1]))

    @property
    def plain(self) -> bool:
        """Whether the picture is what the model draws, pixel for pixel."""
        return self.mode == "direct" and self.first == (self.width, self.height)


def plan_size(width: int, height: int, limits: SizeLimits) -> SizePlan:
    """The plan for a picture of any size.

    Raises:
        ValueError: a side is less than 1.
    """
    if min(width, height) < 1:
        raise ValueError(f"sides must be positive, not {width} × {height}")
    padded = _padded(width, limits.multiple), _padded(height, limits.multiple)
    if in_range(*padded, limits):
        return SizePlan(width, height, "direct", padded)
    first = _native(width, height, limits)
    if padded[0] * padded[1] < _native_pixels(limits):
        return SizePlan(width, height, "reduced", first)
    return SizePlan(width, height, "two_pass", first, padded)


def in_range(width: int, height: int, limits: SizeLimits) -> bool:
    """Whether the model draws this size well: from nine tenths of its native pixels to the most it bears,
    to within one multiple a side, since few shapes have exactly as many. Sides are multiples already."""
    step = limits.multiple
    smaller = max(width - step, step) * max(height - step, step)
    larger = (width + step) * (height + step)
    return larger >= _NEAR * _native_pixels(limits) and smaller <= limits.max_pixels


def window(source: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """The middle of ``source`` that has the proportions of ``target``: x, y, width, height.

    All of it, where more than a quarter of a side would have to go.
    """
    (width, height), (wanted_width, wanted_height) = source, target
    kept_width = min(width, max(1, round(height * wanted_width / wanted_height)))
    kept_height = min(height, max(1, round(width * wanted_height / wanted_width)))
    if kept_width < (1 - _CUT) * width or kept_height < (1 - _CUT) * height:
        return 0, 0, width, height
    return (width - kept_width) // 2, (height - kept_height) // 2, kept_width, kept_height


def _padded(side: int, multiple: int) -> int:
    return -(-side // multiple) * multiple


def _native_pixels(limits: SizeLimits) -> int:
    return min(limits.native[0] * limits.native[1], limits.max_pixels)


def _native(width: int, height: int, limits: SizeLimits) -> tuple[int, int]:
    """About the native pixels in the proportions of ``width`` × ``height``, as near as multiples allow.

    Of the multiples next to the exact sides the pair with the nearest proportions is taken. All of them are
    in range; so is what takes their place where the shorter side is less than one multiple.
    """
    step = limits.multiple
    area = _native_pixels(limits)
    ratio = width / height
    exact = math.sqrt(area * ratio), math.sqrt(area / ratio)
    if min(exact) < step:
        longer = max(step, area // step // step * step)
        return (longer, step) if width >= height else (step, longer)
    widths, heights = ((math.floor(side / step) * step, math.ceil(side / step) * step) for side in exact)
    return min(
        ((first, second) for first in widths for second in heights),
        key=lambda pair: (abs(math.log(pair[0] / pair[1] / ratio)), abs(pair[0] * pair[1] - area)),
    )
