"""The few EXIF fields that matter here, read and written within bounds.

Sources: TIFF 6.0, section 2 (structure); EXIF 2.32, section 4.6.5 (UserComment).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

IMAGE_DESCRIPTION: Final = 0x010E
MAKE: Final = 0x010F
MODEL: Final = 0x0110
ORIENTATION: Final = 0x0112
_EXIF_FOLDER: Final = 0x8769
_USER_COMMENT: Final = 0x9286
_MAX_ENTRIES: Final = 1000
_WIDTHS: Final = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1}
"""Bytes of the types read: BYTE, ASCII, SHORT, LONG, UNDEFINED."""


@dataclass(frozen=True, slots=True)
class Exif:
    """``orientation`` is 1..8 (1 upright), ``comment`` the UserComment, ``texts`` others by tag."""

    orientation: int = 1
    comment: str = ""
    texts: Mapping[int, str] = field(default_factory=dict)


def parse_exif(data: bytes) -> Exif:
    """Read a block of EXIF, with or without its mark; what is broken is left out, never an error."""
    data = data.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return Exif()
    main = _folder(data, struct.unpack_from(order + "I", data, 4)[0], order)
    orientation = _number(main.get(ORIENTATION, b""), order)
    inner = _folder(data, _number(main.get(_EXIF_FOLDER, b""), order), order)
    texts: dict[int, str] = {
        tag: main[tag].rstrip(b"\0").decode("utf-8", "replace")
        for tag in (IMAGE_DESCRIPTION, MAKE, MODEL)
        if tag in main
    }
    comment = _comment(inner.get(_USER_COMMENT, b""), order)
    return Exif(orientation if 1 <= orientation <= 8 else 1, comment, texts)


def build_exif(comment: str) -> bytes:
    """A block of EXIF, mark included, with a UserComment in UTF-16, as A1111 writes it."""
    value = b"UNICODE\0" + comment.encode("utf-16-be", "replace")
    main = struct.pack(">HHHIII", 1, _EXIF_FOLDER, 4, 1, 26, 0)
    inner = struct.pack(">HHHIII", 1, _USER_COMMENT, 7, len(value), 44, 0)
    return b"Exif\0\0MM\0*" + struct.pack(">I", 8) + main + inner + value


def _folder(data: bytes, offset: int, order: str) -> dict[int, bytes]:
    """The entries of one directory as raw bytes by tag; entries that point outside are left out."""
    if not 8 <= offset <= len(data) - 2:
        return {}
    result: dict[int, bytes] = {}
    (count,) = struct.unpack_from(order + "H", data, offset)
    for index in range(min(count, _MAX_ENTRIES)):
        at = offset + 2 + 12 * index
        if at + 12 > len(data):
            break
        tag, kind, number = struct.unpack_from(order + "HHI", data, at)
        size = _WIDTHS.get(kind, 0) * number
        if size > 4:
            (start,) = struct.unpack_from(order + "I", data, at + 8)
        else:
            start = at + 8
        if 0 < size <= len(data) - start:
            result.setdefault(tag, data[start : start + size])
    return result


def _number(value: bytes, order: str) -> int:
    if len(value) == 2:
        return int(struct.unpack(order + "H", value)[0])
    return int(struct.unpack(order + "I", value)[0]) if len(value) == 4 else 0


def _comment(value: bytes, order: str) -> str:
    """Text of a UserComment; the byte order of UTF-16 isn't fixed, so it is found by the zeros."""
    code, text = value[:8], value[8:]
    if code == b"UNICODE\0":
        big, little = text[0::2].count(0), text[1::2].count(0)
        fallback = "be" if order == ">" else "le"
        return text.decode(
            f"utf-16-{'be' if big > little else 'le' if little > big else fallback}", "replace"
        )
    return (text if code in (b"ASCII\0\0\0", b"\0" * 8) else value).decode("utf-8", "replace").strip("\0 ")
