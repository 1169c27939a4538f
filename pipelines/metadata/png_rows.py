"""Writing a large PNG band by band: no copy of the picture, nor the file, is ever in memory as a whole.

Bands are filtered and compressed on several threads, each by itself; deflate streams that end on a byte join
into one. Source: PNG specification, third edition, sections 9 (filtering, with the heuristic of the smallest
sum of absolute differences in 12.7) and 10 (compression); RFC 1950 and 1951.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, Final, NamedTuple

import numpy as np

from pipelines.graph.node import CancelToken
from pipelines.graph.values import Array
from pipelines.metadata.containers import PNG_MARK, png_chunk

BAND: Final = 2**20
"""Bytes of pixels that are compressed together, about; what repeats further away than that is not found."""
LEVEL: Final = 6
_COLOURS: Final = {1: 0, 3: 2, 4: 6}
_WORKERS: Final = 4


def write_png(
    file: BinaryIO,
    pixels: Array,
    bits: int,
    chunks: Iterable[tuple[bytes, bytes]] = (),
    cancel: CancelToken | None = None,
) -> None:
    """Write ``pixels`` (H×W×C, uint8, or float32 0..1; C = 1, 3, 4) as a PNG of ``bits`` (8, 16) a channel.

    ``chunks`` (type, content) follow the header. Raises OSError, and Cancelled by ``cancel``, polled between
    bands.
    """
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, bits, _COLOURS[channels], 0, 0, 0)
    file.write(PNG_MARK + png_chunk(b"IHDR", header) + b"".join(png_chunk(*chunk) for chunk in chunks))
    file.write(png_chunk(b"IDAT", b"\x78\x9c"))  # what a zlib stream of this window and level begins with
    check = 1
    for band in _packed(pixels, bits):
        if cancel is not None:
            cancel.check()
        check = zlib.adler32(band.filtered, check)
        file.write(png_chunk(b"IDAT", band.packed))
    file.write(png_chunk(b"IDAT", check.to_bytes(4, "big")) + png_chunk(b"IEND", b""))


class _Band(NamedTuple):
    filtered: bytes
    packed: bytes


def _packed(pixels: Array, bits: int) -> Iterator[_Band]:
    """The bands in order; a few are made ahead."""
    height, width, channels = pixels.shape
    count = max(BAND // (width * channels * bits // 8), 1)
    workers = min(os.cpu_count() or 1, _WORKERS)
    waiting: deque[Future[_Band]] = deque()
    with ThreadPoolExecutor(workers, "diptych-png") as pool:
        try:
            for start in range(0, height, count):
                waiting.append(pool.submit(_band, pixels, bits, start, min(start + count, height)))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _band(pixels: Array, bits: int, start: int, end: int) -> _Band:
    """Rows ``start`` to ``end``, filtered after the row above them and compressed."""
    above = max(start - 1, 0)
    rows = _samples(pixels[above:end], bits)
    before = rows[:1] if start else np.zeros_like(rows[:1])
    filtered = _filtered(rows[start - above :], before, pixels.shape[2] * bits // 8).tobytes()
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_FILTERED)
    last = end == pixels.shape[0]
    packed = packer.compress(filtered) + packer.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)
    return _Band(filtered, packed)


def _samples(rows: Array, bits: int) -> Array:
    """Rows as the bytes of a PNG, h×(W·C·bits/8) uint8; 16 bits are big-endian."""
    largest = 2**bits - 1
    if rows.dtype == np.uint8:
        samples = rows.astype(">u2") * np.uint16(257) if bits == 16 else rows
    else:
        samples = np.rint(np.clip(np.nan_to_num(rows), 0, 1) * np.float32(largest))
    return (
        samples.astype(">u2" if bits == 16 else np.uint8, copy=False)
        .reshape(rows.shape[0], -1)
        .view(np.uint8)
    )


def _filtered(rows: Array, before: Array, step: int) -> Array:
    """Each row behind the number of the filter that makes it smallest; ``step`` is the bytes of a pixel."""
    up = np.concatenate([before, rows[:-1]])
    left, corner = np.zeros_like(rows), np.zeros_like(rows)
    left[:, step:], corner[:, step:] = rows[:, :-step], up[:, :-step]
    mean = ((left.astype(np.uint16) + up) >> 1).astype(np.uint8)
    result = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    best = np.full(rows.shape[0], np.iinfo(np.int64).max)
    for kind, predicted in enumerate((None, left, up, mean, _paeth(left, up, corner))):
        candidate = rows if predicted is None else rows - predicted
        size = np.abs(candidate.view(np.int8)).view(np.uint8).sum(axis=1, dtype=np.int64)
        better = size < best
        result[better, 0], result[better, 1:], best[better] = kind, candidate[better], size[better]
    return result


def _paeth(left: Array, up: Array, corner: Array) -> Array:
    """Of the three neighbours the one nearest to left + up − corner; section 9.4."""
    a, b, c = left.astype(np.int16), up.astype(np.int16), corner.astype(np.int16)
    to_left, to_up, to_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    nearest = np.where(to_up <= to_corner, up, corner)
    return np.where((to_left <= to_up) & (to_left <= to_corner), left, nearest)
