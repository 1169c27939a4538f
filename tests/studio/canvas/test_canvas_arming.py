"""Gestures changed in the table, and their forms for pen and touchpad: armed for the next drag."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from studio.graph.annotations import Box, boxes
from studio.graph.waypoints import waypoints_of
from studio.keys import GESTURE_TABLE
from tests.helpers.canvas_mouse import Hand

NO = Qt.KeyboardModifier.NoModifier
ALT, CONTROL = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier
RIGHT, MIDDLE = Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton
END = ("blur", "image")
BLANK = QPointF(440, 420)


@pytest.fixture
def arm(workspace: GraphWorkspace) -> Callable[[str], object]:
    """Call the command that arms a gesture."""
    return lambda gesture: workspace.command(f"graph.arm_{gesture}").callback()


def middle(hand: Hand) -> QPointF:
    wire = hand.scene.wires[END]
    return wire.points[len(wire.points) // 2] + wire.pos()


def across(hand: Hand) -> tuple[QPointF, QPointF]:
    """A stroke across the wire from paint to blur."""
    return middle(hand) + QPointF(-5, -40), middle(hand) + QPointF(5, 60)


# --- menu forms ------------------------------------------------------------------------------------


def test_every_gesture_has_a_menu_form_with_a_hint(workspace: GraphWorkspace) -> None:
    hints: list[str] = []
    workspace.hinted.connect(hints.append)
    menus = {menu.title(): menu for menu in workspace.menu().findChildren(QMenu)}
    shown = {action.text() for action in menus["Next drag"].actions()}
    assert shown == {gesture.arm for gesture in GESTURE_TABLE}
    for gesture in GESTURE_TABLE:
        workspace.command(f"graph.arm_{gesture.id}").callback()
        assert workspace.view.arming.armed == gesture.id
        assert hints[-1].startswith(gesture.hint)
    assert workspace.view.arming.disarm()
    assert hints[-1] == ""


def test_wires_are_cut_by_the_next_stroke_only(
    hand: Hand, arm: Callable[[str], object], document: GraphDocument
) -> None:
    arm("cut")
    hand.drag(*across(hand))
    assert document.graph.nodes["blur"].inputs == {}
    document.undo_stack.undo()
    hand.drag(*across(hand))
    assert "image" in document.graph.nodes["blur"].inputs
    assert document.undo_stack.index() == 0


def test_a_node_is_taken_out_and_a_dot_put_without_modifiers(
    hand: Hand, arm: Callable[[str], object], document: GraphDocument
) -> None:
    arm("dot")
    hand.click(middle(hand))
    assert len(waypoints_of(document.graph, END)) == 1
    document.undo_stack.undo()
    arm("extract")
    hand.drag(hand.body("blur"), hand.body("blur") + QPointF(0, 120))
    assert document.graph.nodes["blur"].inputs == {}
    assert hand.view.arming.armed == ""


def test_all_wires_of_a_port_a_lasso_and_the_view(
    hand: Hand, arm: Callable[[str], object], document: GraphDocument
) -> None:
    other = document.add_node("test.model", (0, 420))
    arm("move_wires")
    hand.drag(BLANK, BLANK + QPointF(40, 20))
    assert hand.view.arming.armed == "move_wires"
    hand.drag(hand.port("model", "model", output=True), hand.port(other, "model", output=True))
    assert document.graph.nodes["paint"].inputs["model"] == (other, "model")
    arm("lasso")
    corners = [QPointF(-30, 380), QPointF(300, 380), QPointF(300, 600), QPointF(-30, 600)]
    hand.press(corners[0])
    for start, end in pairwise(corners):
        hand.glide(start, end, NO)
    hand.release(corners[-1])
    assert hand.scene.selected_nodes() == [other]
    before = hand.at(QPointF(0, 0))
    arm("pan")
    hand.drag(hand.body("paint"), hand.body("paint") + QPointF(30, 0))
    assert hand.at(QPointF(0, 0)) != before


def test_held_modifiers_are_armed_for_one_drag(
    hand: Hand, arm: Callable[[str], object], document: GraphDocument
) -> None:
    hand.scene.select(["paint"])
    arm("add")
    hand.click(hand.body("words"))
    assert hand.scene.selected_nodes() == ["paint", "words"]
    arm("toggle")
    hand.click(hand.body("words"))
    assert hand.scene.selected_nodes() == ["paint"]
    arm("free")
    start = hand.body("blur")
    hand.press(start)
    hand.glide(start, start + QPointF(33, 111), NO)
    hand.release(start + QPointF(33, 111))
    assert document.graph.position("blur") == (673, 111)


def test_a_frame_is_moved_alone_by_what_is_armed(
    hand: Hand, arm: Callable[[str], object], document: GraphDocument
) -> None:
    frame = Box("frames", "f", (-40, 160, 400, 300), "Text")
    document.set_boxes([frame], "Put")
    arm("frame_alone")
    hand.drag(QPointF(100, 170), QPointF(100, 230))
    assert boxes(document.graph)[frame.key].rect[1] == 220
    assert document.graph.position("words") == (0, 200)


def test_escape_disarms_and_other_buttons_are_themselves(
    hand: Hand, arm: Callable[[str], object], document: GraphDocument
) -> None:
    arm("cut")
    start = hand.at(QPointF(0, 0))
    hand.drag(BLANK, BLANK + QPointF(30, 30), button=MIDDLE)
    assert hand.at(QPointF(0, 0)) != start
    assert hand.view.arming.armed == "cut"
    hand.scene.select(["paint"])
    hand.key(Qt.Key.Key_Escape)
    assert hand.view.arming.armed == ""
    assert hand.scene.selected_nodes() == ["paint"]
    arm("cut")
    hand.press(across(hand)[0])
    hand.move(*across(hand))
    hand.key(Qt.Key.Key_Escape)
    hand.release(across(hand)[1])
    assert document.undo_stack.count() == 0


# --- changed in the table --------------------------------------------------------------------------


def test_a_changed_gesture_begins_as_the_table_says(
    hand: Hand, workspace: GraphWorkspace, document: GraphDocument
) -> None:
    keymap = workspace.keymap
    keymap.bind_gesture("cut", ("Alt+MiddleButton",))
    hand.drag(*across(hand), CONTROL, RIGHT)
    assert document.undo_stack.count() == 0
    hand.drag(*across(hand), ALT, MIDDLE)
    assert document.graph.nodes["blur"].inputs == {}
    document.undo_stack.undo()
    keymap.bind_gesture("free", ("Alt",))
    start = hand.body("words")
    hand.press(start)
    hand.glide(start, start + QPointF(33, 33), CONTROL)
    hand.glide(start, start + QPointF(33, 33), ALT)
    hand.release(start + QPointF(33, 33), ALT)
    assert document.graph.position("words") == (33, 233)


def test_without_a_shake_nothing_is_taken_out_by_one(
    hand: Hand, workspace: GraphWorkspace, document: GraphDocument
) -> None:
    workspace.keymap.bind_gesture("extract", ("Alt+LeftButton",))
    start = hand.body("blur")
    hand.press(start)
    for _ in range(4):
        hand.glide(start, start + QPointF(80, 0), NO)
        hand.glide(start + QPointF(80, 0), start, NO)
    hand.release(start)
    assert "image" in document.graph.nodes["blur"].inputs


def test_the_comfyui_set_pans_on_blank_canvas_and_selects_with_control(
    hand: Hand, workspace: GraphWorkspace, document: GraphDocument
) -> None:
    workspace.keymap.choose("comfyui")
    hand.scene.select(["paint"])
    before = hand.at(QPointF(0, 0))
    hand.drag(BLANK, BLANK + QPointF(30, 40))
    assert hand.at(QPointF(0, 0)) != before
    assert hand.scene.selected_nodes() == ["paint"]
    hand.click(BLANK)
    assert hand.scene.selected_nodes() == []
    hand.drag(QPointF(-20, 420), QPointF(100, 100), CONTROL)
    assert hand.scene.selected_nodes() == ["words"]
    hand.drag(hand.body("paint"), hand.body("paint") + QPointF(0, 60))
    assert document.graph.position("paint") != (320, 0)


# --- menus -----------------------------------------------------------------------------------------


def texts(actions: list[QAction]) -> list[str]:
    return [action.text().split("\t")[0] for action in actions if action.text()]


def test_the_context_menu_is_short_and_leads_to_everything(workspace: GraphWorkspace, hand: Hand) -> None:
    hand.scene.select(["paint"])
    menu = workspace.menu()
    assert len(menu.actions()) <= 30
    inside = {sub.title(): texts(sub.actions()) for sub in menu.findChildren(QMenu)}
    everywhere = [*texts(menu.actions()), *(text for some in inside.values() for text in some)]
    hidden = {command.title for command in workspace._commands if command.hidden}
    listed = {command.title for command in workspace._commands if command.group} - hidden
    assert listed <= set(everywhere)
    assert inside["Bookmarks"] == ["Set bookmark 1"]
    workspace.command("graph.set_bookmark_1").callback()
    again = {sub.title(): texts(sub.actions()) for sub in workspace.menu().findChildren(QMenu)}
    assert again["Bookmarks"] == ["Go to bookmark 1", "Set bookmark 2"]


def test_a_dot_is_put_on_the_selected_wire(
    hand: Hand, workspace: GraphWorkspace, document: GraphDocument
) -> None:
    assert not workspace.command("graph.add_dot").enabled()
    hand.click(middle(hand))
    hand.key(Qt.Key.Key_D, Qt.KeyboardModifier.ShiftModifier)
    assert len(waypoints_of(document.graph, END)) == 1
    assert document.undo_stack.count() == 1
    hand.key(Qt.Key.Key_Delete)
    assert waypoints_of(document.graph, END) == ()
