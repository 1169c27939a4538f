"""The Canvas in the window: a picture comes, is painted over, and everything of it can be undone."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt

from pipelines.graph.document import Graph
from studio.inpaint.canvas_graph import find_parts, task_of
from studio.inpaint.tasks import TASKS, Task
from studio.mask.layers import LayerKind
from studio.mask.surface import image_array
from tests.helpers.studio_fakes import template
from tests.studio.inpaint.conftest import SIDE, Stage, noise, plain


def undo_all(stage: Stage) -> None:
    while stage.document.undo_stack.canUndo():
        stage.document.undo_stack.undo()


def redo_all(stage: Stage) -> None:
    while stage.document.undo_stack.canRedo():
        stage.document.undo_stack.redo()


# --- a picture comes -----------------------------------------------------------------------------------


def test_an_empty_canvas_offers_ways_to_begin(stage: Stage) -> None:
    page = stage.page
    assert page.is_empty
    assert page.pages.currentWidget() is page.empty
    assert not page.form.isEnabled()
    assert not page.empty.last_button.isVisible()
    stage.press(page.empty.blank_button)
    assert not page.is_empty
    assert page.pages.currentWidget() is page.canvas
    size = page.paint.stack.size
    assert 256 < max(size.width(), size.height()) <= 512
    assert (size.width() % 64, size.height() % 64) == (0, 0)
    assert page.form.isEnabled()


def test_its_template_opens_the_canvas(stage: Stage) -> None:
    stage.window.show_workspace("start")
    (card,) = [card for card in stage.window.start_page.cards if "Paint over" in card.accessibleName()]
    stage.press(card)
    assert stage.window.workspace == "canvas"
    assert stage.document.title == "Paint over a picture"
    assert stage.page.is_empty
    stage.window.show_workspace("create")  # the other views show the same document
    stage.window.show_workspace("graph")
    assert set(stage.window.graph.scene.nodes) == {"canvas", "draw", "model", "remove", "save"}


@pytest.mark.parametrize(
    "before", [Graph(), template(), template("inpaint")], ids=["none", "other", "canvas"]
)
def test_opening_a_picture_is_one_step_for_canvas_and_graph(stage: Stage, before: Graph) -> None:
    document, page = stage.document, stage.page
    document.new(before)
    stage.open()
    assert document.undo_stack.count() == 1
    assert np.array_equal(stage.picture(), image_array(noise()))
    assert [layer.kind for layer in page.paint.stack.layers] == [LayerKind.IMAGE, LayerKind.MASK]
    after = stage.kept()
    parts = find_parts(after)
    assert parts is not None
    assert all((parts.canvas, parts.draw, parts.remove, parts.model, parts.save))
    assert set(before.nodes) <= set(after.nodes)
    models = [node for node, record in after.nodes.items() if record.type == "model.diffusion"]
    assert models == [parts.model]
    document.undo_stack.undo()
    assert page.is_empty
    assert page.pages.currentWidget() is page.empty
    if page.keeper.node in document.graph.nodes:
        stage.kept()
    assert document.graph.dumps() == before.dumps()
    document.undo_stack.redo()
    assert np.array_equal(stage.picture(), image_array(noise()))
    assert stage.kept().dumps() == after.dumps()


def test_a_picture_beyond_all_measure_changes_nothing(stage: Stage) -> None:
    before = stage.document.graph
    stage.window.canvas_actions.into._open(plain("red", 1).scaled(12_000, 12_000), "Huge")
    assert stage.page.banner.isVisible()
    assert stage.page.is_empty
    assert stage.document.undo_stack.count() == 0
    assert stage.document.graph.dumps() == before.dumps()


def test_what_a_model_asks_for_comes_with_the_nodes(stage: Stage) -> None:
    stage.open()
    assert stage.page.binding.value("steps") == 16
    assert stage.page.binding.value("guidance_scale") == 4.0


# --- painting ------------------------------------------------------------------------------------------


def test_a_stroke_is_in_the_document_a_moment_later(stage: Stage) -> None:
    stage.open()
    stage.kept()
    steps = stage.document.undo_stack.count()
    stage.stroke()
    assert stage.document.undo_stack.count() == steps + 1
    with stage.qtbot.waitSignal(stage.page.keeper.kept, timeout=5_000):
        pass
    assert stage.document.undo_stack.count() == steps + 1
    image, mask = stage.layers
    assert (image["kind"], mask["kind"]) == ("image", "mask")
    assert image["asset"] in stage.document.assets
    assert mask["asset"] in stage.document.assets
    size = stage.document.graph.nodes["canvas"].params
    assert (size["width"], size["height"]) == (SIDE, SIDE)


def test_undoing_all_gives_the_first_document_and_redoing_all_the_last(stage: Stage) -> None:
    stage.document.new(template("inpaint"))
    first = stage.document.graph.dumps()
    stage.open()
    stage.stroke()
    stage.press(stage.page.form.picker.buttons["refine"])
    stage.kept()
    stage.stroke((20, 20), (44, 20))
    stage.document.set_param("draw", "prompt", "a hat")
    stage.page.paint.add_layer(LayerKind.PAINT)
    stage.stroke((20, 44), (44, 44))
    last, picture = stage.kept().dumps(), stage.picture()
    undo_all(stage)
    assert stage.page.is_empty
    assert stage.kept().dumps() == first
    redo_all(stage)
    assert stage.kept().dumps() == last
    assert np.array_equal(stage.picture(), picture)


# --- tasks ---------------------------------------------------------------------------------------------


def test_a_task_is_one_step_and_sets_what_it_says(stage: Stage) -> None:
    stage.open()
    for task in TASKS:
        stage.press(stage.page.form.picker.buttons["add" if task.id == "fill" else "fill"])
        before, steps = stage.kept(), stage.document.undo_stack.index()
        stage.press(stage.page.form.picker.buttons[task.id])
        check_task(stage, task)
        assert stage.document.undo_stack.index() == steps + 1
        stage.document.undo_stack.undo()
        assert stage.document.graph.dumps() == before.dumps()


def check_task(stage: Stage, task: Task) -> None:
    """Graph and form are set for a task."""
    graph, form = stage.document.graph, stage.page.form
    removes = task.id == "remove"
    modes = (graph.nodes["draw"].mode, graph.nodes["remove"].mode)
    assert modes == (("muted", "active") if removes else ("active", "muted"))
    assert graph.nodes["save"].inputs["image"] == ("remove" if removes else "draw", "image")
    for name, value in task.values.items():
        assert graph.nodes["draw"].params[name] == value
    assert bool(graph.nodes["canvas"].params.get("whole")) == (task.id == "refine")
    assert (form.task, form.sentence.text()) == (task.id, task.sentence)
    assert ("prompt" in form.rows) == task.has_prompt


def test_the_task_that_is_shown_is_the_documents(stage: Stage) -> None:
    stage.open()
    stage.press(stage.page.form.picker.buttons["remove"])
    parts = stage.page.binding.parts
    assert task_of(stage.document.graph, parts) == "remove"
    stage.document.undo_stack.undo()
    assert stage.page.form.task == "fill"
    assert stage.page.form.picker.buttons["fill"].isChecked()
    assert "prompt" in stage.page.form.rows
    stage.document.undo_stack.redo()
    assert stage.page.form.task == "remove"


def test_a_value_of_the_form_is_a_step_and_shown_again(stage: Stage) -> None:
    stage.open()
    steps = stage.document.undo_stack.count()
    row = stage.page.form.rows["prompt"]
    row.field.setFocus()
    stage.qtbot.keyClicks(row.field, "hat")
    assert stage.document.graph.nodes["draw"].params["prompt"] == "hat"
    assert stage.document.undo_stack.count() == steps + 1
    stage.document.undo_stack.undo()
    assert row.field.value() == ""


def test_the_crop_follows_the_mask_and_says_the_automatic_lengths(stage: Stage) -> None:
    stage.open()
    stage.stroke()
    stage.qtbot.waitUntil(lambda: stage.page.watcher.planned is not None)
    planned = stage.page.watcher.planned
    assert planned.rect.contains(20, 32)
    row = stage.page.form.rows["grow"]
    assert str(round(planned.plan.settings.grow)) in row.origin.text()


# --- keys ----------------------------------------------------------------------------------------------


def test_undo_and_zoom_are_the_windows_commands(stage: Stage) -> None:
    stage.open()
    stage.stroke()
    before = stage.page.canvas.view.scale
    stage.window.commands.run("view.zoom_in")
    assert stage.page.canvas.view.scale > before
    stage.window.commands.run("edit.undo")
    assert not stage.page.drawing.has_mask()
    stage.window.commands.run("edit.redo")
    assert stage.page.drawing.has_mask()


def test_the_canvas_has_the_keys_when_it_is_shown(stage: Stage) -> None:
    stage.open()
    stage.window.show_workspace("create")
    stage.window.show_workspace("canvas")
    size = stage.page.canvas.settings.values.brush.size
    focus = stage.window.focusWidget()
    assert focus is not None
    stage.qtbot.keyClick(focus, Qt.Key.Key_BracketRight)
    assert stage.page.canvas.settings.values.brush.size > size
