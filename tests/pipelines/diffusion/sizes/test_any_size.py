"""How a picture of any size is planned: pure arithmetic, by its properties."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.diffusion.sizes.any_size import in_range, plan_size, window
from pipelines.diffusion.sizes.size_limits import SizeLimits, limits_for
from studio.widgets.shapes import RATIOS, size_for

STARTER = SizeLimits((64, 64), 64, 64 * 64, 8)
SD1 = limits_for({"family": "sd1", "native_size": (512, 512)})
SDXL = limits_for({"family": "sdxl", "native_size": (1024, 1024)})
FLUX = limits_for({"native_size": (1024, 1024), "size_multiple": 16})
LIMITS = st.sampled_from(
    [STARTER, SD1, SDXL, FLUX, SizeLimits((40, 30), 30, 1600, 16), SizeLimits((7, 9), 3, 65, 1)]
)
SIDES = st.one_of(st.integers(1, 200), st.integers(1, 3000), st.integers(1, 70_000))


@settings(deadline=None)
@given(SIDES, SIDES, LIMITS)
def test_what_is_drawn_first_is_in_range_and_fits(width: int, height: int, limits: SizeLimits) -> None:
    plan = plan_size(width, height, limits)
    assert (plan.width, plan.height) == (width, height)
    assert in_range(*plan.first, limits)
    assert all(side % limits.multiple == 0 for side in (*plan.first, *(plan.second or ())))
    padded = tuple(-(-side // limits.multiple) * limits.multiple for side in (width, height))
    assert (plan.mode == "direct") == in_range(*padded, limits)
    if plan.mode == "direct":
        assert plan.first == padded
        assert plan.plain == (padded == (width, height))
    else:
        assert plan.second == (padded if plan.mode == "two_pass" else None)
        assert not plan.plain


@settings(deadline=None)
@given(SIDES, SIDES, LIMITS)
def test_proportions_are_kept_as_far_as_multiples_allow(width: int, height: int, limits: SizeLimits) -> None:
    plan = plan_size(width, height, limits)
    if plan.mode == "direct" or min(plan.first) < 4 * limits.multiple:
        return
    error = math.log(plan.first[0] / plan.first[1] / (width / height))
    assert abs(error) <= limits.multiple / min(plan.first)
    x, y, kept_width, kept_height = window(plan.first, (width, height))
    assert (x, y) >= (0, 0)
    assert x + kept_width <= plan.first[0]
    assert y + kept_height <= plan.first[1]
    assert abs(kept_width / kept_height / (width / height) - 1) <= 1 / min(kept_width, kept_height)


@settings(deadline=None)
@given(SIDES, SIDES, LIMITS)
def test_a_range_has_two_ends(width: int, height: int, limits: SizeLimits) -> None:
    mode = plan_size(width, height, limits).mode
    native = min(limits.native[0] * limits.native[1], limits.max_pixels)
    if mode == "reduced":
        assert width * height < native
    if mode == "two_pass":
        assert width * height > native - (width + height) * limits.multiple


@pytest.mark.parametrize("limits", [STARTER, SD1, SDXL, FLUX])
def test_every_shape_that_the_studio_offers_is_drawn_at_once(limits: SizeLimits) -> None:
    for ratio in (*RATIOS, *((b, a) for a, b in RATIOS), (1, 1)):
        assert plan_size(*size_for(ratio, limits.native, limits.multiple), limits).plain, ratio


@pytest.mark.parametrize(
    ("size", "limits", "mode", "first"),
    [
        ((512, 768), SD1, "direct", (512, 768)),
        ((768, 768), SD1, "direct", (768, 768)),
        ((500, 500), SD1, "direct", (504, 504)),
        ((256, 256), SD1, "reduced", (512, 512)),
        ((1024, 1024), SD1, "two_pass", (512, 512)),
        ((1216, 832), SDXL, "direct", (1216, 832)),
        ((1344, 704), SDXL, "direct", (1344, 704)),
        ((3840, 2160), SDXL, "two_pass", (1368, 768)),
        ((1024, 1024), STARTER, "two_pass", (64, 64)),
        ((500, 333), STARTER, "two_pass", (72, 48)),
        ((65_536, 8), STARTER, "two_pass", (512, 8)),
        ((1, 1), STARTER, "reduced", (64, 64)),
    ],
)
def test_sizes_that_people_ask_for(size, limits, mode, first) -> None:
    plan = plan_size(*size, limits)
    assert (plan.mode, plan.first) == (mode, first)


def test_a_size_is_positive() -> None:
    with pytest.raises(ValueError, match="0 × 5"):
        plan_size(0, 5, SD1)
