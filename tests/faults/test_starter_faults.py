"""Hostile prompts and sizes on the starter model, and two engines that want one device."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipelines import paths
from pipelines.engine.locks import FileLock
from pipelines.engine.protocol import NodeWarning, RunFinished, RunWaiting
from pipelines.graph.document import Graph
from pipelines.graph.storage import read_document
from pipelines.metadata import read_metadata
from tests.helpers.fault_graphs import assert_readable, engine, error_of, outputs

pytestmark = pytest.mark.starter


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    made = engine(tmp_path_factory.mktemp("engine"))
    yield made
    made.client.close()


def picture(prompt="a red apple", steps=1, name="{prompt}", **params) -> Graph:
    """The everyday graph without its upscaler, so that it takes no time."""
    graph = read_document(paths.RESOURCES / "templates" / "prompt_to_image.json")
    graph = (
        graph.with_link("save", "image", ("draw", "image")).without_node("upscale").without_node("upscaler")
    )
    for key, value in {"prompt": prompt, "steps": steps, "seed": 3, **params}.items():
        graph = graph.with_param("draw", key, value)
    return graph.with_param("save", "name", name)


def saved(finished) -> Path:
    assert finished.status == "finished", finished.errors
    return Path(outputs(finished)["save"]["path"])


def warnings(drive, job) -> list:
    return [event.warning for event in drive.of(NodeWarning) if event.job == job]


def test_an_empty_prompt_gives_a_picture(drive):
    for prompt in ("", " \n\t", "\u200b"):
        finished = drive.run(picture(prompt, name="{prompt}"))
        told = read_metadata(saved(finished))
        assert (told.width, told.height) == (64, 64)
        assert told.info["prompt"] == prompt
        assert not warnings(drive, finished.job)


def test_a_prompt_of_100_000_letters_says_how_many_tokens_are_used(drive):
    drive.run(picture("something short"))
    prompt = "an apple on a table, " * 5_000
    began = time.perf_counter()
    finished = drive.run(picture(prompt))
    seconds = time.perf_counter() - began
    told = read_metadata(saved(finished))
    assert told.info["prompt"] == prompt
    assert len(saved(finished).name.encode()) <= 255
    (warning,) = warnings(drive, finished.job)
    assert (warning.code, warning.severity) == ("PromptTooLong", "warning")
    assert_readable(warning)
    used, total = int(warning.arguments["used"]), int(warning.arguments["total"])
    assert used <= 32 < 10_000 < total
    assert len(warning.arguments["rest"]) < 200
    assert seconds < 20, "a prompt is no novel"


@pytest.mark.parametrize(
    "prompt",
    [
        "a" * 50_000,
        "\u202e" * 200,
        "🍎" * 5_000,
        "a\0b",
        "[[[((((" * 500,
        "{seed}%s%n../../",
        "<|endoftext|>" * 100,
    ],
    ids=["one word", "direction", "emoji", "nul", "brackets", "format", "special"],
)
def test_a_hostile_prompt_is_drawn_and_its_file_has_a_plain_name(drive, prompt):
    path = saved(drive.run(picture(prompt)))
    assert path.parent == drive.folder / "pictures"
    assert path.name.isprintable()
    assert read_metadata(path).info["prompt"] == prompt


@pytest.mark.parametrize("size", [(65, 64), (64, 63), (100, 30), (9, 9)])
def test_a_size_that_is_no_multiple_names_the_nearest_that_is(drive, size):
    error = error_of(drive, picture(width=size[0], height=size[1], sizes="exact"), "draw")
    assert error.code == "SizeUnsuitable"
    multiple = error.arguments["multiple"]
    nearest = (error.arguments["nearest_width"], error.arguments["nearest_height"])
    assert all(side % multiple == 0 and side > 0 for side in nearest)
    assert saved(drive.run(picture(width=nearest[0], height=nearest[1]))).exists()


def test_seeds_at_both_ends_are_drawn_and_kept(drive):
    for seed in (0, 2**63, 2**64 - 1):
        assert read_metadata(saved(drive.run(picture(seed=seed)))).info["seed"] == seed


def test_an_engine_waits_for_the_device_says_for_whom_and_goes_on(drive):
    """Whatever setting led to the device: here ``auto``, there its name."""
    drive.run(picture())
    held = sorted(path.name for path in paths.runtime_dir().glob("device-*.lock"))
    assert held, "no lock was taken"
    assert "device-auto.lock" not in held
    other = FileLock(paths.runtime_dir() / held[0], "Diptych, process 4711")
    assert other.acquire()
    job = drive.client.submit(picture(seed=77))
    waiting = drive.until(RunWaiting, job=job)
    assert waiting.owner == "Diptych, process 4711"
    assert waiting.device != "auto"
    other.release()
    assert drive.until(RunFinished, job=job).status == "finished"

    assert other.acquire()
    job = drive.client.submit(picture(seed=78))
    drive.until(RunWaiting, job=job)
    drive.client.cancel(job)
    assert drive.until(RunFinished, job=job).status == "cancelled"
    other.release()
