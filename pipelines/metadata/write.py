"""Saving a picture with the story of its making.

Where it goes: in PNG, our JSON is an iTXt chunk ``diptych`` and A1111's text a chunk ``parameters``; in JPEG
and WebP, our JSON is the XMP property ``diptych:provenance`` (extended XMP where a JPEG segment is too small)
and A1111's text the EXIF UserComment, where A1111 itself puts it. IPTC's Digital Source Type is in XMP in all
three.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, NamedTuple, get_args

import numpy as np
from PIL import Image as Pillow

from pipelines.errors import SaveFailed
from pipelines.files import atomic_write
from pipelines.graph.node import CancelToken
from pipelines.graph.values import Array, Image
from pipelines.metadata import containers, exif, xmp
from pipelines.metadata.parameters import format_parameters
from pipelines.metadata.png_rows import write_png
from pipelines.metadata.provenance import provenance_json, source_type, without_home

ImageFormat = Literal["png", "webp", "jpeg"]
FORMATS: Final[tuple[ImageFormat, ...]] = get_args(ImageFormat)
SUFFIXES: Final[dict[str, ImageFormat]] = {".png": "png", ".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg"}
_MAX_SIDE: Final = {"png": 2**31 - 1, "webp": 16_383, "jpeg": 65_500}
STREAMED: Final = 32 * 2**20
"""Bytes of pixels above which a PNG is written band by band."""
_ROWS: Final = 256
_MAX_COMMENT: Final = 32_000
"""Characters of A1111's text that fit into one JPEG segment in UTF-16."""


def write_image(
    image: Image,
    path: Path,
    format: ImageFormat | None = None,
    provenance: Mapping[str, Any] | None = None,
    *,
    quality: int = 95,
    bits: Literal[8, 16] = 8,
    unique: bool = True,
    cancel: CancelToken | None = None,
) -> Path:
    """Save ``image`` atomically, with its metadata; a large PNG is written band by band.

    Args:
        path: where; ``format`` None goes by its suffix (PNG if that says nothing).
        provenance: what ``context.provenance()`` gives; ``image.info`` says the rest.
        quality: 1..100 for JPEG and WebP; WebP at 100 is lossless.
        bits: a channel, 16 for PNG only.
        unique: never replace a file, take ``-2``, ``-3``… instead.
        cancel: polled between the bands of a large PNG.

    Returns:
        The path that was written.

    Raises:
        SaveFailed, DiskFull: as their texts say; the picture itself is untouched.
        Cancelled: by ``cancel``; no file is left behind.
    """
    kind = format or SUFFIXES.get(path.suffix.lower(), "png")
    limit = _MAX_SIDE[kind]
    if max(image.width, image.height) > limit:
        size = f"{image.width} × {image.height}"
        reason = f"{kind.upper()} files have at most {limit} pixels a side; this picture has {size}."
        raise SaveFailed(path=str(path), reason=reason)
    data: bytes | Callable[[BinaryIO], None]
    if kind == "png" and image.pixels.size * (bits // 8) > STREAMED:
        data = partial(_stream_png, image=image, story=_story(image, provenance), bits=bits, cancel=cancel)
    else:
        data = encode_image(image, kind, provenance, quality=quality, bits=bits)
    return atomic_write(path, data, unique=unique)


def encode_image(
    image: Image,
    format: ImageFormat = "png",
    provenance: Mapping[str, Any] | None = None,
    *,
    quality: int = 95,
    bits: Literal[8, 16] = 8,
) -> bytes:
    """The bytes of the file that :func:`write_image` writes."""
    story = _story(image, provenance)
    if format == "png":
        return containers.png_with(_png(image, bits), story.png_chunks())
    if format == "jpeg":
        comment = exif.build_exif(_shortened(story.settings, _MAX_COMMENT))
        return _jpeg(image, quality, comment, xmp.jpeg_segments(story.json, story.source_type, story.tool))
    packet = xmp.packet(story.json, story.source_type, story.tool)
    return _webp(image, quality, exif.build_exif(story.settings), packet)


class _Story(NamedTuple):
    """What is told of a picture: our JSON, A1111's text, IPTC's source type, the program."""

    json: str
    settings: str
    source_type: str
    tool: str

    def png_chunks(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"sRGB", b"\0"),
            containers.png_text("parameters", self.settings),
            containers.png_packed("diptych", self.json),
            (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp.packet("", self.source_type, self.tool)),
        ]


def _story(image: Image, provenance: Mapping[str, Any] | None) -> _Story:
    known = provenance or {}
    versions = known.get("versions")
    version = (
        str(versions.get("diptych-studio", versions.get("diptych", "")))
        if isinstance(versions, Mapping)
        else ""
    )
    settings = _writable(format_parameters(image.info, image.width, image.height, version))
    story, kind = provenance_json(known, image.info), source_type(known, image.info)
    return _Story(story, settings, kind, f"Diptych {version}".strip())


def _stream_png(
    file: BinaryIO, image: Image, story: _Story, bits: Literal[8, 16], cancel: CancelToken | None
) -> None:
    write_png(file, image.pixels, bits, story.png_chunks(), cancel)


def _writable(text: str) -> str:
    """Text without what a file can't hold (half characters, NUL) or shouldn't (the home folder)."""
    return without_home(text).encode("utf-8", "replace").decode().replace("\0", " ")


def _shortened(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` UTF-16 units: the prompt is cut, the line of settings stays."""
    if len(text.encode("utf-16-be", "replace")) <= 2 * limit:
        return text
    head, _, settings = text.rpartition("\n")
    room = max(limit - len(settings.encode("utf-16-be", "replace")) // 2 - 2, 0)
    cut = head.encode("utf-16-be", "replace")[: 2 * room].decode("utf-16-be", "ignore")
    return f"{cut}…\n{settings}"


def _png(image: Image, bits: int) -> bytes:
    if bits == 16:  # Pillow has no colour of 16 bits
        import cv2

        pixels = np.rint(np.clip(np.nan_to_num(image.as_float()), 0, 1) * 65_535).astype(np.uint16)
        order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[image.channels]
        return bytes(cv2.imencode(".png", np.ascontiguousarray(pixels[..., order]))[1])
    buffer = io.BytesIO()
    _pillow(image.as_uint8()).save(buffer, "PNG")
    return buffer.getvalue()


def _jpeg(image: Image, quality: int, comment: bytes, segments: bytes) -> bytes:
    """JPEG has no alpha: what is transparent becomes white."""
    pixels = image.as_uint8()
    if image.channels == 4:
        pixels = _on_white(pixels)
    buffer = io.BytesIO()
    full = {"subsampling": 0} if quality >= 90 else {}
    _pillow(pixels).save(buffer, "JPEG", quality=quality, exif=comment, extra=segments, **full)
    return buffer.getvalue()


def _on_white(pixels: Array) -> Array:
    """RGBA uint8 over white, some rows at a time."""
    result = np.empty((*pixels.shape[:2], 3), np.uint8)
    for start in range(0, pixels.shape[0], _ROWS):
        rows = pixels[start : start + _ROWS].astype(np.float32)
        colour, alpha = rows[..., :3], rows[..., 3:] / 255
        result[start : start + _ROWS] = np.rint(colour * alpha + 255 * (1 - alpha))
    return result


def _webp(image: Image, quality: int, comment: bytes, packet: bytes) -> bytes:
    buffer = io.BytesIO()
    pixels = image.as_uint8()
    if image.channels == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    _pillow(pixels).save(
        buffer,
        "WEBP",
        quality=quality,
        lossless=quality >= 100,
        exact=True,
        method=4,
        exif=comment,
        xmp=packet,
    )
    return buffer.getvalue()


def _pillow(pixels: Array) -> Pillow.Image:
    return Pillow.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
