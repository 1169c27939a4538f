"""Decoding: every kind of file comes out upright, in sRGB, and broken ones are refused in plain words."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from pipelines.errors import FileMissing, ImageTooLarge, ImageUnreadable
from pipelines.graph.values import Array, Image
from pipelines.image import alpha_mask, decode_image, load_image


def encoded(image: Pillow.Image, format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def noise(height: int = 6, width: int = 9, channels: int = 3) -> Array:
    return np.random.default_rng(3).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG", "AVIF"])
def test_every_format_is_read(format: str) -> None:
    picture = Pillow.fromarray(np.full((8, 10, 3), 200, np.uint8))
    image = decode_image(encoded(picture, format))
    assert (image.width, image.height) == (10, 8)
    assert np.abs(image.as_float() - 200 / 255).max() < 0.02


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_png_is_exact(mode: str) -> None:
    picture = Pillow.fromarray(noise()).convert(mode)
    image = decode_image(encoded(picture))
    assert image.pixels.dtype == np.uint8
    assert np.array_equal(image.pixels, np.asarray(picture).reshape(image.pixels.shape))


def test_grey_with_alpha_black_and_white_and_palettes() -> None:
    assert decode_image(encoded(Pillow.fromarray(noise()).convert("LA"))).channels == 4
    assert decode_image(encoded(Pillow.fromarray(noise()).convert("1"))).channels == 1
    assert decode_image(encoded(Pillow.fromarray(noise()).quantize(8))).channels == 3
    clear = encoded(Pillow.fromarray(noise()).quantize(8), transparency=0)
    image = decode_image(clear)
    assert image.channels == 4
    assert set(np.unique(image.pixels[..., 3])) == {0, 255}


def test_a_colour_that_means_transparent() -> None:
    picture = Pillow.new("RGB", (4, 4), (1, 2, 3))
    picture.putpixel((0, 0), (9, 9, 9))
    image = decode_image(encoded(picture, transparency=(9, 9, 9)))
    assert image.pixels[0, 0, 3] == 0
    assert image.pixels[1, 1, 3] == 255


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_undone(orientation: int, format: str) -> None:
    upright = Pillow.fromarray(noise(6, 9))
    turn = Pillow.Transpose
    undo = {
        2: turn.FLIP_LEFT_RIGHT, 3: turn.ROTATE_180, 4: turn.FLIP_TOP_BOTTOM, 5: turn.TRANSPOSE,
        6: turn.ROTATE_90, 7: turn.TRANSVERSE, 8: turn.ROTATE_270,
    }  # fmt: skip
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    image = decode_image(
        encoded(stored, format, exif=exif, **({"lossless": True} if format == "WEBP" else {}))
    )
    assert np.array_equal(image.pixels, np.asarray(upright))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_keep_their_steps(channels: int) -> None:
    deep = np.random.default_rng(0).integers(0, 65_536, (5, 7, channels), np.uint16)
    image = decode_image(cv2.imencode(".png", deep)[1].tobytes())
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    assert image.pixels.dtype == np.float32
    assert np.abs(image.pixels * 65_535 - deep[..., order]).max() < 0.5


def test_sixteen_bits_of_a_tiff() -> None:
    deep = np.random.default_rng(0).integers(0, 65_536, (5, 7, 3), np.uint16)
    image = decode_image(cv2.imencode(".tiff", deep)[1].tobytes())
    assert np.abs(image.pixels * 65_535 - deep[..., ::-1]).max() < 0.5


def test_cmyk_becomes_rgb() -> None:
    picture = Pillow.new("CMYK", (8, 8), (0, 255, 255, 0))
    red = decode_image(encoded(picture, "JPEG", quality=95)).pixels[4, 4]
    assert red[0] > 200
    assert red[1] < 60


def test_a_colour_profile_is_converted_and_a_broken_one_is_ignored() -> None:
    picture = Pillow.fromarray(noise())
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(decode_image(encoded(picture, icc_profile=lab)).pixels, noise())
    assert np.array_equal(decode_image(encoded(picture, icc_profile=b"broken" * 40)).pixels, noise())


def test_a_profile_with_other_primaries_changes_the_colours() -> None:
    swapped = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = swapped.index(b"rXYZ"), swapped.index(b"gXYZ")
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    at = swapped.find("sRGB".encode("utf-16-be"))
    swapped[at : at + 8] = "swap".encode("utf-16-be")
    picture = Pillow.new("RGB", (2, 2), (255, 0, 0))
    pixel = decode_image(encoded(picture, icc_profile=bytes(swapped))).pixels[0, 0]
    assert pixel[1] > 200 > pixel[0] + 100


def test_alpha_becomes_a_mask_of_what_to_repaint() -> None:
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, :, 3] = (0, 51, 255)
    assert np.allclose(alpha_mask(Image(pixels)).values, [[1, 0.8, 0]])
    assert not alpha_mask(Image(noise())).values.any()
    assert alpha_mask(Image(noise())).values.shape == (6, 9)


# --- bad files -------------------------------------------------------------------------------------------


def header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    with pytest.raises(ImageTooLarge) as caught:
        decode_image(header(100_000, 100_000))
    assert caught.value.arguments["width"] == 100_000


@pytest.mark.parametrize("format", ["GIF", "BMP", "TIFF", "WEBP", "JPEG", "PNG"])
def test_a_file_that_is_cut_off(format: str, tmp_path: Path) -> None:
    data = encoded(Pillow.fromarray(noise(64, 64)), format)
    path = tmp_path / "x.png"
    for share in (0.02, 0.3, 0.6):
        path.write_bytes(data[: max(int(len(data) * share), 20)])
        with pytest.raises(ImageUnreadable) as caught:
            load_image(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"not a picture", b"%PDF-1.7", b"\x80\x04pickle", b"II*\0", b"RIFF\0\0\0\0WEBP"]
)
def test_what_is_no_picture(data: bytes) -> None:
    with pytest.raises(ImageUnreadable):
        decode_image(data)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_random_damage_never_gives_another_error() -> None:
    """Pillow's warnings about it are for a log."""
    source = np.random.default_rng(5)
    for format in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
        data = encoded(Pillow.fromarray(noise(16, 16)), format)
        for _ in range(60):
            broken = bytearray(data)
            for at in source.integers(0, len(data), 4):
                broken[at] = source.integers(0, 256)
            try:
                decode_image(bytes(broken))
            except (ImageUnreadable, ImageTooLarge):
                continue


def test_a_renamed_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(Pillow.fromarray(noise()), "JPEG"))
    assert load_image(path).width == 9


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        load_image(tmp_path / "none.png")
    with pytest.raises(ImageUnreadable):
        load_image(tmp_path)


def test_texts_beside_the_pixels_are_no_matter() -> None:
    """Pillow refuses a compressed text of more than 1 MB; the picture is fine nevertheless."""
    data = encoded(Pillow.fromarray(noise()))
    body = b"zTXtworkflow\0\0" + zlib.compress(b"x" * 3_000_000)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    assert np.array_equal(decode_image(data[:33] + chunk + data[33:]).pixels, noise())
