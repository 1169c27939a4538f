"""The bytes of tensors in the order safetensors wants them, in pieces, from where they lie in the file."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from pipelines.models.convert.archive import Extent
from pipelines.models.convert.faults import Damaged, TooLarge
from pipelines.models.convert.tensors import Tensor, item_bytes
from pipelines.models.convert.torch_file import TorchFile

Bytes = bytes | memoryview

PIECE: Final = 4 * 2**20
MAX_GATHERED: Final = 2**30
"""Bytes that a tensor may be spread over if its numbers don't lie in order: they are put in order in
memory."""


class TensorBytes:
    """Reads the tensors of a file. ``doubtful`` counts those whose checksum didn't fit."""

    def __init__(self, file: BinaryIO, source: TorchFile) -> None:
        self.doubtful = 0
        self._file = file
        self._source = source

    def of(self, tensor: Tensor) -> Iterator[Bytes]:
        """All numbers of a tensor, little end first, in order.

        Raises:
            Damaged: the file ends too early.
            TooLarge: its numbers lie too far apart.
        """
        if not tensor.elements:
            return
        extent = self._source.extents[tensor.storage.key]
        if tensor.contiguous:
            yield from self._in_order(tensor, extent)
        else:
            yield self._gathered(tensor, extent)

    def _in_order(self, tensor: Tensor, extent: Extent) -> Iterator[Bytes]:
        start, rest = tensor.offset * item_bytes(tensor.dtype), tensor.bytes
        crc, whole = 0, rest == extent.bytes
        self._file.seek(extent.start + start)
        while rest:
            piece = self._read(min(rest, PIECE))
            rest -= len(piece)
            crc = zlib.crc32(piece, crc) if whole else 0
            yield self._little(piece, tensor.dtype)
        if whole and extent.crc is not None and crc != extent.crc:
            self.doubtful += 1

    def _gathered(self, tensor: Tensor, extent: Extent) -> Bytes:
        import numpy as np

        width = item_bytes(tensor.dtype)
        if tensor.span * width > MAX_GATHERED or tensor.bytes > MAX_GATHERED:
            raise TooLarge(f"a tensor's numbers are spread over {tensor.span * width:,} bytes")
        self._file.seek(extent.start + tensor.offset * width)
        spread = np.frombuffer(self._read(tensor.span * width), dtype=f"V{width}")
        steps = tuple(step * width for step in tensor.strides)
        ordered = np.lib.stride_tricks.as_strided(spread, tensor.shape, steps, writeable=False)
        return self._little(np.ascontiguousarray(ordered).reshape(-1).view(np.uint8).data, tensor.dtype)

    def _read(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) != count:
            raise Damaged("it ends before its last tensor")
        return data

    def _little(self, data: Bytes, dtype: str) -> Bytes:
        width = 4 if dtype == "C64" else item_bytes(dtype)
        if not self._source.big_endian or width == 1:
            return data
        import numpy as np

        return np.frombuffer(data, dtype=f"u{width}").byteswap().view(np.uint8).data
