"""One square of pixels, the unit of memory, repainting and undo: never changed once made, packed when old."""

from __future__ import annotations

import zlib
from typing import Any, Final

import numpy as np
import numpy.typing as npt

TILE: Final = 256
"""Pixels a side."""

Array = npt.NDArray[Any]
Key = tuple[int, int]
"""Column and row of a tile."""


class Tile:
    """256×256 pixels, read-only and compared by identity, so that surfaces and undo steps share them."""

    __slots__ = ("_dtype", "_packed", "_pixels", "_shape")

    def __init__(self, pixels: Array) -> None:
        pixels.setflags(write=False)
        self._shape, self._dtype = pixels.shape, pixels.dtype
        self._pixels: Array | None = pixels
        self._packed = b""

    @property
    def pixels(self) -> Array:
        """The pixels; a packed tile is unpacked and stays so."""
        if self._pixels is None:
            self._pixels, self._packed = self._unpacked(), b""
            self._pixels.setflags(write=False)
        return self._pixels

    @property
    def is_packed(self) -> bool:
        return self._pixels is None

    @property
    def nbytes(self) -> int:
        """Bytes it holds now."""
        return len(self._packed) if self._pixels is None else int(self._pixels.nbytes)

    def packed(self) -> bytes:
        """The pixels compressed without loss: differences along a row, split in bytes. Safe in any thread."""
        pixels = self._pixels
        if pixels is None:
            return self._packed
        steps = np.diff(pixels, axis=1, prepend=np.zeros_like(pixels[:, :1]))
        planes = steps.view(np.uint8).reshape(-1, steps.dtype.itemsize).T
        return zlib.compress(np.ascontiguousarray(planes).tobytes(), 1)

    def keep_packed(self, packed: bytes) -> None:
        """Hold what :meth:`packed` gave instead of the pixels."""
        self._pixels, self._packed = None, packed

    def _unpacked(self) -> Array:
        planes = np.frombuffer(zlib.decompress(self._packed), np.uint8)
        size = self._dtype.itemsize
        steps = np.ascontiguousarray(planes.reshape(size, -1).T).view(self._dtype).reshape(self._shape)
        return np.cumsum(steps, axis=1, dtype=self._dtype)
