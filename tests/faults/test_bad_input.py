"""Values no form would send, through the real nodes: a clear error at the right place; the engine goes on."""

from __future__ import annotations

import time

import pytest

from pipelines.engine.protocol import NodeFinished, NodeStarted
from pipelines.errors import ImageTooLarge
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.plan import validate
from pipelines.graph.registry import builtin
from pipelines.upscale import upscale
from tests.helpers.fault_graphs import assert_readable, engine, error_of, one, outputs, saving


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    made = engine(tmp_path_factory.mktemp("engine"))
    yield made
    made.client.close()


@pytest.fixture
def junk(tmp_path):
    path = tmp_path / "junk.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing that makes sense")
    return path


NOWHERE = "a/folder/that/is/not/there.png"


@pytest.mark.parametrize(
    ("graph", "code"),
    [
        (one("image.load", path="a\0b.png"), "PathUnusable"),
        (one("image.load", path="~nobody_of_this_name/a.png"), "PathUnusable"),
        (one("image.load", path="a" * 300), "ImageUnreadable"),
        (one("image.load", path=NOWHERE), "FileMissing"),
        (one("image.load", path="/"), "ImageUnreadable"),
        (one("image.load", path="half \ud83d a character"), "InvalidParameter"),
        (one("text.load", path="a\0"), "PathUnusable"),
        (one("text.load", path=NOWHERE), "FileMissing"),
        (one("list.table", path="a\0"), "PathUnusable"),
        (one("list.table", path=NOWHERE), "FileMissing"),
        (one("image.folder", folder="a\0"), "PathUnusable"),
        (one("image.folder", folder=NOWHERE), "FolderMissing"),
        (one("model.diffusion", model="nothing.safetensors"), "ModelMissing"),
        (one("model.diffusion", model="../../etc/passwd"), "ModelMissing"),
        (one("model.diffusion", model="/" + "m" * 300), "ModelMissing"),
        (one("text.save", text="x", path="t" * 300), "TextNotSaved"),
        (one("model.diffusion", model="./a\0"), "PathUnusable"),
        (one("list.range", start=0, stop=1e12), "TooManyItems"),
        (one("list.range", start=-1e308, stop=1e308, step=1e-300), "TooManyItems"),
        (one("list.range", start=0, stop=1, step=5e-324), "TooManyItems"),
        (one("image.solid", color="#ff0000", width=10**9, height=10**9), "InvalidParameter"),
        (one("image.solid", color="#ff0000", width=65_536, height=65_536), "ImageTooLarge"),
        (one("image.solid", color="red-ish"), "InvalidParameter"),
        (one("text.constant", text="half \ud83d a character"), "InvalidParameter"),
        (one("text.constant", text=5), "InvalidParameter"),
        (one("number.constant", value="many"), "InvalidParameter"),
        (one("number.math", a=1e308, b=1e308, operation="multiply"), "ArithmeticFailed"),
        (one("number.math", a=1, b=0, operation="divide"), "ArithmeticFailed"),
        (one("number.math", a=1, b=0, operation="root of evil"), "InvalidParameter"),
        (one("nobody.knows.this", x=1), "UnknownNodeType"),
    ],
)
def test_a_value_that_makes_no_sense_is_named_at_its_node(drive, graph, code):
    assert error_of(drive, graph).code == code


@pytest.mark.posix
@pytest.mark.parametrize("node", ["image.load", "text.load", "list.table"])
def test_a_device_without_an_end_is_not_read(drive, node):
    assert "device" in error_of(drive, one(node, path="/dev/zero")).message


@pytest.mark.posix
def test_a_pipe_that_nobody_writes_to_holds_nothing_up(drive, tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.csv")
    path = str(tmp_path / "pipe.csv")
    assert validate(one("list.table", path=path), builtin()) == []
    assert error_of(drive, one("list.table", path=path)).code == "TableUnreadable"
    assert error_of(drive, one("model.diffusion", model=path)).code == "ModelUnreadable"


def test_errors_say_it_in_our_words_not_in_those_of_a_library(drive, junk):
    told = {
        "colour": error_of(drive, one("image.solid", color="nope")),
        "kind": error_of(drive, one("number.math", operation="nope")),
        "whole": error_of(drive, one("image.solid", width=1.5)),
        "text": error_of(drive, one("text.constant", text=[1])),
        "image": error_of(drive, one("image.load", path=str(junk))),
    }
    for error in told.values():
        assert "Value error" not in error.message
        assert "Input should be" not in error.message
        assert ".." not in error.message.replace("…", "")
    assert "add, subtract" in told["kind"].message
    assert "whole number" in told["whole"].message


# --- steps, sizes, seeds ---------------------------------------------------------------------------------


def draw(**params):
    """A prompt to image whose bad values are found before any model is read."""
    model = NodeRecord.new("model.diffusion")
    node = NodeRecord.new("diffusion.text_to_image", params=params, inputs={"model": ("model", "model")})
    return Graph().with_node("model", model).with_node("n", node)


@pytest.mark.parametrize(
    ("params", "port"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": 10**9}, "steps"),
        ({"steps": 2.5}, "steps"),
        ({"steps": -1}, "steps"),
        ({"width": 0}, "width"),
        ({"width": 10**9}, "width"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"seed": 10**300}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": True}, "seed"),
        ({"variation_seed": 2**64}, "variation_seed"),
        ({"batch": 0}, "batch"),
        ({"batch": 10**6}, "batch"),
        ({"guidance_scale": 10**400 // 10**390}, "guidance_scale"),
        ({"sampler": "no such sampler"}, "sampler"),
        ({"prompt": 7}, "prompt"),
    ],
)
def test_a_drawing_that_can_t_be_names_its_field_and_reads_no_model(drive, params, port):
    before = len(drive.events)
    error = error_of(drive, draw(**params))
    assert (error.code, error.port) == ("InvalidParameter", port)
    assert not [event for event in drive.events[before:] if isinstance(event, NodeStarted)]


@pytest.mark.parametrize(("a", "b"), [(2.0**63, 2.0), (0.0, 1.0), (1e300, 1.0)])
def test_a_calculated_number_that_is_no_seed_is_refused(drive, a, b):
    operation = {2.0: "multiply", 1.0: "subtract"}[b] if a != 1e300 else "max"
    graph = draw().with_node(
        "sum", NodeRecord.new("number.math", params={"a": a, "b": b, "operation": operation})
    )
    graph = graph.with_link("n", "seed", ("sum", "value"))
    error = error_of(drive, graph)
    assert (error.code, error.port) == ("IncompatibleLink", "seed")


def test_the_largest_seed_is_one(drive):
    graph = Graph().with_node("s", NodeRecord.new("text.constant", params={"text": str(2**64 - 1)}))
    assert validate(draw(seed=2**64 - 1), builtin()) == []
    assert outputs(drive.run(graph)) == {"s": {"text": str(2**64 - 1)}}


# --- bounds and speed ------------------------------------------------------------------------------------


def test_a_template_of_10_000_slots_is_checked_at_once(drive):
    count = 10_000
    template = " ".join(f"{{s{index}}}" for index in range(count))
    links = {f"s{index}": ("word", "text") for index in range(count)}
    graph = Graph().with_node("word", NodeRecord.new("text.constant", params={"text": "x"}))
    graph = graph.with_node("n", NodeRecord.new("text.template", params={"template": template}, inputs=links))
    began = time.perf_counter()
    assert validate(graph, builtin()) == []
    assert outputs(drive.run(graph)) == {"n": {"text": " ".join("x" * count)}}
    dangling = graph.without_node("word").with_node(
        "n", NodeRecord.new("text.template", params={"template": template}, inputs=links)
    )
    assert len(validate(dangling, builtin())) == count
    assert time.perf_counter() - began < 30, "quadratic work takes minutes"


def test_an_upscale_beyond_the_limit_is_refused_before_memory_is_taken(drive):
    solid = NodeRecord.new("image.solid", params={"color": "#101010", "width": 64, "height": 64})
    resize = NodeRecord.new(
        "image.resize", params={"width": 60_000, "height": 60_000}, inputs={"image": ("solid", "image")}
    )
    graph = Graph().with_node("solid", solid).with_node("n", resize)
    assert error_of(drive, graph).code == "ImageTooLarge"


def test_the_model_upscaler_checks_the_size_before_anything_else():
    class Picture:
        width, height = 16_384, 16_384

    class Descriptor:
        scale = 4

    class Loaded:
        descriptor = Descriptor()

    with pytest.raises(ImageTooLarge):
        upscale(Loaded(), Picture(), 0.0, 0, None, lambda done, total: None)


def test_a_result_too_long_for_a_message_fails_its_run_and_nothing_else(tmp_path):
    from tests.helpers.engine_drive import in_own_process

    lines = "\n".join("x" * 8 for _ in range(80_000))
    graph = Graph().with_node("lines", NodeRecord.new("list.text", params={"lines": lines}))
    join = NodeRecord.new("text.join", params={"b": "y" * 1000}, inputs={"a": ("lines", "items")})
    drive = in_own_process(tmp_path).start()
    finished = drive.run(graph.with_node("join", join))
    assert finished.status == "failed"
    assert finished.errors[-1].code == "MessageTooLong"
    assert_readable(finished.errors[-1])
    # a request that is too long ends at once, too
    long = Graph().with_field("note", "z" * (70 * 2**20))
    finished = drive.run(long.with_node("a", NodeRecord.new("text.constant")))
    assert finished.errors[0].code == "MessageTooLong"
    assert outputs(drive.run(one("text.constant", text="fine"))) == {"n": {"text": "fine"}}
    drive.client.close()


def test_the_same_job_twice_is_refused_and_the_first_one_ends(drive):
    from pipelines.engine.protocol import Failure, Run, RunFinished

    graph = one("text.constant", text="once").dumps().decode()
    busy = Graph().with_node("lines", NodeRecord.new("list.text", params={"lines": "a\n" * 5_000}))
    busy = busy.with_node("n", NodeRecord.new("text.join", inputs={"a": ("lines", "items")}))
    first = drive.client.submit(busy)
    for _ in range(2):
        drive.client.send(Run(job="twin", graph=graph))
    assert "twin" in drive.until(Failure).error.message
    drive.until(RunFinished, job=first)
    assert drive.until(RunFinished, job="twin").status == "finished"


# --- names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a\u202egnp.exe\n\x01b", "agnp.exe__b.png"),
        ("ü" * 400, "ü" * 100 + ".png"),
        ("...", "image.png"),
        ("", "image.png"),
        ("con", "_con.png"),
        ("a" * 255 + ".png", "a" * 200 + ".png"),
        ("{n}", "0001.png"),
        ("line\nbreak", "line_break.png"),
    ],
)
def test_a_hostile_name_becomes_a_plain_one(drive, tmp_path, name, expected):
    assert drive.run(saving(tmp_path, name)).status == "finished"
    assert [path.name for path in tmp_path.iterdir()] == [expected]


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a/../../x", "..\\x", "{nope}"])
def test_a_name_that_leaves_its_folder_or_makes_no_sense_is_refused(drive, tmp_path, name):
    folder = tmp_path / "pictures" / "here"
    folder.mkdir(parents=True)
    assert error_of(drive, saving(folder, name), "save").code in ("PathNotAllowed", "InvalidParameter")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "prompt",
    [
        "../../../etc/passwd",
        "a\nb\u202egnp.exe",
        "\u0000nul",
        "con",
        "ü" * 300,
        "{seed}{n}{prompt}",
        "%s%n",
        "",
    ],
)
def test_a_hostile_prompt_in_a_name_stays_one_plain_name(tmp_path, prompt):
    from datetime import datetime

    import numpy as np

    from pipelines.graph.values import Image
    from pipelines.nodes.filenames import picture_path

    image = Image(np.zeros((1, 1, 3), np.uint8), {"prompt": prompt})
    path = picture_path(tmp_path, "{prompt}", ".png", image, datetime.now().astimezone())
    assert path.parent == tmp_path
    assert len(path.name.encode()) <= 255
    assert path.name.isprintable()
    path.touch()


def test_after_all_this_the_engine_still_works(drive):
    assert outputs(drive.run(one("text.constant", text="still here"))) == {"n": {"text": "still here"}}
    assert not [
        event for event in drive.of(NodeFinished) if event.error and event.error.code == "UnexpectedError"
    ]
