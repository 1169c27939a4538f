"""The real window with the real engine and the starter model: type, Generate, watch, find it saved,
cancel."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from pipelines import paths
from pipelines.metadata import graph_of, read_metadata
from studio.app import StudioApp, make_parts
from studio.appearance import apply_theme
from studio.settings import SettingsStore

pytestmark = pytest.mark.starter
PATIENCE_MS = 120_000


@pytest.fixture
def studio(qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path))
    parts = make_parts(SettingsStore(None))
    apply_theme(parts)
    made = StudioApp(parts, None)
    qtbot.addWidget(made.window, before_close_func=lambda _: made.close())
    made.window.resize(1280, 800)
    made.window.show()
    qtbot.waitExposed(made.window)
    return made


def type_prompt(studio, text):
    editor = studio.window.create_page.form.rows["prompt"].field
    editor.setFocus()
    QTest.keyClick(editor, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(editor, text)
    return editor


def press_generate(studio):
    QTest.mouseClick(studio.window.create_page.form.button, Qt.MouseButton.LeftButton)


def test_a_prompt_becomes_a_saved_picture_and_a_second_run_is_cancelled(qtbot, studio, tmp_path):
    studio.window.actions_.open_template("prompt_to_image")
    tracker = studio.parts.tracker
    type_prompt(studio, "a red apple")
    assert studio.parts.document.graph.nodes["draw"].params["prompt"] == "a red apple"

    previews = []
    tracker.preview_arrived.connect(
        lambda picture, size: previews.append((picture.width(), picture.height()))
    )
    with qtbot.waitSignal(tracker.run_ended, timeout=PATIENCE_MS) as ended:
        press_generate(studio)  # the engine is still starting: it is accepted all the same
        assert studio.window.create_page.form.button.text().startswith("Cancel")
    run = ended.args[0]
    assert (run.state, run.errors) == ("finished", [])
    assert len(previews) >= 8
    assert previews[-1][0] >= 8

    (result,) = studio.parts.results.results
    assert result.path.startswith(str(paths.pictures_dir()))
    told = read_metadata(paths.Path(result.path))
    assert (told.width, told.height) == (256, 256)
    assert told.info["prompt"] == "a red apple"
    assert told.info["seed"] == result.seed
    again = graph_of(paths.Path(result.path))
    assert again.nodes["draw"].params["seed"] == result.seed
    assert again.nodes["draw"].params["prompt"] == "a red apple"
    # the seed that was drawn is in the picture, not in the document, and no undo step
    assert studio.parts.document.graph.nodes["draw"].params["seed"] is None

    studio.parts.document.set_param("draw", "steps", 400)
    previews.clear()
    press_generate(studio)
    qtbot.waitUntil(lambda: len(previews) >= 3, timeout=PATIENCE_MS)
    with qtbot.waitSignal(tracker.run_ended, timeout=PATIENCE_MS) as ended:
        press_generate(studio)  # the same button cancels now
    assert ended.args[0].state == "cancelled"
    assert len(studio.parts.results.results) == 1
    assert len(list(paths.pictures_dir().glob("*.png"))) == 1

    studio.parts.document.undo_stack.undo()
    assert len(studio.parts.results.results) == 1, "undo never clears results"


def test_what_was_made_already_says_so(qtbot, studio):
    studio.window.actions_.open_template("prompt_to_image")
    tracker = studio.parts.tracker
    studio.parts.document.set_params({("draw", "steps"): 2, ("draw", "seed"): 5}, "test")
    with qtbot.waitSignal(tracker.run_ended, timeout=PATIENCE_MS):
        press_generate(studio)
    with qtbot.waitSignal(tracker.already_made, timeout=PATIENCE_MS):
        press_generate(studio)
    assert len(studio.parts.results.results) == 1
