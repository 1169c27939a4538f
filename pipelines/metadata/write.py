"""Saving a picture with the story of its making.

Where it goes: in PNG, our JSON is an iTXt chunk ``diptych`` and A1111's text a chunk ``parameters``; in JPEG
and WebP, our JSON is the XMP property ``diptych:provenance`` (extended XMP where a JPEG segment is too small)
and A1111's text the EXIF UserComment, where A1111 itself puts it. IPTC's Digital Source Type is in XMP in all
three.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
from PIL import Image as Pillow

from pipelines.errors import SaveFailed
from pipelines.files import atomic_write
from pipelines.graph.values import Array, Image
from pipelines.metadata import containers, exif, xmp
from pipelines.metadata.parameters import format_parameters
from pipelines.metadata.provenance import provenance_json, source_type, without_home

ImageFormat = Literal["png", "webp", "jpeg"]
FORMATS: Final[tuple[ImageFormat, ...]] = get_args(ImageFormat)
SUFFIXES: Final[dict[str, ImageFormat]] = {".png": "png", ".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg"}
_MAX_SIDE: Final = {"png": 2**31 - 1, "webp": 16_383, "jpeg": 65_500}
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
) -> Path:
    """Save ``image`` atomically, with its metadata.

    Args:
        path: where; ``format`` None goes by its suffix (PNG if that says nothing).
        provenance: what ``context.provenance()`` gives; ``image.info`` says the rest.
        quality: 1..100 for JPEG and WebP; WebP at 100 is lossless.
        bits: a channel, 16 for PNG only.
        unique: never replace a file, take ``-2``, ``-3``… instead.

    Returns:
        The path that was written.

    Raises:
        SaveFailed, DiskFull: as their texts say; the picture itself is untouched.
    """
    kind = format or SUFFIXES.get(path.suffix.lower(), "png")
    limit = _MAX_SIDE[kind]
    if max(image.width, image.height) > limit:
        size = f"{image.width} × {image.height}"
        reason = f"{kind.upper()} files have at most {limit} pixels a side; this picture has {size}."
        raise SaveFailed(path=str(path), reason=reason)
    return atomic_write(
        path, encode_image(image, kind, provenance, quality=quality, bits=bits), unique=unique
    )


def encode_image(
    image: Image,
    format: ImageFormat = "png",
    provenance: Mapping[str, Any] | None = None,
    *,
    quality: int = 95,
    bits: Literal[8, 16] = 8,
) -> bytes:
    """The bytes of the file that :func:`write_image` writes."""
    known = provenance or {}
    versions = known.get("versions")
    version = (
        str(versions.get("diptych-studio", versions.get("diptych", "")))
        if isinstance(versions, Mapping)
        else ""
    )
    tool = f"Diptych {version}".strip()
    kind = source_type(known, image.info)
    story = provenance_json(known, image.info)
    settings = _writable(format_parameters(image.info, image.width, image.height, version))
    if format == "png":
        chunks = [
            (b"sRGB", b"\0"),
            containers.png_text("parameters", settings),
            containers.png_packed("diptych", story),
            (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp.packet("", kind, tool)),
        ]
        return containers.png_with(_png(image, bits), chunks)
    if format == "jpeg":
        comment = exif.build_exif(_shortened(settings, _MAX_COMMENT))
        return _jpeg(image, quality, comment, xmp.jpeg_segments(story, kind, tool))
    return _webp(image, quality, exif.build_exif(settings), xmp.packet(story, kind, tool))


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
        colour, alpha = pixels[..., :3].astype(np.float32), pixels[..., 3:].astype(np.float32) / 255
        pixels = np.rint(colour * alpha + 255 * (1 - alpha)).astype(np.uint8)
    buffer = io.BytesIO()
    full = {"subsampling": 0} if quality >= 90 else {}
    _pillow(pixels).save(buffer, "JPEG", quality=quality, exif=comment, extra=segments, **full)
    return buffer.getvalue()


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
