"""The window: start page, commands, palette, files dropped and pasted, what the engine says, the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit, QPlainTextEdit
from pytestqt.qtbot import QtBot

from pipelines.engine.protocol import Device, ErrorData, Lost
from pipelines.errors import EngineDied, MissingInput
from studio.app import StudioApp
from studio.commands.table import COMMANDS
from studio.pictures import picture_files
from studio.widgets.prompt_editor import PromptEditor
from tests.helpers.file_drop import drop_on, files
from tests.helpers.studio_fakes import DEVICE, FakeBridge, picture, template

Open = Callable[..., tuple[StudioApp, FakeBridge]]


def drop(studio: StudioApp, path: Path) -> None:
    assert drop_on(studio.window.stack, files(path))


def test_first_start_is_two_clicks_from_a_picture(open_studio: Open, qtbot: QtBot) -> None:
    studio, bridge = open_studio()
    window = studio.window
    assert window.workspace == "start"
    qtbot.waitUntil(lambda: bridge.started == 1)
    qtbot.mouseClick(window.start_page.cards[0], Qt.MouseButton.LeftButton)
    assert window.workspace == "create"
    qtbot.mouseClick(window.create_page.form.button, Qt.MouseButton.LeftButton)
    job, graph = bridge.submitted[0]
    assert graph.nodes["draw"].params["prompt"]
    bridge.tell_ready()
    bridge.tell_started(job)
    bridge.tell_saved(job)
    bridge.tell_finished(job)
    assert window.create_page.result.view.image is not None


def test_each_template_shows_what_it_made(open_studio: Open) -> None:
    studio, _ = open_studio()
    for card in studio.window.start_page.cards:
        shown = card.art.pixmap()
        assert not card.picture.isNull(), card.template.picture
        assert shown.deviceIndependentSize().width() == card.width() - 4
        assert shown.deviceIndependentSize().height() == (card.width() - 4) // 2


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Space])
def test_templates_open_from_the_keyboard(open_studio: Open, qtbot: QtBot, key: Qt.Key) -> None:
    studio, _ = open_studio()
    qtbot.keyClick(studio.window.start_page.cards[3], key)
    assert studio.parts.document.title == "Variations"
    assert studio.parts.binding.value("batch") == 4


def test_the_engine_starts_after_the_first_paint(open_studio: Open, qtbot: QtBot) -> None:
    studio, bridge = open_studio()
    qtbot.waitUntil(lambda: bridge.started == 1)
    studio.window.update()
    QApplication.processEvents()
    assert bridge.started == 1


def test_every_command_is_an_action_in_a_menu(open_studio: Open) -> None:
    studio, _ = open_studio(template())
    shown = {action.objectName() for menu in studio.window.head.menus.values() for action in menu.actions()}
    assert {command.id for command in COMMANDS} <= shown
    for command in COMMANDS:
        action = studio.window.commands.action(command.id)
        assert QKeySequence(command.shortcut) in action.shortcuts()
        assert not action.icon().isNull(), command.id


def test_the_palette_finds_and_runs_a_command(open_studio: Open, qtbot: QtBot) -> None:
    studio, bridge = open_studio(template())
    window = studio.window
    window.show_workspace("create")
    bridge.tell_ready()
    window.commands.run("help.palette")
    assert window.palette_.isVisible()
    window.palette_.field.setText("gen")
    qtbot.keyClick(window.palette_.field, Qt.Key.Key_Return)
    assert not window.palette_.isVisible()
    assert len(bridge.submitted) == 1


def test_the_palette_shows_only_what_can_be_done(open_studio: Open, qtbot: QtBot) -> None:
    studio, _ = open_studio(template())
    studio.window.show_workspace("create")
    ids = {command.id for command in studio.window.commands.available()}
    assert "run.generate" in ids
    assert not {"run.cancel", "picture.copy", "edit.undo"} & ids
    studio.window.commands.run("help.palette")
    qtbot.keyClick(studio.window.palette_.field, Qt.Key.Key_Escape)
    assert not studio.window.palette_.isVisible()


def test_keys_typed_into_a_palette_do_nothing_else_until_it_closes(open_studio: Open, qtbot: QtBot) -> None:
    studio, bridge = open_studio(template())
    window = studio.window
    bridge.tell_ready()
    window.show_workspace("graph")
    done: list[str] = []
    actions = window.findChildren(QAction)
    for action in actions:
        action.triggered.connect(lambda _=False, action=action: done.append(action.text()))
    graph = studio.parts.document.graph
    own = {Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape}
    keys = {one[0] for action in actions for one in action.shortcuts() if one.count() == 1}
    assert len(keys) > 40
    for palette, command in ((window.graph.palette_, "graph.add"), (window.palette_, "help.palette")):
        window.commands.run(command)
        done.clear()
        for key in keys:
            if key.key() not in own:
                qtbot.keyClick(palette.field, key.key(), key.keyboardModifiers())
        assert palette.isVisible()
        qtbot.keyClick(palette.field, Qt.Key.Key_Escape)
        assert not palette.isVisible()
        assert not done
    assert studio.parts.document.graph is graph
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert window.workspace == "create"


def test_create_and_graph_are_views_of_one_document(open_studio: Open) -> None:
    studio, _ = open_studio(template())
    window = studio.window
    window.commands.run("view.graph")
    assert window.workspace == "graph"
    window.graph.document.set_param("draw", "prompt", "seen in both")
    window.commands.run("view.create")
    assert window.create_page.form.rows["prompt"].field.value() == "seen in both"
    assert "graph.delete" in {command.id for command in window.commands}


def test_undo_and_redo_from_the_prompt_are_the_documents(open_studio: Open, qtbot: QtBot) -> None:
    studio, _ = open_studio(template())
    studio.window.show_workspace("create")
    editor = studio.window.create_page.form.rows["prompt"].field
    before = editor.value()
    editor.moveCursor(editor.textCursor().MoveOperation.End)
    qtbot.keyClicks(editor, " and more")
    studio.window.commands.run("edit.undo")
    assert editor.value() == before
    studio.window.commands.run("edit.redo")
    assert editor.value() == before + " and more"


def test_a_dropped_graph_opens_and_does_not_run(open_studio: Open, tmp_path: Path) -> None:
    studio, bridge = open_studio(template())
    path = tmp_path / "mine.json"
    path.write_bytes(template("variations").dumps())
    before = studio.parts.document.graph
    drop(studio, path)
    assert studio.parts.document.path == path
    assert studio.window.tab_bar.isVisible()
    assert studio.parts.binding.value("batch") == 4
    assert studio.window.workspace == "create"
    assert bridge.submitted == []
    studio.window.tab_bar.setCurrentIndex(0)
    assert studio.parts.document.graph is before
    assert str(path) in studio.parts.settings.values.recent


@pytest.mark.parametrize("content", [b"{", b'{"format": 1, "nodes": {"a": NaN}}', b"[" * 100_000, b""])
def test_a_broken_graph_is_explained_and_nothing_is_lost(
    open_studio: Open, tmp_path: Path, content: bytes
) -> None:
    studio, _ = open_studio(template())
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    graph = studio.parts.document.graph
    drop(studio, path)
    assert studio.parts.document.graph is graph
    assert studio.window.banner.severity == "error"
    assert "broken.json" in studio.window.banner.heading.text()


def test_a_dropped_picture_opens_its_graph(
    open_studio: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, _ = open_studio(template())
    path = tmp_path / "made.png"
    picture().save(str(path))
    monkeypatch.setattr(picture_files, "graph_inside", lambda _: template("text_model_writes"))
    drop(studio, path)
    qtbot.waitUntil(lambda: "idea" in studio.parts.binding.names)
    assert studio.parts.document.path is None
    assert studio.parts.results.results[-1].path == str(path)


def test_a_foreign_picture_joins_the_strip_with_a_word(
    open_studio: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    studio, _ = open_studio(template())
    studio.window.show_workspace("create")
    path = tmp_path / "photo.png"
    picture().save(str(path))
    graph = studio.parts.document.graph
    drop(studio, path)
    qtbot.waitUntil(lambda: studio.parts.results.rowCount() == 1)
    assert studio.parts.document.graph is graph
    assert "carries no graph" in studio.window.banner.heading.text()


def test_a_pasted_picture_is_kept_once(open_studio: Open, qtbot: QtBot) -> None:
    studio, _ = open_studio(template())
    studio.window.show_workspace("create")
    for _ in range(2):
        QApplication.clipboard().setImage(picture(30))
        studio.window.commands.run("edit.paste_picture")
        qtbot.waitUntil(lambda: "Pasted" in studio.window.status.text.text() or not studio.window.isVisible())
        studio.window.status.note("")
    assert studio.parts.results.rowCount() == 1
    assert Path(studio.parts.results.results[0].path).is_file()


def test_copying_a_picture_gives_pixels_and_the_file(open_studio: Open) -> None:
    studio, bridge = open_studio(template())
    studio.window.show_workspace("create")
    bridge.tell_ready()
    studio.window.commands.run("run.generate")
    bridge.tell_started("job-1")
    (path,) = bridge.tell_saved("job-1")
    bridge.tell_finished("job-1")
    studio.window.commands.run("picture.copy")
    data = QApplication.clipboard().mimeData()
    assert data.hasImage()
    assert data.urls()[0].toLocalFile() == path


def test_a_lost_engine_is_explained_and_the_work_is_there(open_studio: Open) -> None:
    studio, bridge = open_studio(template())
    bridge.tell_ready()
    graph = studio.parts.document.graph
    error = ErrorData(**EngineDied(reason="It was killed.").info("details").to_json())
    bridge.engine_lost.emit(Lost(error=error))
    assert studio.window.banner.heading.text() == "The engine stopped in the middle of this run."
    assert "again" in studio.window.status.text.text()
    assert studio.parts.document.graph is graph
    bridge.tell_ready()
    assert studio.window.status.text.text() == "ready"


def test_a_card_that_is_not_used_is_a_banner_with_the_remedy(open_studio: Open) -> None:
    studio, bridge = open_studio(template())
    problem = ErrorData(
        code="X", what="A graphics card is not used.", why="The driver is missing.", remedy="Install it."
    )
    bridge.device_changed.emit(DEVICE.model_copy(update={"problem": problem}))
    banner = studio.window.banner
    assert (banner.heading.text(), banner.severity) == ("A graphics card is not used.", "warning")
    assert banner.body.text() == "The driver is missing. Install it."
    banner.close_button.click()
    bridge.device_changed.emit(DEVICE.model_copy(update={"problem": problem, "free_bytes": 1}))
    assert not banner.isVisible()


def test_the_status_line_names_device_and_free_memory(open_studio: Open) -> None:
    studio, bridge = open_studio(template())
    bridge.tell_ready()
    assert studio.window.status.right.text() == "Diptych starter · CPU bf16 · 3.1 GB free"
    bridge.device_changed.emit(Device(device="cuda:0", name="Card", dtype="fp16", free_bytes=6_600_000_000))
    assert "CUDA fp16 · 6.6 GB free" in studio.window.status.right.text()


def test_problems_are_counted(open_studio: Open, qtbot: QtBot) -> None:
    studio, bridge = open_studio(template())
    bridge.tell_ready()
    asked: list[str] = []
    plain = bridge.validate
    bridge.validate = lambda graph: asked.append(plain(graph)) or asked[-1]  # type: ignore[func-returns-value]
    studio.parts.document.set_param("draw", "steps", 3)
    qtbot.waitUntil(lambda: bool(asked))
    problem = MissingInput(port_title="Image", type="Image", node="save")
    bridge.tell_problems("older", problem, problem)
    assert not studio.window.status.problems.isVisible()
    other = MissingInput(port_title="Mask", type="Mask", node="save")
    bridge.tell_problems(asked[-1], problem, other, problem)
    assert studio.window.status.problems.isVisible()
    assert studio.window.status.problems.text() == "2 problems"


def test_settings_take_effect_at_once(open_studio: Open) -> None:
    studio, _ = open_studio(template())
    studio.window.commands.run("view.theme")
    assert studio.parts.settings.values.theme == "light"
    size = QApplication.font().pixelSize()
    studio.window.commands.run("view.text_larger")
    assert QApplication.font().pixelSize() > size


def test_dialogs_open_and_close(open_studio: Open, qtbot: QtBot) -> None:
    studio, _ = open_studio(template())
    for name in ("file.preferences", "help.keyboard", "help.about"):
        studio.window.commands.run(name)
        dialog = QApplication.activeModalWidget()
        assert dialog is not None, name
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)
        assert not dialog.isVisible()


def test_the_queue_lists_runs(open_studio: Open) -> None:
    studio, bridge = open_studio(template())
    studio.window.show_workspace("create")
    studio.window.show_panel("queue")
    bridge.tell_ready()
    studio.window.commands.run("run.generate")
    studio.window.commands.run("run.generate")
    bridge.tell_started("job-1")
    bridge.tell_step("job-1", 4, 16)
    studio.window.panel.queue.refresh()
    assert studio.window.create_page.form.button.text() == "Cancel (1 more waiting)"
    cards = studio.window.panel.queue._cards
    assert "step 4 of 16" in cards["job-1"].state.text()
    assert cards["job-2"].state.text() == "waits"
    cards["job-2"].button.click()
    assert bridge.cancelled == ["job-2"]


def test_everything_that_can_be_pressed_or_filled_has_a_name(open_studio: Open) -> None:
    studio, bridge = open_studio(template(), open_sections=("more", "negative"))
    bridge.tell_ready()
    for name in ("start", "create"):
        studio.window.show_workspace(name)
        for kind in (QAbstractButton, QLineEdit, QPlainTextEdit):
            for widget in studio.window.findChildren(kind):
                if widget.isVisible() and not widget.objectName().startswith("qt_"):
                    text = widget.text() if isinstance(widget, QAbstractButton) else ""
                    assert widget.accessibleName() or text, (name, widget)


def test_saving_and_opening_a_graph(open_studio: Open, tmp_path: Path) -> None:
    studio, _ = open_studio(template())
    path = tmp_path / "kept.json"
    studio.window.actions_._save(path)
    assert json.loads(path.read_text("utf-8"))["nodes"]
    studio.parts.document.set_param("draw", "steps", 3)
    assert "•" in studio.window.windowTitle() or studio.window.workspace == "start"
    studio.window.commands.run("file.save")
    assert json.loads(path.read_text("utf-8"))["nodes"]["draw"]["params"]["steps"] == 3


def test_an_unwritable_place_is_explained(open_studio: Open, tmp_path: Path) -> None:
    studio, _ = open_studio(template())
    (tmp_path / "file").write_text("")
    studio.window.actions_._save(tmp_path / "file" / "graph.json")
    assert studio.window.banner.severity == "error"
    assert studio.window.banner.buttons()[0].text() == "Save elsewhere…"


def test_the_end_closes_the_engine_once(open_studio: Open) -> None:
    studio, bridge = open_studio(template())
    studio.window.close()
    studio.close()
    assert bridge.closed == 1


def test_a_picture_goes_to_the_bin_after_asking(
    open_studio: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, bridge = open_studio(template())
    studio.window.show_workspace("create")
    bridge.tell_ready()
    studio.window.commands.run("run.generate")
    bridge.tell_started("job-1")
    (path,) = bridge.tell_saved("job-1")
    bridge.tell_finished("job-1")
    gone: list[str] = []
    monkeypatch.setattr(picture_files, "to_bin", gone.append)
    monkeypatch.setattr(studio.window, "ask_to_delete", lambda name: False)
    studio.window.commands.run("picture.delete")
    assert gone == []
    monkeypatch.setattr(studio.window, "ask_to_delete", lambda name: True)
    studio.window.commands.run("picture.delete")
    qtbot.waitUntil(lambda: studio.parts.results.rowCount() == 0)
    assert gone == [path]
    assert studio.window.create_page.current is None


def test_a_copy_keeps_the_data_and_another_suffix_converts(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    picture().save(str(source))
    same = Path(picture_files.copy_picture(str(source), str(tmp_path / "b")))
    assert same.name == "b.png"
    assert same.read_bytes() == source.read_bytes()
    other = Path(picture_files.copy_picture(str(source), str(tmp_path / "c.jpg")))
    assert other.read_bytes()[:2] == b"\xff\xd8"


def test_the_canvas_is_made_while_nobody_waits(open_studio: Open, qtbot: QtBot) -> None:
    studio, _ = open_studio(template())
    qtbot.waitUntil(lambda: studio.window.graph is not None and studio.window.maker.inspector is not None)
    graph = studio.window.graph
    studio.window.show_workspace("graph")
    assert studio.window.graph is graph


def test_a_prompt_in_the_inspector_shows_its_lines_without_scrolling(open_studio: Open, qtbot: QtBot) -> None:
    studio, _ = open_studio(template())
    studio.window.show_workspace("graph")
    studio.window.graph.show_node("draw")
    inspector = studio.window.maker.inspector
    assert inspector is not None
    for editor in inspector.findChildren(PromptEditor):
        qtbot.waitUntil(editor.isVisible)
        assert editor.height() >= editor.sizeHint().height()
