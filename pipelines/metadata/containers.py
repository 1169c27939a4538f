"""The boxes pictures come in (PNG chunks, JPEG segments, WebP's RIFF), walked without decoding a pixel.

Every length is checked before memory is taken. A file that is cut off gives what stands before the cut.
Sources: PNG specification, third edition, sections 5 and 11; ITU-T T.81, annex B; RFC 9649 (WebP).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from pipelines.files import bytes_text
from pipelines.metadata import xmp

MAX_TEXT: Final = 16 * 2**20
"""Most bytes of text (after decompression) that are read from one picture."""

PNG_MARK: Final = b"\x89PNG\r\n\x1a\n"
_TEXT_CHUNKS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_MAX_PARTS: Final = 100_000


class TextTooLarge(Exception):
    """A picture carries more text than :data:`MAX_TEXT`; ``str()`` is a sentence for the user."""

    def __init__(self, size: int) -> None:
        super().__init__(f"It carries {bytes_text(size)} of text; at most {bytes_text(MAX_TEXT)} are read.")


@dataclass(slots=True)
class Box:
    """What a file carries beside its pixels. ``bits`` is the depth of a PNG's channels (0: not known)."""

    format: str
    width: int = 0
    height: int = 0
    bits: int = 0
    texts: dict[str, str] = field(default_factory=dict)
    exif: bytes = b""
    xmp: list[bytes] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def sniff(head: bytes) -> str:
    """The format by its first 16 bytes: png, jpeg, webp, gif, bmp, tiff, avif, or ``""``."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis"):
        return "avif"
    marks = {
        PNG_MARK: "png", b"\xff\xd8\xff": "jpeg", b"GIF87a": "gif", b"GIF89a": "gif", b"BM": "bmp",
        b"II*\0": "tiff", b"MM\0*": "tiff",
    }  # fmt: skip
    return next((name for mark, name in marks.items() if head.startswith(mark)), "")


def read_box(file: BinaryIO) -> Box:
    """Walk a seekable file; of other formats than the three, nothing. Raises :class:`TextTooLarge`."""
    kind = sniff(file.read(16))
    file.seek(0)
    box = Box(kind)
    try:
        {"png": _read_png, "jpeg": _read_jpeg, "webp": _read_webp}.get(kind, _read_nothing)(file, box)
    except (EOFError, struct.error):
        box.problems.append("The file is cut off.")
    return box


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG: length, type, content, checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def png_with(data: bytes, chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A PNG with ``chunks`` (type, content) added behind its header."""
    return data[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + data[33:]


def png_text(key: str, text: str) -> tuple[bytes, bytes]:
    """A text chunk for simple readers: tEXt where Latin-1 suffices, else iTXt; never compressed."""
    try:
        return b"tEXt", key.encode("latin-1") + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", key.encode("latin-1") + b"\0\0\0\0\0" + text.encode()


def png_packed(key: str, text: str) -> tuple[bytes, bytes]:
    """An iTXt chunk, compressed if that helps and readers will unpack it (Pillow: up to 1 MB)."""
    body = text.encode()
    if not 1_000 < len(body) < 1_000_000:
        return b"iTXt", key.encode("latin-1") + b"\0\0\0\0\0" + body
    return b"iTXt", key.encode("latin-1") + b"\0\1\0\0\0" + zlib.compress(body, 6)


def png_without_text(data: bytes) -> bytes:
    """A PNG without its text chunks, which are no business of a decoder; left as it is where it breaks."""
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] not in _TEXT_CHUNKS:
            parts.append(data[at:end])
        at = end
    return b"".join([*parts, data[at:]])


# --- PNG ---------------------------------------------------------------------------------------------------


def _read_png(file: BinaryIO, box: Box) -> None:
    file.seek(8)
    budget = MAX_TEXT
    for _ in range(_MAX_PARTS):
        length, kind = struct.unpack(">I4s", _exactly(file, 8))
        if kind == b"IHDR":
            box.width, box.height, box.bits = struct.unpack(">IIB", _exactly(file, 9))
            file.seek(length - 9 + 4, 1)
        elif kind in _TEXT_CHUNKS or kind == b"eXIf":
            if length > budget:
                raise TextTooLarge(length)
            body = _exactly(file, length)
            if _exactly(file, 4) != struct.pack(">I", zlib.crc32(body, zlib.crc32(kind))):
                box.problems.append("A text in it is damaged.")
            elif kind == b"eXIf":
                box.exif = body
            else:
                budget -= _png_entry(kind, body, budget, box)
        elif kind == b"IEND":
            return
        else:
            _skip(file, length + 4)


def _png_entry(kind: bytes, body: bytes, budget: int, box: Box) -> int:
    """Put one text chunk into ``box``; the number of bytes it has unpacked."""
    key, _, rest = body.partition(b"\0")
    packed = kind == b"zTXt"
    if packed:
        rest = rest[1:]
    elif kind == b"iTXt":
        packed = rest[:1] == b"\1"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    if packed:
        inflater = zlib.decompressobj()
        try:
            rest = inflater.decompress(rest, budget)
        except zlib.error:
            box.problems.append("A text in it is damaged.")
            return 0
        if inflater.unconsumed_tail:
            raise TextTooLarge(MAX_TEXT + 1)
    name = key.decode("latin-1")
    if name == "XML:com.adobe.xmp":
        box.xmp.append(rest)
    else:
        # Some programs put UTF-8 into tEXt, where Latin-1 belongs: valid UTF-8 is hardly ever anything else.
        box.texts.setdefault(name, _utf8_or_latin1(rest))
    return len(rest)


def _utf8_or_latin1(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


# --- JPEG --------------------------------------------------------------------------------------------------


def _jpeg_segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment before the picture data."""
    file.seek(2)
    for _ in range(_MAX_PARTS):
        if _exactly(file, 1) != b"\xff":
            return
        marker = 0xFF
        while marker == 0xFF:
            marker = _exactly(file, 1)[0]
        if marker in (0xD9, 0xDA):
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            continue
        (length,) = struct.unpack(">H", _exactly(file, 2))
        yield marker, _exactly(file, max(length - 2, 0))


def _read_jpeg(file: BinaryIO, box: Box) -> None:
    extended: list[bytes] = []
    try:
        for marker, body in _jpeg_segments(file):
            if marker == 0xE1 and body.startswith(b"Exif\0\0"):
                box.exif = box.exif or body
            elif marker == 0xE1 and body.startswith(xmp.MAIN_MARK):
                box.xmp.append(body[len(xmp.MAIN_MARK) :])
            elif marker == 0xE1 and body.startswith(xmp.EXTENDED_MARK):
                extended.append(body[len(xmp.EXTENDED_MARK) :])
                if (size := sum(map(len, extended))) > MAX_TEXT:
                    raise TextTooLarge(size)
            elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                box.bits, box.height, box.width = struct.unpack_from(">BHH", body)
    finally:
        if extended:
            box.xmp.append(xmp.join_extended(extended))


# --- WebP --------------------------------------------------------------------------------------------------


def _read_webp(file: BinaryIO, box: Box) -> None:
    file.seek(8)
    (end,) = struct.unpack("<I", _at(file, 4, 4))
    file.seek(12)
    while file.tell() < end + 8:
        kind, length = struct.unpack("<4sI", _exactly(file, 8))
        after = file.tell() + length + (length & 1)
        if kind in (b"EXIF", b"XMP "):
            if length > MAX_TEXT:
                raise TextTooLarge(length)
            body = _exactly(file, length)
            if kind == b"EXIF":
                box.exif = body
            else:
                box.xmp.append(body)
        elif kind in (b"VP8X", b"VP8L", b"VP8 ") and not box.width:
            box.width, box.height = _webp_size(kind, _exactly(file, min(length, 10)))
        file.seek(after)


def _webp_size(kind: bytes, head: bytes) -> tuple[int, int]:
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", head, 6)
    return width & 0x3FFF, height & 0x3FFF


# --- bytes -------------------------------------------------------------------------------------------------


def _read_nothing(file: BinaryIO, box: Box) -> None:
    return None


def _at(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return _exactly(file, count)


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _skip(file: BinaryIO, count: int) -> None:
    """Skip ``count`` bytes that must be there: seeking alone goes past the end of a file without a word."""
    file.seek(count - 1, 1)
    _exactly(file, 1)
