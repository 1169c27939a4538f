"""The directory of a zip archive as PyTorch writes it, read with bounds: nothing is unpacked.

Format: PKWARE's APPNOTE, sections 4.3.7 to 4.3.16. PyTorch stores its entries as they are, since it maps
them. Anything that a plain writer wouldn't leave (bytes before, between directory and end, or behind; entries
that are compressed, encrypted, named twice or that overlap) is refused: two readers could see two files.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

from pipelines.models.convert.faults import Damaged, Refused, TooLarge

MAX_ENTRIES: Final = 200_000
MAX_DIRECTORY: Final = 32 * 2**20
"""Bytes of the list of entries that are read at most."""

_FULL: Final = 0xFFFFFFFF
_END: Final = struct.Struct("<4s4H2LH")
_LOCATOR: Final = struct.Struct("<4sLQL")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")


@dataclass(frozen=True, slots=True)
class Extent:
    """Where something lies in the file, in bytes; ``crc`` is its CRC-32 where that was written down."""

    start: int
    bytes: int
    crc: int | None = None


@dataclass(frozen=True, slots=True)
class _Listed:
    name: str
    header: int
    bytes: int
    crc: int


def entries(file: BinaryIO, size: int) -> Mapping[str, Extent]:
    """Every entry of an archive of ``size`` bytes by its name.

    Raises:
        Damaged, Refused, TooLarge: it isn't an archive as PyTorch writes it.
    """
    start, length, count = _directory(file, size)
    if count > MAX_ENTRIES or length > MAX_DIRECTORY:
        raise TooLarge(f"its archive lists {count:,} entries in {length:,} bytes")
    file.seek(start)
    listed = _listed(file.read(length), count)
    found: dict[str, Extent] = {}
    end = 0
    for entry in sorted(listed, key=lambda entry: entry.header):
        extent = _extent(file, entry)
        if entry.header < end or extent.start + extent.bytes > start:
            raise Refused("entries of its archive that overlap")
        if entry.name in found:
            raise Refused(f"two entries called {entry.name[:80]!r}")
        end = extent.start + extent.bytes
        found[entry.name] = extent
    if listed and min(entry.header for entry in listed) != 0:
        raise Refused("bytes before its first entry")
    return found


def _directory(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """Start, bytes and entries of the central directory, from the records at the very end."""
    at = size - _END.size
    if at < 0:
        raise Damaged("its archive has no end")
    file.seek(at)
    magic, disk, first, here, count, length, start, comment = _END.unpack(file.read(_END.size))
    if magic != b"PK\x05\x06" or comment or disk or first or here != count:
        raise Damaged("its archive doesn't end as one of PyTorch does")
    file.seek(max(at - _LOCATOR.size, 0))
    locator = file.read(_LOCATOR.size)
    if at >= _LOCATOR.size and locator.startswith(b"PK\x06\x07"):
        at = _LOCATOR.unpack(locator)[2]
        if not 0 <= at <= size - _END.size - _LOCATOR.size - _END64.size:
            raise Damaged("its archive says a wrong place for its list")
        file.seek(at)
        magic, _, _, _, disk, first, here, count, length, start = _END64.unpack(file.read(_END64.size))
        if magic != b"PK\x06\x06" or disk or first or here != count:
            raise Damaged("its archive doesn't end as one of PyTorch does")
    if start + length != at:
        raise Damaged("the list of its archive isn't where it says")
    return start, length, count


def _listed(data: bytes, count: int) -> list[_Listed]:
    found: list[_Listed] = []
    at = 0
    for _ in range(count):
        if at + _ENTRY.size > len(data):
            raise Damaged("the list of its archive is cut off")
        (magic, _, _, flags, method, _, _, crc, packed, unpacked, names, extras, comments, disk, _, _,
         header) = _ENTRY.unpack_from(data, at)  # fmt: skip
        at += _ENTRY.size
        name, extra = data[at : at + names], data[at + names : at + names + extras]
        at += names + extras + comments
        if magic != b"PK\x01\x02" or at > len(data) or disk:
            raise Damaged("the list of its archive is damaged")
        text = name.decode("utf-8", "replace")
        if method != 0 or flags & 1:
            raise Refused(f"the compressed or encrypted entry {text[:80]!r}")
        packed, unpacked, header = _wide(extra, packed, unpacked, header)
        if packed != unpacked:
            raise Damaged(f"the entry {text[:80]!r} has two sizes")
        found.append(_Listed(text, header, unpacked, crc))
    if at != len(data):
        raise Damaged("the list of its archive is longer than it says")
    return found


def _wide(extra: bytes, packed: int, unpacked: int, header: int) -> tuple[int, int, int]:
    """Sizes and place, those of 64 bits taken from the extra field 1 where they don't fit 32."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            body = extra[at + 4 : at + 4 + length]
            values = [int.from_bytes(body[place : place + 8], "little") for place in range(0, length - 7, 8)]
            wide = iter(values)
            unpacked = next(wide, _FULL) if unpacked == _FULL else unpacked
            packed = next(wide, _FULL) if packed == _FULL else packed
            header = next(wide, _FULL) if header == _FULL else header
            break
        at += 4 + length
    return packed, unpacked, header


def _extent(file: BinaryIO, entry: _Listed) -> Extent:
    """Where the bytes of an entry begin: behind its own header, which must name it the same."""
    file.seek(entry.header)
    data = file.read(_LOCAL.size)
    if len(data) < _LOCAL.size or not data.startswith(b"PK\x03\x04"):
        raise Damaged(f"the entry {entry.name[:80]!r} isn't where its archive says")
    names, extras = _LOCAL.unpack(data)[-2:]
    if file.read(names).decode("utf-8", "replace") != entry.name:
        raise Refused(f"an entry with two names, {entry.name[:80]!r}")
    return Extent(entry.header + _LOCAL.size + names + extras, entry.bytes, entry.crc)
