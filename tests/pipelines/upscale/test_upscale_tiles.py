"""Cutting into tiles: they cover everything, and their weights add up to one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.upscale.tiles import count_tiles, spans, tiles, weight, weights


@given(st.integers(1, 700), st.integers(32, 256), st.integers(1, 4))
def test_weights_of_one_axis_add_up_to_one(length: int, tile: int, scale: int) -> None:
    total = np.zeros(length * scale, np.float32)
    for span in spans(length, tile):
        assert 0 <= span.start < span.end <= length
        assert span.end - span.start == min(tile, length)
        total[span.start * scale : span.end * scale] += weights(span, scale)
    assert np.allclose(total, 1, rtol=0, atol=2**-22)


def test_the_slope_is_half_a_sine_wave() -> None:
    """What Hann's window rises by: level at both ends, steepest in the middle."""
    first, second = spans(200, 128)
    shared, ramp = first.after * 2, first.ramp * 2
    rise = weights(second, 2)[:shared]
    slope = rise[(shared - ramp) // 2 : (shared + ramp) // 2]
    angles = (np.arange(ramp) + 0.5) * np.pi / (2 * ramp)
    assert np.allclose(slope, np.sin(angles) ** 2, atol=1e-6)
    assert np.array_equal(weights(first, 2)[-shared:], 1 - rise)
    assert not rise[: (shared - ramp) // 2].any()
    assert (rise[(shared + ramp) // 2 :] == 1).all()


@given(st.integers(65, 700), st.integers(64, 256))
def test_what_stands_at_an_inner_edge_is_context_only(length: int, tile: int) -> None:
    for span in spans(length, tile):
        edge = weights(span, 1)
        if span.before:
            assert not edge[: min(48, tile // 4) // 4].any()
        if span.after:
            assert not edge[-(min(48, tile // 4) // 4) :].any()


def test_tiles_are_as_few_as_can_be() -> None:
    assert len(spans(256, 256)) == 1
    assert len(spans(257, 256)) == 2
    assert count_tiles(300, 64, 256) == len(list(tiles(300, 64, 256))) == 2


def test_the_weight_of_a_whole_picture_is_one() -> None:
    (only,) = tiles(10, 20, 64)
    assert (weight(only, 2) == 1).all()
    assert weight(only, 2).shape == (20, 40, 1)
