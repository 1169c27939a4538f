"""Files in the window: nothing that anybody wrote is lost, and a damaged one opens as far as it can."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QThreadPool
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from pipelines import paths
from pipelines.files import MAX_NAME_BYTES
from pipelines.graph.document import Graph
from studio.app import StudioApp
from studio.documents.document import GraphDocument
from studio.documents.open_documents import OpenDocuments
from studio.keeping import session_files as session
from studio.keeping.backups import Backups, key_of
from studio.keeping.file_changed import FileChangedDialog
from studio.keeping.journal import JournalWriter, State, read
from studio.keeping.recovery import tidy
from studio.keeping.session import SessionKeeper
from studio.keeping.versions import VersionsDialog
from studio.panels.second_studio import SecondStudio
from studio.pictures.results import ResultList
from tests.helpers.studio_fakes import FakeBridge, picture, template

Open = Callable[..., tuple[StudioApp, FakeBridge]]
THEIRS = template().with_param("draw", "steps", 33).without_node("save")


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))


@pytest.fixture
def opened(open_studio: Open, tmp_path: Path) -> tuple[StudioApp, Path]:
    """A studio with a file that was opened and edited."""
    studio, _ = open_studio(None, tmp_path / "session")
    path = tmp_path / "mine.json"
    path.write_bytes(template().dumps())
    studio.window.actions_.open_path(str(path))
    studio.parts.document.set_param("draw", "steps", 7)
    return studio, path


def overwrite(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    os.utime(path, ns=(1, 1))


def dialog_of(studio: StudioApp, qtbot: QtBot) -> FileChangedDialog:
    qtbot.waitUntil(lambda: bool(studio.window.findChildren(FileChangedDialog)))
    return studio.window.findChildren(FileChangedDialog)[0]


def backups_of(studio: StudioApp, path: Path) -> list[tuple[str, int]]:
    QThreadPool.globalInstance().waitForDone()
    assert studio.keeper is not None
    studio.keeper._pool.waitForDone()
    found = studio.keeper.backups.versions(key_of(path))
    return [(version.why, version.read().nodes["draw"].params["steps"]) for version in found]


def banner(studio: StudioApp) -> str:
    labels = studio.window.banner.findChildren(QLabel)
    return " ".join(label.text() for label in labels) if not studio.window.banner.isHidden() else ""


# --- another program's changes -------------------------------------------------------------------------


def test_what_a_save_replaces_is_an_earlier_version(opened: tuple[StudioApp, Path]) -> None:
    studio, path = opened
    before = template().nodes["draw"].params["steps"]
    studio.window.commands.run("file.save")
    assert Graph.loads(path.read_bytes()).nodes["draw"].params["steps"] == 7
    assert backups_of(studio, path) == [("before", before)]


def test_a_file_that_another_program_changed_is_not_overwritten_unasked(
    opened: tuple[StudioApp, Path], qtbot: QtBot
) -> None:
    studio, path = opened
    overwrite(path, THEIRS.dumps())
    studio.window.commands.run("file.save")
    dialog = dialog_of(studio, qtbot)
    assert path.read_bytes() == THEIRS.dumps()
    assert "1 node removed, 1 node changed" in " ".join(label.text() for label in dialog.findChildren(QLabel))
    dialog.reject()
    assert path.read_bytes() == THEIRS.dumps()
    assert studio.parts.document.is_modified


def test_saving_anyway_keeps_the_other_version(opened: tuple[StudioApp, Path], qtbot: QtBot) -> None:
    studio, path = opened
    overwrite(path, THEIRS.dumps())
    studio.window.commands.run("file.save")
    dialog_of(studio, qtbot).save_button.click()
    qtbot.waitUntil(lambda: not studio.parts.document.is_modified)
    assert Graph.loads(path.read_bytes()).nodes["draw"].params["steps"] == 7
    assert ("other", 33) in backups_of(studio, path)


def test_opening_what_is_in_the_file_keeps_ones_own(opened: tuple[StudioApp, Path], qtbot: QtBot) -> None:
    studio, path = opened
    overwrite(path, THEIRS.dumps())
    studio.window.commands.run("file.save")
    dialog_of(studio, qtbot).reload_button.click()
    assert studio.parts.document.graph.dumps() == THEIRS.dumps()
    assert ("closed", 7) in backups_of(studio, path)


def test_a_file_that_was_only_touched_is_saved_without_a_word(
    opened: tuple[StudioApp, Path], qtbot: QtBot
) -> None:
    studio, path = opened
    os.utime(path, ns=(1, 1))
    studio.window.commands.run("file.save")
    qtbot.waitUntil(lambda: not studio.parts.document.is_modified)
    assert not studio.window.findChildren(FileChangedDialog)


def test_what_is_no_graph_is_kept_byte_for_byte(opened: tuple[StudioApp, Path], qtbot: QtBot) -> None:
    studio, path = opened
    overwrite(path, b"my shopping list")
    studio.window.commands.run("file.save")
    dialog = dialog_of(studio, qtbot)
    assert dialog.reload_button.isHidden()
    dialog.save_button.click()
    qtbot.waitUntil(lambda: not studio.parts.document.is_modified)
    assert studio.keeper is not None
    kept = (studio.keeper.backups.folder / key_of(path)).glob("*mine.json")
    assert [file.read_bytes() for file in kept] == [b"my shopping list"]


def test_saving_over_another_document_keeps_that(opened: tuple[StudioApp, Path], qtbot: QtBot) -> None:
    studio, path = opened
    other = path.with_name("other.json")
    other.write_bytes(THEIRS.dumps())
    studio.window.actions_._save(other)
    qtbot.waitUntil(lambda: studio.parts.document.path == other)
    assert ("other", 33) in backups_of(studio, other)


def test_a_change_is_told_while_the_file_is_open(opened: tuple[StudioApp, Path], qtbot: QtBot) -> None:
    studio, path = opened
    overwrite(path, THEIRS.dumps())
    qtbot.waitUntil(lambda: "another program" in studio.window.status.text.text(), timeout=5_000)


def test_ones_own_save_is_not_told(opened: tuple[StudioApp, Path], qtbot: QtBot) -> None:
    studio, _ = opened
    studio.window.commands.run("file.save")
    qtbot.wait(700)
    assert "another program" not in studio.window.status.text.text()


# --- newer and damaged files -----------------------------------------------------------------------------


def test_a_newer_format_can_be_looked_at_only(open_studio: Open, tmp_path: Path) -> None:
    studio, _ = open_studio(None, tmp_path / "session")
    data = template().dumps().replace(b'"format": 1', b'"format": 9')
    path = tmp_path / "newer.json"
    path.write_bytes(data)
    studio.window.actions_.open_path(str(path))
    document = studio.parts.document
    assert "newer version" in banner(studio)
    assert studio.window.banner.severity == "warning"
    graph = document.graph
    studio.window.show_workspace("create")
    studio.parts.binding.set("prompt", "changed")
    document.add_node("text.join", (0, 0))
    assert document.graph is graph
    assert not document.undo_stack.canUndo()
    shown = studio.window.create_page.form.rows["prompt"].field.value()
    assert shown == graph.nodes["draw"].params["prompt"]
    studio.window.commands.run("file.save")
    studio.window.actions_._save(tmp_path / "copy.json")
    assert path.read_bytes() == data
    assert not (tmp_path / "copy.json").exists()
    studio.window.close()
    again, _ = open_studio(None, tmp_path / "session")
    assert again.parts.document.read_only is not None


def test_a_cut_off_file_opens_as_a_new_document(
    opened: tuple[StudioApp, Path], qtbot: QtBot, tmp_path: Path
) -> None:
    studio, _ = opened
    path = tmp_path / "broken.json"
    broken = template().dumps()[:-700]
    path.write_bytes(broken)
    studio.window.actions_.open_path(str(path))
    qtbot.waitUntil(lambda: "damaged" in banner(studio))
    document = studio.parts.document
    assert document.path is None
    assert document.is_modified
    assert document.title == "broken (recovered)"
    assert set(document.graph.nodes) < set(template().nodes)
    assert "Line" in banner(studio)
    assert path.read_bytes() == broken


# --- earlier versions ------------------------------------------------------------------------------------


def versions_of(studio: StudioApp, qtbot: QtBot) -> VersionsDialog:
    studio.window.commands.run("file.versions")
    dialog = studio.window.findChildren(VersionsDialog)[0]
    qtbot.waitUntil(lambda: "…" not in dialog.hint.text())
    return dialog


def test_a_version_is_restored_as_one_step(opened: tuple[StudioApp, Path], qtbot: QtBot) -> None:
    studio, path = opened
    studio.window.commands.run("file.save")
    assert backups_of(studio, path)
    before = studio.parts.document.graph
    dialog = versions_of(studio, qtbot)
    assert dialog.tree.topLevelItem(0).text(2) == "1 node changed"
    dialog.restore_button.click()
    assert studio.parts.document.graph.dumps() == template().dumps()
    studio.window.commands.run("edit.undo")
    assert studio.parts.document.graph is before


def test_a_restored_version_brings_its_layers_and_undo_the_others(open_studio: Open, qtbot: QtBot) -> None:
    studio, _ = open_studio(template("inpaint"))
    window, document = studio.window, studio.parts.document
    window.show_workspace("canvas")
    page = window.canvas_page

    def layers() -> object:
        qtbot.waitUntil(lambda: not page.keeper.is_loading)
        page.keeper.keep_now()
        return document.graph.nodes["canvas"].params["layers"]

    page.canvas.set_image(picture(20), "Red")
    first, version = layers(), document.graph
    page.canvas.set_image(picture(200), "Blue")
    second = layers()
    assert first != second
    window.actions_.files._restore(version, "then")
    assert layers() == first
    window.commands.run("edit.undo")
    assert layers() == second
    window.commands.run("edit.redo")
    assert layers() == first


def test_a_version_opens_beside(opened: tuple[StudioApp, Path], qtbot: QtBot) -> None:
    studio, path = opened
    studio.window.commands.run("file.save")
    assert backups_of(studio, path)
    versions_of(studio, qtbot).open_button.click()
    document = studio.parts.document
    assert document.path is None
    assert document.is_modified
    assert document.title.startswith("mine of ")
    assert Graph.loads(path.read_bytes()).nodes["draw"].params["steps"] == 7


def test_a_document_closed_without_saving_is_found_again(
    opened: tuple[StudioApp, Path], qtbot: QtBot
) -> None:
    studio, path = opened
    studio.window.actions_.open_template("variations")
    assert backups_of(studio, path) == []  # it is still open
    studio.window.actions_.tabs.close(0)
    assert backups_of(studio, path) == [("closed", 7)]
    dialog = versions_of(studio, qtbot)
    titles = [dialog.choice.itemText(index) for index in range(dialog.choice.count())]
    assert titles[1].startswith("mine · ")
    dialog.choice.setCurrentIndex(1)
    qtbot.waitUntil(lambda: dialog.tree.topLevelItemCount() == 1)
    assert not dialog.restore_button.isEnabled()  # it is another document's
    dialog.open_button.click()
    assert studio.parts.document.graph.nodes["draw"].params["steps"] == 7


# --- after a crash ---------------------------------------------------------------------------------------


def crash(folder: Path, *states: State) -> None:
    writer = JournalWriter(folder)
    for state in states:
        writer.write(state)


def test_after_a_crash_the_work_is_back_and_says_so(open_studio: Open, tmp_path: Path, qtbot: QtBot) -> None:
    folder, path = tmp_path / "session", tmp_path / "mine.json"
    path.write_bytes(template().dumps())
    now = template().with_param("draw", "prompt", "nearly lost")
    state = State(template(), 1.0, "", str(path), "mine", key_of(path), None, False, False)
    crash(folder, state, State(now, 2.0, "", str(path), "mine", key_of(path), None, True, False))
    studio, _ = open_studio(None, folder)
    document = studio.parts.document
    assert document.graph.dumps() == now.dumps()
    assert (document.path, document.is_modified, document.from_elsewhere) == (path, True, False)
    assert "ended unexpectedly" in banner(studio)
    studio.window.banner.buttons()[0].click()
    assert studio.window.findChildren(VersionsDialog)
    studio.window.findChildren(VersionsDialog)[0].reject()
    assert [why for why, _ in backups_of(studio, path)] == ["crashed"]
    studio.window.close()
    again, _ = open_studio(None, folder)
    assert again.parts.document.graph.dumps() == now.dumps()
    assert again.parts.document.is_modified
    assert not banner(again)


def test_a_second_crash_right_after_the_first_loses_nothing(open_studio: Open, tmp_path: Path) -> None:
    folder = tmp_path / "session"
    now = template().with_param("draw", "prompt", "nearly lost")
    crash(folder, State(now, 2.0, modified=True))
    for _ in range(2):
        saved = session.load(folder)
        assert saved.crashed
        assert saved.graph is not None
        assert saved.graph.dumps() == now.dumps()
    studio, _ = open_studio(None, folder)
    assert studio.parts.document.is_modified


def test_another_studio_at_work_is_no_crash(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    crash(folder, State(template(), 2.0))
    (folder / "graph.json").write_text("{")
    saved = session.load(folder, look_only=True)
    assert saved.graph is not None
    assert not saved.crashed
    assert (folder / "graph.json").exists()


def test_garbage_is_put_aside_and_the_start_goes_on(open_studio: Open, tmp_path: Path) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    (folder / "journal").write_bytes(b"\0" * 400)
    (folder / "graph.json").write_bytes(template().dumps())
    studio, _ = open_studio(None, folder)
    assert "can't be read" in banner(studio)
    assert (folder / "journal-unreadable").read_bytes() == b"\0" * 400
    assert studio.parts.document.graph.nodes


def test_each_edit_is_in_the_journal_two_seconds_later(qtbot: QtBot, tmp_path: Path) -> None:
    document = GraphDocument(template())
    keeper = SessionKeeper(tmp_path / "s", OpenDocuments(document), ResultList(), lambda: ("create", -1))
    journal = keeper.folder_of(document.sheet) / "journal"
    for steps in (3, 4):
        document.set_param("draw", "steps", steps)
        qtbot.waitUntil(
            lambda steps=steps: (
                bool(found := read(journal).states) and found[-1].graph.nodes["draw"].params["steps"] == steps
            ),
            timeout=2_000,
        )
    assert [state.text for state in read(journal).states] == ["Change Steps of Text to image"] * 2
    assert keeper.error is None


def test_what_cannot_be_kept_is_said_once_and_tried_again(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "s").write_text("in the way")
    document, told = GraphDocument(template()), list[object]()
    keeper = SessionKeeper(
        tmp_path / "s", OpenDocuments(document), ResultList(), lambda: ("create", -1), None, Backups(tmp_path)
    )
    keeper.failed.connect(told.append)
    document.set_param("draw", "steps", 3)
    with qtbot.waitSignal(keeper.failed, timeout=4_000):
        pass
    (tmp_path / "s").unlink()
    keeper._timer.start(0)
    qtbot.waitUntil(lambda: bool(read(keeper.folder_of(document.sheet) / "journal").states))
    qtbot.waitUntil(lambda: keeper.error is None)
    assert len(told) == 1


def test_tidying_keeps_what_any_version_names(tmp_path: Path) -> None:
    document = GraphDocument(template())
    store, folder, backups = document.assets, tmp_path / "session", Backups(tmp_path / "backups")
    names = [store.put(text) for text in (b"open", b"journal", b"backup", b"nobody")]
    graphs = [template().with_param("draw", "layer", {"asset": name}) for name in names]
    crash(folder, State(graphs[1]))
    backups.put("k", graphs[2], "timed")
    stale = [
        folder / ".diptych-0123456789abcdef.tmp",
        store.path(names[0]).parent / ".diptych-fedcba9876543210.tmp",
    ]
    for path in (*stale, *(store.path(name) for name in names)):
        path.touch()
        os.utime(path, (1, 1))
    tidy(folder, store, backups, {names[0]}, [])
    assert [name in store for name in names] == [True, True, True, False]
    assert not any(path.exists() for path in stale)


# --- names and profiles ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["ünï 日本 🜲.json", "x" * (MAX_NAME_BYTES - 5) + ".json", "-rf; $(x) `y` & 'z'.json", "a\nb.json"]
)
@pytest.mark.skipif(os.name == "nt", reason="names that Windows refuses")
def test_hostile_names_are_saved_and_kept(opened: tuple[StudioApp, Path], qtbot: QtBot, name: str) -> None:
    studio, path = opened
    goal = path.with_name(name)
    studio.window.actions_._save(goal)
    studio.parts.document.set_param("draw", "steps", 8)
    studio.window.commands.run("file.save")
    assert Graph.loads(goal.read_bytes()).nodes["draw"].params["steps"] == 8
    assert backups_of(studio, goal) == [("before", 7)]


def test_a_profile_has_folders_of_its_own_and_sees_the_models(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (paths.models_dir() / "diffusion").mkdir(parents=True)
    own = (paths.data_dir(), paths.config_dir(), paths.runtime_dir())
    monkeypatch.setenv("DIPTYCH_PROFILE", "../../Work: 1")
    assert paths.data_dir().parent == own[0] / "profiles"
    assert paths.config_dir().is_relative_to(own[1])
    assert paths.runtime_dir() == own[2]
    assert paths.shared_model_folders() == (own[0] / "models" / "diffusion",)
    paths.data_dir().mkdir(parents=True)
    assert paths.profiles() == [paths.profile()]


def test_the_second_studio_may_take_another_profile(qtbot: QtBot) -> None:
    dialog = SecondStudio("Diptych, process 7", ["work", "home"], "work")
    qtbot.addWidget(dialog)
    assert [dialog.name.itemText(index) for index in range(dialog.name.count())] == ["home"]
    assert not dialog.other.isEnabled()
    dialog.name.setEditText("work")
    assert not dialog.other.isEnabled()
    dialog.name.setEditText(" a/b ")
    dialog.other.click()
    assert dialog.profile == "a_b"
    QApplication.processEvents()
