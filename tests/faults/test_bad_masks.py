"""Masks no brush would paint, through the nodes that take masks: a clear word, or a flawless picture."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pipelines.engine.protocol import Saved, SaveImage
from pipelines.errors import DiptychError, MaskCoversAll, MaskEmpty, describe
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.values import Image, Mask
from pipelines.image import load_image
from pipelines.nodes.inpaint import Inpaint
from pipelines.nodes.mask import CombineMasks, CropToMask, FeatherMask, GrowMask, InvertMask, StitchImage
from pipelines.nodes.remove import RemoveObject
from tests.helpers.diffusion_context import DiffusionContext, load
from tests.helpers.disc import picture
from tests.helpers.fault_graphs import assert_readable, engine, error_of

HEIGHT, WIDTH = 48, 64


def values(fill=0.0, height=HEIGHT, width=WIDTH):
    return np.full((height, width), fill, np.float32)


def at(rows, columns, value=1.0):
    made = values()
    made[rows, columns] = value
    return made


MASKS = {
    "not a number": values(np.nan),
    "half not a number": np.where(np.arange(WIDTH) < 20, np.nan, at(np.s_[10:20], np.s_[30:40])).astype(
        np.float32
    ),
    "endless": at(np.s_[10:20], np.s_[30:40], np.inf),
    "below nothing": at(np.s_[10:20], np.s_[30:40], -5.0),
    "more than all": at(np.s_[10:20], np.s_[30:40], 1e30),
    "nothing": values(),
    "all": values(1.0),
    "all soft": values(0.3),
    "a trace": at(np.s_[10:20], np.s_[30:40], 1e-30),
    "one pixel": at(20, 30),
    "a corner": at(0, 0),
    "the other corner": at(HEIGHT - 1, WIDTH - 1),
    "the border": np.pad(values(0.0, HEIGHT - 2, WIDTH - 2), 1, constant_values=1.0),
    "one row": at(np.s_[7], np.s_[:]),
    "every other pixel": (np.indices((HEIGHT, WIDTH)).sum(axis=0) % 2).astype(np.float32),
    "another size": values(0.0, 7, 5) + np.eye(7, 5, dtype=np.float32),
}
EMPTY = {"not a number", "below nothing", "nothing"}
NO_MODEL = SimpleNamespace(
    cancel=None, progress=lambda *_, **__: None, models=SimpleNamespace(find=lambda *_: None)
)


@pytest.mark.parametrize("name", list(MASKS))
def test_mask_nodes_give_masks_in_0_to_1(name):
    mask = Mask(MASKS[name])
    made = [
        GrowMask().run({"mask": mask}, GrowMask.Params(amount=5, smooth=3, fill_holes=True), None),
        GrowMask().run({"mask": mask}, GrowMask.Params(amount=-5), None),
        GrowMask().run({"mask": mask}, GrowMask.Params(amount=16_384), None),
        FeatherMask().run({"mask": mask}, FeatherMask.Params(width=16_384), None),
        InvertMask().run({"mask": mask}, None, None),
        CombineMasks().run({"mask": mask, "b": mask}, CombineMasks.Params(mode="difference"), None),
    ]
    for result in made:
        found = result["mask"].values
        assert found.shape == mask.values.shape
        assert np.isfinite(found).all()
        assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize(
    "lengths",
    [
        {},
        {"grow": 0, "feather": 0, "blend": 0, "context": 0},
        {"grow": 16_384, "feather": 16_384, "blend": 16_384, "context": 16_384, "padding": 16_384},
    ],
)
@pytest.mark.parametrize("name", list(MASKS))
def test_a_part_can_be_cut_out_and_pasted_back_or_it_is_said_why_not(name, lengths):
    image = picture(WIDTH, HEIGHT)
    inputs, params = {"image": image, "mask": Mask(MASKS[name])}, CropToMask.Params(native=64, **lengths)
    if name in EMPTY:
        with pytest.raises(MaskEmpty):
            CropToMask().run(inputs, params, None)
        return
    cut = CropToMask().run(inputs, params, None)
    stitch = cut["stitch"]
    x, y, width, height = stitch.box
    assert min(x, y) >= 0
    assert x + width <= WIDTH
    assert y + height <= HEIGHT
    white = cut["image"].with_pixels(np.full_like(cut["image"].pixels, 255))
    whole = StitchImage().run({"stitch": stitch, "image": white}, StitchImage.Params(), None)["image"]
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[y : y + height, x : x + width] = stitch.composite.values == 0
    assert np.array_equal(whole.pixels[outside], image.pixels[outside])
    if name != "another size":
        assert (whole.pixels[np.nan_to_num(MASKS[name]) >= 1] >= 254).all()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", list(MASKS))
def test_things_are_removed_by_any_mask_or_it_is_said_why_not(name, channels):
    image = (
        picture(WIDTH, HEIGHT, channels) if channels > 1 else Image(picture(WIDTH, HEIGHT).pixels[..., :1])
    )
    inputs, mask = {"image": image, "mask": Mask(MASKS[name])}, np.nan_to_num(MASKS[name])
    try:
        done = RemoveObject().run(inputs, RemoveObject.Params(method="patches"), NO_MODEL)["image"]
    except MaskEmpty:
        assert name in EMPTY
        return
    except MaskCoversAll:
        assert name in ("all", "all soft")
        return
    assert done.pixels.shape == image.pixels.shape
    if name != "another size":
        far = cv2.distanceTransform((mask <= 0).astype(np.uint8), cv2.DIST_L2, 5) > 12
        assert np.array_equal(done.pixels[far], image.pixels[far])


def test_the_canvas_can_offer_the_whole_image_for_an_empty_mask():
    """The code and the port are what a button hangs on; the sentence is what it says."""
    with pytest.raises(DiptychError) as caught:
        CropToMask().run({"image": picture(), "mask": Mask(values())}, CropToMask.Params(), None)
    told = describe(caught.value)
    assert (told.code, told.port) == ("MaskEmpty", "mask")
    assert "whole image" in told.text()


@pytest.mark.starter
@pytest.mark.parametrize(
    "name", ["half not a number", "all soft", "a corner", "one row", "nothing", "another size"]
)
def test_inpainting_takes_any_mask_or_says_why_not(starter, name):
    image = picture(WIDTH, HEIGHT, 4)
    inputs = {
        "model": starter.loaded.handle,
        "image": image,
        "mask": Mask(MASKS[name]),
        "prompt": "x",
        "seed": 1,
    }
    params = Inpaint.Params(steps=1, guidance_scale=1, feather=4096, padding=4096)
    if name in EMPTY:
        with pytest.raises(MaskEmpty):
            Inpaint().run(inputs, params, starter)
        return
    drawn = Inpaint().run(inputs, params, starter)["image"]
    assert drawn.pixels.shape == image.pixels.shape
    assert (drawn.pixels != image.pixels).any()


@pytest.fixture(scope="module")
def starter(tmp_path_factory):
    return DiffusionContext(load(), tmp_path_factory.mktemp("starter"))


# --- through an engine ------------------------------------------------------------------------------------


def stitching(folder, mask):
    """Cut a part of a picture out, darken it, paste it back, save."""

    def node(kind, params=None, **inputs):
        return NodeRecord.new(kind, params=params or {}, inputs=inputs)

    return (
        Graph()
        .with_node("open", node("image.load", {"path": str(folder / "in.png")}))
        .with_node("mask", node("image.load", {"path": str(folder / mask)}))
        .with_node(
            "cut", node("image.crop_to_mask", {"native": 64}, image=("open", "image"), mask=("mask", "image"))
        )
        .with_node("dark", node("image.adjust", {"brightness": -1.0}, image=("cut", "image")))
        .with_node("whole", node("image.stitch", stitch=("cut", "stitch"), image=("dark", "image")))
        .with_node(
            "save", node("image.save", {"folder": str(folder / "out"), "name": "a"}, image=("whole", "image"))
        )
    )


@pytest.fixture
def files(tmp_path):
    """A picture, and masks in every wrong number of channels."""
    spot = (at(np.s_[10:20], np.s_[30:40]) * 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "in.png"), picture(WIDTH, HEIGHT).pixels)
    cv2.imwrite(str(tmp_path / "grey.png"), spot)
    cv2.imwrite(str(tmp_path / "rgb.png"), np.dstack([spot] * 3))
    cv2.imwrite(str(tmp_path / "rgba.png"), np.dstack([spot] * 3 + [np.full_like(spot, 255)]))
    cv2.imwrite(str(tmp_path / "deep.png"), spot.astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros_like(spot))
    (tmp_path / "out").mkdir()
    return tmp_path


@pytest.fixture
def drive(tmp_path_factory):
    made = engine(tmp_path_factory.mktemp("engine"))
    yield made
    made.client.close()


def test_a_mask_of_any_number_of_channels_is_read_by_its_brightness(drive, files):
    before = load_image(files / "in.png").pixels
    for mask in ("grey.png", "rgb.png", "rgba.png", "deep.png"):
        finished = drive.run(stitching(files, mask), output_dir=str(files))
        assert finished.status == "finished", finished.errors
        after = load_image(Path(finished.result["outputs"]["save"]["path"])).pixels
        assert (after[10:20, 30:40] < before[10:20, 30:40]).any()
        assert np.array_equal(after[:, :8], before[:, :8])
    told = error_of(drive, stitching(files, "black.png"), "cut")
    assert (told.code, told.port) == ("MaskEmpty", "mask")


@pytest.mark.posix
def test_a_stitched_picture_that_finds_no_space_is_kept(drive, files, monkeypatch):
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    fsync = os.fsync

    def no_space(descriptor):
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(files / "out"):
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", no_space)
    told = error_of(drive, stitching(files, "grey.png"), "save")
    assert told.code == "DiskFull"
    assert_readable(told)
    assert list((files / "out").iterdir()) == []
    kept = files / "kept.png"
    drive.client.send(SaveImage(request="1", job=drive.events[-1].job, node="save", path=str(kept)))
    assert drive.until(Saved).error is None
    assert np.array_equal(load_image(kept).pixels[:, :8], load_image(files / "in.png").pixels[:, :8])
