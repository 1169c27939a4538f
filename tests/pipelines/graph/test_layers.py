"""Layers of a canvas as values on edges."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.engine.exchange import PixelWriter
from pipelines.engine.refs import value_ref
from pipelines.graph import types
from pipelines.graph.conversions import type_of
from pipelines.graph.entry import Entry, decode, encode
from pipelines.graph.values import Image, Layer, ListValue, Mask, nbytes

KEY = bytes(32)


@pytest.fixture
def control() -> Layer:
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    return Layer("control", "lines", image=Image(pixels), info={"control": "lineart", "weight": 0.5})


@pytest.fixture
def region() -> Layer:
    return Layer("region", "sky", mask=Mask(np.full((4, 6), 0.25, np.float32)), info={"prompt": "clouds"})


def test_a_layer_can_not_be_changed(control: Layer) -> None:
    with pytest.raises(TypeError):
        control.info["weight"] = 1  # type: ignore[index]
    assert control.with_(name="other").image is control.image
    assert control.name == "lines"
    with pytest.raises(ValueError, match="a layer is one of"):
        Layer("lasso")  # type: ignore[arg-type]


def test_layers_have_a_type_and_a_size(control: Layer, region: Layer) -> None:
    assert type_of(ListValue([control, region])) == types.list_of(types.Layer)
    assert nbytes(control) == 4 * 6 * 3 + 256
    assert nbytes(region) == 4 * 6 * 4 + 256


def test_layers_outlast_the_program_in_the_disk_cache(control: Layer, region: Layer) -> None:
    again = decode(encode(Entry({"layers": ListValue([control, region])}), KEY), KEY).outputs["layers"]
    assert [(layer.kind, layer.name, dict(layer.info)) for layer in again] == [
        (layer.kind, layer.name, dict(layer.info)) for layer in (control, region)
    ]
    assert np.array_equal(again[0].image.pixels, control.image.pixels)
    assert again[0].mask is None
    assert np.array_equal(again[1].mask.values, region.mask.values)


def test_a_view_is_shown_what_is_on_them(control: Layer, region: Layer, tmp_path) -> None:
    ref = value_ref(ListValue([control, region]), PixelWriter(tmp_path), full=True)
    assert ref.type == "list[Layer]"
    assert ref.value[1] == {"kind": "region", "name": "sky", "prompt": "clouds"}
    assert [(image.width, image.height, image.channels) for image in ref.images] == [(6, 4, 3), (6, 4, 1)]
