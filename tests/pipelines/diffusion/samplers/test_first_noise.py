"""The first noise: known values, seeds of a batch, variations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.diffusion.samplers.noise import (
    batch_seeds,
    first_noise,
    generators,
    philox4x32,
    philox_normal,
    slerp,
)
from pipelines.diffusion.samplers.table import NoiseSource

SHAPE = (4, 8, 8)


def noise(seeds, source=NoiseSource.CPU, variations=None, strength=0.0):
    return first_noise(SHAPE, source, generators(seeds), variations or [0] * len(seeds), strength)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_known_answers_of_its_authors(counter, key, expected):
    words = philox4x32(np.array(counter, np.uint32).reshape(4, 1), key)
    assert tuple(int(word) for word in words[:, 0]) == expected


def test_philox_normals_are_those_of_a_graphics_card():
    """``torch.manual_seed(0); torch.randn(6, device="cuda")``."""
    expected = [-0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086646, -0.57972562]
    np.testing.assert_allclose(philox_normal(0, 6), expected, atol=2e-6)


def test_philox_normals_are_normal():
    drawn = philox_normal(2**63 + 5, 100_000)
    assert abs(float(drawn.mean())) < 0.02
    assert float(drawn.std()) == pytest.approx(1, abs=0.02)
    assert np.isfinite(drawn).all()
    assert not np.array_equal(drawn[:10], philox_normal(5, 10))


@pytest.mark.parametrize("source", NoiseSource)
def test_each_picture_of_a_batch_has_the_noise_of_its_own_seed(source):
    batch = noise(batch_seeds(41, 3), source)
    assert batch.shape == (3, *SHAPE)
    assert batch.dtype == torch.float32
    for index, seed in enumerate((41, 42, 43)):
        assert torch.equal(batch[index : index + 1], noise([seed], source))


def test_seeds_wrap_at_64_bits():
    assert batch_seeds(2**64 - 1, 3) == (2**64 - 1, 0, 1)
    assert noise([2**64 - 1]).isfinite().all()


def test_cpu_noise_is_torchs_own():
    expected = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(3))
    assert torch.equal(noise([3]), expected)


@pytest.mark.parametrize("source", NoiseSource)
def test_variation_goes_from_one_seed_to_the_other(source):
    start, end = noise([1], source), noise([2], source)
    assert torch.equal(noise([1], source, [2], 0.0), start)
    assert torch.equal(noise([1], source, [2], 1.0), end)
    near, far = (torch.dist(noise([1], source, [2], part), start) for part in (0.2, 0.7))
    assert 0 < near < far


def test_interpolated_noise_keeps_the_length_of_noise():
    low, high = torch.randn(2, 1, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    for part in (0.25, 0.5, 0.75):
        assert float(slerp(low, high, part).std()) == pytest.approx(1, abs=0.02)
    assert float(((low + high) / 2).std()) < 0.75  # what plain interpolation would do


def test_interpolation_of_equal_noise_is_finite():
    low = torch.ones(1, 4, 2, 2)
    assert torch.equal(slerp(low, low.clone(), 0.5), low)
