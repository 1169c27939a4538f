"""How pictures and documents come to the canvas: dropped, opened, replaced, and there again next time."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QRect, QSize
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from pipelines.errors import AssetsNeedArchive
from pipelines.graph.assets import assets_of, entry_name
from pipelines.graph.document import Graph, NodeRecord
from pipelines.image.open_raster import write_open_raster
from studio.app import StudioApp
from studio.commands.canvas_commands import CANVAS_COMMANDS
from studio.documents.document import GraphDocument
from studio.inpaint.drop_dialog import DropDialog
from studio.inpaint.layer_records import pixels_of
from studio.inpaint.layered import picture_of
from studio.mask.layers import LayerKind
from studio.mask.scale_dialog import ScaleDialog
from studio.mask.surface import image_array
from studio.widgets.number_field import NumberField
from tests.helpers.file_drop import drop_on, files
from tests.helpers.studio_fakes import FakeBridge, template
from tests.studio.inpaint.conftest import SIDE, Stage, noise, plain

Open = Callable[..., tuple[StudioApp, FakeBridge]]


def drop(stage: Stage, data: QMimeData) -> bool:
    return drop_on(stage.page.pages, data)


def painted(stage: Stage) -> tuple[bytes, np.ndarray, np.ndarray]:
    """A document with a picture and a stroke: its text, the picture and the mask."""
    stage.open()
    stage.stroke()
    return stage.kept().dumps(), stage.picture(), stage.hand.values


# --- dropped -------------------------------------------------------------------------------------------


def test_a_picture_dropped_on_an_empty_canvas_is_put_on_it(stage: Stage, tmp_path: Path) -> None:
    noise().save(str(tmp_path / "sky.png"))
    drop(stage, files(tmp_path / "sky.png"))
    stage.qtbot.waitUntil(lambda: not stage.page.is_empty)
    assert np.array_equal(stage.picture(), image_array(noise()))
    assert stage.page.paint.stack.layers[0].name == "sky"


@pytest.mark.parametrize("use", ["canvas", "layer", "control", "mask", "reference"])
def test_dropped_on_a_picture_it_asks_what_it_becomes(stage: Stage, use: str) -> None:
    stage.open()
    steps = stage.document.undo_stack.count()
    data = QMimeData()
    data.setImageData(plain("white", 32))
    drop(stage, data)
    dialog = stage.window.findChild(DropDialog)
    assert dialog is not None
    assert stage.document.undo_stack.count() == steps
    stage.press(dialog.buttons[use])
    assert stage.document.undo_stack.count() == steps + 1
    layers = stage.page.paint.stack.layers
    if use == "canvas":
        assert stage.page.paint.stack.width == 32
        assert len(layers) == 2
        return
    made = stage.page.paint.active
    assert made.kind.value == {"layer": "image"}.get(use, use)
    assert len(layers) == 3
    if use == "layer":
        assert (made.place.x(), made.place.y(), made.place.width()) == (16, 16, 32)
    elif use == "mask":
        assert (stage.hand.values == 1).all()
    assert made.visible == (use != "reference")  # that would only cover the picture
    stage.document.undo_stack.undo()
    assert len(stage.page.paint.stack.layers) == 2


def test_several_pictures_become_layers_of_the_first(stage: Stage, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.png" for name in ("one", "two", "three")]
    for path in paths:
        plain("red").save(str(path))
    paths.insert(1, tmp_path / "gone.png")
    drop(stage, files(*paths))
    stage.qtbot.waitUntil(lambda: len(stage.page.paint.stack.layers) == 4)
    assert [layer.name for layer in stage.page.paint.stack.layers] == ["one", "Mask", "two", "three"]
    assert stage.page.banner.isVisible()
    assert stage.window.findChild(DropDialog) is None


def test_a_file_that_is_no_picture_is_said(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("no picture")
    drop(stage, files(tmp_path / "x.png"))
    stage.qtbot.waitUntil(stage.page.banner.isVisible)
    assert stage.page.is_empty


def test_a_graph_opens_though_it_is_dropped_on_a_picture(stage: Stage, tmp_path: Path) -> None:
    stage.open()
    (tmp_path / "x.json").write_bytes(template().dumps())
    assert drop(stage, files(tmp_path / "x.json"))
    assert stage.document.path == tmp_path / "x.json"
    assert stage.window.findChild(DropDialog) is None


def test_a_pasted_picture_comes_to_the_canvas_that_is_shown(stage: Stage) -> None:
    stage.window.canvas_actions.into.paste([], noise())
    assert np.array_equal(stage.picture(), image_array(noise()))
    stage.window.canvas_actions.into.paste([], plain("red", 8))
    assert len(stage.page.paint.stack.layers) == 3


# --- saved and opened ----------------------------------------------------------------------------------


def test_saved_as_an_archive_it_comes_back_bit_for_bit(stage: Stage, tmp_path: Path) -> None:
    text, picture, mask = painted(stage)
    path = tmp_path / "mine.diptych"
    stage.window.actions_._save(path)
    stage.qtbot.waitUntil(lambda: path.exists() and not stage.document.is_modified)
    stage.window.actions_.tabs.close()
    assert stage.page.is_empty
    for asset in stage.document.assets.folder.rglob("*.png"):
        asset.unlink()  # another machine
    stage.window.actions_.open_path(str(path))
    stage.qtbot.waitUntil(lambda: not stage.page.keeper.is_loading and not stage.page.is_empty)
    assert stage.window.workspace == "canvas"
    assert np.array_equal(stage.picture(), picture)
    assert np.array_equal(stage.hand.values, mask)
    assert stage.kept().dumps() == text
    assert not stage.document.undo_stack.canUndo()
    again = tmp_path / "again.diptych"
    stage.document.save(again)
    assert again.read_bytes() == path.read_bytes()


def test_json_has_no_room_for_pixels_and_nothing_is_lost(stage: Stage, tmp_path: Path) -> None:
    painted(stage)
    path = tmp_path / "mine.json"
    path.write_text("before")
    with pytest.raises(AssetsNeedArchive):
        stage.document.save(path)
    assert path.read_text() == "before"
    assert stage.document.path is None
    assert stage.document.is_modified


def test_other_files_of_an_archive_survive(qapp: object, tmp_path: Path) -> None:
    path, text = tmp_path / "a.diptych", template("inpaint").dumps()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("graph.json", text)
        archive.writestr("notes/readme.txt", "by hand")
        archive.writestr(entry_name("0" * 64), b"a liar")
    document = GraphDocument()
    document.load(path)
    document.set_param("draw", "prompt", "x")
    document.save()
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["graph.json", "notes/readme.txt"]
        assert archive.read("notes/readme.txt") == b"by hand"


def test_a_save_at_once_holds_the_last_stroke(stage: Stage, tmp_path: Path) -> None:
    painted(stage)
    stage.stroke((20, 20), (44, 20))
    path = tmp_path / "mine.diptych"
    stage.window.actions_._save(path)
    stage.qtbot.waitUntil(path.exists)
    mask = stage.layers[-1]["asset"]
    with zipfile.ZipFile(path) as archive:
        assert entry_name(mask) in archive.namelist()
    stage.qtbot.waitUntil(lambda: not stage.document.is_modified)  # written by a worker


def test_lost_pixels_are_said_and_their_records_kept(stage: Stage) -> None:
    text, _, mask = painted(stage)
    lost = stage.layers[0]["asset"]
    stage.document.assets.path(lost).unlink()
    stage.document.new(Graph.loads(text))
    stage.qtbot.waitUntil(lambda: not stage.page.keeper.is_loading)
    assert stage.page.banner.isVisible()
    assert np.array_equal(stage.hand.values, mask)
    stage.stroke((20, 20), (44, 20))
    assert lost in assets_of(stage.kept())


def test_a_document_that_comes_while_layers_are_read_is_the_one_that_counts(stage: Stage) -> None:
    text, _, _ = painted(stage)
    stage.document.new(Graph.loads(text))
    assert stage.page.keeper.is_loading
    stage.document.new(template())
    stage.qtbot.wait(80)
    assert stage.page.is_empty
    assert stage.document.graph.dumps() == template().dumps()


def test_a_picture_opened_while_layers_are_read_comes_on_top_of_them(stage: Stage) -> None:
    text, _, mask = painted(stage)
    stage.document.new(Graph.loads(text))
    assert stage.page.keeper.is_loading
    stage.page.open_image(plain("red"), "Red")
    stage.qtbot.waitUntil(lambda: stage.document.undo_stack.count() == 1)
    assert np.array_equal(stage.picture(), image_array(plain("red")))
    assert np.array_equal(stage.hand.values, mask)


def test_layers_go_to_another_program_and_back(stage: Stage, tmp_path: Path) -> None:
    painted(stage)
    paint = stage.page.paint
    paint.add_image_layer(plain("red", 20), "Hat", 50, -5)
    paint.change_layer(paint.add_layer(LayerKind.REGION, "Sky"), "", prompt="a blue sky", weight=0.5)
    stage.page.canvas.run_operation("invert")
    before, picture = paint.stack, stage.picture()
    found = picture_of(before.layers, [pixels_of(layer) for layer in before.layers], SIDE, SIDE)
    write_open_raster(tmp_path / "layers.ora", found)
    stage.document.new()
    stage.window.canvas_actions.into.open_path(tmp_path / "layers.ora")
    stage.qtbot.waitUntil(lambda: not stage.page.is_empty)
    assert stage.document.undo_stack.count() == 1
    assert np.array_equal(stage.picture(), picture)
    told = lambda layer: (layer.kind, layer.name, layer.place, layer.counts, layer.prompt, layer.weight)  # noqa: E731
    assert list(map(told, paint.stack.layers)) == list(map(told, before.layers))
    for layer, other in zip(paint.stack.layers, before.layers, strict=True):
        if layer.surface is not None:
            assert np.array_equal(layer.surface.to_array(), other.surface.to_array())


# --- a mask of a graph of one's own --------------------------------------------------------------------


def test_a_mask_node_is_painted_over_the_picture_it_gets(stage: Stage) -> None:
    graph = Graph().with_node("photo", NodeRecord.new("image.load", params={"path": "x.png"}))
    inputs = {"image": ("photo", "image")}
    graph = graph.with_node("mask", NodeRecord.new("mask.paint", inputs=inputs))
    stage.document.new(graph)
    stage.window.edit_on_canvas("mask")
    (job, _), targets = stage.bridge.submitted[-1], stage.bridge.targets
    assert targets[job] == ("photo",)
    stage.tell_made(job, noise(), node="photo")
    stage.bridge.tell_finished(job)
    assert np.array_equal(stage.picture(), image_array(noise()))
    stage.page.canvas.set_mask(np.ones((SIDE, SIDE), np.float32))
    params = stage.kept().nodes["mask"].params
    assert [layer["kind"] for layer in params["layers"]] == ["mask"]
    assert (params["width"], params["height"]) == (SIDE, SIDE)


# --- next time -----------------------------------------------------------------------------------------


def test_layers_are_there_again_next_time(
    open_studio: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))
    folder = tmp_path / "session"
    studio, bridge = open_studio(None, folder)
    stage = Stage(qtbot, studio, bridge)
    stage.open()
    stage.stroke()
    picture, mask = stage.picture(), stage.hand.values
    studio.window.close()  # before the layers were noted

    again, bridge = open_studio(None, folder)
    assert again.window.workspace == "canvas"
    page = again.window.canvas_page
    qtbot.waitUntil(lambda: not page.is_empty)
    assert np.array_equal(image_array(page.paint.flattened()), picture)
    assert np.array_equal(page.paint.active.surface.to_array(), mask)


def test_pixels_that_nobody_names_are_swept_after_a_while(
    open_studio: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.app.TIDY_MS", 0)
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))
    folder = tmp_path / "session"
    studio, bridge = open_studio(None, folder)
    stage = Stage(qtbot, studio, bridge)
    stage.open()
    stage.stroke()
    stage.kept()
    store = stage.document.assets
    forgotten, named = store.put(b"forgotten"), stage.layers[0]["asset"]
    for asset in (forgotten, named):
        os.utime(store.path(asset), (1, 1))
    studio.window.close()
    again, _ = open_studio(None, folder)
    qtbot.waitUntil(lambda: forgotten not in store)
    qtbot.waitUntil(lambda: not again.window.canvas_page.is_empty)
    assert named in store


# --- commands ------------------------------------------------------------------------------------------

NEED_CANVAS = {
    "canvas.upscale", "canvas.crop", "canvas.scale", "canvas.to_create", "canvas.edit_in",
    "canvas.import_mask", "canvas.export_mask", "canvas.save_picture", "canvas.save_layers",
}  # fmt: skip
NEED_RESULT = {"canvas.apply", "canvas.apply_all", "canvas.discard"}


def usable(stage: Stage) -> set[str]:
    known = {command.id for command in CANVAS_COMMANDS} - {"canvas.from_result"}
    return known & {command.id for command in stage.window.commands.available()}


def test_commands_can_be_used_when_there_is_something_to_use_them_on(stage: Stage) -> None:
    assert usable(stage) == {"canvas.open", "canvas.blank"}
    stage.open()
    stage.stroke()
    assert usable(stage) == {"canvas.open", "canvas.blank"} | NEED_CANVAS
    stage.finish(stage.generate(), plain("red"))
    assert usable(stage) == {"canvas.open", "canvas.blank"} | NEED_CANVAS | NEED_RESULT
    stage.window.commands.run("canvas.discard")
    assert usable(stage) == {"canvas.open", "canvas.blank"} | NEED_CANVAS
    stage.window.commands.run("edit.undo")
    stage.window.commands.run("edit.undo")
    assert usable(stage) == {"canvas.open", "canvas.blank"}


def test_cropping_keeps_what_is_masked(stage: Stage) -> None:
    stage.open()
    stage.window.commands.run("canvas.crop")
    assert stage.page.canvas.hint.isVisible()
    assert stage.page.paint.stack.width == SIDE
    stage.stroke()
    found = stage.hand.surface.bounds()
    stage.window.commands.run("canvas.crop")
    assert stage.page.paint.stack.size == found.size()
    assert np.array_equal(stage.picture(), image_array(noise().copy(found)))


def test_enlarging_is_one_step_and_the_mask_grows_with_it(stage: Stage) -> None:
    stage.open()
    stage.stroke()
    steps, masked = stage.document.undo_stack.count(), stage.hand.values.sum()
    stage.window.commands.run("canvas.upscale")
    stage.qtbot.waitUntil(lambda: bool(stage.bridge.submitted))
    job, graph = stage.bridge.submitted[0]
    (target,) = stage.bridge.targets[job]
    assert graph.nodes[target].type == "upscale.model"
    stage.tell_made(job, noise().scaled(128, 128), node=target)
    stage.bridge.tell_finished(job)
    assert stage.page.paint.stack.width == 128
    assert stage.hand.values.sum() == pytest.approx(4 * masked, rel=0.1)
    assert np.array_equal(stage.picture(), image_array(noise().scaled(128, 128)))
    assert stage.document.undo_stack.count() == steps + 1
    stage.document.undo_stack.undo()
    assert stage.hand.values.sum() == masked


def test_what_is_enlarged_lies_where_it_belongs_on_a_canvas_that_was_cropped_meanwhile(stage: Stage) -> None:
    stage.open()
    paint = stage.page.paint

    def enlarge() -> str:
        before = len(stage.bridge.submitted)
        stage.window.commands.run("canvas.upscale")
        stage.qtbot.waitUntil(lambda: len(stage.bridge.submitted) > before)
        return stage.bridge.submitted[-1][0]

    job, large = enlarge(), noise().scaled(128, 128)
    paint.crop_to(QRect(16, 8, 32, 40))
    stage.tell_made(job, large, node=stage.bridge.targets[job][0])
    stage.bridge.tell_finished(job)
    assert paint.stack.size == QSize(64, 80)
    assert np.array_equal(stage.picture(), image_array(large.copy(32, 16, 64, 80)))
    stage.document.undo_stack.undo()
    job = enlarge()
    paint.scale_canvas(QSize(90, 90))
    stage.tell_made(job, large, node=stage.bridge.targets[job][0])
    assert paint.stack.size == QSize(90, 90)
    assert stage.page.banner.heading.text() == "What was made of the canvas has no place on it any more."


def test_the_canvas_is_scaled_as_a_dialog_says(stage: Stage) -> None:
    stage.open(plain("red"))
    stage.window.commands.run("canvas.scale")
    dialog = stage.window.findChild(ScaleDialog)
    assert dialog is not None
    assert not dialog.go.isEnabled(), "nothing would change"
    type_into(dialog.wide, "96")
    assert (dialog.high.value(), dialog.percent.value()) == (96, 150)
    type_into(dialog.percent, "50")
    assert (dialog.wide.value(), dialog.high.value()) == (32, 32)
    dialog.keep.setChecked(False)
    type_into(dialog.wide, "16384")
    type_into(dialog.high, "16384")
    assert not dialog.go.isEnabled()
    assert "134 million" in dialog.words.text()
    type_into(dialog.wide, "2*64")
    type_into(dialog.high, "32")
    dialog.kernel.set_value("nearest")
    dialog.go.click()
    assert stage.page.paint.stack.size == QSize(128, 32)
    stage.document.undo_stack.undo()
    assert stage.page.paint.stack.size == QSize(SIDE, SIDE)


def type_into(field: NumberField, text: str) -> None:
    field.setText(text)
    field.editingFinished.emit()


def test_an_enlarged_picture_never_gets_into_another_document(stage: Stage) -> None:
    stage.open()
    stage.window.commands.run("canvas.upscale")
    stage.qtbot.waitUntil(lambda: bool(stage.bridge.submitted))
    job = stage.bridge.submitted[0][0]
    stage.document.new(stage.kept())
    stage.qtbot.waitUntil(lambda: not stage.page.keeper.is_loading)
    stage.tell_made(job, noise().scaled(128, 128), node=stage.bridge.targets[job][0])
    assert stage.page.paint.stack.width == SIDE
    assert not stage.document.undo_stack.canUndo()


def test_the_picture_of_create_goes_to_the_canvas(stage: Stage, tmp_path: Path) -> None:
    assert isinstance(noise(), QImage)
    stage.document.new(template())
    job = stage.bridge.submit(template())
    stage.bridge.tell_saved(job)
    stage.bridge.tell_finished(job)
    stage.window.show_workspace("create")
    stage.window.commands.run("canvas.from_result")
    stage.qtbot.waitUntil(lambda: not stage.page.is_empty)
    assert stage.window.workspace == "canvas"
    assert stage.page.paint.stack.width == 256
