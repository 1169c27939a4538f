"""Length-bounded frames over a pipe: four bytes of length, then that many bytes of JSON."""

from __future__ import annotations

import struct
from typing import BinaryIO

from pipelines.errors import MessageTooLong, ProtocolError
from pipelines.files import bytes_text

MAX_FRAME = 64 * 2**20
"""Largest frame in bytes; a graph of 100,000 nodes has about 30 MB."""

_LENGTH = struct.Struct(">I")


def write_frame(stream: BinaryIO, data: bytes) -> None:
    """Write one frame and flush. Raises :class:`MessageTooLong` if it is too long, OSError if the other side
    is gone."""
    check_length(data, "A message")
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def check_length(data: bytes, name: str) -> None:
    """Raise :class:`MessageTooLong` for a message that no frame can hold; ``name`` says what it carries."""
    if len(data) > MAX_FRAME:
        raise MessageTooLong(name=name, bytes=bytes_text(len(data)), limit=bytes_text(MAX_FRAME))


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame; ``None`` at a clean end. Raises :class:`ProtocolError` for a torn or oversized
    frame."""
    head = _read(stream, _LENGTH.size)
    if not head:
        return None
    if len(head) < _LENGTH.size:
        raise ProtocolError(reason="The stream ended inside a frame.")
    (length,) = _LENGTH.unpack(head)
    if length > MAX_FRAME:
        raise ProtocolError(reason=f"A frame of {length} bytes is longer than {MAX_FRAME}.")
    data = _read(stream, length)
    if len(data) < length:
        raise ProtocolError(reason="The stream ended inside a frame.")
    return data


def _read(stream: BinaryIO, count: int) -> bytes:
    """``count`` bytes, or fewer at the end of the stream."""
    parts = []
    while count:
        part = stream.read(count)
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
