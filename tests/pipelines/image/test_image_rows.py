"""Pictures made row by row: the same as made at once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.graph.values import Array, Image
from pipelines.image import resize
from pipelines.image.rows import gathered, resampled


def picture(height: int, width: int, channels: int, seed: int = 0) -> Image:
    return Image(np.random.default_rng(seed).random((height, width, channels), np.float32))


def pieces(image: Image, cuts: list[int]) -> list[Array]:
    planes = np.ascontiguousarray(image.pixels.transpose(2, 0, 1))
    edges = sorted({0, image.height, *(cut for cut in cuts if cut < image.height)})
    return [planes[:, start:end] for start, end in pairwise(edges)]


@given(
    st.integers(1, 90), st.integers(1, 200), st.integers(1, 40), st.lists(st.integers(1, 89), max_size=6),
    st.sampled_from([1, 3, 4]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_resampled_in_pieces_as_in_one(
    height: int, new_height: int, new_width: int, cuts: list[int], channels: int
) -> None:
    image = picture(height, 23, channels)
    made = list(resampled(pieces(image, cuts), height, 23, new_height, new_width))
    pixels = gathered(made, (new_height, new_width, channels), np.float32)
    assert sum(piece.shape[1] for piece in made) == new_height
    assert np.abs(pixels - resize(image, new_width, new_height).pixels).max() < 1e-3


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_gathered_pixels_are_clipped_and_rounded(dtype: type) -> None:
    image = picture(150, 7, 3)
    over = [piece * 1.2 - 0.1 for piece in pieces(image, [1, 100])]
    whole = Image((image.pixels * 1.2 - 0.1).astype(np.float32))
    expected = whole.as_uint8() if dtype is np.uint8 else np.clip(whole.pixels, 0, 1)
    assert np.array_equal(gathered(over, (150, 7, 3), dtype), expected)
