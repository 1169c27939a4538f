"""Pictures laid over each other as the canvas shows them, "over" with straight alpha (Porter & Duff 1984)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipelines.graph.values import Array, Image, check_size


class Placed(NamedTuple):
    """A picture at a place of the canvas, in pixels; it may hang over the edges. ``opacity`` is 0..1."""

    image: Image
    x: int = 0
    y: int = 0
    opacity: float = 1.0


def lay(width: int, height: int, layers: Sequence[Placed]) -> Image:
    """The picture that ``layers`` (bottom first) make on a transparent canvas.

    Returns:
        RGB if it is opaque everywhere, else RGBA; uint8. One opaque picture that fills the canvas is given
        back as it is, bit for bit.

    Raises:
        ImageTooLarge: the canvas has more pixels than allowed.
    """
    check_size(width, height)
    if len(layers) == 1 and _is_whole(layers[0], width, height):
        return layers[0].image
    colour = np.zeros((height, width, 3), np.float32)
    alpha = np.zeros((height, width, 1), np.float32)
    for layer in layers:
        _over(colour, alpha, layer)
    visible = np.maximum(alpha, np.float32(1e-6))
    if alpha.size and alpha.min() >= 1:
        return Image(_bytes(colour))
    return Image(np.concatenate([_bytes(colour / visible), _bytes(alpha)], axis=2))


def _is_whole(layer: Placed, width: int, height: int) -> bool:
    image = layer.image
    same = (image.width, image.height, layer.x, layer.y) == (width, height, 0, 0)
    return same and layer.opacity >= 1 and image.channels == 3


def _over(colour: Array, alpha: Array, layer: Placed) -> None:
    """Lay one picture over what is there; ``colour`` is premultiplied."""
    height, width = alpha.shape[:2]
    image = layer.image
    left, top = max(layer.x, 0), max(layer.y, 0)
    right, bottom = min(layer.x + image.width, width), min(layer.y + image.height, height)
    if left >= right or top >= bottom or layer.opacity <= 0:
        return
    pixels = image.as_float()[top - layer.y : bottom - layer.y, left - layer.x : right - layer.x]
    cover = np.float32(layer.opacity) * (
        pixels[..., 3:] if image.channels == 4 else np.ones((*pixels.shape[:2], 1), np.float32)
    )
    own = np.repeat(pixels, 3, axis=2) if image.channels == 1 else pixels[..., :3]
    part = np.s_[top:bottom, left:right]
    colour[part] = own * cover + colour[part] * (1 - cover)
    alpha[part] = cover + alpha[part] * (1 - cover)


def _bytes(values: Array) -> Array:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
