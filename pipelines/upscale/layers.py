"""A picture as the model sees it: pieces of one or three channels, whatever the picture has.

A model for colour sees grey, and alpha, three times over; a model for grey sees one channel after another.
Pieces are cut out and converted one by one: no copy of the whole picture is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from pipelines.graph.values import Array, Image
from pipelines.upscale.tiles import Span

BORDER: Final = 4
"""Pixels repeated beyond the edge before the model sees a picture: its own padding is black and shows."""

_LUMA: Final = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of red, green and blue in brightness (ITU-R BT.709)."""
_COLOUR: Final = slice(0, 3)
_ALPHA: Final = slice(3, 4)


class Layers:
    """The layers that together are ``image``, for a model of ``channels`` (1 or 3).

    ``height`` and ``width`` are those of the picture with its :data:`BORDER`, in input pixels.
    """

    def __init__(self, image: Image, channels: int) -> None:
        self._pixels, self.channels = image.pixels, channels
        single = [slice(index, index + 1) for index in range(min(image.channels, 3))]
        colour = single if channels == 1 else [_COLOUR]
        self._layers = [*colour, *([_ALPHA] if image.channels == 4 else [])]
        self.height, self.width = image.height + 2 * BORDER, image.width + 2 * BORDER
        self._flat = _flat(image.pixels[..., 3]) if image.channels == 4 else None

    def __len__(self) -> int:
        return len(self._layers)

    def count(self) -> int:
        """How many layers go through the model."""
        return len(self) if self._flat is None else len(self) - 1

    def flat(self, layer: int) -> float | None:
        """What an alpha that is 0 or 1 throughout stays: a model may ripple there, and can't add anything."""
        return self._flat if self._layers[layer] is _ALPHA else None

    def piece(self, layer: int, rows: Span, columns: Span) -> Array:
        """``channels``×h×w float32 in 0..1 of a layer; beyond the edge of the picture its pixels repeat."""
        pixels = _as_float(_cut(self._pixels, rows, columns))
        chosen = self._layers[layer]
        if pixels.shape[2] == 4 and chosen is not _ALPHA:
            pixels = _without_fringes(pixels)
        pixels = pixels[..., chosen].transpose(2, 0, 1)
        return np.array(np.broadcast_to(pixels, (self.channels, *pixels.shape[1:])), order="C")

    def joined(self, layers: Sequence[Array]) -> Array:
        """Enlarged layers, each ``channels``×h×w, as C×h×w with the channels of the picture."""
        if self.channels == 1:
            return layers[0] if len(layers) == 1 else np.concatenate(layers)
        if self._pixels.shape[2] == 3:
            return layers[0]
        grey = np.tensordot(_LUMA, layers[-1], 1)[None]
        return grey if self._pixels.shape[2] == 1 else np.concatenate([layers[0], grey])


def _flat(alpha: Array) -> float | None:
    lowest, highest = alpha.min(), alpha.max()
    opaque = 255 if alpha.dtype == np.uint8 else 1
    return float(lowest / opaque) if lowest == highest and lowest in (0, opaque) else None


def _cut(pixels: Array, rows: Span, columns: Span) -> Array:
    """A rectangle in coordinates that begin :data:`BORDER` px outside the picture."""
    inside, missing = [], []
    for span, length in ((rows, pixels.shape[0]), (columns, pixels.shape[1])):
        start, end = span.start - BORDER, span.end - BORDER
        inside.append(slice(max(start, 0), min(end, length)))
        missing.append((max(-start, 0), max(end - length, 0)))
    part = pixels[inside[0], inside[1]]
    return np.pad(part, (*missing, (0, 0)), mode="edge") if any(map(any, missing)) else part


def _as_float(pixels: Array) -> Array:
    if pixels.dtype == np.uint8:
        return pixels.astype(np.float32) / np.float32(255)
    return np.clip(np.nan_to_num(pixels), 0, 1)


def _without_fringes(pixels: Array) -> Array:
    """RGB where what is transparent takes the nearest visible colour: none bleeds into edges."""
    from scipy.ndimage import distance_transform_edt

    hidden = pixels[..., 3] == 0
    if not hidden.any() or hidden.all():
        return pixels
    rows, columns = distance_transform_edt(hidden, return_distances=False, return_indices=True)
    return pixels[rows, columns]
