"""Gestures that lead wires elsewhere: insert, cut, take out, heal, dots, all wires of a port."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pipelines.errors import ErrorInfo
from pipelines.graph.document import Graph
from studio.canvas.items import WireItem
from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from studio.graph.subgraph_edits import INPUTS, OUTPUTS
from studio.graph.waypoints import waypoints_of
from tests.helpers.canvas_mouse import Hand

NO = Qt.KeyboardModifier.NoModifier
ALT, CONTROL = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
RIGHT = Qt.MouseButton.RightButton
END = ("blur", "image")


def loose(document: GraphDocument, kind: str, at: tuple[float, float]) -> str:
    """A node that is there from the start: no step of undo."""
    node = document.add_node(kind, at)
    document.undo_stack.clear()
    return node


@pytest.fixture
def step(document: GraphDocument) -> Callable[[Graph], None]:
    """Call it with the graph of before: exactly one step was made, and it undoes and redoes byte by byte."""

    def check(before: Graph) -> None:
        assert document.undo_stack.count() == 1
        after = document.graph.dumps()
        document.undo_stack.undo()
        assert document.graph is before
        document.undo_stack.redo()
        assert document.graph.dumps() == after
        assert Graph.loads(after).dumps() == after

    return check


def middle(wire: WireItem) -> QPointF:
    return wire.points[len(wire.points) // 2] + wire.pos()


def over(hand: Hand, node: str, wire: WireItem) -> QPointF:
    """Where to drag the title of a node so that the node's middle lies on a wire's middle."""
    item = hand.scene.nodes[node]
    return middle(wire) - item.body().center() + QPointF(120, 12)


# --- insert ------------------------------------------------------------------------------------------------


def test_a_loose_node_dropped_on_a_wire_goes_into_it(
    hand: Hand, document: GraphDocument, step: Callable[[Graph], None]
) -> None:
    node, wire = loose(document, "test.blur", (320, 320)), hand.scene.wires[END]
    before, start, end = document.graph, hand.body(node), over(hand, node, wire)
    hand.press(start)
    hand.move(start, end)
    assert wire.lit
    assert hand.view.hint.text().startswith("Goes between Paint and Blur.")
    assert document.graph is before
    hand.release(end)
    assert not hand.view.hint.isVisible()
    assert document.graph.nodes[node].inputs == {"image": ("paint", "image")}
    assert document.graph.nodes["blur"].inputs == {"image": (node, "image")}
    assert not hand.scene.wires[END].lit
    step(before)


def test_alt_pressed_later_suppresses_insertion(hand: Hand, document: GraphDocument) -> None:
    node, wire = loose(document, "test.blur", (320, 320)), hand.scene.wires[END]
    start, end = hand.body(node), over(hand, node, wire)
    hand.press(start)
    hand.glide(start, end, NO)
    assert wire.lit
    hand.glide(end, end + QPointF(1, 0), ALT, 1)
    assert not wire.lit
    hand.release(end, ALT)
    assert document.graph.nodes[node].inputs == {}
    assert document.undo_stack.count() == 1  # the move alone


@pytest.mark.parametrize("kind", ["test.number", "test.words", "test.paint"])
def test_what_does_not_fit_lights_no_wire(hand: Hand, document: GraphDocument, kind: str) -> None:
    """A node without a fitting input, or with none at all, is only moved."""
    node, wire = loose(document, kind, (320, 420)), hand.scene.wires["paint", "model"]
    start, end = hand.body(node), over(hand, node, wire)
    hand.press(start)
    hand.move(start, end)
    assert not any(wire.lit for wire in hand.scene.wires.values())
    hand.release(end)
    assert document.graph.nodes["paint"].inputs["model"] == ("model", "model")


def test_a_node_that_something_depends_on_goes_into_no_wire(hand: Hand, document: GraphDocument) -> None:
    other = document.add_node("test.blur", (640, 320))
    document.connect_ports("paint", "image", other, "image")
    document.disconnect_port("blur", "image")
    last = document.add_node("test.blur", (900, 320))
    document.connect_ports("blur", "image", last, "image")
    links = list(document.graph.links())
    wire = hand.scene.wires[other, "image"]
    hand.drag(hand.body("blur"), over(hand, "blur", wire))
    assert list(document.graph.links()) == links


def test_escape_leaves_no_lit_wire_and_no_guides(hand: Hand, document: GraphDocument) -> None:
    node, wire = loose(document, "test.blur", (320, 320)), hand.scene.wires[END]
    before, items = document.graph, len(hand.scene.items())
    start, end = hand.body(node), over(hand, node, wire)
    hand.press(start)
    hand.move(start, end)
    hand.key(Qt.Key.Key_Escape)
    hand.release(end)
    assert not wire.lit
    assert document.graph is before
    assert len(hand.scene.items()) == items
    assert hand.scene.nodes[node].pos() == QPointF(320, 320)


# --- cut ---------------------------------------------------------------------------------------------------


def stroke(hand: Hand, start: QPointF, end: QPointF) -> None:
    hand.press(start, CONTROL, RIGHT)
    hand.move(start, end)


def test_a_stroke_cuts_the_wires_it_crosses(
    hand: Hand, document: GraphDocument, step: Callable[[Graph], None]
) -> None:
    before, wire = document.graph, hand.scene.wires["paint", "model"]
    start, end = QPointF(276, -40), QPointF(276, 300)
    stroke(hand, start, end)
    assert wire.cut
    assert not hand.scene.wires[END].cut
    hand.release(end, CONTROL, RIGHT)
    assert document.graph.nodes["paint"].inputs == {}
    assert document.graph.nodes["blur"].inputs == {"image": ("paint", "image")}
    assert document.undo_stack.undoText() == "Cut wires"
    step(before)


def test_a_stroke_through_nothing_or_taken_back_cuts_nothing(hand: Hand, document: GraphDocument) -> None:
    items = len(hand.scene.items())
    stroke(hand, QPointF(276, -40), QPointF(276, 300))
    hand.key(Qt.Key.Key_Escape)
    hand.release(QPointF(276, 300), CONTROL, RIGHT)
    stroke(hand, QPointF(400, 420), QPointF(600, 420))
    hand.release(QPointF(600, 420), CONTROL, RIGHT)
    assert document.undo_stack.count() == 0
    assert len(hand.scene.items()) == items
    assert not any(wire.cut for wire in hand.scene.wires.values())


# --- take out and heal -------------------------------------------------------------------------------------


@pytest.fixture
def chain(document: GraphDocument) -> str:
    """paint → middle → blur."""
    node = document.add_node("test.blur", (480, 280))
    document.connect_ports("paint", "image", node, "image")
    document.connect_ports(node, "image", "blur", "image")
    document.undo_stack.clear()
    return node


def test_alt_drag_takes_a_node_out_and_heals_the_wire(
    hand: Hand, document: GraphDocument, chain: str, step: Callable[[Graph], None]
) -> None:
    before, start = document.graph, hand.body(chain)
    end = start + QPointF(0, 100)
    hand.press(start, ALT)
    hand.glide(start, end, ALT)
    assert not hand.scene.wires[END].isVisible()
    assert document.graph is before
    hand.release(end, ALT)
    assert document.graph.nodes["blur"].inputs == {"image": ("paint", "image")}
    assert document.graph.nodes[chain].inputs == {}
    assert hand.scene.wires[END].isVisible()
    assert document.graph.position(chain) == (480, 380)
    step(before)


def test_a_shake_takes_a_node_out(hand: Hand, document: GraphDocument, chain: str) -> None:
    start = hand.body(chain)
    hand.press(start)
    at = start
    for x in (60, -60, 60, -60, 60):
        hand.glide(at, start + QPointF(x, 90), NO, 3)
        at = start + QPointF(x, 90)
    hand.release(at)
    assert document.graph.nodes["blur"].inputs == {"image": ("paint", "image")}
    assert document.undo_stack.count() == 1


def test_a_drag_to_and_fro_without_haste_is_no_shake(hand: Hand, document: GraphDocument, chain: str) -> None:
    start = hand.body(chain)
    hand.press(start)
    hand.glide(start, start + QPointF(60, 0), NO)
    hand.glide(start + QPointF(60, 0), start + QPointF(0, 90), NO)
    hand.release(start + QPointF(0, 90))
    assert document.graph.nodes["blur"].inputs == {"image": (chain, "image")}


def test_escape_gives_the_wires_back(hand: Hand, document: GraphDocument, chain: str) -> None:
    items, start = len(hand.scene.items()), hand.body(chain)
    hand.press(start, ALT)
    hand.glide(start, start + QPointF(0, 100), ALT)
    hand.key(Qt.Key.Key_Escape)
    hand.release(start)
    assert document.undo_stack.count() == 0
    assert len(hand.scene.items()) == items
    assert all(wire.isVisible() for wire in hand.scene.wires.values())


def test_delete_removes_plainly_and_control_heals(
    hand: Hand, document: GraphDocument, chain: str, step: Callable[[Graph], None]
) -> None:
    before = document.graph
    hand.scene.select([chain])
    hand.key(Qt.Key.Key_Delete)
    assert document.graph.nodes["blur"].inputs == {}
    document.undo_stack.undo()
    document.undo_stack.clear()
    hand.scene.select([chain])
    hand.key(Qt.Key.Key_Delete, CONTROL)
    assert chain not in document.graph
    assert document.graph.nodes["blur"].inputs == {"image": ("paint", "image")}
    step(before)


# --- dots --------------------------------------------------------------------------------------------------


def test_alt_click_puts_a_dot_on_the_wire(
    hand: Hand, document: GraphDocument, step: Callable[[Graph], None]
) -> None:
    before, wire = document.graph, hand.scene.wires[END]
    at = middle(wire)
    hand.click(at, ALT)
    (point,) = waypoints_of(document.graph, END)
    assert (QPointF(*point) - at).manhattanLength() < 3
    assert hand.scene.dots.selected == [(*END, 0)]
    assert len(wire.dots) == 1
    assert wire.dots[0].brush().color() == hand.scene.style_.hue(wire.kind)
    step(before)
    document.undo_stack.undo()
    assert wire.dots == []


def test_dots_move_bend_the_wire_and_are_deleted(
    hand: Hand, document: GraphDocument, step: Callable[[Graph], None]
) -> None:
    wire = hand.scene.wires[END]
    at = middle(wire)
    hand.press(at, ALT)
    hand.glide(at, QPointF(590, 240), ALT)
    hand.release(QPointF(590, 240), ALT)
    assert waypoints_of(document.graph, END) == ((600.0, 240.0),)
    assert document.undo_stack.count() == 1
    document.undo_stack.clear()
    before = document.graph
    hand.drag(QPointF(600, 240), QPointF(640, 300))
    assert waypoints_of(document.graph, END) == ((640.0, 300.0),)
    assert wire.distance_to(QPointF(640, 300)) < 1
    step(before)
    document.undo_stack.clear()
    before = document.graph
    hand.key(Qt.Key.Key_Delete)
    assert "waypoints" not in document.graph.view
    assert document.graph.nodes["blur"].inputs == {"image": ("paint", "image")}
    step(before)


def test_escape_takes_back_a_dot_and_its_move(hand: Hand, document: GraphDocument) -> None:
    wire = hand.scene.wires[END]
    hand.press(middle(wire), ALT)
    hand.key(Qt.Key.Key_Escape)
    hand.release(middle(wire), ALT)
    assert wire.dots == []
    assert document.undo_stack.count() == 0
    hand.click(middle(wire), ALT)
    before, at = document.graph, wire.dots[0].scenePos()
    hand.press(at)
    hand.move(at, QPointF(640, 300))
    assert wire.dots[0].scenePos() == QPointF(640, 300)
    hand.key(Qt.Key.Key_Escape)
    hand.release(QPointF(640, 300))
    assert wire.dots[0].scenePos() == at
    assert document.graph is before


def test_dots_follow_their_nodes_and_go_with_their_link(hand: Hand, document: GraphDocument) -> None:
    hand.click(middle(hand.scene.wires[END]), ALT)
    ((x, y),) = waypoints_of(document.graph, END)
    hand.scene.select(["paint", "blur"])
    start = hand.body("paint")
    hand.press(start)
    hand.move(start, start + QPointF(0, 200))
    assert hand.scene.wires[END].dots[0].scenePos() == QPointF(x, y + 200)
    hand.release(start + QPointF(0, 200))
    assert waypoints_of(document.graph, END) == ((x, y + 200),)
    hand.scene.select(["paint", "blur"])
    hand.key(Qt.Key.Key_D, CONTROL)
    assert len(waypoints_of(document.graph, ("blur_2", "image"))) == 1
    document.disconnect_port(*END)
    assert waypoints_of(document.graph, END) == ()
    document.connect_ports("paint", "image", *END)
    assert hand.scene.wires[END].dots == []


def test_what_a_file_says_wrong_about_dots_is_ignored_and_kept(hand: Hand, document: GraphDocument) -> None:
    wrong = {"blur": {"image": [[1], "x", [10, 20], [True, 3]], "none": [[1, 2]]}, "gone": 7}
    document.replace(document.graph.with_view("waypoints", wrong), "test")
    assert [dot.scenePos() for dot in hand.scene.wires[END].dots] == [QPointF(10, 20)]
    document.move_nodes({"words": (0, 300)})
    assert document.graph.view["waypoints"] == wrong


# --- all wires of a port -----------------------------------------------------------------------------------


def test_control_drag_moves_all_wires_of_an_output(
    hand: Hand, document: GraphDocument, step: Callable[[Graph], None]
) -> None:
    document.connect_ports("paint", "image", "blur", "mask")
    other = loose(document, "test.paint", (320, 300))
    before = document.graph
    start, end = hand.port("paint", "image", output=True), hand.port(other, "image", output=True)
    hand.press(start, CONTROL)
    hand.glide(start, end, CONTROL)
    assert not hand.scene.wires[END].isVisible()
    hand.release(end, CONTROL)
    assert document.graph.nodes["blur"].inputs == {"image": (other, "image"), "mask": (other, "image")}
    assert hand.scene.wires[END].isVisible()
    step(before)


def test_wires_go_back_from_blank_canvas_and_from_what_does_not_fit(
    hand: Hand, document: GraphDocument
) -> None:
    said: list[ErrorInfo] = []
    hand.view.noticed.connect(said.append)
    items = len(hand.scene.items())
    start = hand.port("paint", "image", output=True)
    for end in (QPointF(440, 420), hand.port("words", "text", output=True)):
        hand.press(start, CONTROL)
        hand.glide(start, end, CONTROL)
        hand.release(end, CONTROL)
    assert said[0].code == "IncompatibleLink"
    assert document.undo_stack.count() == 0
    assert len(hand.scene.items()) == items
    assert hand.scene.wires[END].isVisible()


# --- the view goes along -----------------------------------------------------------------------------------


def test_the_view_pans_at_its_edge_while_dragging(hand: Hand, document: GraphDocument) -> None:
    start, before = hand.body("blur"), hand.view.offset()
    edge = hand.view.mapToScene(QPoint(hand.view.viewport().width() - 3, 300))
    hand.press(start)
    hand.move(start, edge)
    QTest.qWait(120)
    moved = hand.view.offset().x() - before.x()
    assert moved > 20
    assert hand.scene.nodes["blur"].pos().x() > edge.x() - 120 + moved / 2
    hand.key(Qt.Key.Key_Escape)
    stopped = hand.view.offset()
    QTest.qWait(60)
    assert hand.view.offset() == stopped
    assert hand.scene.nodes["blur"].pos() == QPointF(640, 0)


# --- elsewhere ---------------------------------------------------------------------------------------------


def test_a_stroke_that_cuts_opens_no_menu(hand: Hand) -> None:
    asked: list[object] = []
    hand.view.menu_requested.disconnect(hand.workspace._open_menu)  # a menu would want a real window
    hand.view.menu_requested.connect(asked.append)
    for modifiers in (CONTROL, NO):
        at = hand.at(QPointF(440, 420))
        place = hand.view.viewport().mapToGlobal(at)
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, place, modifiers)
        QApplication.sendEvent(hand.view.viewport(), event)
        assert bool(asked) == (modifiers == NO)


def test_gestures_inside_of_a_group_are_steps_of_the_whole_document(
    hand: Hand, document: GraphDocument, workspace: GraphWorkspace
) -> None:
    whole, inner = document, workspace.canvas
    group = whole.group_nodes(["paint", "blur"], "Pair")
    whole.undo_stack.clear()
    inner.enter(group)
    workspace.view.set_zoom(0.7)
    workspace.view.centerOn(workspace.scene.bounds().center())
    before = whole.graph
    hand.press(hand.body(INPUTS), ALT)
    hand.glide(hand.body(INPUTS), hand.body(INPUTS) + QPointF(0, 80), ALT)
    hand.key(Qt.Key.Key_Escape)
    hand.release(hand.body(INPUTS), ALT)
    start = hand.body("paint")
    hand.press(start, ALT)
    hand.glide(start, start + QPointF(0, 100), ALT)
    hand.release(start + QPointF(0, 100), ALT)
    assert whole.undo_stack.count() == 1
    assert whole.graph.fields["subgraphs"]["Pair"]["inputs"] == {}
    assert [(node, link.node) for node, _, link in inner.graph.links()] == [(OUTPUTS, "blur")]
    whole.undo_stack.undo()
    assert whole.graph is before
    assert ("blur", "image") in workspace.scene.wires
    hand.click(middle(workspace.scene.wires["blur", "image"]), ALT)
    assert list(whole.graph.fields["subgraphs"]["Pair"]["view"]["waypoints"]) == ["blur"]
    whole.undo_stack.undo()
    assert whole.graph is before
