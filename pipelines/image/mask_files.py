"""Masks as files of their own: read from any picture, written as PNG, with their name inside."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from pipelines.errors import SaveFailed
from pipelines.files import atomic_write, open_file
from pipelines.graph.conversions import LUMA
from pipelines.graph.values import Array, Image, Mask
from pipelines.image.decode import load_image
from pipelines.image.png import png_bytes
from pipelines.metadata.containers import TextTooLarge, read_box

TITLE: Final = "Title"
"""The keyword of the name (PNG specification, section 11.3.3.2: the registered one for a title)."""
MAX_NAME: Final = 200
_FULL: Final = 65_535
_BYTE: Final = 257
"""Steps of 16 bits in one of 8."""


class NamedMask(NamedTuple):
    """A mask, and what it is called."""

    mask: Mask
    name: str


def read_mask(path: Path) -> Mask:
    """The mask in a picture file: its alpha if that differs from place to place, else its brightness.

    All bits of a deep picture are kept. What is wholly transparent is never selected.

    Raises:
        FileMissing, ImageUnreadable, ImageTooLarge: as their texts say.
    """
    return mask_from(load_image(path))


def read_named_mask(path: Path) -> NamedMask:
    """The mask in a file and its name: the one that was written into it, else the file's.

    Raises:
        FileMissing, ImageUnreadable, ImageTooLarge: as their texts say.
    """
    mask, name = read_mask(path), ""
    with contextlib.suppress(OSError, TextTooLarge), open_file(path) as file:
        name = " ".join(read_box(file).texts.get(TITLE, "").split())
    return NamedMask(mask, name[:MAX_NAME] or path.stem)


def mask_from(image: Image) -> Mask:
    """What a picture selects: see :func:`read_mask`."""
    if image.channels < 4:
        return Mask(_brightness(image.as_float()))
    pixels = image.as_float()
    alpha = pixels[..., 3]
    if alpha.size and alpha.min() < alpha.max():
        return Mask(alpha)
    return Mask(_brightness(pixels[..., :3]) * alpha)


def write_mask(path: Path, mask: Mask, name: str = "", *, alpha: bool = False) -> Path:
    """Write a mask as PNG, whole or not at all; an existing file is replaced.

    It has 16 bits where 8 would lose something, else 8. Without ``alpha`` it is grey (white: selected); with
    it, white that is as opaque as the mask is selected, for programs that take selections from there.

    Returns:
        The path that was written.

    Raises:
        SaveFailed, DiskFull: as their texts say.
    """
    if not mask.values.size:
        raise SaveFailed(path=str(path), reason="The mask has no pixels.")
    values = mask_steps(mask.values)
    if alpha:
        white = np.full_like(values, np.iinfo(values.dtype).max)
        values = np.dstack([white, white, white, values])
    texts = {TITLE: name[:MAX_NAME]} if name else None
    return atomic_write(path, png_bytes(values, texts))


def mask_steps(values: Array) -> Array:
    """Values in 0..1 (H×W float32) as uint16, or as uint8 if that says the same."""
    deep = np.rint(values * np.float32(_FULL)).astype(np.uint16)
    return deep if (deep % _BYTE).any() else (deep // _BYTE).astype(np.uint8)


def _brightness(pixels: Array) -> Array:
    """H×W of H×W×(1|3) float32; white is exactly 1."""
    if pixels.shape[2] == 1:
        return pixels[..., 0]
    grey = pixels[..., 0]
    if np.array_equal(grey, pixels[..., 1]) and np.array_equal(grey, pixels[..., 2]):
        return grey  # what is grey keeps its value to the last bit
    brightness: Array = pixels @ LUMA
    return brightness
