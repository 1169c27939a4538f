"""A graph from elsewhere asks once before it touches files outside the user's folders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from pipelines.graph.document import Graph
from studio.app import StudioApp
from studio.panels.outside_dialog import OutsideDialog
from studio.pictures import picture_files
from tests.helpers.studio_fakes import FakeBridge, picture

Open = Callable[..., tuple[StudioApp, FakeBridge]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))


def graph(tmp_path: Path, folder: str = "away") -> Graph:
    """It reads one picture and writes it to a folder."""
    nodes = {
        "open": {"type": "image.load", "params": {"path": str(tmp_path / folder / "in.png")}},
        "save": {
            "type": "image.save",
            "title": "Keep it",
            "params": {"folder": str(tmp_path / folder)},
            "inputs": {"image": ["open", "image"]},
        },
    }
    return Graph.from_json({"format": 1, "nodes": nodes})


def open_file(studio: StudioApp, tmp_path: Path, what: Graph) -> None:
    folder = tmp_path / "documents"
    folder.mkdir(exist_ok=True)
    path = folder / "from-elsewhere.json"
    path.write_bytes(what.dumps())
    studio.window.actions_.open_path(str(path))


class Answers:
    """Presses a button of each question, and keeps what it said."""

    def __init__(self, qtbot: QtBot) -> None:
        self._qtbot = qtbot
        self.asked: list[list[tuple[str, str, str]]] = []

    def during(self, act: Callable[[], Any], button: str) -> None:
        def press() -> None:
            dialog = QApplication.activeModalWidget()
            if not isinstance(dialog, OutsideDialog):
                return
            tree = dialog.tree
            items = [tree.topLevelItem(row) for row in range(tree.topLevelItemCount())]
            self.asked.append([(item.text(0), item.text(1), item.text(2)) for item in items])
            next(item for item in dialog.findChildren(QPushButton) if item.text() == button).click()

        QTimer.singleShot(0, press)
        act()
        QApplication.processEvents()


@pytest.fixture
def answers(qtbot: QtBot) -> Answers:
    return Answers(qtbot)


def test_it_asks_names_what_it_would_touch_and_does_not_run_unless_told(
    open_studio: Open, tmp_path: Path, answers: Answers
) -> None:
    studio, bridge = open_studio()
    open_file(studio, tmp_path, graph(tmp_path))
    run = studio.window.actions_.generate
    answers.during(run, "Don't run")
    assert bridge.submitted == []
    (rows,) = answers.asked
    assert ("Keep it", "write", str(tmp_path / "away")) in rows
    assert any(access == "read" and path.endswith("in.png") for _, access, path in rows)
    answers.during(run, "Run")
    assert len(bridge.submitted) == 1


def test_what_was_agreed_to_is_not_asked_again_but_other_paths_are(
    open_studio: Open, tmp_path: Path, answers: Answers
) -> None:
    studio, bridge = open_studio()
    open_file(studio, tmp_path, graph(tmp_path))
    run = studio.window.actions_.generate
    for _ in range(2):
        answers.during(run, "Run")
    assert (len(answers.asked), len(bridge.submitted)) == (1, 2)
    studio.parts.document.set_param("save", "folder", str(tmp_path / "further"))
    answers.during(run, "Don't run")
    assert (len(answers.asked), len(bridge.submitted)) == (2, 2)


def test_running_to_a_node_on_the_canvas_asks_too(
    open_studio: Open, tmp_path: Path, answers: Answers
) -> None:
    studio, bridge = open_studio()
    open_file(studio, tmp_path, graph(tmp_path))
    studio.window.show_workspace("graph")
    answers.during(lambda: studio.window.graph.run(("save",)), "Don't run")
    assert (len(answers.asked), bridge.submitted) == (1, [])


def test_the_graph_inside_a_picture_asks(
    open_studio: Open, qtbot: QtBot, tmp_path: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, bridge = open_studio()
    path = tmp_path / "made.png"
    picture().save(str(path))
    monkeypatch.setattr(picture_files, "graph_inside", lambda _: graph(tmp_path))
    studio.window.actions_.open_path(str(path))
    qtbot.waitUntil(lambda: "save" in studio.parts.document.graph.nodes)
    answers.during(studio.window.actions_.generate, "Don't run")
    assert (len(answers.asked), bridge.submitted) == (1, [])


def test_pasted_nodes_ask_and_copies_of_ones_own_do_not(
    open_studio: Open, tmp_path: Path, answers: Answers
) -> None:
    studio, bridge = open_studio()
    studio.window.actions_.open_template("prompt_to_image")
    document, run = studio.parts.document, studio.window.actions_.generate
    document.set_param("save", "folder", str(tmp_path / "mine"))
    document.paste(document.copy(["save"]), (0.0, 0.0))
    answers.during(run, "Don't run")
    assert (answers.asked, len(bridge.submitted)) == ([], 1)
    document.paste(graph(tmp_path).dumps().decode(), (0.0, 0.0))
    answers.during(run, "Don't run")
    assert (len(answers.asked), len(bridge.submitted)) == (1, 1)


def test_ones_own_folders_are_not_asked_about(open_studio: Open, tmp_path: Path, answers: Answers) -> None:
    studio, bridge = open_studio(output_folder=str(tmp_path / "away"))
    open_file(studio, tmp_path, graph(tmp_path))
    answers.during(studio.window.actions_.generate, "Don't run")
    assert (answers.asked, len(bridge.submitted)) == ([], 1)


def test_the_document_before_and_the_next_start_remember_where_it_came_from(
    open_studio: Open, tmp_path: Path, answers: Answers
) -> None:
    session = tmp_path / "session"
    studio, bridge = open_studio(session=session)
    open_file(studio, tmp_path, graph(tmp_path))
    studio.window.actions_.open_template("prompt_to_image")
    assert not studio.parts.document.from_elsewhere
    studio.window.actions_.tabs.step(-1)
    assert studio.parts.document.path is not None  # it still belongs to its file
    answers.during(studio.window.actions_.generate, "Don't run")
    assert (len(answers.asked), bridge.submitted) == (1, [])
    studio.window.close()
    again, bridge = open_studio(session=session)
    answers.during(again.window.actions_.generate, "Don't run")
    assert (len(answers.asked), bridge.submitted) == (2, [])
