"""Several documents with a canvas each: layers, steps and results stay with theirs."""

from __future__ import annotations

import numpy as np

from tests.studio.inpaint.conftest import Stage, noise, plain


def test_each_document_has_its_layers_and_its_own_undo(stage: Stage) -> None:
    stage.open(noise(seed=1))
    stage.stroke()
    first, mask = stage.picture(), stage.hand.values.copy()
    stage.window.actions_.open_template("inpaint")
    assert stage.page.is_empty
    stage.open(noise(seed=2))
    stage.stroke((10, 10), (50, 50))
    second = stage.picture()
    stage.window.actions_.tabs.step(-1)
    assert np.array_equal(stage.picture(), first)
    assert np.array_equal(stage.hand.values, mask)
    stage.document.undo_stack.undo()
    assert not stage.hand.values.any()
    stage.document.undo_stack.redo()
    assert np.array_equal(stage.hand.values, mask)
    stage.window.actions_.tabs.step(1)
    assert np.array_equal(stage.picture(), second)
    while stage.document.undo_stack.canUndo():
        stage.document.undo_stack.undo()
    assert stage.page.is_empty
    while stage.document.undo_stack.canRedo():
        stage.document.undo_stack.redo()
    assert np.array_equal(stage.picture(), second)


def test_a_stroke_just_before_another_document_comes_is_in_its_own(stage: Stage) -> None:
    stage.open()
    stage.kept()
    before = stage.document.graph.nodes["canvas"]
    stage.stroke()
    sheet = stage.document.sheet
    stage.window.actions_.open_template("prompt_to_image")
    assert sheet.graph.nodes["canvas"] != before  # noted though nobody waited
    stage.stroke()  # on no canvas
    assert stage.document.graph.nodes.keys() == {"model", "draw", "upscaler", "upscale", "save"}


def test_results_wait_for_the_document_they_were_made_for(stage: Stage) -> None:
    stage.open()
    stage.stroke()
    job = stage.generate()
    stage.finish(job, plain("red"), plain("blue"))
    stage.page.runs.candidates.step(1)
    stage.window.actions_.open_template("prompt_to_image")
    assert not stage.page.results.has_results
    stage.window.actions_.tabs.step(-1)
    assert (len(stage.page.runs.candidates.items), stage.page.runs.candidates.index) == (2, 1)
    stage.page.results.apply()
    assert stage.picture()[32, 32].tolist()[:3] == [255, 0, 0]  # blue, green, red


def test_a_run_for_another_document_does_not_hold_up_this_one(stage: Stage) -> None:
    stage.open()
    stage.stroke()
    first = stage.generate()
    stage.window.actions_.open_template("inpaint")
    stage.open(noise(seed=2))
    stage.stroke()
    assert not stage.page.runs.is_active()
    second = stage.generate()
    assert second != first
    stage.window.actions_.cancel()
    assert stage.bridge.cancelled == [second]
