"""Pictures and masks on their way to the canvas and into assets: nothing is lost, nothing is read half."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtGui import QImage

from pipelines.errors import FileMissing, ImageUnreadable
from pipelines.graph.values import Array, Image
from pipelines.image import decode_image
from studio.inpaint.reading import encode_mask_png, encode_png, picture_from, qimage_of
from studio.mask.conversion import image_value


def noise(height: int, width: int, channels: int) -> Array:
    return np.random.default_rng(7).integers(0, 256, (height, width, channels), np.uint8)


def by_opencv(data: bytes) -> Array:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return pixels


def premultiplied() -> QImage:
    """Every pair of an alpha and a colour it can carry."""
    alpha, colour = np.mgrid[:256, :256].astype(np.uint32)
    colour = np.minimum(alpha, colour)
    pixels = np.ascontiguousarray(alpha << 24 | colour << 16 | (alpha - colour) << 8 | colour)
    return QImage(pixels.data, 256, 256, 1024, QImage.Format.Format_ARGB32_Premultiplied).copy()


@pytest.mark.parametrize("width", [1, 2, 3, 61])  # rows in memory end at multiples of four bytes
@pytest.mark.parametrize("channels", [1, 3])
def test_opaque_pictures_come_back_bit_for_bit(width: int, channels: int) -> None:
    pixels = noise(17, width, channels)
    image = qimage_of(Image(pixels))
    assert image.format() == QImage.Format.Format_RGB32
    assert np.array_equal(image_value(image).pixels, np.broadcast_to(pixels, (17, width, 3)))
    assert picture_from(encode_png(image)) == image


def test_every_premultiplied_pixel_survives_a_file() -> None:
    image = premultiplied()
    again = picture_from(encode_png(image))
    assert again.format() == QImage.Format.Format_ARGB32_Premultiplied
    assert again == image


def test_alpha_that_hides_nothing_costs_no_blending() -> None:
    pixels = noise(8, 9, 4)
    pixels[..., 3] = 255
    assert qimage_of(Image(pixels.copy())).format() == QImage.Format.Format_RGB32
    pixels[3, 3, 3] = 254
    assert qimage_of(Image(pixels)).format() == QImage.Format.Format_ARGB32_Premultiplied


def test_deep_pictures_are_rounded_to_the_nearest_step() -> None:
    deep = np.linspace(0, 1, 999, dtype=np.float32)[None, :, None]
    grey = image_value(qimage_of(Image(np.repeat(deep, 3, 2)))).pixels
    assert np.array_equal(grey, np.rint(np.repeat(deep, 3, 2) * 255).astype(np.uint8))


def test_the_same_pixels_give_the_same_bytes() -> None:
    image = qimage_of(Image(noise(40, 50, 3)))
    tagged = image.copy()
    tagged.setText("Comment", "painted on a Tuesday")
    tagged.setDotsPerMeterX(1234)
    assert encode_png(image) == encode_png(tagged)


def test_masks_keep_all_their_steps() -> None:
    steps = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    assert np.array_equal(by_opencv(encode_mask_png(steps)), steps)
    floats = steps.astype(np.float32) / np.float32(65_535)
    assert encode_mask_png(floats) == encode_mask_png(steps)
    part = encode_mask_png(steps[3:90, 5:77])
    assert np.array_equal(by_opencv(part), steps[3:90, 5:77])
    odd = np.array([[np.nan, -1, 2, 0.5]], np.float32)
    assert decode_image(encode_mask_png(odd)).pixels.ravel() == pytest.approx([0, 0, 1, 0.5], abs=1e-5)


def test_a_picture_is_read_from_a_file_and_from_its_content(tmp_path: Path) -> None:
    pixels = noise(5, 6, 3)
    path = tmp_path / "a.png"
    path.write_bytes(encode_png(qimage_of(Image(pixels))))
    for source in (path, path.read_bytes()):
        assert np.array_equal(image_value(picture_from(source)).pixels, pixels)
    with pytest.raises(FileMissing):
        picture_from(tmp_path / "none.png")
    with pytest.raises(ImageUnreadable):
        picture_from(b"no picture")
