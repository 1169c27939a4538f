"""Selecting by colour: connected areas, ranges, objects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import Cancelled
from pipelines.graph.values import Image
from pipelines.inpaint import Box, color_range, flood_fill, select_object
from tests.pipelines.inpaint.mask_shapes import disc, picture


def two_discs(width: int = 200, height: int = 100, channels: int = 3) -> Image:
    """Two red discs on grey."""
    pixels = np.full((height, width, 3), 128, np.uint8)
    for x in (50, 150):
        pixels[disc(width, height, x, 50, 30).values > 0] = (220, 20, 20)
    return Image(pixels if channels == 3 else np.dstack([pixels, np.full((height, width), 255, np.uint8)]))


def agreement(found: np.ndarray, wanted: np.ndarray) -> float:
    """Intersection over union."""
    return float(np.minimum(found, wanted).sum() / np.maximum(found, wanted).sum())


def test_flood_fill_takes_what_is_joined_and_alike() -> None:
    found = flood_fill(two_discs(), 50, 50, 0.1)
    assert np.array_equal(found.values, disc(200, 100, 50, 50, 30).values)
    ground = flood_fill(two_discs(), 0, 0, 0.1)
    assert ground.values[50, 100] == 1
    assert ground.values[50, 50] == 0
    assert flood_fill(two_discs(), 0, 0, 1.0).values.all()


@given(st.integers(0, 29), st.integers(0, 19), st.floats(0, 1), st.sampled_from([1, 3, 4]))
@settings(max_examples=40, deadline=None)
def test_flood_fill_holds_its_pixel_and_nothing_further_off(
    x: int, y: int, tolerance: float, channels: int
) -> None:
    image = picture(30, 20, channels, np.float32)
    found = flood_fill(image, x, y, tolerance).values
    assert found[y, x] == 1
    if channels != 4:
        assert (np.abs(image.pixels - image.pixels[y, x]).max(2)[found > 0] <= tolerance + 1e-5).all()


def test_flood_fill_treats_all_that_is_transparent_alike() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 4), np.uint8)
    pixels[..., 3] = 0
    pixels[5:9, 5:9] = (255, 0, 0, 255)
    found = flood_fill(Image(pixels), 0, 0, 0.05).values
    assert found.sum() == 400 - 16


@pytest.mark.parametrize(("x", "y"), [(-1, 0), (0, 100), (200, 0)])
def test_flood_fill_starts_inside(x: int, y: int) -> None:
    with pytest.raises(ValueError, match="200 × 100"):
        flood_fill(two_discs(), x, y, 0.1)


def test_a_range_of_colour_is_found_everywhere_and_soft() -> None:
    found = color_range(two_discs(), "#dc1414", 0.2).values
    assert np.array_equal(
        found, np.maximum(disc(200, 100, 50, 50, 30).values, disc(200, 100, 150, 50, 30).values)
    )
    ramp = Image(np.linspace(0, 1, 101, dtype=np.float32)[None, :, None].repeat(3, 2))
    values = color_range(ramp, "#000000", 0.4).values[0]
    assert values[20] == pytest.approx(1, abs=1e-5)
    assert values[30] == pytest.approx(0.5, abs=1e-5)
    assert values[40] == pytest.approx(0, abs=1e-5)
    assert (color_range(ramp, "#000000", 0).values[0] > 0).sum() == 1


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_colours_with_and_without_alpha(channels: int) -> None:
    image = Image(np.full((2, 2, channels), 255, np.uint8))
    assert color_range(image, "#ffffff", 0.1).values.all()
    assert color_range(image, "#ffffffff", 0.1).values.all()
    assert not color_range(image, "#ffffff00", 0.1).values.any()


def test_what_is_no_colour() -> None:
    with pytest.raises(ValueError, match="#rrggbb"):
        color_range(two_discs(), "red", 0.1)


@pytest.mark.parametrize("channels", [3, 4])
def test_an_object_is_told_from_its_ground(channels: int) -> None:
    found = select_object(two_discs(channels=channels), Box(12, 10, 76, 80)).values
    assert agreement(found, disc(200, 100, 50, 50, 30).values) > 0.97
    again = select_object(two_discs(channels=channels), Box(12, 10, 76, 80)).values
    assert np.array_equal(found, again)


def test_in_a_large_picture_outlines_are_refined() -> None:
    size = 1400
    pixels = np.full((size, size, 3), (90, 110, 120), np.uint8)
    wanted = disc(size, size, 700, 650, 400).values
    pixels[wanted > 0] = (200, 160, 40)
    found = select_object(Image(pixels), Box(250, 200, 900, 900), rounds=2).values
    assert agreement(found, wanted) > 0.99


def test_nothing_outside_the_box_is_selected() -> None:
    found = select_object(two_discs(), Box(20, 20, 40, 40)).values
    outside = np.ones((100, 200), bool)
    outside[20:60, 20:60] = False
    assert not found[outside].any()


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (1, 400), (40, 40)])
def test_a_box_as_large_as_the_picture(size: tuple[int, int]) -> None:
    found = select_object(picture(*size), Box(0, 0, *size))
    assert (found.width, found.height) == size


def test_a_box_outside_the_picture() -> None:
    with pytest.raises(ValueError):
        select_object(two_discs(), Box(300, 0, 10, 10))


def test_it_can_be_stopped() -> None:
    def stop() -> None:
        raise Cancelled()

    with pytest.raises(Cancelled):
        select_object(two_discs(), Box(12, 10, 76, 80), check=stop)
