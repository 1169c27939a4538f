"""Decoding picture files: PNG (8 and 16 bits), JPEG, WebP, GIF (first frame), BMP, TIFF, AVIF.

Only these decoders are ever asked, chosen by content; sizes are checked before memory is taken. The picture
comes upright (EXIF), in sRGB (ICC), as grey, RGB or RGBA. Libraries are imported where they are used: the
studio reads the nodes' schemas without them.
"""

from __future__ import annotations

import io
import struct
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image as Pillow

from pipelines.errors import FileMissing, ImageNeedsMemory, ImageUnreadable
from pipelines.files import bytes_text, open_file
from pipelines.graph.values import Array, Image, Mask, check_size
from pipelines.metadata.containers import TextTooLarge, png_without_text, read_box, sniff
from pipelines.metadata.exif import parse_exif
from pipelines.models.memory import host_memory

MAX_FILE: Final = 2 * 2**30
"""Most bytes of a picture file that are read into memory."""

_BITS_PER_SAMPLE: Final = 258
_LARGE: Final = 2**24
"""Pixels from which on it is asked whether they fit into memory."""
_BYTES: Final = 8
"""Of a pixel while it is decoded, beside those of the result: Pillow's own copy, and one for a conversion."""
_DEEP_BYTES: Final = 2 + 4
"""Of a channel with more than 8 bits: as it was read, and as a float."""
_BAND: Final = 2**20
"""Pixels that are copied at once."""
_DECODERS: Final = {
    "png": "PngImageFile",
    "jpeg": "JpegImageFile",
    "webp": "WebPImageFile",
    "gif": "GifImageFile",
    "bmp": "BmpImageFile",
    "tiff": "TiffImageFile",
    "avif": "AvifImageFile",
}
_BROKEN: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    struct.error,
    zlib.error,
)
"""What the decoders raise for broken files."""


def load_image(path: Path) -> Image:
    """Decode the picture at ``path`` (see :func:`decode_image`).

    Raises:
        FileMissing, ImageUnreadable, ImageTooLarge: as their texts say.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            reason = f"The file has {bytes_text(size)}; at most {bytes_text(MAX_FILE)} are read."
            raise ImageUnreadable(path=str(path), reason=reason)
        with open_file(path) as file:
            data = file.read()
    except FileNotFoundError as error:
        raise FileMissing(path=str(path)) from error
    except OSError as error:
        raise ImageUnreadable(path=str(path), reason=f"{error.strerror or error}.") from error
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str = "in the clipboard") -> Image:
    """Decode a picture: uint8, or float32 if the file has more than 8 bits a channel.

    Args:
        data: the whole file.
        name: what to call it in messages.

    Raises:
        ImageUnreadable: not a format of ours, cut off or damaged.
        ImageTooLarge: more pixels than allowed, seen from the header alone.
        ImageNeedsMemory: more than is free; nothing was decoded.
    """
    kind = sniff(data[:16])
    if not kind:
        raise ImageUnreadable(path=name, reason="It is not a picture of a format Diptych reads.")
    if kind == "png":
        data = png_without_text(data)
    try:
        box = read_box(io.BytesIO(data))
        check_size(box.width, box.height)
        source = _decoder(kind)(io.BytesIO(data))
        check_size(*source.size)
        orientation = parse_exif(box.exif).orientation  # of a TIFF, both decoders see to it themselves
        deep = box.bits == 16 or (kind == "tiff" and max(source.tag_v2.get(_BITS_PER_SAMPLE, (8,))) > 8)
        _check_memory(source, deep)
        if deep:
            pixels = _deep(data, source.info.get("icc_profile"))
        else:
            source.load()
            pixels = _pixels(source)
    except (TextTooLarge, Pillow.DecompressionBombError) as error:
        raise ImageUnreadable(path=name, reason=str(error)) from error
    except _BROKEN as error:
        reason = f"It is damaged or cut off ({str(error)[:200] or type(error).__name__})."
        raise ImageUnreadable(path=name, reason=reason) from error
    return Image(np.ascontiguousarray(_upright(pixels, orientation)))


def alpha_mask(image: Image) -> Mask:
    """1 − alpha as a mask (1: repaint); zeros for a picture without alpha."""
    if image.channels == 4:
        return Mask(1 - image.as_float()[..., 3])
    return Mask(np.zeros((image.height, image.width), np.float32))


def _decoder(kind: str) -> Any:
    """Pillow's class for a format, by name: none of its many other decoders ever sees the file."""
    name = _DECODERS[kind]
    return getattr(import_module(f"PIL.{name.removesuffix('ImageFile')}ImagePlugin"), name)


def _check_memory(source: Pillow.Image, deep: bool) -> None:
    """Raise :class:`ImageNeedsMemory` if what a picture unpacks to is more than this computer has free.

    A file of some kilobytes may hold as many pixels as are allowed at all.
    """
    width, height = source.size
    if width * height < _LARGE:
        return
    channels = len(source.getbands())
    per_pixel = (_DEEP_BYTES * channels) if deep else (_BYTES + channels)
    if source.info.get("progressive"):
        per_pixel += 2 * channels  # all its coefficients are kept until the last of them is there
    needed, free = width * height * per_pixel, host_memory().free
    if free and needed > free:
        raise ImageNeedsMemory(width=width, height=height, needed=bytes_text(needed), free=bytes_text(free))


def _pixels(source: Pillow.Image) -> Array:
    """H×W×(1|3|4) of a decoded 8-bit picture, in sRGB."""
    profile = source.info.get("icc_profile")
    mode = source.mode
    if mode in ("L", "RGB", "RGBA") and not profile and "transparency" not in source.info:
        return _array(source)
    if mode in ("F", "I") or mode.startswith("I;16"):
        values = np.asarray(source, np.float32)
        return (values if mode == "F" else values / 65_535).clip(0, 1)[..., None]
    alpha = None
    if source.has_transparency_data:
        source = source.convert("RGBA")
        alpha = np.asarray(source.getchannel("A"))
        source = source.convert("RGB")
    elif mode == "1":
        source = source.convert("L")
    elif mode == "P":
        source = source.convert("RGB")
    if profile:
        source = _to_srgb(source, profile)
    if source.mode not in ("L", "RGB"):
        source = source.convert("RGB")
    colour = _array(source)
    return colour if alpha is None else np.dstack([colour, alpha])


def _array(source: Pillow.Image) -> Array:
    """H×W×C of a picture with a byte a channel, some rows at a time: Pillow copies what it gives twice."""
    width, height = source.size
    pixels = np.empty((height, width, len(source.getbands())), np.uint8)
    rows = max(1, _BAND // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        pixels[top:bottom] = np.asarray(source.crop((0, top, width, bottom))).reshape(bottom - top, width, -1)
    return pixels


def _to_srgb(source: Pillow.Image, profile: bytes) -> Pillow.Image:
    """The colours as sRGB; a profile that is broken or doesn't fit is left aside, as other programs do."""
    from PIL import ImageCms

    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        words = ImageCms.getProfileDescription(opened).casefold()
        if words.startswith("srgb") and "linear" not in words:
            return source
        converted = ImageCms.profileToProfile(
            source, opened, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return source
    return converted if converted is not None else source


def _deep(data: bytes, profile: bytes | None) -> Array:
    """H×W×(1|3|4) float32 of a file with 16 or 32 bits a channel, which Pillow would cut to 8.

    Colours with a profile of their own go through 8 bits: the colour management at hand knows no more.
    """
    import cv2

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("it can't be decoded")
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    order = {1: [0], 2: [0, 0, 0, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[pixels.shape[2]]
    scale = np.float32(1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max)
    values: Array = np.empty((*pixels.shape[:2], len(order)), np.float32)
    for target, channel in enumerate(order):
        np.divide(pixels[..., channel], scale, out=values[..., target], casting="unsafe")
    if pixels.dtype.kind == "f":
        np.clip(np.nan_to_num(values, copy=False), 0, 1, out=values)
    del pixels
    if profile and values.shape[2] >= 3:
        colour = Pillow.fromarray(np.rint(values[..., :3] * 255).astype(np.uint8))
        converted = _to_srgb(colour, profile)
        if converted is not colour:
            values[..., :3] = np.asarray(converted, np.float32) / 255
    return values


def _upright(pixels: Array, orientation: int) -> Array:
    """Undo an EXIF orientation of 2..8 (EXIF 2.32, section 4.6.4: where the first row and column lie)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
