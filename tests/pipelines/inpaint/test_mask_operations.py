"""Operations on masks: what holds for every mask, and what each of them is for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import MaskSizeDiffers
from pipelines.graph.values import Image, Mask
from pipelines.inpaint import (
    COMBINATIONS,
    bounds,
    combine,
    feather,
    fill_holes,
    from_alpha,
    from_channel,
    from_luminance,
    grow,
    invert,
    morphology,
    shrink,
    smooth,
    threshold,
)
from tests.pipelines.inpaint.mask_shapes import disc, distances, hill, masks, picture

RADII = st.one_of(st.integers(0, 60), st.floats(0, 60))
EMPTY = Mask(np.zeros((7, 9), np.float32))


def mask_of(rows: list[list[float]]) -> Mask:
    return Mask(np.array(rows, np.float32))


# --- for every mask --------------------------------------------------------------------------------------


@given(masks(), RADII)
@settings(max_examples=60, deadline=None)
def test_growing_adds_and_stays_within_the_radius(mask: Mask, radius: float) -> None:
    grown = grow(mask, radius)
    assert (grown.values >= mask.values).all()
    assert not (grown.values[distances(mask) > radius + 1e-4] > 0).any()
    assert grown.values.max() <= mask.values.max() + 1e-4
    if radius >= 3:  # and it does reach out: nine tenths at least, in every direction, at every level
        top = mask.values.max()
        assert (grown.values[distances(mask, top - 1e-6) <= 0.85 * radius - 1.5] >= top - 1e-4).all()


@given(masks(), RADII)
@settings(max_examples=60, deadline=None)
def test_shrinking_takes_away_and_stays_within_the_radius(mask: Mask, radius: float) -> None:
    shrunk = shrink(mask, radius)
    assert (shrunk.values <= mask.values).all()
    inner = distances(Mask(1 - mask.values)) > radius + 1e-4  # further from all that is less than 1
    assert (shrunk.values[inner] >= 1 - 1e-4).all()


@given(masks(), RADII)
@settings(max_examples=40, deadline=None)
def test_growing_and_shrinking_are_each_others_mirror(mask: Mask, radius: float) -> None:
    assert np.allclose(shrink(mask, radius).values, 1 - grow(invert(mask), radius).values, atol=1e-4)
    assert np.array_equal(grow(mask, -radius).values, shrink(mask, radius).values)


@given(masks(), st.floats(0, 80))
@settings(max_examples=60, deadline=None)
def test_feathering_moves_nothing_further_than_half_its_width(mask: Mask, width: float) -> None:
    soft = feather(mask, width)
    far = np.ones_like(mask.values, bool)
    box = bounds(mask)
    assert box is not None
    far[box.grown(width / 2).clipped(mask.width, mask.height).slices] = False
    assert not soft.values[far].any()
    assert 0 <= soft.values.min() <= soft.values.max() <= mask.values.max() + 1e-6


@given(masks())
@settings(max_examples=60, deadline=None)
def test_bounds_hold_everything_and_no_more(mask: Mask) -> None:
    box = bounds(mask)
    assert box is not None
    inside = np.zeros_like(mask.values, bool)
    inside[box.slices] = True
    assert not mask.values[~inside].any()
    part = mask.values[box.slices]
    assert all(edge.any() for edge in (part[0], part[-1], part[:, 0], part[:, -1]))


@given(masks())
@settings(max_examples=40, deadline=None)
def test_filling_holes_only_adds_and_needs_no_second_time(mask: Mask) -> None:
    filled = fill_holes(mask)
    assert (filled.values >= mask.values).all()
    assert np.array_equal(fill_holes(filled).values, filled.values)


@given(masks())
@settings(max_examples=30, deadline=None)
def test_combinations_of_a_mask_with_itself(mask: Mask) -> None:
    assert np.array_equal(combine(mask, mask, "add").values, mask.values)
    assert np.array_equal(combine(mask, mask, "intersect").values, mask.values)
    assert not combine(mask, mask, "difference").values.any()
    assert (combine(mask, mask, "subtract").values <= 0.5).all()
    assert np.allclose(invert(invert(mask)).values, mask.values, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: grow(m, 5),
        lambda m: shrink(m, 5),
        lambda m: feather(m, 8),
        lambda m: smooth(m, 4),
        fill_holes,
    ],
)
def test_nothing_stays_nothing(change) -> None:
    assert bounds(EMPTY) is None
    assert not change(EMPTY).values.any()


# --- what each is for ------------------------------------------------------------------------------------


def test_a_hard_mask_grows_by_a_true_disc_and_stays_hard() -> None:
    grown = grow(disc(101, 101, 50, 50, 0), 30)
    assert np.array_equal(grown.values, disc(101, 101, 50, 50, 30).values)


def test_a_soft_mask_keeps_the_shape_of_its_edge() -> None:
    """A cone grows to a plateau with the same slope: every level moves outwards alike."""
    before, grown = hill(), grow(hill(), 30)
    middle = grown.values[80, 130:170]
    assert np.allclose(middle, before.values[80, 100:140], atol=0.06)
    round_about = [
        grown.values[80 + round(50 * np.sin(a)), 100 + round(50 * np.cos(a))] for a in np.arange(0, 6.3, 0.2)
    ]
    assert max(round_about) - min(round_about) < 0.06  # as wide in every direction


def test_flat_half_strength_stays_half_strength() -> None:
    half = disc(80, 80, 40, 40, 20, 0.5)
    assert grow(half, 10).values.max() == pytest.approx(0.5, abs=1e-4)
    assert grow(half, 10).values[40, 68] == pytest.approx(0.5, abs=1e-4)
    assert shrink(half, 30).values.max() == pytest.approx(0.0, abs=1e-4)
    assert feather(half, 10).values[40, 40] == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("soft", [False, True])
def test_the_picture_s_edge_is_no_edge_of_the_mask(soft: bool) -> None:
    """What touches the edge neither shrinks away from it nor fades out at it."""
    values = np.zeros((60, 80), np.float32)
    values[:, :30] = 1
    if soft:
        values[5, 70] = 0.5
    mask = Mask(values)
    assert (shrink(mask, 10).values[:, :20] == 1).all()
    assert not shrink(mask, 10).values[:, 22 if soft else 20 :].any()
    assert (feather(mask, 20).values[:, :20] == 1).all()
    assert (grow(mask, 10).values[:, :38] == 1).all()


def test_at_the_edge_a_soft_mask_grows_as_far_as_elsewhere() -> None:
    rows, columns = np.mgrid[:120, :300]
    cone = np.clip(1 - np.hypot(columns - 150, rows - 119) / 20, 0, 1).astype(np.float32)
    bottom, top = grow(Mask(cone), 60).values[-1], grow(Mask(cone[::-1].copy()), 60).values[0]
    assert np.allclose(bottom, top, atol=1e-4)
    assert bottom[150 + 57] > 0.95


def test_a_feathered_edge_has_its_width_and_its_middle_where_the_edge_was() -> None:
    values = np.zeros((40, 200), np.float32)
    values[:, :100] = 1
    edge = feather(Mask(values), 40).values[20]
    assert edge[79] == 1
    assert edge[121] == 0
    assert edge[99] + edge[100] == pytest.approx(1, abs=1e-5)
    assert (np.diff(edge) <= 0).all()


def test_smoothing_rounds_corners_removes_specks_and_keeps_edges_steep() -> None:
    values = np.zeros((120, 120), np.float32)
    values[30:90, 30:90] = 1
    values[5, 5] = 1
    result = smooth(Mask(values), 8).values
    assert result[5, 5] == 0
    assert result[31, 31] < 0.5 < result[60, 60]
    assert result[60, 60] == 1
    across = result[60, 20:40]
    assert ((across > 0.05) & (across < 0.95)).sum() <= 4
    assert abs(result.sum() - 3600) < 200


def test_smoothing_leaves_soft_edges_soft() -> None:
    assert np.abs(smooth(hill(), 4).values - hill().values).max() < 0.12


def test_holes_are_filled_to_the_least_value_round_them() -> None:
    ring = combine(disc(60, 60, 30, 30, 20), disc(60, 60, 30, 30, 10), "difference")
    assert np.array_equal(fill_holes(ring).values, disc(60, 60, 30, 30, 20).values)
    assert fill_holes(Mask(ring.values * 0.75)).values[30, 30] == 0.75


def test_a_bay_of_the_picture_s_edge_is_no_hole() -> None:
    arch = combine(disc(60, 60, 30, 59, 30), disc(60, 60, 30, 59, 20), "difference")
    assert np.array_equal(fill_holes(arch).values, arch.values)


def test_combining_by_hand() -> None:
    one, two = mask_of([[0, 0.5, 1, 1]]), mask_of([[1, 0.25, 0.25, 1]])
    expected = {
        "add": [1, 0.5, 1, 1], "subtract": [0, 0.5, 0.75, 0],
        "intersect": [0, 0.25, 0.25, 1], "difference": [1, 0.25, 0.75, 0],
    }  # fmt: skip
    assert set(expected) == set(COMBINATIONS)
    for how in COMBINATIONS:
        assert combine(one, two, how).values[0].tolist() == expected[how]


def test_masks_of_different_sizes_name_both() -> None:
    with pytest.raises(MaskSizeDiffers) as caught:
        combine(EMPTY, Mask(np.zeros((3, 4), np.float32)), "add")
    assert "9 × 7" in str(caught.value)
    assert "4 × 3" in str(caught.value)


def test_threshold_is_hard() -> None:
    assert threshold(mask_of([[0.2, 0.5, 0.7]])).values[0].tolist() == [0, 1, 1]
    assert threshold(mask_of([[0.2, 0.5, 0.7]]), 0.6).values[0].tolist() == [0, 0, 1]


def test_masks_from_pictures() -> None:
    pixels = np.array([[[255, 0, 0, 255], [0, 0, 255, 51]]], np.uint8)
    image = Image(pixels)
    assert np.allclose(from_alpha(image).values, [[0, 0.8]])
    assert np.allclose(from_luminance(image).values, [[0.2126, 0.0722]], atol=1e-6)
    assert from_channel(image, "red").values.tolist() == [[1, 0]]
    assert from_channel(image, "blue").values.tolist() == [[0, 1]]
    assert not from_channel(picture(4, 3), "alpha").values.any()
    grey = picture(4, 3, 1)
    assert np.array_equal(from_channel(grey, "green").values, grey.as_float()[..., 0])


def test_deep_pictures_make_fine_masks() -> None:
    fine = Image(np.array([[[0.1], [0.1001]]], np.float32))
    assert from_luminance(fine).values[0].tolist() == np.array([0.1, 0.1001], np.float32).tolist()


def test_a_mask_holds_nothing_but_zero_to_one() -> None:
    mask = Mask(np.array([[np.nan, -1, 2, np.inf, 0.5]], np.float32))
    assert mask.values[0].tolist() == [0, 0, 1, 1, 0.5]


def test_large_masks_take_the_quick_way_within_the_same_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above 4 million pixels distances and polygons are coarser; here, already above 1,000."""
    for mask in (disc(200, 160, 100, 80, 12), hill()):
        exact = grow(mask, 40).values
        with monkeypatch.context() as patch:
            patch.setattr(morphology, "_EXACT_PIXELS", 1_000)
            quick = grow(mask, 40).values
        assert not (quick[distances(mask) > 40] > 0).any()
        assert (quick[distances(mask) < 34] > 0).all()
        assert np.abs(quick - exact).mean() < 0.04
        assert (quick >= mask.values).all()
