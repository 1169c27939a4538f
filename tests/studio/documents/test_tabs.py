"""Documents in tabs: each with its history, file, workspace and problems; closed ones come back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QTabBar
from pytestqt.qtbot import QtBot

from pipelines.errors import ModelMissing
from pipelines.graph.document import Graph
from studio.app import StudioApp
from studio.keeping import session_files
from tests.helpers.studio_fakes import FakeBridge, template

Open = Callable[..., tuple[StudioApp, FakeBridge]]


def saved(folder: Path, name: str, which: str = "prompt_to_image") -> Path:
    path = folder / name
    path.write_bytes(template(which).dumps())
    return path


def names(studio: StudioApp) -> list[str]:
    bar = studio.window.tab_bar
    return [bar.tabText(index) for index in range(bar.count())]


def test_one_document_shows_no_tabs_and_two_show_two(open_studio: Open, tmp_path: Path) -> None:
    studio, _ = open_studio(template())
    assert not studio.window.tab_bar.isVisible()
    studio.window.actions_.open_path(str(saved(tmp_path, "mine.json")))
    assert studio.window.tab_bar.isVisible()
    assert names(studio)[-1] == "mine"
    assert studio.window.tab_bar.currentIndex() == 1
    studio.parts.binding.set("prompt", "changed")
    assert names(studio)[-1] == "mine •"
    assert studio.window.windowTitle().startswith("mine •")


def test_each_has_its_own_history_and_the_history_panel_follows(open_studio: Open) -> None:
    studio, _ = open_studio(template())
    document, history = studio.parts.document, studio.window.panel.history
    studio.parts.binding.set("prompt", "first")
    studio.window.actions_.open_template("variations")
    assert history.steps.model().rowCount() == 1  # the empty one alone
    studio.parts.binding.set("prompt", "second")
    studio.window.actions_.undo()
    assert not studio.window.actions_.can_undo()
    studio.window.actions_.tabs.step(1)  # round to the first
    assert studio.parts.binding.value("prompt") == "first"
    assert studio.window.actions_.can_undo()
    assert not studio.window.actions_.can_redo()
    assert history.steps.model().rowCount() == 2
    studio.window.actions_.undo()
    studio.window.actions_.tabs.step(1)
    studio.window.actions_.redo()
    assert studio.parts.binding.value("prompt") == "second"
    assert document.undo_stack.count() == 1


def test_keys_walk_close_and_open_again(open_studio: Open, tmp_path: Path) -> None:
    studio, _ = open_studio(template())
    for name in ("a.json", "b.json"):
        studio.window.actions_.open_path(str(saved(tmp_path, name)))
    studio.parts.binding.set("prompt", "not saved")
    window, document = studio.window, studio.parts.document
    window.activateWindow()
    QTest.keyClick(window, Qt.Key.Key_PageUp, Qt.KeyboardModifier.ControlModifier)
    assert document.title == "a"
    QTest.keyClick(window, Qt.Key.Key_PageDown, Qt.KeyboardModifier.ControlModifier)
    assert document.title == "b"
    QTest.keyClick(window, Qt.Key.Key_W, Qt.KeyboardModifier.ControlModifier)
    assert names(studio)[-1] == "a"
    assert "b was closed" in window.banner.heading.text()
    window.banner.buttons()[0].click()
    assert (document.title, studio.parts.binding.value("prompt")) == ("b", "not saved")
    assert window.actions_.can_undo()
    assert document.is_modified


def test_the_last_one_closed_leaves_the_start_page(open_studio: Open) -> None:
    studio, _ = open_studio(template())
    studio.window.actions_.tabs.close()
    assert studio.window.workspace == "start"
    assert not studio.parts.document.graph.nodes
    studio.window.actions_.tabs.reopen()
    assert studio.parts.document.graph.nodes
    assert len(studio.parts.tabs.sheets) == 1  # the blank one gave way


def test_a_file_that_is_open_is_shown_not_opened_twice(open_studio: Open, tmp_path: Path) -> None:
    studio, _ = open_studio(template())
    path = saved(tmp_path, "mine.json")
    studio.window.actions_.open_path(str(path))
    studio.parts.binding.set("prompt", "mine")
    studio.window.actions_.tabs.step(-1)
    studio.window.actions_.open_path(str(tmp_path / "." / "mine.json"))
    assert len(studio.parts.tabs.sheets) == 2
    assert studio.parts.binding.value("prompt") == "mine"


def test_each_is_shown_in_the_workspace_it_was_left_in(open_studio: Open) -> None:
    studio, _ = open_studio(template())
    studio.window.show_workspace("graph")
    studio.window.actions_.open_template("variations")
    assert studio.window.workspace == "create"
    studio.window.actions_.tabs.step(1)
    assert studio.window.workspace == "graph"
    studio.window.show_workspace("start")
    QTest.mouseClick(
        studio.window.tab_bar, Qt.MouseButton.LeftButton, pos=studio.window.tab_bar.tabRect(0).center()
    )
    assert studio.window.workspace == "graph"


def test_a_change_of_workspace_alone_is_kept(open_studio: Open, tmp_path: Path, qtbot: QtBot) -> None:
    folder = tmp_path / "session"
    studio, _ = open_studio(template(), session=folder)
    studio.parts.binding.set("prompt", "mine")
    qtbot.waitUntil(lambda: bool(session_files.load(folder, look_only=True).sheets), timeout=5_000)
    studio.window.show_workspace("graph")
    qtbot.waitUntil(lambda: session_files.load(folder, look_only=True).workspace == "graph", timeout=5_000)


def test_a_tab_is_closed_by_its_button_and_by_the_middle_button(open_studio: Open, tmp_path: Path) -> None:
    studio, _ = open_studio(template())
    for name in ("a.json", "b.json", "c.json"):
        studio.window.actions_.open_path(str(saved(tmp_path, name)))
    bar = studio.window.tab_bar
    QTest.mouseClick(bar, Qt.MouseButton.MiddleButton, pos=bar.tabRect(1).center())
    assert names(studio)[1:] == ["b", "c"]
    button = bar.tabButton(2, QTabBar.ButtonPosition.RightSide)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton, pos=QPoint(4, 4))
    assert names(studio)[1:] == ["b"]
    assert studio.parts.document.title == "b"
    bar.menu_for(0).actions()[1].trigger()
    assert len(studio.parts.tabs.sheets) == 1


def test_dragged_tabs_stay_with_their_documents(open_studio: Open, tmp_path: Path) -> None:
    studio, _ = open_studio(template())
    for name in ("a.json", "b.json"):
        studio.window.actions_.open_path(str(saved(tmp_path, name)))
    studio.window.tab_bar.moveTab(2, 0)
    assert [sheet.title for sheet in studio.parts.tabs.sheets][:1] == ["b"]
    assert studio.parts.document.title == "b"
    assert names(studio)[0] == "b"
    studio.window.tab_bar.setCurrentIndex(2)
    assert studio.parts.document.title == "a"


def test_a_run_that_fails_behind_another_tab_is_a_problem_of_its_own(open_studio: Open) -> None:
    studio, bridge = open_studio(template())
    bridge.tell_ready()
    studio.window.show_workspace("create")
    studio.window.actions_.generate()
    job = bridge.submitted[-1][0]
    studio.window.actions_.open_template("variations")
    bridge.tell_started(job)
    bridge.tell_finished(job, "failed", ModelMissing(model="nowhere"))
    studio.window.book.refresh()
    assert not [item for item in studio.window.book.problems if item.code == "ModelMissing"]
    studio.window.actions_.tabs.step(1)
    assert [item.code for item in studio.window.book.problems] == ["ModelMissing"]


def test_all_are_there_again_after_the_end_and_after_a_crash(
    open_studio: Open, tmp_path: Path, qtbot: QtBot
) -> None:
    folder, path = tmp_path / "session", saved(tmp_path, "mine.json")
    studio, _ = open_studio(template(), folder)
    studio.parts.binding.set("prompt", "first")
    studio.window.actions_.open_path(str(path))
    studio.parts.binding.set("prompt", "second")
    studio.window.show_workspace("graph")
    studio.window.actions_.tabs.step(-1)

    def kept() -> list[str]:
        found = session_files.load(folder).sheets
        return [sheet.state.graph.nodes["draw"].params["prompt"] for sheet in found]

    qtbot.waitUntil(lambda: kept() == ["first", "second"], timeout=4_000)
    qtbot.waitUntil(lambda: session_files.load(folder).shown == 0, timeout=4_000)
    crashed = session_files.load(folder)  # nobody has ended it yet
    assert crashed.crashed
    assert crashed.shown == 0
    studio.window.close()
    ended = session_files.load(folder)
    assert not ended.crashed
    assert kept() == ["first", "second"]
    again, _ = open_studio(None, folder)
    assert [sheet.path for sheet in again.parts.tabs.sheets] == [None, path]
    assert again.parts.binding.value("prompt") == "first"
    again.window.actions_.tabs.step(1)
    assert (again.parts.binding.value("prompt"), again.window.workspace) == ("second", "graph")
    assert again.parts.document.is_modified
    again.window.actions_.tabs.close()
    again.window.close()
    assert len(session_files.load(folder).sheets) == 1


def test_a_session_of_one_document_as_they_once_were_goes_on(open_studio: Open, tmp_path: Path) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    (folder / "graph.json").write_bytes(template().with_param("draw", "prompt", "old").dumps())
    (folder / "session.json").write_text('{"format": 1, "workspace": "create"}')
    studio, _ = open_studio(None, folder)
    assert studio.parts.binding.value("prompt") == "old"
    studio.window.close()
    again, _ = open_studio(None, folder)
    assert [sheet.graph.nodes["draw"].params["prompt"] for sheet in again.parts.tabs.sheets] == ["old"]


@pytest.mark.parametrize("tabs", ["3", '[3, {}, {"id": "../../x"}, {"id": "ab"}]'])
def test_a_list_of_tabs_that_makes_no_sense_costs_nothing_else(tmp_path: Path, tabs: str) -> None:
    session_files.write_graph(tmp_path, "ab", Graph())
    (tmp_path / "session.json").write_text(f'{{"tabs": {tabs}, "results": [{{"path": "/a.png"}}]}}')
    found = session_files.load(tmp_path)
    assert [result.path for result in found.results] == ["/a.png"]
    assert len(found.sheets) <= 1


def test_the_graph_is_seen_as_it_was_left(open_studio: Open) -> None:
    studio, _ = open_studio(template())
    studio.window.show_workspace("graph")
    graph = studio.window.graph
    group = graph.canvas.group_nodes(["upscale", "save"], "Enlarge")
    graph.canvas.enter(group)
    graph.scene.select(["upscale"])
    graph.view.set_zoom(0.5)
    graph.view.set_offset(QPoint(40, 30))
    studio.window.actions_.open_template("variations")
    studio.window.show_workspace("graph")
    assert graph.canvas.path_inside == ()
    studio.window.actions_.tabs.step(1)
    assert graph.canvas.path_inside == (group,)
    assert (graph.view.zoom, graph.view.offset()) == (0.5, QPoint(40, 30))
    assert list(graph.scene.selected_nodes()) == ["upscale"]
