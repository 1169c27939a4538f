"""Pictures over each other, against a reference that goes pixel by pixel in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import ImageTooLarge
from pipelines.graph.values import Image
from pipelines.image.layers import Placed, lay

SIDE = st.integers(1, 5)
PLACE = st.integers(-6, 6)
BYTES = st.sampled_from([0, 1, 77, 128, 254, 255])


@st.composite
def placed(draw: Any) -> Placed:
    width, height, channels = draw(SIDE), draw(SIDE), draw(st.sampled_from([1, 3, 4]))
    count = width * height * channels
    values = draw(st.lists(BYTES, min_size=count, max_size=count))
    pixels = np.array(values, np.uint8).reshape(height, width, channels)
    return Placed(Image(pixels), draw(PLACE), draw(PLACE), draw(st.sampled_from([0.0, 0.25, 0.5, 1.0])))


def reference(width: int, height: int, layers: list[Placed]) -> list[list[tuple[Fraction, ...]]]:
    """Straight R, G, B and alpha of each pixel, 0..255, by the formula for one pixel."""
    rows = []
    for y in range(height):
        row = []
        for x in range(width):
            colour, alpha = [Fraction(0)] * 3, Fraction(0)
            for layer in layers:
                column, line = x - layer.x, y - layer.y
                if not (0 <= column < layer.image.width and 0 <= line < layer.image.height):
                    continue
                pixel = [Fraction(int(value), 255) for value in layer.image.pixels[line, column]]
                own = pixel[:1] * 3 if len(pixel) == 1 else pixel[:3]
                cover = Fraction(layer.opacity) * (pixel[3] if len(pixel) == 4 else 1)
                colour = [a * cover + b * (1 - cover) for a, b in zip(own, colour, strict=True)]
                alpha = cover + alpha * (1 - cover)
            row.append((*(value / alpha * 255 if alpha else Fraction(0) for value in colour), alpha * 255))
        rows.append(row)
    return rows


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.lists(placed(), max_size=4))
def test_layers_lie_over_each_other(width: int, height: int, layers: list[Placed]) -> None:
    found = lay(width, height, layers)
    wanted = np.array(reference(width, height, layers), np.float64)
    assert (found.width, found.height) == (width, height)
    opaque = bool((wanted[..., 3] == 255).all())
    assert found.channels == (3 if opaque else 4)
    alpha = wanted[..., 3]
    assert found.channels == 3 or np.abs(found.pixels[..., 3] - alpha).max() <= 0.51
    # colours under next to no alpha have next to no meaning
    seen = alpha > 2
    assert not seen.any() or np.abs(found.pixels[..., :3] - wanted[..., :3])[seen].max() <= 0.51


def test_one_picture_that_fills_the_canvas_stays_as_it_is() -> None:
    image = Image(np.random.default_rng(0).random((3, 4, 3), np.float32))
    assert lay(4, 3, [Placed(image)]) is image
    assert lay(4, 3, [Placed(image, 0, 0, 0.5)]).channels == 4
    assert lay(5, 3, [Placed(image)]).channels == 4


def test_nothing_makes_a_transparent_canvas() -> None:
    found = lay(3, 2, [])
    assert found.pixels.shape == (2, 3, 4)
    assert not found.pixels.any()


def test_a_canvas_beyond_all_measure_is_refused_before_memory_is_taken() -> None:
    with pytest.raises(ImageTooLarge):
        lay(2**20, 2**20, [])
