"""Picture files as the world has them: every odd kind, and every broken one, made on the spot."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageCms

WIDTH, HEIGHT = 40, 24
CORNER = (230, 40, 20)
"""Colour of the upper left quarter of every odd picture; the rest is :data:`REST`."""
REST = (20, 60, 200)


def plain(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """H×W×3 uint8: one corner red, the rest blue."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = REST
    pixels[: height // 2, : width // 2] = CORNER
    return pixels


def encoded(image: Pillow.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def cmyk() -> bytes:
    return encoded(Pillow.fromarray(plain()).convert("CMYK"), "JPEG", quality=98)


def palette() -> bytes:
    return encoded(Pillow.fromarray(plain()).quantize(8), "PNG")


def sixteen_bits() -> bytes:
    return cv2.imencode(".png", plain()[..., ::-1].astype(np.uint16) * 257)[1].tobytes()


def animated() -> bytes:
    other = Pillow.new("RGB", (WIDTH, HEIGHT), (0, 255, 0))
    return encoded(Pillow.fromarray(plain()), "GIF", save_all=True, append_images=[other] * 3, duration=50)


def animated_png() -> bytes:
    other = Pillow.new("RGB", (WIDTH, HEIGHT), (0, 255, 0))
    return encoded(Pillow.fromarray(plain()), "PNG", save_all=True, append_images=[other] * 3, duration=50)


def exif_rotated() -> bytes:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    turned = Pillow.fromarray(plain()).transpose(Pillow.Transpose.ROTATE_90)
    return encoded(turned, "JPEG", quality=98, subsampling=0, exif=exif)


def icc_tagged() -> bytes:
    """In a space whose red and green are swapped, so that a reader that ignores it shows a green corner."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    at = profile.find("sRGB".encode("utf-16-be"))
    profile[at : at + 8] = "swap".encode("utf-16-be")
    return encoded(Pillow.fromarray(plain()[..., [1, 0, 2]]), "PNG", icc_profile=bytes(profile))


def long_text() -> bytes:
    """60 MB of text in a chunk before the pixels."""
    data = encoded(Pillow.fromarray(plain()), "PNG")
    return data[:33] + chunk(b"tEXt", b"note\0" + b"x" * (60 * 2**20)) + data[33:]


ODD: dict[str, tuple[str, Callable[[], bytes]]] = {
    "cmyk": ("cmyk.jpg", cmyk),
    "palette": ("palette.png", palette),
    "16 bits": ("deep.png", sixteen_bits),
    "animated": ("moving.gif", animated),
    "animated png": ("moving.png", animated_png),
    "exif": ("turned.jpg", exif_rotated),
    "icc": ("tagged.png", icc_tagged),
    "60 MB of text": ("long.png", long_text),
}
"""Pictures that are fine: all show :func:`plain`."""


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def png(width: int, height: int, rows: bytes, bits: int = 8) -> bytes:
    """An RGB PNG of any claimed size with any packed rows."""
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    mark = b"\x89PNG\r\n\x1a\n"
    return mark + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    """``count`` bytes of nothing, packed: about a thousandth of that."""
    packer = zlib.compressobj(9)
    block = bytes(2**20)
    parts = [packer.compress(block) for _ in range(count // 2**20)]
    return b"".join([*parts, packer.compress(bytes(count % 2**20)), packer.flush()])


def truncated() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Pillow.fromarray(noise), "PNG")
    return data[: len(data) // 2]


def enormous() -> bytes:
    """30,000 × 30,000 px: the header alone decides."""
    return png(30_000, 30_000, zeros(2**20))


def too_much_inside() -> bytes:
    """16 × 16 px by its header, and 200 MB of rows."""
    return png(16, 16, zeros(200 * 2**20))


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path
