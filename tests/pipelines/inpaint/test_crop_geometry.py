"""The crop plan: its invariants for every mask and setting, and the numbers it starts from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import ImageTooLarge, MaskEmpty
from pipelines.graph.values import Mask
from pipelines.inpaint import Box, CropPlan, MaskSettings, SizeLimits, bounds, limits_for, plan_crop
from pipelines.inpaint.geometry import work_size
from tests.pipelines.inpaint.mask_shapes import disc, distances, hill, masks

STARTER = SizeLimits((64, 64), 64, 64 * 64, 8)
SD1 = SizeLimits()
SDXL = SizeLimits((1024, 1024), 1024, 1024 * 1024, 8)
LENGTHS = st.one_of(st.none(), st.floats(0, 50))
LIMITS = st.sampled_from(
    [STARTER, SD1, SDXL, SizeLimits((40, 30), 30, 1600, 16), SizeLimits((7, 9), 3, 65, 1)]
)
SETTINGS = st.builds(MaskSettings, LENGTHS, LENGTHS, LENGTHS, LENGTHS, st.integers(0, 40))


def rectangle(width: int, height: int, box: Box) -> Mask:
    values = np.zeros((height, width), np.float32)
    values[box.slices] = 1
    return Mask(values)


def whole(plan: CropPlan, mask: Mask) -> np.ndarray:
    """A mask of the plan in the whole picture."""
    values = np.zeros((plan.picture.height, plan.picture.width), np.float32)
    values[plan.box.slices] = mask.values
    return values


# --- for every mask --------------------------------------------------------------------------------------


@given(masks(), st.floats(0, 1), LIMITS, SETTINGS)
@settings(max_examples=150, deadline=None)
def test_the_masks_of_every_plan(
    mask: Mask, strength: float, limits: SizeLimits, chosen: MaskSettings
) -> None:
    plan = plan_crop(mask, strength, limits, chosen)
    denoise, composite, numbers = whole(plan, plan.denoise), whole(plan, plan.composite), plan.settings
    assert (denoise >= mask.values).all()
    assert (denoise[mask.values == 1] == 1).all()
    assert (composite[denoise > 0] == 1).all()
    away = distances(mask)
    assert not composite[away > numbers.grow + numbers.feather + numbers.blend + 1e-3].any()
    assert not denoise[away > numbers.grow + numbers.feather + 1e-3].any()


@given(masks(), st.floats(0, 1), LIMITS, SETTINGS)
@settings(max_examples=150, deadline=None)
def test_the_crop_of_every_plan(
    mask: Mask, strength: float, limits: SizeLimits, chosen: MaskSettings
) -> None:
    plan = plan_crop(mask, strength, limits, chosen)
    box, found = plan.box, bounds(mask)
    assert found is not None
    assert 0 <= box.x <= found.x
    assert 0 <= box.y <= found.y
    assert found.right <= box.right <= mask.width
    assert found.bottom <= box.bottom <= mask.height
    assert (plan.denoise.width, plan.denoise.height) == (box.width, box.height)
    for side, length in ((mask.width, box.width), (mask.height, box.height)):
        assert length >= min(side, limits.min_side)
        assert length == side or length % limits.multiple == 0
    _check_work(plan, limits)


@given(st.integers(1, 5_000), st.integers(1, 5_000), LIMITS)
@settings(max_examples=300, deadline=None)
def test_work_sizes(width: int, height: int, limits: SizeLimits) -> None:
    work, content = work_size(Box(0, 0, width, height), limits)
    assert work.width % limits.multiple == work.height % limits.multiple == 0
    assert 0 < work.width * work.height <= limits.max_pixels
    if content != (width, height):
        assert content == work
    if 0.9 * limits.native[0] * limits.native[1] <= width * height <= 0.9 * limits.max_pixels:
        assert content == (width, height) or min(width, height) < 10 * limits.multiple
    if min(work) >= 8 * limits.multiple:  # the shape is kept as far as multiples allow
        assert math.log(work.width / work.height) == pytest.approx(math.log(width / height), abs=0.2)


def _check_work(plan: CropPlan, limits: SizeLimits) -> None:
    work, content = plan.work, plan.content
    assert work.width % limits.multiple == work.height % limits.multiple == 0
    assert work.width * work.height <= limits.max_pixels
    if content == (plan.box.width, plan.box.height):
        assert 0 <= work.width - content.width < limits.multiple
        assert 0 <= work.height - content.height < limits.multiple
        assert plan.scale == 1
    else:
        assert content == work


# --- the numbers -----------------------------------------------------------------------------------------


def test_the_formulas_at_full_strength() -> None:
    found = Box(1000, 800, 300, 400)  # a diagonal of 500
    plan = plan_crop(rectangle(2048, 1600, found), 1.0, SD1)
    numbers = plan.settings
    assert numbers.feather == 50
    assert numbers.grow == 29
    assert numbers.blend == 25
    assert numbers.context == 175  # half of the bounds' average side, more than 2048/16
    # 300 + 2·175 = 650 and 400 + 2·175 = 750, up to multiples of 8
    assert (plan.box.width, plan.box.height) == (656, 752)
    assert plan.box.x <= 1000 - 175
    assert plan.box.bottom >= 1200 + 175
    assert plan.work == (656, 752)
    assert plan.scale == 1


def test_small_selections_get_the_least_feather_and_the_least_crop() -> None:
    plan = plan_crop(rectangle(2000, 1000, Box(990, 490, 20, 20)), 1.0, SD1)
    assert (plan.settings.feather, plan.settings.grow, plan.settings.blend) == (32, 20, 25)
    assert plan.settings.context == 125  # a sixteenth of the picture's longest side
    assert plan.box == (744, 244, 512, 512)


def test_less_strength_needs_less_of_everything() -> None:
    mask = rectangle(2048, 2048, Box(800, 800, 300, 400))
    full, half = (plan_crop(mask, strength, SD1).settings for strength in (1.0, 0.5))
    assert half.feather == full.feather / 2
    assert half.grow == 4 + half.feather / 2
    assert half.context == full.context / 2
    none = plan_crop(mask, 0.0, SD1)
    assert (none.settings.feather, none.settings.grow, none.settings.blend) == (0, 4, 4)
    assert none.settings.context >= none.settings.reach


def test_small_pictures_keep_some_of_themselves() -> None:
    """On a picture of 64 px the constants are an eighth: most of the picture stays as it is."""
    plan = plan_crop(disc(64, 64, 32, 32, 9), 1.0, STARTER)
    assert plan.settings.feather == pytest.approx(4)
    assert plan.settings.grow == pytest.approx(2.5)
    assert (plan.box, plan.work) == ((0, 0, 64, 64), (64, 64))
    assert (plan.composite.values == 0).mean() > 0.6
    assert plan.denoise.values[32, 32] == 1


def test_what_is_set_is_used() -> None:
    plan = plan_crop(disc(900, 900, 450, 450, 50), 1.0, SD1, MaskSettings(10, 20, 5, 40, 300))
    assert (plan.settings.grow, plan.settings.feather, plan.settings.blend) == (10, 20, 5)
    assert plan.settings.context == 40
    assert plan.box.width == 101 + 2 * 340 + 3  # up to a multiple
    assert plan.composite.values.sum() < math.pi * (51 + 10 + 20 + 5) ** 2


def test_context_always_holds_the_composite_mask() -> None:
    mask = disc(900, 900, 450, 450, 300)
    plan = plan_crop(mask, 1.0, SD1, MaskSettings(30, 40, 20, 0))
    edge = plan.composite.values
    assert not any(line.any() for line in (edge[0], edge[-1], edge[:, 0], edge[:, -1]))


def test_without_lengths_the_masks_are_the_selection() -> None:
    for mask in (hill(), disc(50, 40, 10, 10, 8)):
        plan = plan_crop(mask, 1.0, STARTER, MaskSettings(0, 0, 0, 0))
        assert np.array_equal(whole(plan, plan.denoise), mask.values)
        assert np.array_equal(whole(plan, plan.composite), (mask.values > 0).astype(np.float32))


def test_the_denoise_mask_fades_out_and_the_composite_mask_beyond_it() -> None:
    plan = plan_crop(rectangle(1000, 1000, Box(450, 450, 100, 100)), 1.0, SD1)
    denoise, composite = whole(plan, plan.denoise)[500], whole(plan, plan.composite)[500]
    assert (denoise[549:553] == 1).all()  # 4 px beyond the selection
    assert denoise[550 + 20] == pytest.approx(0.5, abs=0.05)
    assert denoise[550 + 36] == 0
    assert (np.diff(denoise[550:]) <= 0).all()
    assert (np.diff(composite[550:]) <= 0).all()
    assert np.abs(np.diff(composite)).max() < 0.1
    assert composite[550 + 61] == 0


def test_a_wide_feather_loses_no_thin_line_and_has_no_steps() -> None:
    values = np.zeros((1200, 1200), np.float32)
    values[600, 100:1100] = 1
    plan = plan_crop(Mask(values), 1.0, SDXL)
    assert plan.settings.feather > 90
    denoise = whole(plan, plan.denoise)
    assert (denoise[600, 100:1100] == 1).all()
    assert np.abs(np.diff(denoise[:, 600])).max() < 0.05


def test_at_the_edge_of_the_picture_nothing_fades() -> None:
    plan = plan_crop(rectangle(600, 600, Box(0, 0, 100, 600)), 1.0, SD1)
    assert (plan.denoise.values[:, :104] == 1).all()
    full = plan_crop(Mask(np.ones((700, 900), np.float32)), 1.0, SD1)
    assert (full.denoise.values == 1).all()
    assert (full.composite.values == 1).all()


@pytest.mark.parametrize(
    ("width", "height", "box", "work"),
    [
        (1, 1, (0, 0, 1, 1), (512, 512)),
        (1, 100_000, (0, 0, 1, 100_000), (8, 73_728)),
        (100_000, 1, (0, 0, 100_000, 1), (73_728, 8)),
        (64, 64, (0, 0, 64, 64), (512, 512)),
        (4_000, 3_000, (0, 0, 4_000, 3_000), (888, 664)),
        (500, 600, (0, 0, 500, 600), (504, 600)),
    ],
)
def test_pictures_of_all_shapes(width: int, height: int, box: tuple[int, ...], work: tuple[int, int]) -> None:
    plan = plan_crop(Mask(np.ones((height, width), np.float32)), 1.0, SD1)
    assert plan.box == box
    assert plan.work == work
    assert (plan.denoise.values == 1).all()


def test_a_dot_in_a_thread() -> None:
    values = np.zeros((100_000, 1), np.float32)
    values[70_000] = 1
    plan = plan_crop(Mask(values), 1.0, SD1)
    assert plan.box.y < 70_000 < plan.box.bottom
    assert plan.box.width == 1
    assert plan.work.width * plan.work.height <= SD1.max_pixels


# --- refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, np.nan])
def test_an_empty_mask_offers_the_whole_image(value: float) -> None:
    with pytest.raises(MaskEmpty, match="whole image"):
        plan_crop(Mask(np.full((10, 10), value, np.float32)), 1.0, SD1)


def test_a_mask_of_too_many_pixels_is_refused_with_numbers() -> None:
    class Huge:
        width = height = 30_000

    with pytest.raises(ImageTooLarge, match="30000 × 30000"):
        plan_crop(Huge(), 1.0, SD1)  # type: ignore[arg-type]


@pytest.mark.parametrize("strength", [-0.1, 1.1, math.nan])
def test_strength_is_a_share(strength: float) -> None:
    with pytest.raises(ValueError, match="strength"):
        plan_crop(disc(9, 9, 4, 4, 2), strength, SD1)


@pytest.mark.parametrize("name", ["grow", "feather", "blend", "context", "padding"])
@pytest.mark.parametrize("value", [-1, math.inf, math.nan])
def test_lengths_are_lengths(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        MaskSettings(**{name: value})


def test_limits_make_sense() -> None:
    with pytest.raises(ValueError):
        SizeLimits((64, 64), 64, 63, 8)
    with pytest.raises(ValueError):
        SizeLimits((0, 64))


@pytest.mark.parametrize(
    ("card", "limits"),
    [
        ({"family": "sd1", "native_size": (512, 512), "size_multiple": 8}, SD1),
        ({"family": "sdxl", "native_size": (1024, 1024), "size_multiple": 8}, SDXL),
        ({"family": "sd", "native_size": (64, 64), "size_multiple": 8}, STARTER),
        ({"family": "sd1", "native_size": (64, 64), "size_multiple": 8}, STARTER),
        (
            {"family": "flux", "native_size": [1360, 768], "size_multiple": 16},
            SizeLimits((1360, 768), 768, 1360 * 768, 16),
        ),
        ({"native_size": None}, SizeLimits((512, 512), 512, 512 * 512, 8)),
    ],
)
def test_limits_of_a_card(card: dict, limits: SizeLimits) -> None:
    assert limits_for(card) == limits


def test_the_hash_names_the_selection() -> None:
    one, other = disc(90, 90, 40, 40, 10), disc(90, 90, 41, 40, 10)
    hashes = {plan_crop(mask, 1.0, STARTER).selection_hash for mask in (one, other, one)}
    assert len(hashes) == 2
