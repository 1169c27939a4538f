"""The starter models from the real command line: a prompt becomes a picture, an idea becomes a text."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from pipelines.cli.arguments import find_model
from pipelines.cli.main import parser
from pipelines.cli.render import render_graph
from pipelines.graph.plan import validate
from pipelines.graph.registry import builtin
from tests.pipelines.cli.conftest import ROOT

pytestmark = pytest.mark.starter


def test_render_draws_saves_and_can_be_made_again(diptych, tmp_path):
    result = diptych("render", "a red apple", "--seed", "7", "--steps", "4", "-o", "apple.png", "--json")
    assert result.code == 0, result.err
    path = result.json["graphs"][0]["outputs"]["save"]["path"]
    assert path == str(tmp_path / "apple.png")
    with Image.open(path) as picture:
        assert picture.size == (256, 256)
        first = picture.convert("RGB").tobytes()
        assert len(set(first)) > 20
    told = diptych("inspect", "apple.png", "--json").json
    assert told["info"]["seed"] == 7
    assert told["info"]["prompt"] == "a red apple"
    assert told["digital_source_type"].endswith("trainedAlgorithmicMedia")
    assert "apple" in told["parameters"]["prompt"]
    # the graph in the picture draws the very same picture
    again = diptych(
        "run", "apple.png", "--json", "-o", "again", "--set", "save.folder=", "--set", "save.name=b"
    )
    assert again.code == 0, again.err
    with Image.open(again.json["graphs"][0]["outputs"]["save"]["path"]) as picture:
        assert picture.convert("RGB").tobytes() == first


def graph_of(*words):
    return render_graph(parser().parse_args(["render", "x", *words]), find_model("diffusion", "").info)


def test_only_what_the_model_draws_at_once_is_upscaled():
    for size in ((), ("--size", "72x56"), ("--size", "128", "--exact-size")):
        graph = graph_of(*size)
        assert graph.nodes["save"].inputs["image"].node == "upscale", size
    for size in ("128", "40", "1000x700"):
        graph = graph_of("--size", size)
        assert graph.nodes["save"].inputs["image"].node == "draw"
        assert graph.nodes["draw"].inputs["upscaler"].node == "upscaler"
        assert not validate(graph, builtin())
    plain = graph_of("--size", "128", "--no-upscale", "--exact-size", "--detail", "0.5")
    assert set(plain.nodes) == {"model", "draw", "save"}
    params = plain.nodes["draw"].params
    assert (params["sizes"], params["detail"]) == ("exact", 0.5)


def test_render_in_any_size_and_count(diptych, tmp_path):
    result = diptych(
        "render",
        "a fox",
        "--size",
        "100x60",
        "--steps",
        "2",
        "--count",
        "2",
        "--seed",
        "1",
        "-o",
        "f.webp",
    )
    assert result.code == 0, result.err
    assert result.out.split() == [str(tmp_path / "f.webp"), str(tmp_path / "f-2.webp")]
    with Image.open(tmp_path / "f-2.webp") as picture:
        assert picture.size == (100, 60)
    plan = diptych("inspect", "f-2.webp", "--json").json["info"]["size_plan"]
    assert (plan["mode"], plan["first_width"], plan["enlarged_by"]) == ("two_pass", 80, "upscaler")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--steps", "0"), 1, "between 1 and"),
        (("--steps", "1000000000"), 1, "between 1 and"),
        (("--size", "63x64", "--exact-size"), 1, "multiple"),
        (("--size", "128", "--detail", "2"), 1, "between 0.1 and"),
        (("--size", "big"), 2, "size"),
        (("--seed", "-1"), 2, "seed"),
        (("--model", "nowhere"), 2, "nowhere"),
        (("-o", "apple.gif"), 2, ".png"),
    ],
)
def test_bad_input_says_what_to_do(diptych, words, code, text):
    result = diptych("render", "x", *words)
    assert result.code == code, result.err
    assert text in result.err
    assert "Traceback" not in result.err


@pytest.mark.posix
def test_ctrl_c_cancels_and_is_130(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "render", "a fox", "--steps", "400", "-o", "x.png"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    for line in child.stderr:
        if "denoising" in line:
            break
    time.sleep(0.2)
    asked = time.monotonic()
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode == 130
    assert time.monotonic() - asked < 8
    assert not (tmp_path / "x.png").exists()


def test_write_streams_and_is_seeded(diptych, starter_text_model):
    words = ("write", "Name a fruit.", "--max-tokens", "8", "--seed", "3")
    first, second = diptych(*words), diptych(*words, "--json")
    assert first.code == second.code == 0, first.err + second.err
    assert first.out.strip() == second.json["graphs"][0]["outputs"]["write"]["text"].strip()
    assert first.out.strip()
