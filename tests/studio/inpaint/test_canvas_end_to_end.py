"""The real window with the real engine and the starter model: a picture, a mask, Generate, and apply."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from pipelines.metadata import read_metadata
from studio.app import StudioApp, make_parts
from studio.appearance import apply_theme
from studio.mask.surface import image_array
from studio.settings import SettingsStore
from tests.studio.inpaint.conftest import SIDE, Stage, noise

pytestmark = pytest.mark.starter
PATIENCE_MS = 120_000


@pytest.fixture
def stage(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path))
    parts = make_parts(SettingsStore(None))
    apply_theme(parts)
    made = StudioApp(parts, None)
    qtbot.addWidget(made.window, before_close_func=lambda _: made.close())
    made.window.resize(1280, 800)
    made.window.show()
    qtbot.waitExposed(made.window)
    return Stage(qtbot, made, parts.bridge)


def test_what_is_not_masked_stays_bit_for_bit(stage: Stage, qtbot: QtBot) -> None:
    stage.open()
    stage.page.canvas.settings.change_brush(size=6)
    stage.stroke((26, 32), (38, 32))
    stage.document.set_params({("draw", "steps"): 3, ("draw", "batch"): 2, ("draw", "seed"): 5}, "test")
    stage.document.set_param("draw", "prompt", "a red apple")
    qtbot.waitUntil(lambda: stage.page.watcher.planned is not None)
    with qtbot.waitSignal(stage.page.runs.ended, timeout=PATIENCE_MS) as ended:
        stage.press(stage.page.form.button)
    assert ended.args == ["generate", "finished"]
    qtbot.waitUntil(lambda: len(stage.page.runs.candidates.items) == 2)
    assert [item.seed for item in stage.page.runs.candidates.items] == [5, 6]
    cover = np.zeros((SIDE, SIDE), bool)
    planned = stage.page.watcher.planned
    box = planned.rect
    cover[box.top() : box.bottom() + 1, box.left() : box.right() + 1] = planned.plan.composite.values > 0
    stage.window.commands.run("canvas.apply")
    before, after = image_array(noise()), stage.picture()
    assert np.array_equal(after[~cover], before[~cover])
    assert (after != before)[32, 32].any()
    (path, _) = [Path(result.path) for result in stage.studio.parts.results.results]
    told = read_metadata(path)
    assert told.source_type.endswith("compositeWithTrainedAlgorithmicMedia")
    assert (told.width, told.height) == (SIDE, SIDE)
