"""What happens to values at input ports: the declared conversions, and no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipelines.errors import IncompatibleLink
from pipelines.graph import types
from pipelines.graph.conversions import convert, type_of
from pipelines.graph.values import Image, ListValue, Mask, ModelHandle, Size
from tests.helpers.stub_nodes import Bench, graph

GREY = Image(np.full((2, 3, 1), 128, np.uint8))
SAMPLES: dict[str, Any] = {
    "Integer": 7, "Number": 2.0, "Seed": 2**64 - 1, "Boolean": True, "Choice": "euler", "Size": Size(3, 2),
    "Json": {"a": [1, "x"]}, "Text": "12", "Mask": Mask(np.ones((2, 3), np.float32)), "Image": GREY,
}  # fmt: skip
SPELLED = {"Seed": "Integer", "Choice": "Text"}
"""Types that are another one's class in Python."""


@pytest.mark.parametrize(("source", "target"), list(types.CONVERSIONS))
def test_every_declared_conversion_is_done(source: str, target: str) -> None:
    made = convert(SAMPLES[source], types.TYPES[target])
    found = type_of(made).name
    assert target == "Json" or found == SPELLED.get(target, target)


@pytest.mark.parametrize("source", list(SAMPLES))
def test_nothing_else_is_converted(source: str) -> None:
    for target in types.TYPES.values():
        allowed = types.connects(types.TYPES[source], target)
        spelled = types.connects(types.TYPES[SPELLED.get(source, source)], target)
        try:
            convert(SAMPLES[source], target)
        except IncompatibleLink:
            assert not allowed, f"{source} to {target} is declared"
        else:
            json_spelling = target == types.Json or target == types.Size
            assert allowed or spelled or json_spelling, f"{source} to {target} is not declared"


@pytest.mark.parametrize(
    ("value", "target", "expected"),
    [
        (7, types.Number, 7.0),
        (2.6, types.Integer, 3),
        (-0.4, types.Seed, 0),
        (True, types.Integer, 1),
        (0, types.Boolean, False),
        (0.5, types.Boolean, True),
        (True, types.Text, "true"),
        (3.0, types.Text, "3"),
        (0.1, types.Text, "0.1"),
        (1e300, types.Text, "1e+300"),
        ("1e3", types.Integer, 1000),
        (" -5 ", types.Integer, -5),
        ("2.5", types.Number, 2.5),
        ("18446744073709551615", types.Seed, 2**64 - 1),
        (Size(4, 3), types.Text, "4×3"),
        ({"ä": [1]}, types.Text, '{"ä": [1]}'),
        (GREY, types.Size, Size(3, 2)),
        ([4, 3], types.Size, Size(4, 3)),
        ("x", types.Any, "x"),
        (12345678901234567890123, types.Integer, 12345678901234567890123),
    ],
)
def test_values_come_out_as_declared(value: Any, target: types.PortType, expected: Any) -> None:
    made = convert(value, target)
    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(
    ("value", "target", "words"),
    [
        ("seven", types.Number, "Text “seven”"),
        ("", types.Integer, "Text “”"),
        ("nan", types.Number, "nan"),
        ("inf", types.Integer, "inf"),
        ("²", types.Integer, "²"),
        ("9" * 5000, types.Integer, "999"),
        (-1, types.Seed, "-1"),
        (2**64, types.Seed, "18446744073709551616"),
        (1e300, types.Seed, "1e+300"),
        ("1.5", types.Seed, "1.5"),
        (float("nan"), types.Integer, "nan"),
        (float("inf"), types.Text, "inf"),
        (10**400, types.Number, "1329 bits"),
        pytest.param(10**5000, types.Text, "bits", id="huge"),
        ({"a": object()}, types.Text, "Json"),
        (True, types.Seed, "Boolean"),
        (GREY, types.Text, "Image"),
        ([1], types.Size, "Json"),
        ([0, 5], types.Size, "Json"),
        ([True, 5], types.Size, "Json"),
        (None, types.Number, "Json"),
        (ModelHandle("language", "m", "/m", "llama"), types.DiffusionModel, "LanguageModel"),
    ],
)
def test_values_without_a_counterpart_are_refused_by_name(
    value: Any, target: types.PortType, words: str
) -> None:
    with pytest.raises(IncompatibleLink) as caught:
        convert(value, target)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400


def test_masks_and_pictures_convert_by_brightness() -> None:
    red = Image(np.array([[[255, 0, 0]]], np.uint8))
    assert convert(red, types.Mask).values[0, 0] == pytest.approx(0.2126, abs=1e-6)
    clear = Image(np.array([[[255, 255, 255, 0]]], np.uint8))
    assert convert(clear, types.Mask).values[0, 0] == pytest.approx(1.0, abs=1e-6)
    back = convert(Mask(np.array([[0.25]], np.float32)), types.Image)
    assert back.pixels.shape == (1, 1, 1)
    assert back.pixels[0, 0, 0] == np.float32(0.25)


def test_lists_have_the_type_of_their_items() -> None:
    assert type_of(ListValue(["x"])) == types.list_of(types.Text)
    assert type_of(ListValue()) == types.list_of(types.Any)


def test_a_literal_is_converted_as_a_link_would_be(bench: Bench) -> None:
    made = graph(
        t=(
            "stub.typed",
            {"number": 1, "integer": 2, "text": "x", "size": [4, 3], "boolean": False, "json": {"a": 1}},
        )
    )
    got = bench.run(made)["t"].outputs["got"]
    assert got == {
        "number": 1.0,
        "integer": 2,
        "text": "x",
        "size": Size(4, 3),
        "boolean": False,
        "json": {"a": 1},
    }
    assert type(got["number"]) is float
    assert type(got["size"]) is Size


def test_a_conversion_that_fails_names_the_port(bench: Bench) -> None:
    made = graph(c=("stub.constant", {"value": "red"}), t=("stub.typed", {}, {"integer": ("c", "value")}))
    error = bench.run(made)["t"].error
    assert error
    assert (error.code, error.node, error.port) == ("IncompatibleLink", "t", "integer")
    assert error.sentences()[0] == "Integer takes Integer, but gets Text “red”."
