"""Brightness, contrast, saturation, and plain areas of one colour."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from pipelines.graph.values import Image, check_size

_COLOUR: Final = re.compile(r"#([0-9a-fA-F]{6})([0-9a-fA-F]{2})?")
_LUMA: Final = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of red, green and blue in brightness (ITU-R BT.709)."""


def adjust(image: Image, brightness: float = 0, contrast: float = 0, saturation: float = 0) -> Image:
    """Change brightness, contrast and saturation, each in −100..100 %, 0 being unchanged; alpha stays.

    Brightness shifts all values (±100 % is white or black); contrast stretches them from the middle grey
    (−100 % is flat, 100 % doubles it); saturation moves colours from their own grey (−100 % is grey, 100 %
    doubles it). All on sRGB-encoded values. The type of the pixels is kept.
    """
    if brightness == contrast == saturation == 0:
        return image
    pixels = image.as_float()
    colour, alpha = (pixels[..., :3], pixels[..., 3:]) if image.channels == 4 else (pixels, None)
    if saturation and colour.shape[2] == 3:
        grey = (colour @ _LUMA)[..., None]
        colour = grey + (colour - grey) * np.float32(1 + saturation / 100)
    colour = (colour - 0.5) * np.float32(1 + contrast / 100) + np.float32(0.5 + brightness / 100)
    colour = np.clip(colour, 0, 1).astype(np.float32)
    result = image.with_pixels(colour if alpha is None else np.concatenate([colour, alpha], axis=2))
    return result.with_pixels(result.as_uint8()) if image.pixels.dtype == np.uint8 else result


def solid(color: str, width: int, height: int) -> Image:
    """A picture of one colour (``#rrggbb`` or ``#rrggbbaa``): RGB, or RGBA if the colour has alpha, uint8.

    Raises:
        ValueError: it is not such a colour.
        ImageTooLarge: more pixels than allowed.
    """
    match = _COLOUR.fullmatch(color.strip())
    if match is None:
        raise ValueError("Write a colour as #rrggbb or #rrggbbaa.")
    check_size(width, height)
    values = bytes.fromhex(match[1] + (match[2] or ""))
    pixels = np.empty((height, width, len(values)), np.uint8)
    pixels[:] = np.frombuffer(values, np.uint8)
    return Image(pixels)
