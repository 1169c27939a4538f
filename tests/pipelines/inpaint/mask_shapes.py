"""Masks of all kinds, for the properties that hold for every one of them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from pipelines.graph.values import Array, Image, Mask


def disc(width: int, height: int, x: float, y: float, radius: float, value: float = 1) -> Mask:
    rows, columns = np.mgrid[:height, :width]
    return Mask((np.hypot(columns - x, rows - y) <= radius).astype(np.float32) * np.float32(value))


def picture(width: int, height: int, channels: int = 3, dtype: type = np.uint8, seed: int = 0) -> Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return Image(pixels if dtype is np.uint8 else pixels.astype(np.float32) / 255, {"seed": 7})


@st.composite
def masks(draw: st.DrawFn, longest: int = 120) -> Mask:
    """Never empty: rectangles, dots, soft hills and grain, alone or together, edges touched or not."""
    width, height = draw(st.integers(1, longest)), draw(st.integers(1, longest))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = np.zeros((height, width), np.float32)
    for kind in draw(st.lists(st.sampled_from(["box", "dot", "hill", "grain"]), min_size=1, max_size=3)):
        x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        value = draw(st.sampled_from([1.0, 1.0, 0.5, 0.004]))
        values = np.maximum(values, _shape(kind, values.shape, x, y, value, generator))
    return Mask(values)


def _shape(
    kind: str, shape: tuple[int, int], x: int, y: int, value: float, random: np.random.Generator
) -> Array:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    away = np.hypot(columns - x, rows - y).astype(np.float32)
    match kind:
        case "box":
            return ((rows >= y) & (columns >= x) & (rows < y + 30) & (columns < x + 20)) * np.float32(value)
        case "dot":
            return (away < 1) * np.float32(value)
        case "hill":
            return np.clip(1 - away / 25, 0, 1) * np.float32(value)
        case _:
            values = random.random(shape, np.float32) * (random.random(shape) < 0.01)
            values[y, x] = value
            return values


def hill() -> Mask:
    """A soft cone of 40 px round the middle of 200 × 160."""
    rows, columns = np.mgrid[:160, :200]
    return Mask(np.clip(1 - np.hypot(columns - 100, rows - 80) / 40, 0, 1).astype(np.float32))


def distances(mask: Mask, level: float = 0) -> Array:
    """Exact distance of each pixel to the nearest one above ``level``, by another library."""
    return distance_transform_edt(mask.values <= level)
