"""What stands under the mask before denoising, and larger pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import ImageTooLarge, MaskSizeDiffers
from pipelines.graph.values import Image, Mask
from pipelines.inpaint import Fill, extend, fill
from tests.pipelines.inpaint.mask_shapes import disc, masks, picture

MODES = st.sampled_from(list(Fill))
CHANGING = [mode for mode in Fill if mode is not Fill.ORIGINAL]


def split(width: int = 160, height: int = 120) -> Image:
    """Red on the left, blue on the right, with a white disc between."""
    pixels = np.zeros((height, width, 3), np.float32)
    pixels[:, : width // 2] = (1, 0, 0)
    pixels[:, width // 2 :] = (0, 0, 1)
    pixels[disc(width, height, width / 2, height / 2, 20).values > 0] = 1
    return Image(pixels)


@given(masks(), MODES, st.sampled_from([1, 3, 4]), st.sampled_from([np.uint8, np.float32]))
@settings(max_examples=120, deadline=None)
def test_only_what_is_masked_changes(mask: Mask, mode: Fill, channels: int, dtype: type) -> None:
    image = picture(mask.width, mask.height, channels, dtype)
    result = fill(image, mask, mode)
    assert (result.pixels.shape, result.pixels.dtype) == (image.pixels.shape, dtype)
    assert np.array_equal(result.pixels[mask.values == 0], image.pixels[mask.values == 0])
    assert result.info["seed"] == 7
    assert np.isfinite(result.as_float()).all()
    assert 0 <= result.as_float().min() <= result.as_float().max() <= 1
    if channels == 4 and mode is not Fill.ORIGINAL:
        assert (result.as_float()[mask.values == 1][:, 3] == 1).all()


@pytest.mark.parametrize("mode", CHANGING)
def test_a_half_mask_changes_half(mode: Fill) -> None:
    image, mask = split(), disc(160, 120, 80, 60, 24)
    whole, half = fill(image, mask, mode).pixels, fill(image, Mask(mask.values / 2), mode).pixels
    if mode in (Fill.NEUTRAL, Fill.NOISE, Fill.BLUR):
        assert np.allclose(half, (whole + image.pixels) / 2, atol=1e-5)
    assert np.abs(half - image.pixels).sum() < np.abs(whole - image.pixels).sum()


def test_original_is_the_same_picture() -> None:
    image = split()
    assert fill(image, disc(160, 120, 80, 60, 24), Fill.ORIGINAL) is image
    assert fill(image, Mask(np.zeros((120, 160), np.float32)), Fill.NEUTRAL) is image


def test_neutral_is_middle_grey() -> None:
    assert fill(split(), disc(160, 120, 80, 60, 24), Fill.NEUTRAL).pixels[60, 80].tolist() == [0.5, 0.5, 0.5]


def test_blur_keeps_colours_and_loses_shapes() -> None:
    mask = disc(160, 120, 80, 60, 24)
    result = fill(split(), mask, Fill.BLUR).pixels
    assert result[60, 80].min() > 0.6  # the disc was white
    inside = result[:, :, 1][mask.values > 0]
    assert np.abs(np.diff(result[60, 60:100, 1])).max() < 0.15
    assert inside.std() > 0.05


@pytest.mark.parametrize("mode", [Fill.BORDER, Fill.PATCH])
def test_what_was_under_the_mask_leaves_no_trace(mode: Fill) -> None:
    """Red and blue come in from their sides; the white disc is gone."""
    result = fill(split(), disc(160, 120, 80, 60, 24), mode).pixels
    assert result[..., 1].max() < 0.02
    assert result[60, 62, 0] > 0.8
    assert result[60, 98, 2] > 0.8


@pytest.mark.parametrize("mode", [Fill.BORDER, Fill.PATCH])
def test_on_a_plain_ground_it_is_the_ground(mode: Fill) -> None:
    pixels = np.full((300, 400, 3), (40, 90, 200), np.uint8)
    mask = disc(400, 300, 200, 150, 90)
    pixels[mask.values > 0] = (255, 255, 0)
    assert np.abs(fill(Image(pixels), mask, mode).pixels.astype(int) - (40, 90, 200)).max() <= 2


def test_pieces_continue_lines_and_textures() -> None:
    """Stripes go on through the gap, in a picture larger than the search as well."""
    for width in (120, 400):
        columns = np.arange(width) // (width // 30) % 2
        pixels = np.repeat(np.tile(columns, (width * 3 // 4, 1))[..., None], 3, axis=2).astype(np.float32)
        mask = disc(width, width * 3 // 4, width / 2, width * 3 / 8, width / 10)
        hidden = Image(np.where(mask.values[..., None] > 0, np.float32((0.9, 0.2, 0)), pixels))
        result = fill(hidden, mask, Fill.PATCH).pixels
        assert np.abs(result - pixels)[mask.values > 0].mean() < 0.12
        assert np.abs(fill(hidden, mask, Fill.BORDER).pixels - pixels)[mask.values > 0].mean() > 0.3
        assert np.array_equal(result, fill(hidden, mask, Fill.PATCH).pixels)


def test_border_colours_meet_the_picture() -> None:
    rows, columns = np.mgrid[:200, :200].astype(np.float32) / 200
    image = Image(np.dstack([rows, columns, rows * 0]))
    mask = disc(200, 200, 100, 100, 50)
    assert np.abs(fill(image, mask, Fill.BORDER).pixels - image.pixels).max() < 0.12


def test_noise_has_its_seed_and_all_grains() -> None:
    image, mask = split(), Mask(np.ones((120, 160), np.float32))
    first, again, other = (fill(image, mask, Fill.NOISE, seed).pixels for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.mean() == pytest.approx(0.5, abs=0.1)
    coarse = first.reshape(15, 8, 20, 8, 3).mean((1, 3))
    assert coarse.std() > 0.08  # white noise alone would leave 0.03


def test_what_is_transparent_gives_no_colour() -> None:
    pixels = np.zeros((60, 60, 4), np.uint8)
    pixels[:, :30] = (255, 0, 0, 255)
    pixels[:, 30:] = (0, 255, 0, 0)  # invisible green
    values = np.zeros((60, 60), np.float32)
    values[20:40, 20:40] = 1
    for mode in (Fill.BORDER, Fill.PATCH, Fill.BLUR):
        middle = fill(Image(pixels), Mask(values), mode).pixels[30, 27]
        assert middle[0] > 150
        assert middle[1] < 40


@pytest.mark.parametrize("mode", CHANGING)
@pytest.mark.parametrize("size", [(1, 1), (1, 3_000), (3_000, 1)])
def test_all_of_a_picture_like_a_thread(mode: Fill, size: tuple[int, int]) -> None:
    image = picture(*size)
    assert fill(image, Mask(np.ones(size[::-1], np.float32)), mode).pixels.shape == image.pixels.shape


def test_a_mask_of_another_size_names_both() -> None:
    with pytest.raises(MaskSizeDiffers, match=r"160 × 120.*4 × 3"):
        fill(split(), Mask(np.ones((3, 4), np.float32)), Fill.BLUR)


# --- extend ----------------------------------------------------------------------------------------------


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), MODES)
@settings(max_examples=40, deadline=None)
def test_extending_keeps_the_picture(left: int, top: int, right: int, bottom: int, mode: Fill) -> None:
    image = picture(20, 15)
    larger, mask = extend(image, left, top, right, bottom, mode)
    assert (larger.width, larger.height) == (20 + left + right, 15 + top + bottom)
    assert (mask.width, mask.height) == (larger.width, larger.height)
    inner = slice(top, top + 15), slice(left, left + 20)
    assert np.array_equal(larger.pixels[inner], image.pixels)
    assert not mask.values[inner].any()
    assert mask.values.sum() == larger.width * larger.height - 20 * 15
    assert larger.pixels.dtype == np.uint8
    assert larger.info["seed"] == 7


def test_the_new_area_continues_the_edge() -> None:
    larger, _ = extend(split(), 40, 0, 0, 0, Fill.ORIGINAL)
    assert (larger.pixels[:, :40] == (1, 0, 0)).all()
    larger, _ = extend(split(), 40, 0, 0, 0, Fill.BORDER)
    assert np.allclose(larger.pixels[:, :40], (1, 0, 0), atol=0.05)


def test_too_large_is_refused_before_memory_is_taken() -> None:
    with pytest.raises(ImageTooLarge, match="30000 × 30000"):
        extend(picture(20, 20), 10_000, 10_000, 19_980, 19_980, Fill.NEUTRAL)


def test_amounts_are_not_negative() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        extend(picture(20, 20), -1, 0, 0, 0, Fill.NEUTRAL)
