"""What is painted on the canvas, as values: picture, mask, layers that steer, and sides that grow."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest
from pydantic import ValidationError

from pipelines.errors import AssetMissing, Cancelled, CanvasEmpty, ImageTooLarge, ImageUnreadable
from pipelines.graph.assets import AssetStore, asset_name
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.plan import validate
from pipelines.graph.registry import builtin
from pipelines.graph.values import Image

Run = Callable[..., Any]
Asset = Callable[..., str]
RNG = np.random.default_rng(3)
PICTURE = RNG.integers(0, 256, (6, 8, 3), np.uint8)


def png(pixels: np.ndarray) -> bytes:
    """As another program writes it."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


@pytest.fixture
def asset(context: Any) -> Asset:
    """``asset(pixels)`` puts a PNG into the store and gives its name."""
    store = AssetStore(context.folder / "assets")
    return lambda pixels: store.put(png(pixels))


def layer(kind: str, asset: str = "", **values: Any) -> dict[str, Any]:
    return {"id": f"{kind}{len(values)}", "kind": kind, "asset": asset, **values}


def grey(values: np.ndarray) -> np.ndarray:
    """A mask as 16-bit grey."""
    return np.rint(values * 65535).astype(np.uint16)


MASK = np.zeros((6, 8), np.float32)
MASK[2:4, 3:6] = [[1, 0.5, 0.25], [0.75, 1, 0]]


def test_a_picture_and_a_soft_mask(run: Run, asset: Asset) -> None:
    layers = [layer("image", asset(PICTURE)), layer("mask", asset(grey(MASK)), opacity=0.3, visible=False)]
    found = run("image.canvas", {"layers": layers})
    assert np.array_equal(found["image"].pixels, PICTURE)
    # a mask's opacity is that of its overlay, and it counts while it is not shown
    assert np.abs(found["mask"].values - MASK).max() < 1e-4
    assert (len(found["regions"]), len(found["controls"])) == (0, 0)


def test_references_are_what_is_painted_on_their_layers(run: Run, asset: Asset) -> None:
    pixels = np.zeros((6, 8, 4), np.uint8)
    pixels[1:4, 2:7] = (10, 200, 30, 255)
    settings = {"leads": "style", "weight": 0.5, "start": 0.1, "end": 0.9}
    layers = [
        layer("image", asset(PICTURE)), layer("reference", asset(pixels), name="moss", **settings),
        layer("reference", asset(np.zeros((6, 8, 4), np.uint8))), layer("reference", counts=False),
    ]  # fmt: skip
    (found,) = run("image.canvas", {"layers": layers, "left": 16})["references"]
    assert (found.kind, found.name, dict(found.info)) == ("reference", "moss", settings)
    assert np.array_equal(found.image.pixels, pixels[1:4, 2:7])


def test_layers_lie_where_they_are_and_hidden_ones_do_not_count(run: Run, asset: Asset) -> None:
    red = asset(np.full((2, 2, 4), (255, 0, 0, 255), np.uint8))
    blue = asset(np.full((4, 4, 3), (0, 0, 255), np.uint8))
    layers = [
        layer("image", asset(PICTURE)),
        layer("paint", red, x=-1, y=5),
        layer("image", blue, x=6, y=-2, opacity=0.5),
        layer("image", blue, visible=False),
        layer("image", blue, counts=False),
        layer("paint"),
    ]
    found = run("image.canvas", {"layers": layers})["image"]
    wanted = PICTURE.astype(np.float32)
    wanted[5:, :1] = (255, 0, 0)
    wanted[:2, 6:] = 0.5 * wanted[:2, 6:] + 0.5 * np.array([0, 0, 255])
    assert found.channels == 3
    assert np.abs(found.pixels - wanted).max() <= 0.51


def test_the_canvas_may_be_larger_than_its_picture(run: Run, asset: Asset) -> None:
    layers = [layer("image", asset(PICTURE), x=1, y=2), layer("mask", asset(grey(MASK)))]
    found = run("image.canvas", {"width": 12, "height": 10, "layers": layers})
    assert found["image"].pixels.shape == (10, 12, 4)
    assert np.array_equal(found["image"].pixels[2:8, 1:9, :3], PICTURE)
    assert found["image"].pixels[..., 3].sum() == 48 * 255
    assert found["mask"].values.shape == (10, 12)
    assert np.abs(found["mask"].values[:6, :8] - MASK).max() < 1e-4


@pytest.mark.parametrize("place", [(0, 0), (3, 2), (-3, -2), (10, 0), (20, 0), (0, 8), (0, 40), (-8, -30)])
def test_a_mask_may_lie_anywhere(run: Run, asset: Asset, place: tuple[int, int]) -> None:
    x, y = place
    layers = [layer("image", asset(PICTURE)), layer("mask", asset(grey(MASK)), x=x, y=y)]
    found = run("image.canvas", {"layers": layers})["mask"].values
    wanted = np.zeros((6, 8), np.float32)
    for row, column in np.argwhere(MASK):
        if 0 <= row + y < 6 and 0 <= column + x < 8:
            wanted[row + y, column + x] = MASK[row, column]
    assert np.abs(found - wanted).max() < 1e-4


def test_masks_are_taken_together_and_uncounted_ones_left_out(run: Run, asset: Asset) -> None:
    one, other = np.zeros((6, 8), np.float32), np.zeros((6, 8), np.float32)
    one[0], other[:, 0] = 0.5, 1
    layers = [
        layer("image", asset(PICTURE)),
        layer("mask", asset(grey(one))),
        layer("mask", asset(grey(other))),
        layer("mask", asset(grey(np.ones((6, 8)))), counts=False),
    ]
    found = run("image.canvas", {"layers": layers})["mask"].values
    assert np.abs(found - np.maximum(one, other)).max() < 1e-4


@pytest.mark.parametrize("beyond", [True, False])
def test_where_the_picture_grows_its_border_goes_on_and_is_masked(
    run: Run, asset: Asset, beyond: bool
) -> None:
    layers = [layer("image", asset(PICTURE)), layer("mask", asset(grey(MASK)))]
    params = {"layers": layers, "left": 3, "bottom": 2, "beyond": beyond}
    found = run("image.canvas", params)
    image, mask = found["image"], found["mask"].values
    assert (image.width, image.height) == (11, 8)
    assert np.array_equal(image.pixels[:6, 3:], PICTURE)
    assert not (image.pixels[:6, :3] == 0).all()
    assert (mask[:, :3] == 1).all()
    assert (mask[6:] == 1).all()
    inner = np.zeros_like(MASK) if beyond else MASK
    assert np.abs(mask[:6, 3:] - inner).max() < 1e-4


def test_all_of_it_where_nothing_is_masked(run: Run, asset: Asset) -> None:
    picture = layer("image", asset(PICTURE))
    assert not run("image.canvas", {"layers": [picture]})["mask"].values.any()
    assert (run("image.canvas", {"layers": [picture], "whole": True})["mask"].values == 1).all()
    masked = [picture, layer("mask", asset(grey(MASK)))]
    found = run("image.canvas", {"layers": masked, "whole": True})["mask"].values
    assert np.abs(found - MASK).max() < 1e-4


def test_regions_and_controls_come_with_what_they_ask_for(run: Run, asset: Asset) -> None:
    lines = np.zeros((6, 8, 4), np.uint8)
    lines[1, 2] = (255, 255, 255, 255)
    layers = [
        layer("image", asset(PICTURE)),
        layer("region", asset(grey(MASK)), name="Sky", prompt="a blue sky", weight=1.5),
        layer("control", asset(lines), name="Lines", control="scribble", weight=0.8, start=0.1, end=0.9),
        layer("control", counts=True),
        layer("region", asset(grey(MASK)), counts=False),
    ]
    found = run("image.canvas", {"layers": layers, "top": 2})
    (region,), (control,) = found["regions"], found["controls"]
    assert (region.name, region.info) == ("Sky", {"prompt": "a blue sky", "weight": 1.0})
    assert region.mask.values.shape == (8, 8)
    assert not region.mask.values[:2].any()
    assert np.abs(region.mask.values[2:] - MASK).max() < 1e-4
    assert control.info == {"control": "scribble", "weight": 0.8, "start": 0.1, "end": 0.9}
    assert control.image.pixels.shape == (8, 8, 3)
    assert np.argwhere(control.image.pixels.any(axis=2)).tolist() == [[3, 2]]


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [layer("mask")],
        [layer("image")],
        [{**layer("image", asset_name(b"")), "visible": False}],
        [{**layer("image", asset_name(b"")), "counts": False}],
    ],
)
def test_an_empty_canvas_says_so(run: Run, layers: list[dict[str, Any]]) -> None:
    with pytest.raises(CanvasEmpty):
        run("image.canvas", {"layers": layers, "width": 8, "height": 8})


def test_pixels_that_are_lost_or_no_picture_are_named(run: Run, context: Any) -> None:
    lost = asset_name(b"lost")
    with pytest.raises(AssetMissing, match=lost):
        run("image.canvas", {"layers": [layer("image", lost)]})
    text = AssetStore(context.folder / "assets").put(b"not a picture")
    with pytest.raises(ImageUnreadable, match="Sky"):
        run("image.canvas", {"layers": [layer("image", text, name="Sky")]})


def test_a_canvas_beyond_all_measure_is_refused(run: Run, asset: Asset) -> None:
    params = {"layers": [layer("image", asset(PICTURE))], "width": 65_536, "height": 65_536}
    with pytest.raises(ImageTooLarge):
        run("image.canvas", params)
    with pytest.raises(ImageTooLarge):
        run("mask.paint", {"width": 65_536, "height": 65_536})


def test_a_cancelled_run_reads_no_more(run: Run, context: Any, asset: Asset) -> None:
    layers = [layer("image", asset(PICTURE))]
    context.cancel.cancel()
    with pytest.raises(Cancelled):
        run("image.canvas", {"layers": layers})


def test_a_mask_painted_over_a_picture_has_its_size(run: Run, asset: Asset) -> None:
    layers = [layer("mask", asset(grey(MASK)))]
    alone = run("mask.paint", {"layers": layers, "width": 8, "height": 6}).values
    assert np.abs(alone - MASK).max() < 1e-4
    over = run("mask.paint", {"layers": layers}, image=Image(PICTURE)).values
    assert np.array_equal(over, alone)
    larger = Image(np.zeros((12, 16, 3), np.uint8))
    found = run("mask.paint", {"layers": layers, "width": 8, "height": 6}, image=larger).values
    assert found.shape == (12, 16)
    assert found.sum() == pytest.approx(4 * MASK.sum(), rel=0.05)
    empty = run("mask.paint", {}, image=larger).values
    assert (empty.shape, empty.any()) == ((12, 16), np.False_)


BAD = [
    {"kind": "image"},
    {"id": "a", "kind": "hologram"},
    {"id": "a", "kind": "image", "asset": "../secret"},
    {"id": "a", "kind": "mask", "opacity": 1.5},
    {"id": "a", "kind": "mask", "colour": "url(x)"},
    {"id": "a", "kind": "image", "x": 1e9},
    {"id": "a", "kind": "control", "weight": 3},
    {"id": "a" * 65, "kind": "image"},
    "not a layer",
]


@pytest.mark.parametrize("record", BAD)
@pytest.mark.parametrize("kind", ["image.canvas", "mask.paint"])
def test_a_record_that_means_nothing_is_an_error_of_the_node(kind: str, record: Any) -> None:
    with pytest.raises(ValidationError):
        builtin()[kind].node.Params.model_validate({"layers": [record]})
    graph = Graph().with_node("c", NodeRecord.new(kind, params={"layers": [record]}))
    (problem,) = validate(graph, builtin())
    assert (problem.code, problem.node, problem.port) == ("InvalidParameter", "c", "layers")


def test_fields_of_later_versions_do_not_stop_a_run(run: Run, asset: Asset) -> None:
    found = run("image.canvas", {"layers": [layer("image", asset(PICTURE), blend_mode="multiply")]})
    assert np.array_equal(found["image"].pixels, PICTURE)
