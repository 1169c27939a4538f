"""Drawing in a picture and enlarging from the real command line, on the starter models."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from pipelines.cli import upscale as upscale_module
from pipelines.cli.inpaint import inpaint_graph
from pipelines.cli.main import main, parser
from pipelines.cli.session import Session
from pipelines.cli.upscale import _targets
from pipelines.engine.protocol import RunFinished
from pipelines.graph.plan import validate
from pipelines.graph.registry import builtin
from tests.helpers.disc import picture
from tests.pipelines.cli.conftest import ROOT

pytestmark = pytest.mark.starter


@pytest.fixture
def files(tmp_path):
    """A picture, a white square on black as its mask, and the same as transparency."""
    Image.fromarray(picture(96, 64).pixels).save(tmp_path / "in.png")
    mask = np.zeros((64, 96), np.uint8)
    mask[24:40, 36:60] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    Image.fromarray(np.dstack([picture(96, 64).pixels, 255 - mask])).save(tmp_path / "hole.png")
    return tmp_path


def pixels(path):
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"))


@pytest.mark.parametrize(("mask", "port"), [("mask.png", "image"), ("hole.png", "mask")])
def test_a_mask_is_white_or_transparent(files, monkeypatch, mask, port):
    monkeypatch.chdir(files)
    options = parser().parse_args(["inpaint", "in.png", mask, "a frog", "--steps", "7"])
    graph = inpaint_graph(options)
    assert graph.nodes["draw"].inputs["mask"] == ("mask", port)
    params = graph.nodes["draw"].params
    assert (params["steps"], params["guidance_scale"], params["guidance_rescale"]) == (7, 4.0, 0.7)
    assert not validate(graph, builtin())


def test_inpaint_draws_what_the_mask_shows_and_nothing_else(diptych, files):
    words = ("inpaint", "in.png", "mask.png", "a green frog", "--steps", "4", "--seed", "3", "-o", "out.png")
    result = diptych(*words, "--strength", "0.9", "--fill", "border", "--json")
    assert result.code == 0, result.err
    assert result.json["graphs"][0]["outputs"]["save"]["path"] == str(files / "out.png")
    before, after = pixels(files / "in.png"), pixels(files / "out.png")
    assert (before != after).any(axis=2)[28:36, 40:56].mean() > 0.9
    assert np.array_equal(before[:, :8], after[:, :8])
    told = diptych("inspect", "out.png", "--json").json
    assert told["digital_source_type"].endswith("compositeWithTrainedAlgorithmicMedia")
    assert told["info"]["steps_run"] == "4 of 4"
    assert told["info"]["guidance_rescale"] == 0.7  # the model's own
    assert told["info"]["inpaint"]["fill"] == "border"


def test_remove_takes_away_what_the_mask_covers(diptych, files):
    Image.fromarray(np.full((64, 96, 3), 90, np.uint8)).save(files / "wall.png")
    with Image.open(files / "wall.png") as wall:
        wall.paste((255, 0, 0), (40, 28, 56, 36))
        wall.save(files / "thing.png")
    result = diptych("remove", "thing.png", "mask.png", "-o", "out.png", "--method", "patches")
    assert result.code == 0, result.err
    assert np.abs(pixels(files / "out.png").astype(int) - 90).max() <= 2
    assert diptych("inspect", "out.png", "--json").json["info"]["removal"]["method"] == "patches"


def test_outpaint_grows_the_picture(diptych, files):
    result = diptych(
        "outpaint", "in.png", "a ball", "--left", "16", "--bottom", "8", "--steps", "2", "--count", "2",
        "--strength", "0.5", "-o", "wide.webp",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "draw: denoising (1 of 2 steps run)" in result.err
    assert result.out.split() == [str(files / "wide.webp"), str(files / "wide-2.webp")]
    assert pixels(files / "wide.webp").shape == (72, 112, 3)


def test_upscale_enlarges_a_picture(diptych, files):
    result = diptych("upscale", "in.png", "--factor", "2", "--tile", "64")
    assert result.code == 0, result.err
    assert result.out.strip() == str(files / "in-upscaled.png")
    assert pixels(files / "in-upscaled.png").shape == (128, 192, 3)


def test_upscale_of_a_folder_goes_on_where_it_stopped(diptych, files):
    folder = files / "many"
    folder.mkdir()
    for name in ("a.png", "b.jpg", "c.bmp", "d.webp"):
        Image.fromarray(picture(24, 16).pixels).save(folder / name)
    (folder / "broken.png").write_bytes(b"no picture")
    first = diptych("upscale", "many", "-o", "large", "--json")
    assert first.code == 1
    assert [run["status"] for run in first.json["graphs"]].count("finished") == 4
    assert "4 enlarged, 1 failed (broken.png)." in first.err
    assert sorted(path.name for path in (files / "large").iterdir()) == [
        "a.png", "b.jpg", "c-bmp.png", "d.webp",
    ]  # fmt: skip
    assert pixels(files / "large" / "c-bmp.png").shape == (64, 96, 3)
    (folder / "broken.png").unlink()
    (files / "large" / "a.png").unlink()
    (files / "large" / "b.jpg").write_bytes(b"mine")
    again = diptych("upscale", "many", "-o", "large")
    assert again.code == 0, again.err
    assert again.err.count(": already done") == 3
    assert "1 enlarged, 3 already done." in again.err
    assert again.out.split() == [str(files / "large" / "a.png")]
    assert (files / "large" / "b.jpg").read_bytes() == b"mine"
    assert len(diptych("upscale", "many", "-o", "large", "--overwrite").out.split()) == 4
    assert (files / "large" / "b.jpg").read_bytes() != b"mine"


def test_upscale_keeps_what_a_picture_has(diptych, files):
    """Fine steps, grey, transparency: each comes back as it was, fitted into a square of 48 px."""
    folder = files / "many"
    folder.mkdir()
    ramp = np.linspace(0, 65_535, 24 * 16).reshape(16, 24).astype(np.uint16)
    cv2.imwrite(str(folder / "deep.png"), np.dstack([ramp, ramp.T.reshape(16, 24), ramp]))
    cv2.imwrite(str(folder / "deep-grey.tif"), ramp)
    Image.fromarray((ramp >> 8).astype(np.uint8)).save(folder / "grey.png")
    Image.fromarray(picture(24, 16).pixels).save(folder / "same.png")
    half = np.full((24, 16, 1), 128, np.uint8)
    Image.fromarray(np.dstack([picture(16, 24).pixels, half])).save(folder / "clear.webp", lossless=True)
    result = diptych("upscale", "many", "--size", "48", "-o", "large")
    assert result.code == 0, result.err
    assert "5 enlarged." in result.err
    found = {path.name: cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (files / "large").iterdir()}
    assert {name: (pixels.shape, pixels.dtype.name) for name, pixels in found.items()} == {
        "deep.png": ((32, 48, 3), "uint16"), "deep-grey-tif.png": ((32, 48), "uint16"),
        "grey.png": ((32, 48), "uint8"), "same.png": ((32, 48, 3), "uint8"),
        "clear.webp": ((48, 32, 4), "uint8"),
    }  # fmt: skip
    assert np.abs(found["clear.webp"][..., 3].astype(int) - 128).max() <= 1
    enlarged = cv2.resize(ramp, (48, 32), interpolation=cv2.INTER_CUBIC).astype(np.int32)
    assert np.abs(found["deep-grey-tif.png"] - enlarged)[4:-4, 4:-4].max() < 400  # finer than 8 bits
    assert len(np.unique(found["deep-grey-tif.png"])) > 1000


def test_two_pictures_of_one_name_get_two_names(tmp_path):
    pictures = [tmp_path / name for name in ("a.jpeg", "a.jpg", "a.png", "a.tif")]
    names = [path.name for path in _targets(tmp_path / "out", pictures, "auto").values()]
    assert names == ["a.jpg", "a-jpg.jpg", "a.png", "a-tif.png"]
    deep = [path.name for path in _targets(tmp_path / "out", pictures[:3], "16").values()]
    assert deep == ["a-jpeg.png", "a-jpg.png", "a.png"]


def test_ctrl_c_in_a_folder_ends_after_the_picture_at_hand(files, monkeypatch, capsys):
    """The engine is not asked for those that are left; a second call finds what is done."""
    (files / "many").mkdir()
    for name in ("a.png", "b.png", "c.png"):
        (files / "many" / name).touch()
    names = []

    class Interrupted(Session):
        def __enter__(self):
            return self

        def run(self, graph, *args, name, **more):
            names.append(name)
            self.interrupted = len(names) == 2
            status = "cancelled" if self.interrupted else "finished"
            return RunFinished(job="1", status=status, seconds=1, result={"graph": name})

    monkeypatch.chdir(files)
    monkeypatch.setattr(upscale_module, "Session", Interrupted)
    assert main(["upscale", "many", "-o", "large"]) == 130
    assert names == ["a.png", "b.png"]
    assert "1 enlarged, 2 left." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("inpaint", "none.png", "mask.png", "x"), "none.png"),
        (("inpaint", "in.png", "none.png", "x"), "none.png"),
        (("inpaint", "in.png", "text.png", "x"), "text.png"),
        (("inpaint", "in.png", "mask.png"), "prompt"),
        (("inpaint", "in.png", "mask.png", "x", "--strength", "strong"), "not a number"),
        (("outpaint", "in.png", "x", "--left", "1.5"), "whole number"),
        (("upscale", "none.png"), "none.png"),
        (("remove", "in.png", "text.png"), "text.png"),
        (("remove", "in.png", "mask.png", "--model", "nowhere"), "nowhere"),
        (("upscale", "in.png", "-o", "x.gif"), ".png"),
        (("upscale", ".", "-o", "x.png"), "folder"),
        (("upscale", "in.png", "--size", "0x0"), "0 px"),
        (("upscale", "in.png", "--size", "64", "--factor", "2"), "one of the two"),
        (("upscale", "in.png", "--depth", "16", "-o", "x.jpg"), "16 bits"),
    ],
)
def test_wrong_use_is_told_before_an_engine_starts(files, monkeypatch, capsys, words, text):
    (files / "text.png").write_text("no picture")
    monkeypatch.chdir(files)
    before = sorted(files.iterdir())
    assert main(list(words)) == 2
    assert text in capsys.readouterr().err
    assert sorted(files.iterdir()) == before


def test_an_empty_mask_is_a_failed_run(diptych, files):
    Image.new("L", (96, 64)).save(files / "black.png")
    result = diptych("inpaint", "in.png", "black.png", "x", "--json")
    assert result.code == 1, result.err
    assert result.json["graphs"][0]["nodes"]["draw"]["error"]["code"] == "MaskEmpty"
    assert "mask" in result.err
    assert "Traceback" not in result.err


@pytest.mark.posix
def test_ctrl_c_cancels_and_is_130(files):
    child = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "inpaint", "in.png", "mask.png", "a frog", "--steps", "400",
         "-o", "x.png"],
        cwd=files, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    for line in child.stderr:
        if "denoising" in line:
            break
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode == 130
    assert not (files / "x.png").exists()
