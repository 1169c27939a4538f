"""From what is painted to a result: what Generate asks for, what comes back, and what becomes of it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QMargins, QRect, Qt
from PySide6.QtGui import QImage

from pipelines.engine.protocol import ModelInfo
from pipelines.errors import EngineDied, ModelMissing
from pipelines.graph.document import Graph
from pipelines.graph.registry import builtin
from studio.inpaint.candidates import part_of
from studio.inpaint.crop_watcher import Planned, Wish, plan_for
from studio.inpaint.layer_records import Pixels
from studio.inpaint.tasks import TASKS
from studio.mask.layers import LayerKind
from studio.mask.surface import Surface, image_array
from tests.helpers.studio_fakes import template
from tests.studio.inpaint.conftest import SIDE, Stage, noise, plain


def choose(stage: Stage, task: str) -> None:
    stage.press(stage.page.form.picker.buttons[task])


def asked(stage: Stage) -> Graph:
    """What Generate sends."""
    job = stage.generate()
    return dict(stage.bridge.submitted)[job]


def crop_of(stage: Stage) -> Planned:
    """The crop that the canvas shows for the mask."""
    stage.qtbot.waitUntil(lambda: stage.page.watcher.planned is not None)
    found: Planned = stage.page.watcher.planned
    return found


def params(graph: Graph, node: str = "draw") -> Any:
    return graph.nodes[node].params


# --- asking --------------------------------------------------------------------------------------------


def test_without_a_mask_it_says_where_to_brush_and_offers_everything(stage: Stage) -> None:
    stage.open()
    for task in ("fill", "add", "remove", "background"):
        choose(stage, task)
        stage.page.canvas.hint.hide()
        stage.page.banner.hide()
        stage.press(stage.page.form.button)
        assert not stage.bridge.submitted
        assert stage.page.canvas.hint.isVisible()
        assert stage.page.canvas.hint.text().startswith("Brush ")
        assert stage.page.banner.isVisible()
    (button,) = [item for item in stage.page.banner.buttons() if "whole" in item.text()]
    stage.press(button)
    stage.qtbot.waitUntil(lambda: len(stage.bridge.submitted) == 1)
    graph = stage.bridge.submitted[0][1]
    assert params(graph, "canvas")["whole"] is True
    assert "whole" not in params(stage.document.graph, "canvas")


def test_nothing_is_asked_for_when_the_picture_does_not_grow(stage: Stage) -> None:
    stage.open()
    choose(stage, "expand")
    stage.press(stage.page.form.button)
    assert not stage.bridge.submitted
    assert stage.page.banner.isVisible()


def test_refining_needs_no_mask(stage: Stage) -> None:
    stage.open()
    choose(stage, "refine")
    graph = asked(stage)
    assert params(graph, "canvas")["whole"] is True


def test_generate_runs_what_the_canvas_feeds_with_what_is_painted(stage: Stage) -> None:
    stage.document.new(template())  # a prompt of its own, which must not be drawn again
    stage.open()
    stage.stroke()
    job = stage.generate()
    graph = dict(stage.bridge.submitted)[job]
    parts = stage.page.binding.parts
    assert stage.bridge.targets[job] == (parts.save,)
    image, mask = params(graph, parts.canvas)["layers"]
    assert image["asset"] in stage.document.assets
    assert mask["asset"] in stage.document.assets
    assert stage.page.form.button.text().startswith("Cancel")
    stage.press(stage.page.form.button)
    assert stage.bridge.cancelled == [job]
    stage.bridge.tell_finished(job, "cancelled")
    assert stage.page.form.button.text() == "Generate"


def test_every_workspace_runs_what_is_painted(stage: Stage) -> None:
    stage.open()
    stage.stroke()
    stage.window.show_workspace("create")
    stage.window.commands.run("run.generate")
    stage.qtbot.waitUntil(lambda: bool(stage.bridge.submitted))
    graph = stage.bridge.submitted[0][1]
    assert [bool(layer.get("asset")) for layer in params(graph, "canvas")["layers"]] == [True, True]


def test_a_canvas_without_its_node_says_so(stage: Stage) -> None:
    stage.open()
    stage.stroke()
    stage.document.remove_nodes(["canvas"])
    stage.window.commands.run("run.generate")
    assert not stage.bridge.submitted
    assert stage.page.banner.isVisible()
    stage.document.undo_stack.undo()
    assert stage.generate()


def test_cancel_stops_the_canvas_run_and_no_other(stage: Stage) -> None:
    stage.open()
    stage.stroke()
    other = stage.bridge.submit(template())
    stage.bridge.tell_started(other)
    job = stage.generate()
    stage.press(stage.page.form.button)
    assert stage.bridge.cancelled == [job]
    stage.bridge.tell_finished(job, "cancelled")
    stage.window.commands.run("run.cancel")
    assert stage.bridge.cancelled == [job, other]


@pytest.mark.parametrize("family", ["sd1", "flux-control"])
def test_a_control_layer_brings_its_model_for_the_run_unless_the_model_sees_it_itself(
    stage: Stage, family: str
) -> None:
    draws = ModelInfo(kind="diffusion", id="starter/text-to-image", title="", path="", family=family)
    stage.window.parts.models.models = ()
    stage.window.parts.models._take((draws,))
    stage.open()
    stage.stroke()
    stage.page.paint.add_layer(LayerKind.CONTROL)
    graph = asked(stage)
    assert graph.nodes["draw"].inputs["controls"] == ("canvas", "controls")
    if family == "flux-control":
        assert "control" not in graph.nodes["draw"].inputs
        return
    control = graph.nodes["draw"].inputs["control"].node
    assert graph.nodes[control].type == "model.control"
    assert control not in stage.document.graph.nodes


def test_a_reference_layer_brings_an_adapter_of_the_models_family_for_the_run(stage: Stage) -> None:
    info = partial(ModelInfo, title="", path="")
    xl, look = (info(kind="adapter", id=name, base=base) for name, base in (("xl", "sdxl"), ("look", "sd1")))
    draws = info(kind="diffusion", id="starter/text-to-image", family="sd1")
    stage.window.parts.models.models = ()
    stage.window.parts.models._take((draws, xl, look))
    stage.open()
    stage.stroke()
    stage.page.paint.add_layer(LayerKind.REFERENCE)
    graph = asked(stage)
    assert graph.nodes["draw"].inputs["references"] == ("canvas", "references")
    adapter = graph.nodes[graph.nodes["draw"].inputs["adapter"].node]
    assert (adapter.type, adapter.params["model"]) == ("model.adapter", "look")
    assert "model.adapter" not in {node.type for node in stage.document.graph.nodes.values()}


def test_taking_away_needs_no_model(stage: Stage) -> None:
    stage.open()
    choose(stage, "remove")
    stage.stroke()
    job = stage.generate()
    graph = dict(stage.bridge.submitted)[job]
    assert stage.bridge.targets[job] == ("save",)
    assert graph.nodes["save"].inputs["image"] == ("remove", "image")
    result = noise()
    result.setPixelColor(30, 32, Qt.GlobalColor.red)
    stage.finish(job, result)
    assert stage.page.runs.candidates.items[0].rect == QRect(30, 32, 1, 1)


# --- results -------------------------------------------------------------------------------------------


def drawn(stage: Stage, *colours: str) -> str:
    """A mask is painted, and a run has filled everything with colours."""
    stage.open()
    stage.stroke()
    job = stage.generate()
    stage.finish(job, *map(plain, colours))
    return job


def changed(stage: Stage) -> np.ndarray:
    """Where the canvas differs from the picture that was opened."""
    found: np.ndarray = (stage.picture() != image_array(noise())).any(axis=2)
    return found


def test_a_candidate_is_shown_and_changes_nothing_until_it_is_applied(stage: Stage) -> None:
    drawn(stage, "red", "blue")
    steps = stage.document.undo_stack.count()
    view = stage.page.canvas.view
    assert stage.page.canvas.compare_bar.isVisible()
    assert view.preview is not None
    assert not changed(stage).any()
    planned = crop_of(stage)
    cover = np.zeros((SIDE, SIDE), bool)
    box = planned.rect
    cover[box.top() : box.bottom() + 1, box.left() : box.right() + 1] = planned.plan.composite.values > 0
    stage.hand.key(Qt.Key.Key_Right)
    assert stage.page.runs.candidates.index == 1
    stage.hand.key(Qt.Key.Key_Right)
    assert stage.page.runs.candidates.index == 0
    stage.hand.key(Qt.Key.Key_Left)
    stage.hand.key(Qt.Key.Key_Return)
    assert stage.document.undo_stack.count() == steps + 1
    assert np.array_equal(changed(stage), cover)
    assert stage.picture()[32, 32].tolist() == [255, 0, 0, 255]
    assert cover.any()
    assert not cover.all()
    assert (view.preview, stage.page.results.has_results) == (None, False)
    layer = stage.page.paint.stack.layers[1]
    assert (layer.kind, layer.name) == (LayerKind.IMAGE, "a hat")
    assert [layer["kind"] for layer in stage.kept().nodes["canvas"].params["layers"]] == [
        "image", "image", "mask",
    ]  # fmt: skip
    assert len(stage.document.graph.nodes) == 5  # a layer, never a node
    stage.document.undo_stack.undo()
    assert not changed(stage).any()


def test_all_become_layers_and_the_one_on_show_is_seen(stage: Stage) -> None:
    drawn(stage, "red", "blue", "lime")
    steps = stage.document.undo_stack.count()
    stage.hand.key(Qt.Key.Key_Right)
    stage.window.commands.run("canvas.apply_all")
    made = stage.page.paint.stack.layers[1:-1]
    assert [layer.visible for layer in made] == [False, False, True]
    assert stage.picture()[32, 32].tolist() == [255, 0, 0, 255]
    assert stage.document.undo_stack.count() == steps + 1
    stage.document.undo_stack.undo()
    assert len(stage.page.paint.stack.layers) == 2


def test_results_are_discarded_and_the_mask_stays(stage: Stage) -> None:
    drawn(stage, "red")
    stage.hand.key(Qt.Key.Key_Escape)
    assert not stage.page.results.has_results
    assert stage.page.canvas.view.preview is None
    assert not changed(stage).any()
    assert stage.page.drawing.has_mask()


def test_what_is_drawn_is_seen_where_it_will_be(stage: Stage) -> None:
    stage.open()
    stage.stroke()
    job = stage.generate()
    stage.bridge.tell_step(job, 3, 16, plain("red"))
    preview = stage.page.canvas.view.preview
    assert preview.rect == crop_of(stage).rect
    stage.bridge.tell_finished(job, "cancelled")
    assert stage.page.canvas.view.preview is None


def test_a_picture_that_grew_grows_the_canvas_when_it_is_applied(stage: Stage) -> None:
    stage.open()
    choose(stage, "expand")
    stage.page.canvas.view.expansion_changed.emit(QMargins(16, 8, 0, 0))
    assert stage.page.drawing.sides() == (16, 8, 0, 0)
    before = stage.picture()
    job = stage.generate()
    whole = plain("red", SIDE + 16).copy(0, 0, SIDE + 16, SIDE + 8)
    for y in range(SIDE):  # what is there already comes back as it was
        for x in range(SIDE):
            whole.setPixel(x + 16, y + 8, noise().pixel(x, y)) if (x > 50 or y > 50) else None
    steps = stage.document.undo_stack.count()
    stage.finish(job, whole)
    stage.window.commands.run("canvas.apply")
    size = stage.page.paint.stack.size
    assert (size.width(), size.height()) == (SIDE + 16, SIDE + 8)
    assert stage.page.drawing.sides() == (0, 0, 0, 0)
    picture = stage.picture()
    assert (picture[:, :16] == [0, 0, 255, 255]).all()
    assert (picture[:8] == [0, 0, 255, 255]).all()
    assert np.array_equal(picture[8 + 51 :, 16 + 51 :], before[51:, 51:])
    assert stage.document.undo_stack.count() == steps + 1
    stage.document.undo_stack.undo()
    assert stage.page.drawing.sides() == (16, 8, 0, 0)
    assert np.array_equal(stage.picture(), before)


def test_a_result_that_the_canvas_can_not_take_is_not_lost(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(stage, "red")
    steps = stage.document.undo_stack.count()
    monkeypatch.setattr("studio.inpaint.results_view.MAX_PIXELS", SIDE * SIDE - 1)
    stage.window.commands.run("canvas.apply")
    assert stage.page.banner.isVisible()
    assert stage.page.results.has_results
    assert stage.document.undo_stack.count() == steps


@pytest.mark.parametrize("how", ["crop", "document"])
def test_a_result_for_a_canvas_that_is_gone_is_not_shown(stage: Stage, how: str) -> None:
    stage.open()
    stage.stroke()
    job = stage.generate()
    if how == "crop":
        stage.page.paint.crop_to(QRect(0, 0, 40, 40))
    else:
        stage.document.new(template())
    stage.tell_made(job, plain("red"))
    stage.bridge.tell_finished(job)
    stage.qtbot.wait(50)
    assert not stage.page.results.has_results
    assert stage.page.canvas.view.preview is None


# --- failures ------------------------------------------------------------------------------------------


def test_a_failed_run_says_so_at_its_field_and_leaves_the_canvas(stage: Stage) -> None:
    stage.open()
    stage.stroke()
    layers, picture = stage.page.paint.stack, stage.picture()
    job = stage.generate()
    stage.bridge.tell_step(job, 3, 16, plain("red"))
    error = ModelMissing(kind="diffusion model", model="gone", port="model")
    stage.bridge.tell_finished(job, "failed", error, node="model")
    assert stage.page.banner.isVisible()
    assert stage.page.form.rows["model"].message.text()
    assert stage.page.form.button.text() == "Generate"
    assert stage.page.paint.stack is layers
    assert np.array_equal(stage.picture(), picture)
    assert stage.page.canvas.view.preview is None
    stage.generate()
    assert not stage.page.form.rows["model"].message.isVisible()


def test_an_engine_that_dies_ends_the_run(stage: Stage) -> None:
    stage.open()
    stage.stroke()
    job = stage.generate()
    stage.bridge.tell_failure(job, EngineDied(reason="killed"))
    assert stage.page.banner.isVisible()
    assert not stage.page.runs.is_active()


# --- live ----------------------------------------------------------------------------------------------


def test_live_draws_a_draft_after_each_stroke(stage: Stage) -> None:
    bridge = stage.bridge
    stage.open()
    stage.press(stage.page.form.live)
    stage.qtbot.wait(20)
    assert not bridge.submitted  # nothing is masked
    stage.stroke()
    stage.qtbot.waitUntil(lambda: len(bridge.submitted) == 1)
    job, graph = bridge.submitted[0]
    assert bridge.targets[job] == ("draw",)
    assert (params(graph)["steps"], params(graph)["batch"]) == (8, 1)
    assert isinstance(params(graph)["seed"], int)
    assert params(stage.document.graph)["seed"] is None
    stage.stroke((20, 20), (44, 20))
    stage.qtbot.waitUntil(lambda: len(bridge.submitted) == 2)
    assert bridge.cancelled == [job]
    stage.tell_made(job, plain("red"), node="draw")  # it had been drawn already
    bridge.tell_finished(job, "cancelled")
    stage.qtbot.wait(30)
    assert not stage.page.results.has_results
    second, again = bridge.submitted[1]
    assert params(again)["seed"] == params(graph)["seed"]
    assert params(again, "canvas")["layers"] != params(graph, "canvas")["layers"]
    stage.finish(second, plain("blue"), node="draw")
    image = stage.page.runs.candidates.items[0].image
    assert image.pixelColor(image.rect().center()).name() == "#0000ff"
    stage.press(stage.page.form.live)
    stage.stroke((20, 44), (44, 44))
    stage.qtbot.wait(20)
    assert not stage.page.runs.live_due.isActive()


def test_generate_ends_the_draft(stage: Stage) -> None:
    stage.open()
    stage.stroke()
    stage.press(stage.page.form.live)
    stage.qtbot.waitUntil(lambda: len(stage.bridge.submitted) == 1)
    job = stage.generate()
    assert stage.bridge.cancelled == [stage.bridge.submitted[0][0]]
    assert params(dict(stage.bridge.submitted)[job])["steps"] == 16


def test_a_draft_asks_before_it_reads_what_lies_elsewhere(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.open()
    asked: list[int] = []
    monkeypatch.setattr(stage.page.drawing, "may_run", lambda: bool(asked.append(1)))
    stage.press(stage.page.form.live)
    stage.stroke()
    stage.qtbot.waitUntil(lambda: bool(asked))
    assert not stage.page.form.live.isChecked()
    assert not stage.bridge.submitted


def test_another_document_is_not_drawn_by_itself(stage: Stage) -> None:
    stage.open()
    stage.press(stage.page.form.live)
    stage.stroke()
    assert stage.page.runs.live_due.isActive()
    stage.document.new(stage.kept())
    stage.qtbot.waitUntil(lambda: not stage.page.keeper.is_loading)
    assert not stage.page.runs.live_due.isActive()


# --- what a result changes -----------------------------------------------------------------------------


def planned_for(sides: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Planned:
    values = np.zeros((SIDE, SIDE), np.float32)
    values[30:34, 30:34] = 1
    mask = Pixels("m", (None, 0), Surface.from_array(values))
    found = plan_for([mask], noise().size(), Wish(native=(16, 16), sides=sides))
    assert found is not None
    return found


def test_a_result_is_cut_to_what_it_may_change() -> None:
    planned = planned_for()
    image, rect = part_of(plain("red"), noise(), planned)
    alpha = image_array(image)[..., 3]
    assert rect == planned.rect
    assert np.array_equal(alpha == 255, planned.plan.composite.values > 0)
    assert not alpha[planned.plan.composite.values == 0].any()


def test_what_lies_beyond_the_picture_is_always_taken() -> None:
    planned = planned_for((8, 0, 0, 4))
    whole = QImage(SIDE + 8, SIDE + 4, QImage.Format.Format_RGB32)
    whole.fill(Qt.GlobalColor.red)
    image, rect = part_of(whole, noise(), planned)
    alpha = image_array(image)[..., 3]
    new = np.ones((SIDE + 4, SIDE + 8), bool)
    new[:SIDE, 8:] = False
    box = rect.translated(8, 0)
    part = new[box.top() : box.bottom() + 1, box.left() : box.right() + 1]
    assert part.any()
    assert (alpha[part] == 255).all()


def test_what_the_tasks_set_the_nodes_know() -> None:
    graph = template("inpaint")
    fields = builtin()["diffusion.inpaint"].node.Params.model_fields
    for task in TASKS:
        assert set(task.values) <= set(fields)
    assert graph.nodes["draw"].type == "diffusion.inpaint"


def test_what_is_asked_for_is_drawn_though_another_document_is_shown(stage: Stage) -> None:
    stage.open()
    stage.stroke()
    stage.kept()
    graph = stage.document.graph
    stage.page.drawing.generate()  # the crop is being planned
    stage.document.new()
    stage.qtbot.waitUntil(lambda: len(stage.bridge.submitted) == 1)
    job, sent = stage.bridge.submitted[0]
    assert sent.nodes["canvas"] == graph.nodes["canvas"]
    stage.tell_made(job, plain("red"))
    stage.bridge.tell_finished(job)
    stage.qtbot.wait(50)
    assert not stage.page.runs.candidates.items  # they have no place on this canvas
    stage.window.actions_.tabs.step(-1)
    stage.qtbot.waitUntil(lambda: len(stage.page.runs.candidates.items) == 1)
