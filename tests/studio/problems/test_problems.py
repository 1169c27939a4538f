"""The list of problems: everything that is wrong, where it is, and what can be done; nothing by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from pipelines.errors import MissingInput, SaveFailed
from pipelines.graph.document import NodeRecord
from studio.app import StudioApp
from studio.graph.places import place_of
from studio.graph.subgraph_edits import INPUTS
from studio.graph.subgraph_scope import NEW
from studio.panels.problems import ProblemCard
from tests.helpers.studio_fakes import FakeBridge, template

Open = Callable[..., tuple[StudioApp, FakeBridge]]


def cards(studio: StudioApp) -> dict[str, ProblemCard]:
    studio.window.book.refresh()
    studio.window.panel.problems.refresh()
    return {card.problem.code: card for card in studio.window.panel.problems.cards}


def button(card: ProblemCard, title: str) -> QPushButton:
    return next(item for item in card.buttons if item.text() == title)


@pytest.fixture
def studio(open_studio: Open) -> StudioApp:
    """One whose document names a model that isn't here and a node type nobody knows; the list is in front."""
    studio, bridge = open_studio(template())
    document = studio.parts.document
    document.set_param("model", "model", "gone.safetensors")
    odd = NodeRecord.from_json({"type": "pack.sparkle", "version": 3, "params": {"kept": 1}})
    document.replace(document.graph.with_node("odd", odd), "Paste")
    bridge.tell_ready()
    studio.window.show_workspace("graph")
    studio.window.graph.problems.refresh()
    studio.window.commands.run("help.problems")
    return studio


def test_every_problem_is_listed_and_leads_to_its_node(studio: StudioApp, qtbot: QtBot) -> None:
    found = cards(studio)
    assert {"ModelMissing", "UnknownNodeType"} <= set(found)
    assert studio.window.status.problems.text() == f"{len(found)} problems"
    assert studio.window.panel.tabText(studio.window.panel.currentIndex()) == f"Problems ({len(found)})"
    card = found["UnknownNodeType"]
    assert "pack.sparkle" in card.accessibleName()
    card.setFocus()
    qtbot.keyClick(card, Qt.Key.Key_Return)
    assert studio.window.graph.scene.selected_nodes() == ["odd"]
    assert studio.window.panel.currentWidget() is studio.window.panel.problems
    qtbot.mouseClick(found["ModelMissing"], Qt.MouseButton.LeftButton)
    assert studio.window.graph.scene.selected_nodes() == ["model"]


def test_a_missing_model_offers_another_and_the_folder_and_replaces_nothing(
    studio: StudioApp, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def open_url(url: QUrl) -> bool:
        opened.append(url.toLocalFile())
        return True

    monkeypatch.setattr(QDesktopServices, "openUrl", open_url)
    card, graph = cards(studio)["ModelMissing"], studio.parts.document.graph
    qtbot.mouseClick(button(card, "Open the folder of models"), Qt.MouseButton.LeftButton)
    assert Path(opened[0]).is_dir()
    qtbot.mouseClick(button(card, "Choose another model…"), Qt.MouseButton.LeftButton)
    assert studio.window.panel.currentIndex() == 0  # the inspector, at its field
    assert getattr(studio.window.maker.inspector, "nodes", []) == ["model"]
    assert studio.parts.document.graph is graph
    studio.parts.document.set_param("model", "model", "photos.safetensors")
    assert "ModelMissing" not in cards(studio)


def test_an_unknown_type_can_be_removed_and_comes_back_whole(studio: StudioApp, qtbot: QtBot) -> None:
    before = studio.parts.document.graph.dumps()
    qtbot.mouseClick(button(cards(studio)["UnknownNodeType"], "Remove the node"), Qt.MouseButton.LeftButton)
    assert "odd" not in studio.parts.document.graph.nodes
    studio.parts.document.undo_stack.undo()
    assert studio.parts.document.graph.dumps() == before


@pytest.fixture
def nested(open_studio: Open) -> StudioApp:
    """One whose drawing is in a group in a group, with a value and a model that are wrong."""
    studio, bridge = open_studio(template())
    document = studio.parts.document
    graph = document.graph.with_param("draw", "steps", -4).with_param("model", "model", "gone.safetensors")
    document.replace(graph.with_field("exposed", {}), "Wrong")
    inner = document.group_nodes(["draw", "model"], "Drawing")
    document.set_title(inner, "Drawing")
    document.group_nodes([inner], "Studio")
    bridge.tell_ready()
    studio.window.show_workspace("graph")
    studio.window.graph.problems.refresh()
    studio.window.commands.run("help.problems")
    return studio


def test_problems_inside_of_groups_are_led_to_and_mended(nested: StudioApp, qtbot: QtBot) -> None:
    document, graph = nested.parts.document, nested.window.graph

    def inside() -> NodeRecord:
        place = place_of(document.graph, "subgraph_2/subgraph/draw")
        assert place is not None
        return place.record

    def press(code: str, title: str) -> None:
        qtbot.mouseClick(button(cards(nested)[code], title), Qt.MouseButton.LeftButton)
        graph.problems.refresh()

    value = cards(nested)["InvalidParameter"]
    assert value.accessibleName().startswith("Error: Studio › Drawing › ")
    qtbot.mouseClick(value, Qt.MouseButton.LeftButton)
    assert graph.canvas.path_inside == ("subgraph_2", "subgraph")
    assert graph.scene.selected_nodes() == ["draw"]
    before = document.graph.dumps()
    press("InvalidParameter", "Reset the setting")
    assert "steps" not in inside().params
    assert "InvalidParameter" not in cards(nested)
    document.undo_stack.undo()
    assert document.graph.dumps() == before
    graph.canvas.leave(0)
    press("ModelMissing", "Choose another model…")
    assert getattr(nested.window.maker.inspector, "nodes", []) == ["model"]
    assert graph.canvas.path_inside == ("subgraph_2", "subgraph")


def test_a_value_that_a_group_hands_down_is_mended_at_the_group(nested: StudioApp, qtbot: QtBot) -> None:
    document, canvas = nested.parts.document, nested.window.graph.canvas
    canvas.go(("subgraph_2", "subgraph"))
    canvas.connect_ports(INPUTS, NEW, "draw", "steps")
    canvas.go(("subgraph_2",))
    canvas.connect_ports(INPUTS, NEW, "subgraph", "steps")
    canvas.leave(0)
    document.set_param("subgraph_2", "steps", -9)
    nested.window.graph.problems.refresh()
    card = cards(nested)["InvalidParameter"]
    qtbot.mouseClick(button(card, "Reset the setting"), Qt.MouseButton.LeftButton)
    assert "steps" not in document.graph.nodes["subgraph_2"].params


def test_a_failure_inside_a_group_is_forgotten_once_that_node_is_edited(
    nested: StudioApp, qtbot: QtBot
) -> None:
    bridge, canvas = nested.parts.bridge, nested.window.graph.canvas
    job = nested.window.graph.run()
    bridge.tell_started(job)
    bridge.tell_warning(job, "subgraph_2/subgraph/draw", MissingInput(port_title="Mask", type="Mask"))
    canvas.go(("subgraph_2", "subgraph"))
    canvas.set_title("model", "Other")
    assert "MissingInput" in cards(nested)
    canvas.set_param("draw", "steps", 9)
    assert "MissingInput" not in cards(nested)


def test_what_a_run_says_stays_until_the_node_is_changed_or_runs_again(
    open_studio: Open, qtbot: QtBot
) -> None:
    studio, bridge = open_studio(template())
    bridge.tell_ready()
    studio.window.show_workspace("graph")
    job = studio.window.graph.run()
    bridge.tell_started(job)
    bridge.tell_warning(job, "draw", MissingInput(port_title="Mask", type="Mask"))
    bridge.tell_finished(job, "failed", SaveFailed(path="a.png", reason="No room."), node="save")
    found = cards(studio)
    assert list(found) == ["SaveFailed", "MissingInput"]  # errors first
    assert found["MissingInput"].problem.severity == "warning"
    assert "1 error, 1 warning" in studio.window.panel.problems.summary.text()
    studio.parts.document.set_param("draw", "steps", 9)
    assert list(cards(studio)) == ["SaveFailed"]
    bridge.tell_started(studio.window.graph.run())
    assert cards(studio) == {}


def test_a_wrong_link_and_a_wrong_value_are_taken_away_on_request(open_studio: Open, qtbot: QtBot) -> None:
    studio, bridge = open_studio(template())
    bridge.tell_ready()
    studio.window.show_workspace("graph")
    document = studio.parts.document
    graph = document.graph.with_param("draw", "steps", -4)
    save = graph.nodes["save"]
    document.replace(graph.with_node("save", save.with_input("image", ("nobody", "image"))), "Wrong")
    studio.window.show_panel("problems")
    studio.window.graph.problems.refresh()
    found = cards(studio)
    qtbot.mouseClick(button(found["DanglingLink"], "Remove the link"), Qt.MouseButton.LeftButton)
    assert "image" not in document.graph.nodes["save"].inputs
    studio.window.graph.problems.refresh()
    qtbot.mouseClick(
        button(cards(studio)["InvalidParameter"], "Reset the setting"), Qt.MouseButton.LeftButton
    )
    assert "steps" not in document.graph.nodes["draw"].params
