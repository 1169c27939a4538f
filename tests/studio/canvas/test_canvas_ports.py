"""Ports from the keyboard: onto them, along them, wires; and the way out of the canvas."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from studio.graph.subgraph_edits import INPUTS
from tests.helpers.canvas_mouse import Hand

Key = Qt.Key
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def at(hand: Hand) -> tuple[str, str] | None:
    """Node and name of the port that the keys are for."""
    port = hand.workspace.actions_.ports.port
    return (port.node, port.name) if port is not None else None


def test_arrows_walk_ports_and_wires(hand: Hand, document: GraphDocument) -> None:
    items = len(hand.scene.items())
    hand.scene.select(["words"])
    hand.key(Key.Key_O)
    assert at(hand) == ("words", "text")
    hand.key(Key.Key_Right)
    assert at(hand) == ("paint", "prompt")
    assert hand.scene.selected_nodes() == ["paint"]
    hand.key(Key.Key_Down)
    assert at(hand) == ("paint", "seed")
    hand.key(Key.Key_Up)
    hand.key(Key.Key_Up)
    hand.key(Key.Key_Up)
    assert at(hand) == ("paint", "model")
    hand.key(Key.Key_Right)
    assert at(hand) == ("paint", "image")
    hand.key(Key.Key_Left)
    assert at(hand) == ("paint", "model")
    hand.key(Key.Key_Left)
    assert at(hand) == ("model", "model")
    hand.key(Key.Key_Escape)
    assert at(hand) is None
    assert hand.scene.selected_nodes() == ["model"]
    assert len(hand.scene.items()) == items
    hand.key(Key.Key_Right)
    assert hand.scene.selected_nodes() == ["paint"]
    assert document.undo_stack.count() == 0


def test_enter_connects_what_the_arrows_choose(hand: Hand, document: GraphDocument) -> None:
    number = document.add_node("test.number", (0, 400))
    document.undo_stack.clear()
    hints: list[str] = []
    hand.workspace.hinted.connect(hints.append)
    hand.scene.select([number])
    hand.key(Key.Key_O)
    hand.key(Key.Key_Return)
    wire = hand.workspace.actions_.ports.connecting
    assert wire is not None
    nearest = (wire.chosen.node, wire.chosen.name)
    assert wire.chosen.node != number
    hand.key(Key.Key_Down)
    assert (wire.chosen.node, wire.chosen.name) != nearest
    assert wire.chosen.label in hints[-1]
    hand.key(Key.Key_Up)
    hand.key(Key.Key_Return)
    assert document.graph.nodes[nearest[0]].inputs[nearest[1]] == (number, "value")
    assert document.undo_stack.count() == 1
    assert at(hand) == (number, "value")
    assert all(not item.marks.refused for item in hand.scene.nodes.values())


def test_escape_leaves_a_wire_led_by_keys(hand: Hand, document: GraphDocument) -> None:
    items = len(hand.scene.items())
    hand.scene.select(["blur"])
    hand.key(Key.Key_I)
    assert at(hand) == ("blur", "image")
    hand.key(Key.Key_Return)
    assert hand.view.interaction is not None
    hand.key(Key.Key_Escape)
    assert hand.view.interaction is None
    assert at(hand) == ("blur", "image")
    hand.key(Key.Key_Return)
    hand.click(hand.body("words"))
    assert hand.view.interaction is None
    assert hand.scene.selected_nodes() == ["words"]
    assert at(hand) is None
    assert len(hand.scene.items()) == items
    assert document.undo_stack.count() == 0


def test_a_wire_led_by_keys_asks_for_a_new_node(hand: Hand, document: GraphDocument) -> None:
    hand.scene.select(["words"])
    hand.key(Key.Key_O)
    hand.key(Key.Key_Return)
    hand.key(Key.Key_Tab)
    palette = hand.workspace.palette_
    assert palette.isVisible()
    QTest.keyClicks(palette.field, "join")
    QTest.keyClick(palette.field, Key.Key_Return)
    assert document.graph.nodes["join"].inputs["a"] == ("words", "text")


def test_delete_takes_the_wires_off_a_port_and_no_node(hand: Hand, document: GraphDocument) -> None:
    before = document.graph
    hand.scene.select(["paint"])
    hand.key(Key.Key_O)
    hand.key(Key.Key_Delete)
    assert document.graph.nodes["blur"].inputs == {}
    assert set(document.graph.nodes) == set(before.nodes)
    assert document.undo_stack.count() == 1
    hand.key(Key.Key_Delete)
    assert set(document.graph.nodes) == set(before.nodes)
    document.undo_stack.undo()
    assert document.graph is before
    document.remove_nodes(["paint"])
    assert at(hand) is None


def test_enter_goes_into_a_group_and_ports_work_inside(hand: Hand, document: GraphDocument) -> None:
    group = document.group_nodes(["paint"], "Pair")
    hand.scene.select([group])
    hand.key(Key.Key_Return)
    assert hand.workspace.canvas.path_inside == (group,)
    hand.scene.select([INPUTS])
    hand.key(Key.Key_O)
    hand.key(Key.Key_Right)
    found = at(hand)
    assert found is not None
    assert found[0] == "paint"
    hand.key(Key.Key_Escape)
    hand.key(Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert not hand.workspace.canvas.path_inside


def test_shift_tab_always_leaves_the_canvas(qtbot: QtBot, workspace: GraphWorkspace, hand: Hand) -> None:
    around = QWidget()
    qtbot.addWidget(around)
    column, field = QVBoxLayout(around), QLineEdit()
    column.addWidget(field)
    column.addWidget(workspace)
    around.show()
    workspace.keymap.bind("graph.note", ("Shift+Tab",))
    hand.view.setFocus()
    hand.scene.select(["paint"])
    hand.key(Key.Key_I)
    hand.key(Key.Key_Backtab, SHIFT)
    assert not hand.view.hasFocus()
    assert not workspace.palette_.isVisible()
    workspace.setParent(None)


@pytest.mark.parametrize("held", [False, True])
def test_space_is_a_key_on_a_tap_and_moves_the_view_on_a_hold(hand: Hand, held: bool) -> None:
    workspace = hand.workspace
    workspace.keymap.bind("graph.mute", ("Space",))
    hand.scene.select(["paint"])
    QTest.keyPress(hand.view, Key.Key_Space)
    place = hand.body("blur")
    if held:
        hand.press(place)
        hand.move(place, place + (hand.body("words") - place) / 4)
        hand.release(place)
    QTest.keyRelease(hand.view, Key.Key_Space)
    assert workspace.document.graph.nodes["paint"].mode == ("active" if held else "muted")
    assert not workspace.palette_.isVisible()
