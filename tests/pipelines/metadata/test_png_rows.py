"""PNG files written band by band: other programs read the same pixels and the same story."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from pipelines.errors import Cancelled
from pipelines.graph.node import FlagToken
from pipelines.graph.values import Array, Image
from pipelines.image import load_image
from pipelines.metadata import png_rows, read_metadata, write, write_image


@pytest.fixture(autouse=True)
def small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_rows, "BAND", 900)
    monkeypatch.setattr(write, "STREAMED", 0)


def decoded(data: bytes, channels: int) -> Array:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return pixels.reshape(*pixels.shape[:2], channels)[..., {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_every_pixel_comes_back(channels: int, bits: Literal[8, 16], dtype: type) -> None:
    """Rows that are flat, that go on, that repeat and that are noise: each filter is best for some."""
    random = np.random.default_rng(1).random((50, 41, channels))
    pixels = np.concatenate(
        [np.zeros((9, 41, channels)), random.cumsum(1) / 41, random.cumsum(0) / 50, random]
    )
    image = Image((pixels * 255).astype(np.uint8) if dtype is np.uint8 else pixels.astype(np.float32))
    file = io.BytesIO()
    png_rows.write_png(file, image.pixels, bits)
    expected = np.rint(np.clip(image.as_float(), 0, 1) * np.float32(2**bits - 1))
    assert np.array_equal(decoded(file.getvalue(), channels), expected)
    with Pillow.open(io.BytesIO(file.getvalue())) as picture:
        picture.verify()


def test_a_band_chooses_its_filters() -> None:
    """Flat colour shrinks to nearly nothing, a slope too: what is left between neighbours is the same."""
    rows, columns = np.mgrid[:256, :256]
    for pixels in (np.full((256, 256), 77), rows, columns, (rows + columns) // 2):
        file = io.BytesIO()
        png_rows.write_png(file, pixels.astype(np.uint8)[..., None], 8)
        assert len(file.getvalue()) < 12_000


@pytest.mark.parametrize("bits", [8, 16])
def test_the_story_is_told_as_in_a_small_picture(tmp_path: Path, bits: Literal[8, 16]) -> None:
    pixels = np.random.default_rng(0).random((30, 40, 3), np.float32)
    image = Image(pixels, {"seed": 7, "prompt": "é 猫"})
    path = write_image(image, tmp_path / "a.png", bits=bits)
    assert read_metadata(path).info["prompt"] == "é 猫"
    assert np.abs(load_image(path).as_float() - pixels).max() <= 0.51 / (2**bits - 1)
    with Pillow.open(path) as picture:
        assert "Seed: 7" in picture.text["parameters"]


def test_cancelling_leaves_no_file(tmp_path: Path) -> None:
    token = FlagToken()
    token.cancel()
    with pytest.raises(Cancelled):
        write_image(Image(np.zeros((40, 40, 3), np.uint8)), tmp_path / "a.png", cancel=token)
    assert not list(tmp_path.iterdir())
