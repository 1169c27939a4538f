"""Plain functions of the studio: shapes, quality, phases, fuzzy search, commands' table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engine.protocol import NodeProgress
from studio.commands.table import COMMANDS, MENUS, keyboard_table
from studio.create.quality import quality_of, steps_for
from studio.engine.phases import bytes_text, duration_text, fraction_of, progress_text
from studio.widgets.fuzzy import score, search
from studio.widgets.shapes import RATIOS, nearest, shape_of, size_for


@given(
    st.sampled_from([*RATIOS, (1, 1), *((b, a) for a, b in RATIOS)]),
    st.sampled_from([(64, 64), (512, 512), (1024, 1024), (768, 512)]),
    st.sampled_from([8, 16, 32, 64]),
)
def test_sizes_are_multiples_of_about_the_native_area(
    ratio: tuple[int, int], native: tuple[int, int], multiple: int
) -> None:
    width, height = size_for(ratio, native, multiple)
    assert width % multiple == height % multiple == 0
    assert min(width, height) >= multiple
    assert shape_of(width, height) in (shape_of(*ratio), "square")
    area = native[0] * native[1]
    if multiple * 8 <= min(native):
        assert 0.7 * area <= width * height <= 1.4 * area
        assert width / height == pytest.approx(ratio[0] / ratio[1], rel=0.2)


def test_known_sizes() -> None:
    assert size_for((1, 1), (512, 512), 8) == (512, 512)
    assert size_for((3, 2), (512, 512), 64) == (576, 384)
    assert nearest(500, 3, 64) == (512, 64)


def test_quality_is_a_part_of_the_models_steps() -> None:
    assert [steps_for(name, 16) for name in ("draft", "normal", "fine")] == [8, 16, 32]
    assert steps_for("draft", 1) == 1
    assert quality_of(16, 16) == "normal"
    assert quality_of(17, 16) is None


def _progress(**values: object) -> NodeProgress:
    return NodeProgress.model_validate({"job": "j", "node": "draw", "step": 7, "total": 16, **values})


def test_phases_are_named() -> None:
    text = progress_text(_progress(phase="denoising", rate=9.2, seconds_left=1.0))
    assert text == "step 7 of 16 · 9.2 it/s · 1 s left"
    strength = _progress(phase="denoising", step=5, total=12, asked=20)
    assert progress_text(strength) == "step 5 of 12 (12 of 20 run)"
    reading = _progress(phase="reading", unit="byte", step=3_200_000_000, total=6_600_000_000)
    assert progress_text(reading) == "reading model 3.2 of 6.6 GB"
    assert progress_text(_progress(phase="encoding")) == "encoding the prompt"
    assert progress_text(_progress(phase="decoding")) == "decoding"
    composing = progress_text(_progress(phase="composing 72 × 48", step=3, total=16))
    assert composing == "composing at 72 × 48, step 3 of 16"
    assert progress_text(_progress(phase="enlarging", step=1, total=1)) == "enlarging"
    detail = progress_text(_progress(phase="drawing detail", step=3, total=6))
    assert detail == "drawing detail, step 3 of 6"
    writing = _progress(phase="writing", unit="token", step=23, total=32, rate=15.04)
    assert progress_text(writing) == "writing, 23 tokens · 15.0 tokens/s"
    assert progress_text(_progress(item=1, items=4)).startswith("picture 2 of 4 · ")
    assert progress_text(_progress(step=0, total=0, rate=None, seconds_left=None, item=1, items=4)) == (
        "item 2 of 4 · at work"
    )
    assert progress_text(_progress(phase="writing", item=1, items=4)).startswith("text 2 of 4 · ")


def test_progress_counts_all_pictures() -> None:
    assert fraction_of(_progress(step=8, item=1, items=4)) == pytest.approx(0.375)
    assert fraction_of(_progress(total=0, item=1, items=4)) == 0.25
    assert fraction_of(_progress(total=0)) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (59, "59 s"), (125, "2 min 5 s"), (4200, "1 h 10 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_bytes_share_a_unit() -> None:
    assert bytes_text(512_000, 71_000_000) == "0.5 of 71.0 MB"
    assert bytes_text(3, 900) == "3 of 900 bytes"


def test_fuzzy_search_finds_by_initials_and_parts() -> None:
    titles = ["Open the graph", "Generate", "Generate with a new seed", "Copy the picture", "Open its folder"]
    assert search("gen", titles, str)[0] == "Generate"
    assert search("oif", titles, str)[0] == "Open its folder"
    assert search("seed gen", titles, str) == ["Generate with a new seed"]
    assert search("", titles, str) == titles
    assert score("xyz", "Generate") is None


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("seed", "Switch between dark and light View"),
        ("seed", "Select all nodes Graph"),
        ("seed", "Show the selected nodes Graph"),
        ("gen", "Open the graph"),
    ],
)
def test_letters_scattered_over_a_title_are_no_match(query: str, text: str) -> None:
    assert score(query, text) is None


def test_a_few_letters_left_out_still_match() -> None:
    assert score("promt", "Go to the prompt") is not None
    assert score("setings", "Settings…") is not None


def test_what_begins_a_word_comes_first_and_hides_what_is_far_worse() -> None:
    assert search("settings", ["Reset things", "Settings"], str) == ["Settings"]
    assert search("model", ["Supermodel", "Use a model"], str) == ["Use a model", "Supermodel"]
    assert search("promp", ["Pro map", "The prompt"], str) == ["The prompt"]
    found = search("contr", ["Region Control control.region", "Control model Models model.control"], str)
    assert found[0].startswith("Control model")


def test_shortcuts_and_ids_are_unique() -> None:
    ids = [command.id for command in COMMANDS]
    keys = [key for command in COMMANDS for key in (command.shortcut, *command.also)]
    assert len(ids) == len(set(ids))
    assert len(keys) == len(set(keys))
    assert all(command.shortcut for command in COMMANDS)
    assert {command.menu for command in COMMANDS} <= set(MENUS)


def test_the_promised_keys() -> None:
    keys = {command.id: command.shortcut for command in COMMANDS}
    assert keys["run.generate"] == "Ctrl+Return"
    assert keys["run.cancel"] == "Ctrl+."
    assert keys["help.palette"] == "Ctrl+Shift+P"
    assert (keys["view.create"], keys["view.graph"]) == ("Ctrl+1", "Ctrl+2")


def test_the_keyboard_table_lists_every_command() -> None:
    table = keyboard_table([("Graph", "Delete", "Delete")])
    assert table.count("\n") == len(COMMANDS) + 3
    assert "| Run | Generate | `Ctrl+Enter` |" in table
    assert "| Graph | Delete | `Delete` |" in table


def test_keys_of_one_action_share_a_row() -> None:
    rows = [("Graph", "Edit", "Return"), ("Graph", "Edit", "Enter"), ("Graph", "Edit", "F4")]
    assert "| Graph | Edit | `Enter`, `F4` |" in keyboard_table(rows)


def test_titles_are_sentence_case_without_exclamation_marks() -> None:
    for command in COMMANDS:
        assert "!" not in command.title
        assert command.title[0].isupper() or command.title[0].isdigit()
