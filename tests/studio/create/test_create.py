"""The Create workspace in the real window, with a bridge that plays the engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from pipelines.errors import ModelMissing, PromptTooLong, SaveFailed
from studio.app import StudioApp
from studio.assembly import assemble
from studio.documents.document import GraphDocument
from studio.settings import SettingsStore
from studio.widgets.choice_field import ChoiceField
from tests.helpers.create_desk import Desk
from tests.helpers.studio_fakes import OTHER, STARTER, FakeBridge, picture, template


def test_a_typed_prompt_is_drawn_shown_and_kept(desk: Desk, qtbot: QtBot) -> None:
    editor = desk.row("prompt").field
    editor.selectAll()
    qtbot.keyClicks(editor, "a blue fox")
    qtbot.keyClick(editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.mouseClick(desk.form.button, Qt.MouseButton.LeftButton)
    job, graph = desk.bridge.submitted[-1]
    assert graph.nodes["draw"].params["prompt"] == "a blue fox"
    desk.bridge.tell_started(job)
    desk.bridge.tell_step(job, 1, 16, picture(10, 16))
    assert desk.view.shows_preview
    assert desk.form.button.text() == "Cancel"
    assert "step 1 of 16 · 9.2 it/s · 2 s left" in desk.parts.tracker.phase()
    desk.bridge.tell_saved(job, (41,))
    desk.bridge.tell_finished(job)
    assert not desk.view.shows_preview
    assert desk.view.image is not None
    assert desk.view.image.width() == 256
    assert desk.form.button.text() == "Generate"
    assert [result.seed for result in desk.parts.results.results] == [41]
    assert desk.parts.results.results[0].settings["prompt"] == "a blue fox"


def test_generate_by_keyboard_alone(desk: Desk, qtbot: QtBot) -> None:
    desk.window.activateWindow()
    desk.window.commands.run("edit.focus_prompt")
    qtbot.keyClicks(desk.row("prompt").field, "a green frog")
    qtbot.keyClick(desk.row("prompt").field, Qt.Key.Key_Tab)
    assert desk.value("prompt") == "a green frog"
    desk.window.commands.action("run.generate").trigger()
    assert len(desk.bridge.submitted) == 1
    desk.bridge.tell_started("job-1")
    desk.window.commands.action("run.cancel").trigger()
    assert desk.bridge.cancelled == ["job-1"]


def test_ctrl_enter_never_becomes_a_line_break(desk: Desk, qtbot: QtBot) -> None:
    editor = desk.row("prompt").field
    before = editor.value()
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
        qtbot.keyClick(editor, key, Qt.KeyboardModifier.ControlModifier)
    assert editor.value() == before


def test_generate_is_accepted_before_the_engine_is_ready(qtbot: QtBot, tmp_path: Path) -> None:
    bridge = FakeBridge(tmp_path)
    app = StudioApp(assemble(GraphDocument(template()), bridge, SettingsStore(None)), None)
    qtbot.addWidget(app.window)
    app.window.show_workspace("create")
    app.window.commands.run("run.generate")
    assert len(bridge.submitted) == 1
    assert app.parts.tracker.phase() == "starting the engine"
    app.window.status.refresh()
    assert app.window.status.text.text() == "starting the engine"


def test_cancel_goes_back_to_the_picture_before(desk: Desk, qtbot: QtBot) -> None:
    desk.draw(5)
    job = desk.generate()
    desk.bridge.tell_started(job)
    desk.bridge.tell_step(job, 8, 16, picture(90, 16))
    qtbot.mouseClick(desk.form.button, Qt.MouseButton.LeftButton)
    assert desk.bridge.cancelled == [job]
    desk.bridge.tell_finished(job, "cancelled")
    assert not desk.view.shows_preview
    assert desk.view.image is not None
    assert desk.parts.results.rowCount() == 1
    assert desk.form.button.text() == "Generate"


def test_undo_never_clears_results(desk: Desk) -> None:
    desk.parts.binding.set_many({"prompt": "one"}, "Type")
    desk.draw(1)
    desk.draw(2)
    while desk.parts.document.undo_stack.canUndo():
        desk.window.commands.run("edit.undo")
    assert [result.seed for result in desk.parts.results.results] == [1, 2]
    assert desk.view.image is not None


def test_the_drawn_seed_is_no_edit(desk: Desk) -> None:
    steps = desk.parts.document.undo_stack.count()
    desk.draw(123)
    assert desk.parts.document.undo_stack.count() == steps
    assert desk.value("seed") is None
    seed = desk.row("seed").field
    assert seed.line.text() == ""
    assert seed.line.placeholderText() == "123"


def test_the_lock_keeps_the_seed_and_the_dice_frees_it(desk: Desk, qtbot: QtBot) -> None:
    desk.draw(2**63 + 5)
    seed = desk.row("seed").field
    qtbot.mouseClick(seed.lock, Qt.MouseButton.LeftButton)
    assert desk.value("seed") == 2**63 + 5
    assert desk.parts.document.graph.nodes["draw"].params["seed"] == 2**63 + 5
    qtbot.mouseClick(seed.dice, Qt.MouseButton.LeftButton)
    assert desk.value("seed") is None


def test_several_pictures_of_one_run(desk: Desk) -> None:
    desk.draw(1, 2, 3, 4)
    assert [result.seed for result in desk.parts.results.results] == [1, 2, 3, 4]
    assert desk.window.create_page.strip.row == 3


def test_choosing_a_model_takes_over_its_values_as_one_step(desk: Desk) -> None:
    steps = desk.parts.document.undo_stack.count()
    desk.form.choose_model(OTHER.id)
    assert (desk.value("steps"), desk.value("guidance_scale")) == (25, 7.5)
    assert (desk.value("width"), desk.value("height")) == (512, 512)
    assert desk.parts.document.undo_stack.count() == steps + 1
    assert desk.row("guidance_scale").origin.text() == "from the model"
    desk.window.commands.run("edit.undo")
    assert (desk.value("model"), desk.value("steps"), desk.value("width")) == ("", 16, 64)


def test_locked_values_stay(desk: Desk, qtbot: QtBot) -> None:
    for name in ("quality", "shape"):
        qtbot.mouseClick(desk.row(name).lock, Qt.MouseButton.LeftButton)
    assert set(desk.parts.settings.values.locked) == {"steps", "width", "height"}
    desk.form.choose_model(OTHER.id)
    assert (desk.value("steps"), desk.value("width"), desk.value("guidance_scale")) == (16, 64, 7.5)


def test_fields_without_effect_are_disabled_with_the_reason(desk: Desk) -> None:
    desk.form.choose_model(OTHER.id)
    row = desk.row("negative")
    desk.form.refresh()
    assert not row.field.isEnabled()
    assert row.toolTip() == OTHER.unavailable["negative"]
    desk.form.choose_model("")
    assert row.field.isEnabled()


def _item(field: ChoiceField, value: str) -> QStandardItem:
    model = field.model()
    assert isinstance(model, QStandardItemModel)
    return model.item(field.values().index(value))


def test_samplers_that_cannot_serve_are_greyed_out(desk: Desk) -> None:
    item = _item(desk.row("sampler").field.field, "lcm")
    assert not item.isEnabled()
    assert item.toolTip() == STARTER.unavailable["sampler:lcm"]
    assert _item(desk.row("sampler").field.field, "euler_a").text() == "Euler a"


def test_schedules_that_the_sampler_cannot_take_are_greyed_out(desk: Desk) -> None:
    field = desk.row("schedule").field.field
    assert _item(field, "karras").isEnabled()
    desk.parts.binding.set("sampler", "ddpm")
    assert not _item(field, "karras").isEnabled()
    assert "DDPM" in _item(field, "karras").toolTip()
    assert _item(field, "default").isEnabled()


def test_quality_and_shape_follow_the_model(desk: Desk, qtbot: QtBot) -> None:
    qtbot.mouseClick(desk.row("quality").field.button("fine"), Qt.MouseButton.LeftButton)
    assert desk.value("steps") == 32
    qtbot.mouseClick(desk.row("shape").field.shapes.button("landscape"), Qt.MouseButton.LeftButton)
    width, height = desk.value("width"), desk.value("height")
    assert isinstance(width, int)
    assert isinstance(height, int)
    assert width > height
    assert width % STARTER.size_multiple == height % STARTER.size_multiple == 0
    assert desk.row("shape").origin.text() == f"{width} × {height} px"
    qtbot.mouseClick(desk.row("shape").reset, Qt.MouseButton.LeftButton)
    assert (desk.value("width"), desk.value("height")) == (64, 64)


def type_size(desk: Desk, **sides: int) -> None:
    for name, side in sides.items():
        field = desk.row(name).field.field
        field.setText(str(side))
        field.editingFinished.emit()


def test_any_size_is_taken_and_what_happens_is_said(desk: Desk) -> None:
    hint = desk.row("shape").field.hint
    assert not hint.text()
    type_size(desk, width=150, height=100)
    assert (desk.value("width"), desk.value("height")) == (150, 100)
    assert not desk.row("width").message.text()
    assert hint.text() == "Composed at 80 × 48, then enlarged and drawn again"
    assert not hint.isHidden()
    type_size(desk, width=24, height=24)
    assert hint.text() == "Drawn at 64 × 64, then reduced"
    type_size(desk, width=62, height=64)
    assert hint.text() == "Drawn at 64 × 64, then cut to size"
    type_size(desk, width=64)
    assert hint.isHidden()


def test_a_shape_of_a_large_picture_is_as_large(desk: Desk, qtbot: QtBot) -> None:
    type_size(desk, width=640, height=640)
    qtbot.mouseClick(desk.row("shape").field.shapes.button("landscape"), Qt.MouseButton.LeftButton)
    width, height = desk.value("width"), desk.value("height")
    assert isinstance(width, int)
    assert isinstance(height, int)
    assert width > height
    assert 0.9 < width * height / 640**2 < 1.1


def test_larger_sizes_are_offered_where_they_can_be_drawn(desk: Desk) -> None:
    menu = desk.row("shape").field.ratios.menu()
    action = next(action for action in menu.actions() if "Four times" in action.text())
    assert action.isVisible()
    action.trigger()
    assert (desk.value("width"), desk.value("height")) == (256, 256)
    desk.parts.binding.set("sizes", "exact")
    assert not action.isVisible()


def test_detail_belongs_to_a_second_pass(desk: Desk) -> None:
    assert "one pass" in desk.row("detail").disabled_reason
    type_size(desk, width=640)
    assert not desk.row("detail").disabled_reason
    desk.parts.binding.set("sizes", "exact")
    assert desk.row("detail").disabled_reason
    assert "as it is" in desk.row("shape").field.hint.text()


def test_sizes_that_the_model_cannot_draw_at_once_are_snapped_and_said(desk: Desk, qtbot: QtBot) -> None:
    desk.parts.binding.set("sizes", "exact")
    field = desk.row("width").field.field
    field.setText("100")
    field.editingFinished.emit()
    assert desk.value("width") == 96
    assert "multiples of 16" in desk.row("width").message.text()


@pytest.mark.parametrize("text", ["0", "1e9", "-5"])
def test_steps_out_of_range_are_said(desk: Desk, text: str) -> None:
    field = desk.row("steps").field.field
    field.setText(text)
    field.editingFinished.emit()
    value = desk.value("steps")
    assert isinstance(value, int)
    assert 1 <= value < 10**9
    assert desk.row("steps").message.text()


def test_what_the_graph_changes_is_seen_here(desk: Desk) -> None:
    desk.parts.document.set_param("draw", "prompt", "from the graph")
    desk.parts.document.set_param("draw", "steps", 8)
    assert desk.row("prompt").field.value() == "from the graph"
    assert desk.row("quality").field.value() == "draft"


def test_a_run_that_executes_nothing_says_so_and_offers_a_seed(desk: Desk) -> None:
    desk.parts.binding.set_many({"seed": 9}, "Keep")
    desk.draw(9)
    job = desk.generate()
    desk.bridge.tell_started(job)
    desk.bridge.tell_saved(desk.bridge.submitted[0][0], (9,), "cached")
    paths = [result.path for result in desk.parts.results.results]
    desk.bridge.tell_finished(job)
    banner = desk.window.create_page.result.banner
    assert banner.isVisible()
    assert banner.heading.text() == "This picture is already made."
    assert len(paths) == 1
    banner.buttons()[0].click()
    assert desk.value("seed") is None
    assert len(desk.bridge.submitted) == 3


def test_an_error_is_shown_with_reason_remedy_and_diagnostics(desk: Desk) -> None:
    job = desk.generate()
    desk.bridge.tell_started(job)
    desk.bridge.tell_finished(job, "failed", ModelMissing(model="lost", port="model"), node="model")
    banner = desk.window.create_page.result.banner
    assert banner.heading.text() == "The model lost is not on this computer."
    assert "Choose another model" in banner.body.text()
    assert "lost" in desk.row("model").message.text()
    details, copy = (
        button for button in banner.buttons() if button.text() in ("Details", "Copy diagnostics")
    )
    details.click()
    assert banner.details.toPlainText() == "Traceback"
    copy.click()
    assert "The model lost" in QApplication.clipboard().text()
    assert "Python" in QApplication.clipboard().text()
    assert desk.generate() != job
    assert not banner.isVisible()


def test_a_truncated_prompt_is_said_at_the_prompt(desk: Desk) -> None:
    desk.parts.binding.set("prompt", "apple " * 20_000)
    job = desk.generate()
    desk.bridge.tell_started(job)
    desk.bridge.tell_warning(job, "draw", PromptTooLong(used=32, total=20_002, rest="apple"))
    assert "32 of 20002 tokens" in desk.row("prompt").message.text()
    desk.row("prompt").field.insertPlainText("x")
    assert desk.row("prompt").message.text() == ""


def test_a_picture_that_could_not_be_saved_is_shown_and_saved_elsewhere(desk: Desk, tmp_path: Path) -> None:
    job = desk.generate()
    desk.bridge.tell_started(job)
    desk.bridge.tell_save_failed(job, SaveFailed(path="/full", reason="The disk is full."))
    desk.bridge.tell_finished(job, "failed")
    assert desk.view.image is not None
    assert desk.parts.results.results[0].path == ""
    assert desk.window.create_page.result.banner.buttons()[0].text() == "Save elsewhere…"
    desk.window.actions_.pictures.save_to([0], tmp_path)
    assert desk.bridge.save_requests[0][:3] == (job, "save", 0)
    path = desk.bridge.save_requests[0][3]
    desk.bridge.tell_saved_elsewhere("save-1", path)
    assert desk.parts.results.results[0].path == path
    assert not desk.window.create_page.result.banner.isVisible()


def test_settings_of_a_picture_come_back_as_one_step(desk: Desk) -> None:
    desk.parts.binding.set_many({"prompt": "first", "steps": 8}, "Set")
    desk.draw(77)
    desk.parts.binding.set_many({"prompt": "second", "steps": 32}, "Set")
    steps = desk.parts.document.undo_stack.count()
    desk.window.commands.run("picture.use_settings")
    assert (desk.value("prompt"), desk.value("steps"), desk.value("seed")) == ("first", 8, 77)
    assert desk.parts.document.undo_stack.count() == steps + 1


def test_an_example_is_one_click(desk: Desk, qtbot: QtBot) -> None:
    card = desk.form.card
    assert card is not None
    chips = [card._flow.itemAt(index).widget() for index in range(2)]
    qtbot.mouseClick(chips[1], Qt.MouseButton.LeftButton)
    assert desk.value("prompt") == STARTER.examples[1]


def test_more_is_remembered(desk: Desk, qtbot: QtBot) -> None:
    section = desk.form.sections["more"]
    assert not section.expanded
    qtbot.mouseClick(section.header, Qt.MouseButton.LeftButton)
    assert "more" in desk.parts.settings.values.open_sections
    desk.window.actions_.open_template("variations")
    assert desk.form.sections["more"].expanded


def test_every_field_has_a_name_and_a_sentence(desk: Desk) -> None:
    for name, row in desk.form.rows.items():
        assert row.field.accessibleName(), name
        assert row.label.text(), name
        assert row.field.toolTip() or row.toolTip(), name


def test_the_idea_template_shows_the_idea_and_streams_the_text(desk: Desk) -> None:
    desk.window.actions_.open_template("text_model_writes")
    assert "idea" in desk.form.rows
    assert "prompt" not in desk.form.rows
    assert not desk.form.note.text()
    job = desk.generate()
    desk.bridge.tell_started(job)
    desk.bridge.tell_step(job, 3, 32, phase="writing", unit="token", text="A white fox")
    assert "A white fox" in desk.window.create_page.result._hint.text()


def test_a_graph_without_arguments_is_left_as_it_is(desk: Desk) -> None:
    graph = template()
    bare = graph.with_field("exposed", {})
    desk.parts.document.new(bare, "Bare")
    assert desk.form.rows == {}
    assert "left as it is" in desk.form.note.text()
    assert desk.parts.document.graph is bare


def test_a_linked_argument_is_not_overwritten(desk: Desk) -> None:
    desk.window.actions_.open_template("text_model_writes")
    graph = desk.parts.document.graph.with_exposed("prompt", "draw", "prompt")
    desk.parts.document.new(graph, "Linked")
    assert "prompt" not in desk.form.rows
    desk.parts.binding.set_many({"prompt": "mine"}, "Set")
    assert desk.parts.document.graph is graph
