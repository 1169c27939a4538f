"""Drawing in a picture and enlarging from the real command line, on the starter models."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pipelines.cli.inpaint import inpaint_graph
from pipelines.cli.main import main, parser
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


def test_outpaint_grows_the_picture(diptych, files):
    result = diptych(
        "outpaint", "in.png", "a ball", "--left", "16", "--bottom", "8", "--steps", "2", "--count", "2",
        "-o", "wide.webp",
    )  # fmt: skip
    assert result.code == 0, result.err
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
    assert sorted(path.name for path in (files / "large").iterdir()) == [
        "a.png", "b.jpg", "c-bmp.png", "d.webp",
    ]  # fmt: skip
    assert pixels(files / "large" / "c-bmp.png").shape == (64, 96, 3)
    (folder / "broken.png").unlink()
    (files / "large" / "a.png").unlink()
    (files / "large" / "b.jpg").write_bytes(b"mine")
    again = diptych("upscale", "many", "-o", "large")
    assert again.code == 0, again.err
    assert again.err.count("already done") == 3
    assert again.out.split() == [str(files / "large" / "a.png")]
    assert (files / "large" / "b.jpg").read_bytes() == b"mine"
    assert len(diptych("upscale", "many", "-o", "large", "--overwrite").out.split()) == 4
    assert (files / "large" / "b.jpg").read_bytes() != b"mine"


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
        (("upscale", "in.png", "-o", "x.gif"), ".png"),
        (("upscale", ".", "-o", "x.png"), "folder"),
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
