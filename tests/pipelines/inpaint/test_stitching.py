"""Cutting out and pasting back: what is not masked stays as it was, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import MaskSizeDiffers
from pipelines.graph import types
from pipelines.graph.conversions import type_of
from pipelines.graph.values import Image, Mask, Stitch, nbytes
from pipelines.image import resize
from pipelines.inpaint import CropPlan, MaskSettings, SizeLimits, cut, paste, plan_crop
from tests.pipelines.inpaint.mask_shapes import disc, masks, picture

STARTER = SizeLimits((64, 64), 64, 64 * 64, 8)
LIMITS = st.sampled_from([STARTER, SizeLimits(), SizeLimits((40, 30), 30, 1600, 16)])
ROOMY = SizeLimits((64, 64), 64, 10**6, 8)
DTYPES = st.sampled_from([np.uint8, np.float32])


def outside(plan: CropPlan) -> np.ndarray:
    """H×W: True where the composite mask is 0."""
    values = np.zeros((plan.picture.height, plan.picture.width), np.float32)
    values[plan.box.slices] = plan.composite.values
    return values == 0


def plain(image: Image, *colour: float) -> Image:
    return image.with_pixels(np.broadcast_to(np.float32(colour), (image.height, image.width, len(colour))))


# --- for every mask --------------------------------------------------------------------------------------


@given(masks(), LIMITS, st.sampled_from([1, 3, 4]), DTYPES, st.booleans())
@settings(max_examples=120, deadline=None)
def test_outside_the_composite_mask_nothing_changes(
    mask: Mask, limits: SizeLimits, channels: int, dtype: type, match: bool
) -> None:
    image = picture(mask.width, mask.height, channels, dtype)
    plan = plan_crop(mask, 0.8, limits)
    part, denoise, stitch = cut(image, plan)
    assert (part.width, part.height) == (denoise.width, denoise.height) == plan.work
    assert (part.channels, part.pixels.dtype) == (channels, dtype)
    result = paste(stitch, plain(part, 1, 0, 1), match)
    assert (result.pixels.shape, result.pixels.dtype) == (image.pixels.shape, image.pixels.dtype)
    assert np.array_equal(result.pixels[outside(plan)], image.pixels[outside(plan)])
    assert image.info["seed"] == result.info["seed"]


@given(masks(), LIMITS, st.sampled_from([1, 3, 4]), DTYPES, st.booleans())
@settings(max_examples=120, deadline=None)
def test_there_and_back_is_the_same_picture(
    mask: Mask, limits: SizeLimits, channels: int, dtype: type, match: bool
) -> None:
    image = picture(mask.width, mask.height, channels, dtype)
    plan = plan_crop(mask, 0.8, limits)
    part, _, stitch = cut(image, plan)
    result = paste(stitch, part, match and plan.scale == 1)
    if plan.scale == 1 and not match:
        assert np.array_equal(result.pixels, image.pixels)
    elif plan.scale == 1:
        assert np.allclose(result.as_float(), image.as_float(), atol=1e-5)
    assert np.array_equal(result.pixels[outside(plan)], image.pixels[outside(plan)])


@given(masks())
@settings(max_examples=40, deadline=None)
def test_the_mask_to_draw_with_is_whole_where_all_is_selected(mask: Mask) -> None:
    full = Mask(np.ones_like(mask.values))
    _, denoise, _ = cut(picture(mask.width, mask.height), plan_crop(full, 1.0, STARTER))
    assert denoise.values.min() > 1 - 1e-6


# --- the picture -----------------------------------------------------------------------------------------


def test_what_is_drawn_arrives_under_the_mask() -> None:
    image = picture(200, 150)
    plan = plan_crop(disc(200, 150, 60, 70, 20), 1.0, ROOMY)
    part, _, stitch = cut(image, plan)
    result = paste(stitch, plain(part, 1, 0, 0))
    assert result.pixels[70, 60].tolist() == [255, 0, 0]
    assert np.array_equal(result.pixels[:, 150:], image.pixels[:, 150:])


def test_a_smooth_picture_survives_resampling() -> None:
    ramp = np.linspace(0, 1, 300, dtype=np.float32)
    image = Image(
        np.dstack(
            [np.tile(ramp, (300, 1)), np.tile(ramp[:, None], (1, 300)), np.full((300, 300), 0.5)]
        ).astype(np.float32)
    )
    for limits in (STARTER, SizeLimits()):
        part, _, stitch = cut(image, plan_crop(disc(300, 300, 150, 150, 110), 1.0, limits))
        assert np.abs(paste(stitch, part).pixels - image.pixels).max() < 0.02


def test_a_picture_not_of_the_model_s_multiples_is_mirrored_not_stretched() -> None:
    image = picture(61, 64)
    plan = plan_crop(disc(61, 64, 30, 30, 8), 1.0, STARTER)
    part, denoise, stitch = cut(image, plan)
    assert plan.work == (64, 64)
    assert np.array_equal(part.pixels[:, :61], image.pixels)
    assert np.array_equal(part.pixels[:, 61], image.pixels[:, 60])
    assert denoise.values.shape == (64, 64)
    assert np.array_equal(paste(stitch, part).pixels, image.pixels)


@pytest.mark.parametrize("size", [(61, 64), (128, 128), (37, 44)])
def test_what_comes_back_larger_or_smaller_is_brought_to_size(size: tuple[int, int]) -> None:
    image = picture(61, 64)
    part, _, stitch = cut(image, plan_crop(disc(61, 64, 30, 30, 8), 1.0, STARTER))
    result = paste(stitch, resize(plain(part, 0, 1, 0), *size))
    assert result.pixels[30, 30].tolist() == [0, 255, 0]
    assert (result.width, result.height) == (61, 64)


def test_deep_pictures_stay_deep() -> None:
    image = Image((np.arange(64 * 64 * 3, dtype=np.float32) / (64 * 64 * 3)).reshape(64, 64, 3))
    part, _, stitch = cut(image, plan_crop(disc(64, 64, 32, 32, 6), 1.0, STARTER))
    result = paste(stitch, Image(part.as_uint8()))
    assert result.pixels.dtype == np.float32
    assert np.array_equal(result.pixels[:8], image.pixels[:8])


def test_a_grey_picture_stays_grey() -> None:
    part, _, stitch = cut(picture(64, 64, 1), plan_crop(disc(64, 64, 32, 32, 6), 1.0, STARTER))
    assert paste(stitch, plain(part, 1, 0, 0)).pixels[32, 32].tolist() == [round(0.2126 * 255)]


def test_grey_drawn_into_colour() -> None:
    part, _, stitch = cut(picture(64, 64), plan_crop(disc(64, 64, 32, 32, 6), 1.0, STARTER))
    assert paste(stitch, plain(part, 1)).pixels[32, 32].tolist() == [255, 255, 255]


def test_a_transparent_hole_is_closed_and_an_outline_kept() -> None:
    pixels = picture(64, 64, 4).pixels.copy()
    pixels[..., 3] = 255
    pixels[28:36, 28:36] = (9, 9, 9, 0)  # to be repainted
    pixels[:, 60:] = (9, 9, 9, 0)  # the outline, out of reach
    part, _, stitch = cut(Image(pixels), plan_crop(disc(64, 64, 32, 32, 7), 1.0, STARTER))
    result = paste(stitch, plain(part, 0, 0, 1)).pixels
    assert result[32, 32].tolist() == [0, 0, 255, 255]
    assert np.array_equal(result[:, 60:], pixels[:, 60:])


def test_colours_under_transparency_don_t_bleed_in_the_blend() -> None:
    pixels = np.full((64, 64, 4), (0, 255, 0, 0), np.uint8)  # invisible green
    settings_ = MaskSettings(0, 0, 12)
    part, _, stitch = cut(Image(pixels), plan_crop(disc(64, 64, 32, 32, 8), 1.0, STARTER, settings_))
    result = paste(stitch, plain(part, 1, 0, 0, 1)).pixels
    seen = (result[..., 3] > 0) & (result[..., 3] < 255)
    assert seen.any()
    assert (result[seen][:, 0] == 255).all()
    assert (result[seen][:, 1] == 0).all()


def test_matching_takes_a_shift_of_colour_back_and_keeps_what_is_new() -> None:
    image = Image(np.full((256, 256, 3), 0.4, np.float32))
    plan = plan_crop(disc(256, 256, 128, 128, 40), 1.0, SizeLimits((256, 256), 256, 256 * 256, 8))
    part, _, stitch = cut(image, plan)
    drawn = part.pixels + np.float32([0.1, -0.05, 0.02])  # what an autoencoder does
    drawn[118:138, 118:138] += 0.3  # what was drawn
    seam, plain_seam = (paste(stitch, part.with_pixels(drawn), match).pixels for match in (True, False))
    assert np.abs(seam[100, 128] - 0.4).max() < 0.01
    assert np.abs(plain_seam[100, 128] - 0.4).max() > 0.09
    assert np.abs(seam[128, 128] - 0.7).max() < 0.02


def test_matching_without_anything_to_match_changes_nothing() -> None:
    image = picture(64, 64)
    part, _, stitch = cut(image, plan_crop(Mask(np.ones((64, 64), np.float32)), 1.0, STARTER))
    drawn = plain(part, 0.2, 0.4, 0.6)
    assert np.array_equal(paste(stitch, drawn, True).pixels, paste(stitch, drawn).pixels)


def test_the_result_remembers_how_it_was_made() -> None:
    image = picture(64, 64)
    plan = plan_crop(disc(64, 64, 32, 32, 6), 0.7, STARTER)
    part, _, stitch = cut(image, plan)
    result = paste(stitch, part.with_pixels(part.pixels, prompt="a pear"))
    assert (result.info["seed"], result.info["prompt"]) == (7, "a pear")
    story = result.info["inpaint"]
    assert story["crop"] == [0, 0, 64, 64]
    assert story["strength"] == 0.7
    assert story["mask_hash"] == plan.selection_hash
    assert {"grow", "feather", "blend", "context", "padding", "work"} <= set(story)


# --- bad input -------------------------------------------------------------------------------------------


def test_a_picture_of_another_size_names_both() -> None:
    with pytest.raises(MaskSizeDiffers) as caught:
        cut(picture(65, 64), plan_crop(disc(64, 32, 32, 16, 6), 1.0, STARTER))
    assert "65 × 64" in str(caught.value)
    assert "64 × 32" in str(caught.value)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 20_000), (20_000, 1)])
def test_pictures_like_threads(width: int, height: int) -> None:
    image = picture(width, height)
    part, mask, stitch = cut(image, plan_crop(Mask(np.ones((height, width), np.float32)), 1.0, SizeLimits()))
    assert part.width * part.height <= 768 * 768
    assert mask.values.min() > 1 - 1e-6
    assert (paste(stitch, plain(part, 0, 0, 1)).pixels == [0, 0, 255]).all()


# --- the value -------------------------------------------------------------------------------------------


def test_a_stitch_is_a_value_of_its_own_type() -> None:
    _, _, stitch = cut(picture(64, 64), plan_crop(disc(64, 64, 32, 32, 6), 1.0, STARTER))
    assert isinstance(stitch, Stitch)
    assert type_of(stitch) == types.Stitch
    assert nbytes(stitch) >= 64 * 64 * (3 + 4 + 4)
    assert not stitch.original.pixels.flags.writeable
    with pytest.raises(TypeError):
        stitch.info["crop"] = 1  # type: ignore[index]
    with pytest.raises(AttributeError):
        stitch.box = (0, 0, 1, 1)  # type: ignore[misc]
    assert replace(stitch, box=(1, 1, 2, 2)).box == (1, 1, 2, 2)
