"""Picture shapes: which sizes a model draws for a ratio. Plain arithmetic, no Qt."""

from __future__ import annotations

import math
from typing import Final

RATIOS: Final = ((4, 3), (3, 2), (16, 9), (2, 1))
"""Of the long to the short side, for landscape and portrait."""


def size_for(ratio: tuple[int, int], native: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Width and height of about the model's native area, in multiples of ``multiple``.

    Among the multiples next to the exact sides, the pair whose ratio is nearest to the wanted one is taken.
    """
    wanted = ratio[0] / ratio[1]
    area = native[0] * native[1]
    multiple = max(1, multiple)
    if ratio[0] == ratio[1]:
        side = max(multiple, round(math.sqrt(area) / multiple) * multiple)
        return side, side
    width, height = math.sqrt(area * wanted), math.sqrt(area / wanted)
    pairs = [
        (max(multiple, w * multiple), max(multiple, h * multiple))
        for w in (math.floor(width / multiple), math.ceil(width / multiple))
        for h in (math.floor(height / multiple), math.ceil(height / multiple))
    ]
    return min(
        pairs, key=lambda pair: (abs(math.log(pair[0] / pair[1] / wanted)), abs(pair[0] * pair[1] - area))
    )


def shape_of(width: int, height: int) -> str:
    """``square``, ``landscape`` or ``portrait``."""
    return "square" if width == height else "landscape" if width > height else "portrait"


def nearest(width: int, height: int, multiple: int) -> tuple[int, int]:
    """The nearest size whose sides are multiples of ``multiple``."""
    multiple = max(1, multiple)
    return (
        max(multiple, round(width / multiple) * multiple),
        max(multiple, round(height / multiple) * multiple),
    )
