"""The nodes: their params, and a graph that crops, changes and stitches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.engine.lanes import ThreadLanes
from pipelines.errors import CropOutside, MaskEmpty, MaskSizeDiffers
from pipelines.graph.cache import Cache
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.executor import NodeResult, execute
from pipelines.graph.node import NeverCancelled
from pipelines.graph.plan import plan
from pipelines.graph.registry import builtin
from pipelines.graph.values import Image, Mask
from pipelines.nodes import mask as nodes
from tests.pipelines.inpaint.mask_shapes import disc, hill, picture


class Silent:
    """All of a context that these nodes use."""

    cancel = NeverCancelled()


def run(type_id: str, params: dict[str, Any] | None = None, **inputs: Any) -> Any:
    """A node's only output, or all of them by name; params are validated first."""
    node = builtin()[type_id].node
    context: Any = Silent()
    outputs = dict(node().run(inputs, node.Params.model_validate(params or {}), context))
    assert set(outputs) == {port.name for port in node.outputs}
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs


def test_they_are_built_in() -> None:
    for node in nodes.NODES:
        assert builtin()[node.id].node is node


def test_masks_from_pictures() -> None:
    image = Image(np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8))
    assert run("mask.from_image", {"channel": "red"}, image=image).values.tolist() == [[1, 0]]
    assert run("mask.from_image", {"channel": "red", "invert": True}, image=image).values.tolist() == [[0, 1]]
    by_colour = {"channel": "color", "color": "#00ff00", "tolerance": 0.1}
    assert run("mask.from_image", by_colour, image=image).values.tolist() == [[0, 1]]
    assert not run("mask.from_image", {"channel": "alpha"}, image=image).values.any()


@pytest.mark.parametrize("color", ["green", "#fff", ""])
def test_a_colour_is_checked_before_a_run(color: str) -> None:
    with pytest.raises(ValidationError, match="#rrggbb"):
        builtin()["mask.from_image"].node.Params.model_validate({"color": color})


def test_growing_shrinking_feathering() -> None:
    mask = disc(60, 60, 30, 30, 10)
    assert run("mask.grow", {"amount": 5}, mask=mask).values.sum() > mask.values.sum()
    assert run("mask.grow", {"amount": -5}, mask=mask).values.sum() < mask.values.sum()
    ring = Mask(mask.values - disc(60, 60, 30, 30, 4).values)
    assert run("mask.grow", {"amount": 0, "fill_holes": True}, mask=ring).values[30, 30] == 1
    assert 0 < run("mask.feather", {"width": 10}, mask=mask).values[30, 41] < 1
    assert np.array_equal(run("mask.feather", {"width": 0}, mask=hill()).values, hill().values)


def test_combining_and_inverting() -> None:
    one, two = disc(60, 60, 20, 30, 10), disc(60, 60, 40, 30, 10)
    assert run("mask.combine", {}, mask=one, b=two).values.sum() > one.values.sum()
    assert run("mask.combine", {"mode": "intersect"}, mask=one, b=two).values.sum() < 30
    assert run("mask.invert", mask=one).values[0, 0] == 1
    with pytest.raises(MaskSizeDiffers):
        run("mask.combine", {}, mask=one, b=disc(60, 61, 5, 5, 2))


def test_selecting_an_object() -> None:
    pixels = np.full((80, 80, 3), 90, np.uint8)
    pixels[disc(80, 80, 40, 40, 20).values > 0] = (250, 200, 0)
    found = run("mask.object", {"x": 15, "y": 15, "width": 50, "height": 50}, image=Image(pixels))
    assert found.values[40, 40] == 1
    assert found.values[20, 20] == 0
    with pytest.raises(CropOutside, match="80 × 80"):
        run("mask.object", {"x": 80, "y": 0}, image=Image(pixels))


def test_cropping_and_stitching() -> None:
    image, mask = picture(300, 200), disc(300, 200, 100, 100, 20)
    cropped = run("image.crop_to_mask", {"native": 64, "largest": 256}, image=image, mask=mask)
    part = cropped["image"]
    assert (part.width, part.height) == (cropped["mask"].width, cropped["mask"].height)
    assert part.width % 8 == part.height % 8 == 0
    back = run("image.stitch", {}, stitch=cropped["stitch"], image=part)
    assert np.array_equal(back.pixels, image.pixels)
    black = part.with_pixels(np.zeros_like(part.pixels))
    changed = run("image.stitch", {}, stitch=cropped["stitch"], image=black)
    assert changed.pixels[100, 100].tolist() == [0, 0, 0]
    assert np.array_equal(changed.pixels[:, 200:], image.pixels[:, 200:])


def test_lengths_are_chosen_or_set() -> None:
    image, mask = picture(600, 600), disc(600, 600, 300, 300, 40)
    chosen = run("image.crop_to_mask", {}, image=image, mask=mask)["stitch"].info["inpaint"]
    assert (chosen["feather"], chosen["grow"]) == (32, 20)
    lengths = {"grow": 0.0, "feather": 6.0, "blend": 2.0, "context": 30.0, "padding": 9}
    given = run("image.crop_to_mask", lengths, image=image, mask=mask)["stitch"].info["inpaint"]
    assert {name: given[name] for name in lengths} == lengths


def test_cropping_resamples_a_mask_of_another_size() -> None:
    image, mask = picture(120, 80), disc(60, 40, 20, 20, 8)
    cropped = run("image.crop_to_mask", {"native": 32, "largest": 128}, image=image, mask=mask)
    assert cropped["stitch"].denoise.values[cropped["stitch"].denoise.values > 0].size > 200
    x, y, width, height = cropped["stitch"].box
    assert x <= 40 - 16
    assert x + width >= 40 + 16
    assert y <= 40 - 16
    assert y + height >= 40 + 16


def test_cropping_refuses_an_empty_mask() -> None:
    with pytest.raises(MaskEmpty, match="Nothing is selected"):
        run("image.crop_to_mask", {}, image=picture(9, 9), mask=Mask(np.zeros((9, 9), np.float32)))


class Listener(Silent):
    """Context, resources and listener in one; keeps the results."""

    device, node = "cpu", ""

    def __init__(self) -> None:
        self.results: dict[str, NodeResult] = {}

    def node_started(self, node: str) -> None: ...

    def node_finished(self, node: str, result: NodeResult) -> None:
        self.results[node] = result


def test_a_graph_connects_them() -> None:
    """Picture → mask and crop → a change → stitch, through the real executor."""
    graph = Graph(
        {
            "picture": NodeRecord.new("image.solid", params={"width": 64, "height": 64}),
            "selection": NodeRecord.new("mask.from_image", inputs={"image": ("picture", "image")}),
            "crop": NodeRecord.new(
                "image.crop_to_mask", inputs={"image": ("picture", "image"), "mask": ("selection", "mask")}
            ),
            "change": NodeRecord.new(
                "image.adjust", params={"brightness": 100.0}, inputs={"image": ("crop", "image")}
            ),
            "stitch": NodeRecord.new(
                "image.stitch", inputs={"stitch": ("crop", "stitch"), "image": ("change", "image")}
            ),
        }
    )
    listener: Any = Listener()
    lanes = ThreadLanes()
    made = plan(graph, builtin())
    assert not made.problems
    execute(
        made, cache=Cache(), lanes=lanes, resources=listener, listener=listener, cancel=listener.cancel,
        make_context=lambda *_: listener,
    )  # fmt: skip
    lanes.close()
    result = listener.results["stitch"].outputs["image"]
    assert (result.pixels == 255).all()
