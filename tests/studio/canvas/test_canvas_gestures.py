"""Gestures by real mouse events: what each does, that it is one undo step, and that Esc leaves no trace."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pipelines.errors import ErrorInfo
from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from tests.helpers.canvas_mouse import Hand

SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
BLANK = QPointF(440, 420)


@pytest.fixture
def undone(document: GraphDocument) -> Callable[[], None]:
    """Call it at the end: exactly one step was made, and undoing it gives the very graph of before."""
    before = document.graph

    def check() -> None:
        assert document.undo_stack.count() == 1
        document.undo_stack.undo()
        assert document.graph is before

    return check


# --- select ----------------------------------------------------------------------------------------


def test_clicks_select_shift_adds_control_toggles(hand: Hand) -> None:
    hand.click(hand.body("paint"))
    assert hand.scene.selected_nodes() == ["paint"]
    hand.click(hand.body("words"), SHIFT)
    assert hand.scene.selected_nodes() == ["paint", "words"]
    hand.click(hand.body("paint"), CONTROL)
    assert hand.scene.selected_nodes() == ["words"]
    hand.click(BLANK)
    assert hand.scene.selected_nodes() == []


def test_a_click_on_one_of_several_selected_leaves_only_it(hand: Hand) -> None:
    hand.scene.select(["paint", "words"])
    hand.click(hand.body("paint"))
    assert hand.scene.selected_nodes() == ["paint"]


def test_a_box_selects_what_it_touches(hand: Hand, document: GraphDocument) -> None:
    hand.scene.select(["blur"])
    hand.drag(QPointF(-20, 420), QPointF(100, 100))
    assert hand.scene.selected_nodes() == ["words"]
    hand.drag(BLANK, QPointF(400, 100), SHIFT)
    assert hand.scene.selected_nodes() == ["paint", "words"]
    hand.drag(QPointF(-20, 420), QPointF(100, 100), CONTROL)
    assert hand.scene.selected_nodes() == ["paint"]
    assert document.undo_stack.count() == 0


def test_escape_takes_a_box_back(hand: Hand) -> None:
    hand.scene.select(["blur"])
    hand.press(QPointF(-20, 420))
    hand.move(QPointF(-20, 420), QPointF(100, 100))
    assert hand.scene.selected_nodes() == ["words"]
    items = len(hand.scene.items())
    hand.key(Qt.Key.Key_Escape)
    assert hand.scene.selected_nodes() == ["blur"]
    assert len(hand.scene.items()) == items - 1


# --- move ------------------------------------------------------------------------------------------


def test_dragging_moves_the_selected_nodes_on_the_grid(
    hand: Hand, document: GraphDocument, undone: Callable[[], None]
) -> None:
    hand.scene.select(["paint", "words"])
    hand.drag(hand.body("paint"), hand.body("paint") + QPointF(47, 66))
    assert document.graph.position("paint") == (360, 60)
    assert document.graph.position("words") == (40, 260)
    assert document.graph.position("blur") == (640, 0)
    undone()
    assert hand.scene.nodes["paint"].pos() == QPointF(320, 0)


def test_a_small_jerk_is_no_move(hand: Hand, document: GraphDocument) -> None:
    hand.drag(hand.body("paint"), hand.body("paint") + QPointF(1, 1))
    assert document.undo_stack.count() == 0


def test_escape_puts_nodes_and_wires_back(hand: Hand, document: GraphDocument) -> None:
    wire = hand.scene.wires["blur", "image"]
    start, area = hand.body("paint"), wire.area
    hand.press(start)
    hand.move(start, start + QPointF(100, 100))
    assert hand.scene.nodes["paint"].pos() == QPointF(420, 100)
    assert wire.area != area
    hand.key(Qt.Key.Key_Escape)
    hand.release(start + QPointF(100, 100))
    assert hand.scene.nodes["paint"].pos() == QPointF(320, 0)
    assert wire.area == area
    assert document.undo_stack.count() == 0


# --- connect ---------------------------------------------------------------------------------------


def test_a_wire_from_output_to_input(hand: Hand, document: GraphDocument, undone: Callable[[], None]) -> None:
    hand.drag(hand.port("paint", "seed", output=True), hand.port("paint", "seed"))
    assert document.undo_stack.count() == 0
    hand.drag(hand.port("paint", "image", output=True), hand.port("blur", "mask"))
    assert document.graph.nodes["blur"].inputs["mask"] == ("paint", "image")
    wire = hand.scene.wires["blur", "mask"]
    assert wire.words == "by brightness"
    assert not wire.wrong
    undone()
    assert ("blur", "mask") not in hand.scene.wires


def test_a_wire_from_input_to_output(hand: Hand, document: GraphDocument, undone: Callable[[], None]) -> None:
    hand.drag(hand.port("blur", "mask"), hand.port("paint", "image", output=True))
    assert document.graph.nodes["blur"].inputs["mask"] == ("paint", "image")
    undone()


def test_dropping_on_a_node_takes_its_first_fitting_free_port(hand: Hand, document: GraphDocument) -> None:
    document.disconnect_port("blur", "image")
    hand.drag(hand.port("paint", "image", output=True), hand.body("blur"))
    assert document.graph.nodes["blur"].inputs == {"image": ("paint", "image")}


def test_what_does_not_fit_is_dimmed_and_says_why(hand: Hand, document: GraphDocument) -> None:
    said: list[ErrorInfo] = []
    hand.view.noticed.connect(said.append)
    start, end = hand.port("words", "text", output=True), hand.port("blur", "image")
    hand.press(start)
    hand.move(start, end)
    assert (False, "image") in hand.scene.nodes["blur"].marks.refused
    assert (False, "prompt") not in hand.scene.nodes["paint"].marks.refused
    assert hand.view.hint.text() == "Image takes Image, but gets Text. Connect a Image instead."
    assert hand.view.hint.isVisible()
    hand.release(end)
    assert not hand.view.hint.isVisible()
    assert said[0].code == "IncompatibleLink"
    assert document.undo_stack.count() == 0
    assert hand.scene.nodes["blur"].marks.refused == frozenset()


def test_a_circle_is_refused_with_its_reason(
    hand: Hand, document: GraphDocument, workspace: GraphWorkspace
) -> None:
    join = document.add_node("test.join", (320, 320))
    document.connect_ports("words", "text", join, "a")
    count = document.undo_stack.count()
    other = document.add_node("test.join", (20, 400))
    document.connect_ports(join, "text", other, "a")
    hand.drag(hand.port(other, "text", output=True), hand.port(join, "b"))
    assert document.graph.nodes[join].inputs == {"a": ("words", "text")}
    assert document.undo_stack.count() == count + 2
    assert workspace.notice.isVisible()
    assert "circle" in workspace.notice.heading.text()


def test_escape_stops_a_wire(hand: Hand, document: GraphDocument) -> None:
    items = len(hand.scene.items())
    start = hand.port("words", "text", output=True)
    hand.press(start)
    hand.move(start, BLANK)
    hand.key(Qt.Key.Key_Escape)
    hand.release(BLANK)
    assert len(hand.scene.items()) == items
    assert not hand.workspace.palette_.isVisible()
    assert document.undo_stack.count() == 0


def test_a_wire_dropped_on_blank_canvas_asks_for_a_node_and_connects_it(
    hand: Hand, document: GraphDocument, undone: Callable[[], None]
) -> None:
    palette = hand.workspace.palette_
    hand.drag(hand.port("blur", "image", output=True), QPointF(900, 300))
    assert palette.isVisible()
    shown = [palette.list.item(row).text() for row in range(palette.list.count())]
    assert shown == ["Blur"]
    QTest.keyClick(palette.field, Qt.Key.Key_Return)
    assert document.graph.nodes["blur_2"].inputs == {"image": ("blur", "image")}
    assert hand.scene.selected_nodes() == ["blur_2"]
    undone()


def test_a_wire_from_an_input_asks_for_what_gives_it(hand: Hand, document: GraphDocument) -> None:
    palette = hand.workspace.palette_
    hand.drag(hand.port("blur", "mask"), QPointF(540, 400))
    shown = [palette.list.item(row).text() for row in range(palette.list.count())]
    assert "Blur" in shown
    assert "Words" not in shown
    palette.field.setText("pai")
    QTest.keyClick(palette.field, Qt.Key.Key_Return)
    assert document.graph.nodes["blur"].inputs["mask"] == ("paint_2", "image")
    right = document.graph.position("paint_2")
    assert right is not None
    assert right[0] < 540


# --- rewire ----------------------------------------------------------------------------------------


def test_a_linked_input_is_taken_off_and_dropped(
    hand: Hand, document: GraphDocument, undone: Callable[[], None]
) -> None:
    hand.drag(hand.port("blur", "image"), BLANK)
    assert document.graph.nodes["blur"].inputs == {}
    assert not hand.workspace.palette_.isVisible()
    undone()
    assert ("blur", "image") in hand.scene.wires


def test_a_wire_is_moved_to_another_input_in_one_step(
    hand: Hand, document: GraphDocument, undone: Callable[[], None]
) -> None:
    hand.drag(hand.port("blur", "image"), hand.port("blur", "mask"))
    assert document.graph.nodes["blur"].inputs == {"mask": ("paint", "image")}
    undone()


def test_putting_a_wire_back_where_it_was_is_no_edit(hand: Hand, document: GraphDocument) -> None:
    start = hand.port("blur", "image")
    hand.press(start)
    hand.move(start, BLANK)
    hand.move(BLANK, start)
    hand.release(start)
    assert document.undo_stack.count() == 0
    assert hand.scene.wires["blur", "image"].isVisible()


def test_a_wire_is_grabbed_at_its_nearer_end(hand: Hand, document: GraphDocument) -> None:
    other = document.add_node("test.words", (0, 320))
    wire = hand.scene.wires["paint", "prompt"]
    hand.drag(wire.points[3], hand.port(other, "text", output=True))
    assert document.graph.nodes["paint"].inputs["prompt"] == (other, "text")
    wire = hand.scene.wires["paint", "prompt"]
    hand.drag(wire.points[-4], BLANK)
    assert "prompt" not in document.graph.nodes["paint"].inputs


def test_escape_gives_a_grabbed_wire_back(hand: Hand, document: GraphDocument) -> None:
    start = hand.port("blur", "image")
    hand.press(start)
    hand.move(start, BLANK)
    assert not hand.scene.wires["blur", "image"].isVisible()
    hand.key(Qt.Key.Key_Escape)
    assert hand.scene.wires["blur", "image"].isVisible()
    assert document.undo_stack.count() == 0


def test_a_clicked_wire_is_selected_and_deleted(
    hand: Hand, document: GraphDocument, undone: Callable[[], None]
) -> None:
    wire = hand.scene.wires["blur", "image"]
    hand.click(wire.points[len(wire.points) // 2])
    assert wire.selected
    hand.key(Qt.Key.Key_Delete)
    assert document.graph.nodes["blur"].inputs == {}
    undone()


# --- the eye ---------------------------------------------------------------------------------------


def test_panning_by_middle_button_and_by_space(hand: Hand, document: GraphDocument) -> None:
    before = hand.at(QPointF(0, 0))
    at, viewport = hand.at(BLANK), hand.view.viewport()
    QTest.mousePress(viewport, Qt.MouseButton.MiddleButton, pos=at)
    QTest.mouseMove(viewport, at + QPoint(10, 20))
    QTest.mouseMove(viewport, at + QPoint(30, 20))
    QTest.mouseRelease(viewport, Qt.MouseButton.MiddleButton, pos=at + QPoint(30, 20))
    assert hand.at(QPointF(0, 0)) - before == QPoint(30, 20)
    QTest.keyPress(hand.view, Qt.Key.Key_Space)
    place = hand.body("paint")
    hand.press(place)
    QTest.mouseMove(hand.view.viewport(), hand.at(place) + QPoint(25, 10))
    QTest.mouseRelease(hand.view.viewport(), Qt.MouseButton.LeftButton)
    QTest.keyRelease(hand.view, Qt.Key.Key_Space)
    assert hand.at(QPointF(0, 0)) - before == QPoint(55, 30)
    assert not hand.workspace.palette_.isVisible()
    assert document.undo_stack.count() == 0


@pytest.mark.parametrize("turn", [120, -120, 480, -2400, 24000])
def test_the_wheel_zooms_about_the_pointer(hand: Hand, turn: int) -> None:
    at = hand.at(hand.body("blur"))
    before = hand.view.mapToScene(at)
    event = QWheelEvent(
        QPointF(at), QPointF(hand.view.viewport().mapToGlobal(at)), QPoint(), QPoint(0, turn),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(hand.view.viewport(), event)
    assert (hand.view.zoom > 1) == (turn > 0)
    assert 0.05 <= hand.view.zoom <= 3
    away = (hand.view.mapToScene(at) - before) * hand.view.zoom
    assert away.manhattanLength() <= 3
