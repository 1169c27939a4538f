"""Resampling, cropping, blending and adjusting: the arithmetic and the limits."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from pipelines.errors import CropOutside, ImageTooLarge, SizesDiffer
from pipelines.graph.values import Array, Image, Mask
from pipelines.image import BLEND_MODES, BlendMode, Resampling, adjust, blend, crop, resize, solid

METHODS: tuple[Resampling, ...] = get_args(Resampling)


def noise(height: int, width: int, channels: int, dtype: type = np.uint8) -> Image:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8)
    return Image(pixels if dtype is np.uint8 else pixels.astype(np.float32) / 255, {"seed": 7})


def flat(*values: float, size: tuple[int, int] = (2, 3)) -> Image:
    return Image(np.broadcast_to(np.array(values, np.float32), (*size, len(values))).copy())


# --- resize and crop -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_resize_keeps_channels_type_and_history(method: Resampling, channels: int, dtype: type) -> None:
    result = resize(noise(9, 7, channels, dtype), 20, 5, method)
    assert result.pixels.shape == (5, 20, channels)
    assert result.pixels.dtype == dtype
    assert result.info["seed"] == 7
    assert not result.pixels.flags.writeable


@pytest.mark.parametrize("method", METHODS)
def test_an_even_picture_stays_even(method: Resampling) -> None:
    result = resize(flat(0.25, 0.5, 0.75, 0.5, size=(8, 8)), 21, 5, method)
    assert np.allclose(result.pixels, [0.25, 0.5, 0.75, 0.5], atol=1e-5)


def test_area_is_the_mean() -> None:
    image = noise(8, 8, 3, np.float32)
    expected = image.pixels.reshape(4, 2, 4, 2, 3).mean((1, 3))
    assert np.allclose(resize(image, 4, 4, "area").pixels, expected, atol=1e-5)


def test_nearest_makes_no_new_values() -> None:
    image = noise(5, 5, 3)
    assert set(resize(image, 13, 13, "nearest").pixels.ravel()) <= set(image.pixels.ravel())


def test_shrinking_does_not_alias() -> None:
    """A fine checkerboard becomes grey, with every filter that has a width."""
    board = np.indices((64, 64)).sum(0) % 2
    image = Image(np.repeat(board[..., None], 3, axis=2).astype(np.float32))
    for method in ("lanczos", "bicubic", "bilinear", "area"):
        inner = resize(image, 8, 8, method).pixels[1:-1, 1:-1]
        assert np.abs(inner - 0.5).max() < 0.02


def test_transparent_colour_does_not_bleed() -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4] = (0, 255, 0, 0)  # invisible green beside red
    pixels[:, 4:] = (255, 0, 0, 255)
    result = resize(Image(pixels), 5, 5, "bilinear").pixels
    visible = result[..., 3] > 0
    assert (result[visible][:, 1] == 0).all()
    assert (result[visible][:, 0] == 255).all()


def test_the_same_size_is_the_same_picture() -> None:
    image = noise(4, 4, 3)
    assert resize(image, 4, 4) is image


def test_too_many_pixels_are_refused_before_memory_is_taken() -> None:
    with pytest.raises(ImageTooLarge):
        resize(noise(2, 2, 3), 65_536, 65_536)
    with pytest.raises(ImageTooLarge):
        solid("#000000", 65_536, 65_536)


def test_crop_takes_the_rectangle() -> None:
    image = noise(6, 8, 3)
    result = crop(image, 2, 1, 5, 4)
    assert np.array_equal(result.pixels, image.pixels[1:5, 2:7])
    assert result.info["seed"] == 7
    assert np.array_equal(crop(image, 0, 0, 8, 6).pixels, image.pixels)


@pytest.mark.parametrize("box", [(0, 0, 9, 1), (0, 0, 1, 7), (8, 0, 1, 1), (-1, 0, 2, 2), (0, 0, 0, 1)])
def test_crop_outside_says_all_numbers(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(CropOutside) as caught:
        crop(noise(6, 8, 3), *box)
    for number in (*box, 8, 6):
        assert str(number) in str(caught.value)


# --- blend -----------------------------------------------------------------------------------------------

EXPECTED: dict[BlendMode, float] = {
    "normal": 0.5, "multiply": 0.1, "screen": 0.6, "overlay": 0.2, "darken": 0.2, "lighten": 0.5,
    "difference": 0.3, "add": 0.7, "subtract": 0.0,
}  # fmt: skip


@pytest.mark.parametrize("mode", BLEND_MODES)
def test_each_mode_computes_its_formula(mode: BlendMode) -> None:
    result = blend(flat(0.2, 0.2, 0.2), flat(0.5, 0.5, 0.5), mode)
    assert np.allclose(result.pixels, EXPECTED[mode], atol=1e-6)
    assert set(EXPECTED) == set(BLEND_MODES)


def test_overlay_of_a_bright_base_screens() -> None:
    assert np.allclose(blend(flat(0.8), flat(0.5), "overlay").pixels, 0.8)
    assert np.allclose(blend(flat(0.8), flat(0.25), "overlay").pixels, 0.7)


def test_add_and_subtract_stay_in_range() -> None:
    assert blend(flat(0.8), flat(0.8), "add").pixels.max() == 1
    assert blend(flat(0.2), flat(0.8), "subtract").pixels.min() == 0


def test_opacity_and_mask_weigh_together() -> None:
    mask = Mask(np.array([[0, 0.5, 1]] * 2, np.float32))
    result = blend(flat(0, 0, 0), flat(1, 1, 1), "normal", 0.5, mask)
    assert np.allclose(result.pixels[0, :, 0], [0, 0.25, 0.5])


def test_alpha_of_the_upper_picture_counts() -> None:
    result = blend(flat(0, 0, 0), flat(1, 1, 1, 0.25))
    assert result.channels == 3
    assert np.allclose(result.pixels, 0.25)


def test_over_a_transparent_base_the_colour_is_its_own() -> None:
    """Straight alpha: a half transparent colour is not darkened; modes need something below."""
    result = blend(flat(0, 0, 0, 0), flat(0.6, 0.6, 0.6, 0.5), "multiply")
    assert np.allclose(result.pixels, [0.6, 0.6, 0.6, 0.5])


def test_two_half_transparent_pictures() -> None:
    result = blend(flat(0, 0, 0, 0.5), flat(1, 1, 1, 0.5))
    assert np.allclose(result.pixels[..., 3], 0.75)
    assert np.allclose(result.pixels[..., 0], 0.5 / 0.75)


def test_nothing_over_nothing_is_nothing() -> None:
    assert np.array_equal(blend(flat(1, 1, 1, 0), flat(1, 1, 1, 0)).pixels, np.zeros((2, 3, 4), np.float32))


def test_grey_and_colour_meet() -> None:
    assert blend(flat(0.5), flat(1, 0, 0)).channels == 3
    assert blend(flat(1, 0, 0), flat(0.5)).channels == 3
    assert blend(flat(1, 0, 0, 1), flat(0.5)).channels == 4
    assert blend(flat(0.5), flat(0.5)).channels == 1


def test_the_type_is_uint8_only_if_both_are() -> None:
    small, other = noise(3, 3, 3), noise(3, 3, 3, np.float32)
    assert blend(small, small).pixels.dtype == np.uint8
    assert np.array_equal(blend(small, small).pixels, small.pixels)
    assert blend(small, other).pixels.dtype == np.float32


def test_different_sizes_are_named() -> None:
    with pytest.raises(SizesDiffer) as caught:
        blend(noise(3, 4, 3), noise(4, 3, 3))
    assert "4 × 3" in str(caught.value)
    assert "3 × 4" in str(caught.value)
    with pytest.raises(SizesDiffer, match="the mask"):
        blend(noise(3, 4, 3), noise(3, 4, 3), mask=Mask(np.zeros((1, 1), np.float32)))


# --- adjust and solid ------------------------------------------------------------------------------------


def values(image: Image) -> Array:
    return image.pixels[0, 0]


def test_nothing_to_adjust_is_the_same_picture() -> None:
    image = noise(3, 3, 3)
    assert adjust(image) is image


def test_brightness_shifts_and_ends_in_white_and_black() -> None:
    assert np.allclose(values(adjust(flat(0.2, 0.4, 0.6), brightness=10)), [0.3, 0.5, 0.7])
    assert (adjust(noise(3, 3, 3), brightness=100).pixels == 255).all()
    assert (adjust(noise(3, 3, 3), brightness=-100).pixels == 0).all()


def test_contrast_turns_round_the_middle() -> None:
    assert np.allclose(values(adjust(flat(0.4, 0.5, 0.6), contrast=50)), [0.35, 0.5, 0.65])
    assert np.allclose(adjust(noise(3, 3, 3, np.float32), contrast=-100).pixels, 0.5)


def test_saturation_turns_round_grey() -> None:
    grey = adjust(noise(3, 3, 3, np.float32), saturation=-100).pixels
    assert np.allclose(grey, grey[..., :1], atol=1e-6)
    assert np.allclose(values(adjust(flat(1, 0, 0), saturation=-100)), 0.2126, atol=1e-5)
    assert np.allclose(values(adjust(flat(0.5, 0.5, 0.5), saturation=80)), 0.5, atol=1e-5)


def test_alpha_is_not_adjusted_and_grey_has_no_saturation() -> None:
    image = noise(3, 3, 4)
    assert np.array_equal(adjust(image, 30, 30, 30).pixels[..., 3], image.pixels[..., 3])
    assert adjust(noise(3, 3, 1), saturation=50).channels == 1


@pytest.mark.parametrize(
    ("color", "expected"), [("#ff8000", [255, 128, 0]), ("#FF800040", [255, 128, 0, 64])]
)
def test_a_plain_colour(color: str, expected: list[int]) -> None:
    image = solid(color, 3, 2)
    assert image.pixels.shape == (2, 3, len(expected))
    assert (image.pixels == expected).all()


@pytest.mark.parametrize("color", ["red", "#fff", "#ff80001", "ff8000", "#gg0000", ""])
def test_what_is_no_colour(color: str) -> None:
    with pytest.raises(ValueError, match="#rrggbb"):
        solid(color, 1, 1)
