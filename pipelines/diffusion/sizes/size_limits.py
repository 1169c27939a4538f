"""What sizes a model draws well: what it was trained at, and how far from that it may go.

Plain numbers, so that the studio can say what will happen before any library is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.errors import ShapeUnsuitable

_LARGEST: Final[Mapping[str, int]] = {
    "sd1": 768 * 768, "sd1-inpaint": 768 * 768, "sd2": 768 * 768, "sd2-inpaint": 768 * 768,
    "sdxl": 1024 * 1024, "sdxl-inpaint": 1024 * 1024, "sdxl-refiner": 1024 * 1024,
}  # fmt: skip
"""Most pixels that models of a family draw well at once; others draw their native size."""
_FURTHEST: Final = 1.5**2
"""So many times its native pixels at most: a model of a family may have been trained at far less."""


MAX_RATIO: Final = 512
"""The longer side of what is drawn, by the shorter. A side of less than a multiple is drawn a multiple wide:
without an end to that, 1 × 100,000 px would cost as much as 16 × 100,000, in thousands of pieces."""


def check_shape(width: int, height: int) -> None:
    """Raise :class:`ShapeUnsuitable` for a strip in which no model could draw anything."""
    if max(width, height) > MAX_RATIO * min(width, height):
        raise ShapeUnsuitable(width=width, height=height, limit=MAX_RATIO)


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """What sizes a model draws well.

    ``native`` is what it was trained at; a crop is at least ``min_side`` px a side if the picture is, drawn
    with at most ``max_pixels``, both sides multiples of ``multiple``.
    """

    native: tuple[int, int] = (512, 512)
    min_side: int = 512
    max_pixels: int = 768 * 768
    multiple: int = 8

    def __post_init__(self) -> None:
        if min(*self.native, self.min_side, self.multiple) < 1 or self.max_pixels < self.multiple**2:
            raise ValueError(f"sizes must be positive, and one multiple must fit: {self}")


def limits_for(card: Mapping[str, Any]) -> SizeLimits:
    """The limits of a loaded model, from its card (``family``, ``native_size``, ``size_multiple``)."""
    width, height = card.get("native_size") or (512, 512)
    multiple = int(card.get("size_multiple") or 8)
    native = width * height
    family = _LARGEST.get(str(card.get("family")), 0)
    largest = max(native, family if family <= _FURTHEST * native else 0, multiple**2)
    return SizeLimits((int(width), int(height)), min(int(width), int(height)), largest, multiple)
