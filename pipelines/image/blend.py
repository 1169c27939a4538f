"""Blending one picture over another.

Source of the formulas: W3C, *Compositing and Blending Level 1*, sections 5.1 (source over), 7 and 10 (blend
modes).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, get_args

import numpy as np

from pipelines.errors import SizesDiffer
from pipelines.graph.values import Array, Image, Mask

BlendMode = Literal[
    "normal", "multiply", "screen", "overlay", "darken", "lighten", "difference", "add", "subtract"
]
BLEND_MODES: Final[tuple[BlendMode, ...]] = get_args(BlendMode)


def _overlay(base: Array, over: Array) -> Array:
    return np.where(base <= 0.5, 2 * base * over, 1 - 2 * (1 - base) * (1 - over))


_FORMULAS: Final[dict[str, Callable[[Array, Array], Array]]] = {
    "normal": lambda base, over: over,
    "multiply": lambda base, over: base * over,
    "screen": lambda base, over: base + over - base * over,
    "overlay": _overlay,
    "darken": np.minimum,
    "lighten": np.maximum,
    "difference": lambda base, over: np.abs(base - over),
    "add": lambda base, over: np.minimum(base + over, 1),
    "subtract": lambda base, over: np.maximum(base - over, 0),
}


def blend(
    base: Image, over: Image, mode: BlendMode = "normal", opacity: float = 1.0, mask: Mask | None = None
) -> Image:
    """``over`` on top of ``base`` (both H×W), through ``opacity`` in 0..1 and an optional H×W mask.

    A grey picture counts as colour where the other has colour. The result has alpha if the base has; it is
    uint8 if both are, else float32. It keeps the history of the base.

    Raises:
        SizesDiffer: the pictures, or the mask, have different sizes.
    """
    for name, other in (("the second picture", over), ("the mask", mask)):
        if other is not None and (other.width, other.height) != (base.width, base.height):
            raise SizesDiffer(
                width=base.width, height=base.height, name=name, other_width=other.width,
                other_height=other.height,
            )  # fmt: skip
    below, below_alpha = _split(base)
    above, above_alpha = _split(over)
    strength = above_alpha * np.float32(opacity)
    if mask is not None:
        strength = strength * mask.values[..., None]
    mixed = (1 - below_alpha) * above + below_alpha * _FORMULAS[mode](below, above)
    alpha = strength + below_alpha * (1 - strength)
    colour = strength * mixed + (1 - strength) * below_alpha * below
    if base.channels == 4:
        colour = np.divide(colour, alpha, out=np.zeros_like(colour), where=alpha > 0)
        if colour.shape[2] == 1:
            colour = np.repeat(colour, 3, axis=2)
        colour = np.concatenate([colour, np.broadcast_to(alpha, (*colour.shape[:2], 1))], axis=2)
    result = base.with_pixels(np.clip(colour, 0, 1).astype(np.float32))
    both_bytes = base.pixels.dtype == over.pixels.dtype == np.uint8
    return result.with_pixels(result.as_uint8()) if both_bytes else result


def _split(image: Image) -> tuple[Array, Array]:
    """Colour H×W×(1|3) and alpha H×W×1 (a single 1 where there is none), float32."""
    pixels = image.as_float()
    if image.channels == 4:
        return pixels[..., :3], pixels[..., 3:]
    return pixels, np.ones((1, 1, 1), np.float32)
