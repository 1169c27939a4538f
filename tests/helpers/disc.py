"""A plain picture to start from."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.graph.values import Image


def picture(width: int = 64, height: int = 64, channels: int = 3, dtype: Any = np.uint8) -> Image:
    """A disc on a plain ground, a little lighter to the right."""
    y, x = np.mgrid[:height, :width]
    inside = np.hypot(x - width / 2, y - height / 2) < min(width, height) / 3
    pixels = np.where(inside[..., None], [210, 40, 40], [40, 80, 200]) + (x[..., None] * 40 // width)
    pixels = np.dstack([pixels, 128 + 100 * inside])[..., :channels].astype(np.uint8)
    return Image(pixels if dtype == np.uint8 else pixels.astype(np.float32) / np.float32(255))
