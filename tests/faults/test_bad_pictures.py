"""Every kind of picture file there is, through the nodes that change pictures and the studio's reading."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PySide6.QtGui import QImageReader

from pipelines.errors import ImageNeedsMemory, ImageTooLarge, ImageUnreadable, MaskCoversAll, ShapeUnsuitable
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.values import MAX_PIXELS, Image, Mask
from pipelines.image import decode, load_image
from pipelines.inpaint.remove import remove
from pipelines.models.memory import Memory
from pipelines.nodes.inpaint import Inpaint, Outpaint
from studio.pictures.results import read_image
from tests.helpers import bad_pictures as bad
from tests.helpers.diffusion_context import DiffusionContext, load
from tests.helpers.fault_graphs import engine, error_of, one
from tests.helpers.fault_processes import ROOT, environment

READER_WARNINGS = ["libpng warning", "libpng error", "Rejecting image", "Corrupt JPEG"]
"""Qt's own words about broken files, for a log."""


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    made = engine(tmp_path_factory.mktemp("engine"))
    yield made
    made.client.close()


def near(pixel, colour):
    return np.abs(np.asarray(pixel, int)[:3] - colour).max() <= 6


# --- odd, but fine --------------------------------------------------------------------------------------


def changing(path, folder):
    """Open a picture; select the red corner and take it away; enlarge the whole; save both."""

    def save(name, source):
        params = {"folder": str(folder), "name": name}
        return NodeRecord.new("image.save", params=params, inputs={"image": (source, "image")})

    red = {"channel": "color", "color": "#e62814", "tolerance": 0.2}
    return (
        one("image.load", path=str(path))
        .with_node("mask", NodeRecord.new("mask.from_image", params=red, inputs={"image": ("n", "image")}))
        .with_node(
            "gone",
            NodeRecord.new("image.remove", inputs={"image": ("n", "image"), "mask": ("mask", "mask")}),
        )
        .with_node("large", NodeRecord.new("upscale.simple", inputs={"image": ("n", "image")}))
        .with_node("save1", save("gone", "gone"))
        .with_node("save2", save("large", "large"))
    )


@pytest.mark.parametrize("kind", list(bad.ODD))
def test_an_odd_picture_is_read_as_it_looks_and_can_be_changed(drive, tmp_path, kind):
    name, make = bad.ODD[kind]
    path = bad.written(tmp_path, name, make())
    finished = drive.run(changing(path, tmp_path))
    assert finished.status == "finished", finished.errors
    gone, large = load_image(tmp_path / "gone.png"), load_image(tmp_path / "large.png")
    assert (gone.width, gone.height) == (bad.WIDTH, bad.HEIGHT)
    assert near(gone.pixels[3, 3], bad.REST)
    assert near(gone.pixels[-3, -3], bad.REST)
    assert (large.width, large.height) == (2 * bad.WIDTH, 2 * bad.HEIGHT)
    assert near(large.pixels[5, 5], bad.CORNER)
    assert near(large.pixels[-5, 5], bad.REST)


@pytest.mark.qt_log_ignore(*READER_WARNINGS)
@pytest.mark.parametrize("kind", list(bad.ODD))
def test_the_studio_sees_the_same(qapp, tmp_path, kind):
    name, make = bad.ODD[kind]
    shown = read_image(str(bad.written(tmp_path, name, make())))
    assert (shown.width(), shown.height()) == (bad.WIDTH, bad.HEIGHT)
    for x, y, colour in ((2, 2, bad.CORNER), (2, bad.HEIGHT - 3, bad.REST)):
        assert near(shown.pixelColor(x, y).getRgb(), colour)


def test_the_studio_can_show_the_largest_picture_there_may_be(qapp, tmp_path):
    read_image(str(bad.written(tmp_path, "small.png", bad.palette())))
    assert QImageReader.allocationLimit() * 2**20 >= MAX_PIXELS * 4


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 100_000), (100_000, 1)])
def test_a_line_and_a_point_are_pictures(drive, tmp_path, width, height):
    path = bad.written(tmp_path, "thin.png", bad.png(width, height, bad.zeros(height * (3 * width + 1))))
    solid = {"width": 64, "height": 64, "color": "#ffffff"}
    graph = one("image.load", path=str(path))
    for name, node in (("large", "upscale.simple"), ("same", "image.preview")):
        graph = graph.with_node(name, NodeRecord.new(node, inputs={"image": ("n", "image")}))
    graph = graph.with_node("all", NodeRecord.new("image.solid", params=solid)).with_node(
        "gone", NodeRecord.new("image.remove", inputs={"image": ("n", "image"), "mask": ("all", "image")})
    )
    finished = drive.run(graph)
    assert [error.code for error in finished.errors if error.node == "gone"] == ["MaskCoversAll"]
    assert finished.nodes["large"] == "executed"
    half = np.zeros((height, width), np.float32)
    half[: height // 2 or 1, : width // 2 or 1] = 1
    if half.all():
        return
    done = remove(load_image(path), Mask(half))
    assert (done.width, done.height) == (width, height)


@pytest.mark.starter
@pytest.mark.parametrize(("width", "height", "channels"), [(1, 1, 3), (1, 500, 1), (500, 1, 4)])
def test_a_line_and_a_point_can_be_drawn_in_and_grown(starter, width, height, channels):
    image = Image(np.full((height, width, channels), 90, np.uint8))
    mask = np.zeros((height, width), np.float32)
    mask[:20, :20] = 1
    inputs = {"model": starter.loaded.handle, "image": image, "prompt": "a ball", "seed": 1}
    quick = {"steps": 1, "guidance_scale": 1.0, "sizes": "exact"}
    drawn = Inpaint().run({**inputs, "mask": Mask(mask)}, Inpaint.Params(**quick), starter)["image"]
    assert drawn.pixels.shape == image.pixels.shape
    assert np.array_equal(drawn.pixels[400:], image.pixels[400:])
    assert np.array_equal(drawn.pixels[:, 400:], image.pixels[:, 400:])
    grown = Outpaint().run(inputs, Outpaint.Params(left=5, bottom=3, **quick), starter)["image"]
    assert grown.pixels.shape == (height + 3, width + 5, channels)


@pytest.mark.starter
@pytest.mark.parametrize(("width", "height"), [(1, 100_000), (100_000, 1)])
def test_in_an_endless_strip_nothing_is_drawn(starter, width, height):
    image = Image(np.full((height, width, 3), 90, np.uint8))
    inputs = {"model": starter.loaded.handle, "image": image, "prompt": "a ball", "seed": 1}
    mask = Mask(np.ones((height, width), np.float32))
    with pytest.raises(ShapeUnsuitable, match="too long and narrow"):
        Inpaint().run({**inputs, "mask": mask}, Inpaint.Params(steps=1, sizes="exact"), starter)


@pytest.fixture(scope="module")
def starter(tmp_path_factory):
    return DiffusionContext(load(), tmp_path_factory.mktemp("starter"))


# --- refused ----------------------------------------------------------------------------------------------


@pytest.mark.qt_log_ignore(*READER_WARNINGS)
@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (bad.truncated, "ImageUnreadable", "cut off"),
        (bad.enormous, "ImageTooLarge", "30000 × 30000"),
        (lambda: b"", "ImageUnreadable", "not a picture"),
    ],
)
def test_a_broken_or_endless_picture_is_refused_everywhere(qapp, drive, tmp_path, make, code, words):
    path = bad.written(tmp_path, "bad.png", make())
    told = error_of(drive, one("image.load", path=str(path)))
    assert told.code == code
    assert words in told.message
    with pytest.raises(ImageTooLarge if code == "ImageTooLarge" else ImageUnreadable) as caught:
        read_image(str(path))
    if code == "ImageTooLarge":
        assert words in str(caught.value)


def test_a_picture_that_unpacks_to_more_than_its_size_is_its_size(tmp_path):
    image = load_image(bad.written(tmp_path, "a.png", bad.too_much_inside()))
    assert (image.width, image.height) == (16, 16)


@pytest.mark.parametrize("bits", [8, 16])
def test_what_does_not_fit_into_memory_is_refused_before_it_is_taken(tmp_path, monkeypatch, bits):
    path = bad.written(tmp_path, "large.png", bad.png(16_000, 16_000, bad.zeros(2**20), bits=bits))
    monkeypatch.setattr(decode, "host_memory", lambda: Memory(4 * 2**30, 10**9, 0))
    monkeypatch.setattr(decode, "_deep", lambda *_: pytest.fail("it was decoded"))
    monkeypatch.setattr(decode, "_pixels", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(ImageNeedsMemory, match="16000 × 16000") as caught:
        load_image(path)
    assert "GB" in str(caught.value)
    assert "is free" in str(caught.value)


MEASURE = """
import sys
from pathlib import Path
from pipelines.image import load_image

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024

load_image(Path(sys.argv[1]))
before = peak()
image = load_image(Path(sys.argv[2]))
print((peak() - before) / image.pixels.nbytes)
"""


@pytest.mark.posix
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize(("bits", "times"), [(8, 2.7), (16, 1.8)])
def test_a_bomb_of_allowed_size_takes_hardly_more_than_its_pixels(tmp_path, bits, times):
    """8 bits: Pillow's four bytes a pixel, and the result; 16: what was read, and the result."""
    rows = bad.zeros(3_000 * (3_000 * 3 * bits // 8 + 1))
    large = bad.written(tmp_path, "large.png", bad.png(3_000, 3_000, rows, bits=bits))
    small = bad.written(tmp_path, "small.png", bad.png(1, 1, bad.zeros(3 * bits // 8 + 1), bits=bits))
    assert large.stat().st_size < 60_000
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(small), str(large)],
        capture_output=True, text=True, check=True, cwd=ROOT, env=environment(tmp_path),
    )  # fmt: skip
    assert float(done.stdout) < times


def test_nothing_left_to_fill_from_is_said(tmp_path):
    image = Image(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(MaskCoversAll, match="redraw the whole image"):
        remove(image, Mask(np.ones((8, 8), np.float32)))


def test_after_all_this_the_engine_still_works(drive):
    assert drive.run(Graph().with_node("a", NodeRecord.new("text.constant"))).status == "finished"
