"""Pictures made row by row, so that one of any size needs little memory: resampling them, and keeping them.

Pieces go from top to bottom, C×h×W float32, each as wide as the picture.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from pipelines.errors import DiskFull
from pipelines.files import bytes_text, save_error
from pipelines.graph.values import Array

IN_MEMORY: Final = 64 * 2**20
"""Bytes of a picture's pixels that are kept in memory; those of a larger one are in a file."""

_REACH: Final = 3
"""Half the width of the Lanczos kernel in pixels of the coarser grid."""
_CHUNK: Final = 64
"""Rows that are converted at once: few enough for a processor's cache."""


def resampled(
    pieces: Iterable[Array], height: int, width: int, new_height: int, new_width: int
) -> Iterator[Array]:
    """The pieces of a picture of ``height`` × ``width`` px, resampled by Lanczos.

    The same as resampling the whole picture, colours weighted by alpha as there.
    """
    if (height, width) == (new_height, new_width):
        yield from pieces
        return
    step = height / new_height
    reach = _REACH * max(step, 1) + 1
    held, top, done = np.empty((0, 0, 0), np.float32), 0, 0
    for piece in pieces:
        piece = _weighted(piece)
        held = np.concatenate([held, piece], axis=1) if held.size else piece
        bottom = top + held.shape[1]
        ready = new_height if bottom >= height else min(math.floor((bottom - reach) / step), new_height)
        if ready <= done:
            continue
        box = (0, done * step - top, width, min(ready * step - top, held.shape[1]))
        planes = [
            np.asarray(
                Pillow.fromarray(plane).resize((new_width, ready - done), Pillow.Resampling.LANCZOS, box)
            )
            for plane in np.ascontiguousarray(held)
        ]
        yield _unweighted(np.stack(planes))
        done = ready
        needed = max(math.floor(done * step - reach), 0)
        held, top = held[:, max(needed - top, 0) :].copy(), max(needed, top)


def _weighted(piece: Array) -> Array:
    return np.concatenate([piece[:3] * piece[3:], piece[3:]]) if piece.shape[0] == 4 else piece


def _unweighted(piece: Array) -> Array:
    if piece.shape[0] != 4:
        return piece
    colour, alpha = piece[:3], piece[3:]
    colour = np.divide(colour, alpha, out=np.zeros_like(colour), where=alpha > 1e-6)
    return np.concatenate([colour, alpha])


def gathered(
    pieces: Iterable[Array], shape: tuple[int, int, int], dtype: npt.DTypeLike, folder: Path | None = None
) -> Array:
    """The pixels H×W×C of a picture, uint8 or float32 0..1, from its pieces.

    A large one is kept in a file in ``folder`` and mapped read-only. The file has no name, or vanishes with
    the program: it is gone when nobody has the array any more, whatever happens.

    Raises:
        DiskFull, SaveFailed: ``folder`` doesn't take it.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if folder is None or size <= IN_MEMORY:
        pixels, at = np.empty(shape, dtype), 0
        for piece in pieces:
            for rows in _converted(piece, dtype):
                pixels[at : at + rows.shape[0]] = rows
                at += rows.shape[0]
        return pixels
    with _scratch(folder, size) as file:
        for piece in pieces:
            for rows in _converted(piece, dtype):
                _write(file, rows, folder, size)
        file.flush()
        return np.memmap(file, dtype, "r", shape=shape)


def _converted(piece: Array, dtype: npt.DTypeLike) -> Iterator[Array]:
    """C×h×W float32 as some rows h×W×C at a time."""
    for start in range(0, piece.shape[1], _CHUNK):
        rows = np.clip(piece[:, start : start + _CHUNK], 0, 1)
        if dtype == np.uint8:
            rows *= 255
            rows = np.rint(rows, out=rows).astype(np.uint8)
        yield np.ascontiguousarray(rows.transpose(1, 2, 0))


def _scratch(folder: Path, size: int) -> BinaryIO:
    """A nameless file with room for ``size`` bytes: better known before the work than after it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < size:
            raise DiskFull(path=str(folder), needed=bytes_text(size), free=bytes_text(free))
        return tempfile.TemporaryFile(dir=folder, prefix="pixels-")
    except OSError as error:
        raise save_error(error, folder, size) from error


def _write(file: BinaryIO, rows: Array, folder: Path, size: int) -> None:
    try:
        file.write(rows.data)
    except OSError as error:
        raise save_error(error, folder, size) from error
