"""What the canvas shows beside the document: thumbnails, heat, values on wires, progress of lists."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolTip

from pipelines.engine.protocol import ValueRef
from studio.canvas.heat import amount_text, hottest
from studio.canvas.items.node import NodeItem
from studio.canvas.items.texts import progress_texts, status_text
from studio.canvas.run_state import NodeState
from studio.canvas.tips import tip_at
from studio.canvas.value_words import value_words
from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from studio.graph.previews import Preview, preview_of, with_previews
from studio.theme import current_theme
from tests.helpers.canvas_fakes import FakeBridge, small_graph
from tests.helpers.canvas_mouse import Hand

NO = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def job(workspace: GraphWorkspace, bridge: FakeBridge) -> str:
    """A finished run in which two nodes have pictures."""
    job = workspace.run()
    bridge.start(job, "model", "words", "paint", "blur")
    bridge.finish(job, "model", seconds=0.4)
    bridge.finish(job, "words", seconds=0.002, outputs={"text": ValueRef(type="Text", value="a red apple")})
    bridge.finish(
        job, "paint", seconds=6.2, outputs={"image": bridge.picture("p", 512, 256)}, stored=3_000_000
    )
    bridge.finish(
        job, "blur", seconds=0.9, outputs={"image": bridge.picture("b", 512, 512)}, stored=9_000_000
    )
    bridge.end(job)
    return job


def item(workspace: GraphWorkspace, node: str) -> NodeItem:
    return workspace.scene.nodes[node]


def corner(workspace: GraphWorkspace, node: str) -> QPointF:
    found = item(workspace, node)
    return found.pos() + QPointF(found.size[0] - 4, found.size[1] - 4)


# --- thumbnails ----------------------------------------------------------------------------------------


def test_a_thumbnail_is_resized_by_its_corner(
    workspace: GraphWorkspace, hand: Hand, job: str, document: GraphDocument
) -> None:
    before, size = document.graph.dumps(), item(workspace, "blur").size
    start = corner(workspace, "blur")
    hand.press(start)
    hand.move(start, start + QPointF(80, 60))
    assert document.graph.dumps() == before  # shown, not written
    hand.release(start + QPointF(80, 60))
    wide, high = item(workspace, "blur").size
    assert wide == pytest.approx(size[0] + 80, abs=2)
    assert high == pytest.approx(size[1] + 60, abs=2)
    assert document.undo_stack.count() == 1
    ends = workspace.scene.nodes["blur"].port_position("image", True)
    assert ends.x() == pytest.approx(item(workspace, "blur").pos().x() + wide)
    document.undo_stack.undo()
    assert document.graph.dumps() == before
    assert item(workspace, "blur").size == size


def test_escape_leaves_the_thumbnail_as_it_was(
    workspace: GraphWorkspace, hand: Hand, job: str, document: GraphDocument
) -> None:
    size, start = item(workspace, "blur").size, corner(workspace, "blur")
    hand.press(start)
    hand.move(start, start + QPointF(50, 50))
    hand.key(Qt.Key.Key_Escape)
    hand.release(start + QPointF(50, 50))
    assert item(workspace, "blur").size == size
    assert document.undo_stack.count() == 0


def test_p_switches_thumbnails_off_and_on(
    workspace: GraphWorkspace, hand: Hand, job: str, document: GraphDocument
) -> None:
    hand.click(hand.body("paint"))
    full = item(workspace, "paint").size[1]
    hand.key(Qt.Key.Key_P)
    assert item(workspace, "paint").size[1] == item(workspace, "paint").face.height < full
    assert item(workspace, "blur").has_extra
    workspace.scene.select([])
    hand.key(Qt.Key.Key_P)  # one of all still shows its own: all off
    assert not item(workspace, "blur").has_extra
    hand.key(Qt.Key.Key_P)
    assert item(workspace, "blur").has_extra
    assert item(workspace, "paint").size[1] == full


def test_thumbnails_go_along_with_copies_and_go_with_their_nodes(document: GraphDocument) -> None:
    wanted = Preview(300, 200)
    document.set_previews({"paint": wanted})
    copy = document.paste(document.copy(["paint"]), (10, 10))[0]
    assert preview_of(document.graph, copy) == wanted
    document.remove_nodes([copy, "paint"])
    assert "previews" not in document.graph.view


def test_a_thumbnail_that_a_file_has_wrong_is_none() -> None:
    graph = small_graph().with_view("previews", {"paint": {"width": "wide", "height": 1e9}, "blur": 7})
    assert preview_of(graph, "paint") == Preview(0, 1600)
    assert preview_of(graph, "blur") == Preview()
    assert with_previews(graph, {"blur": Preview(), "gone": Preview(9, 9)}) is graph


# --- heat ----------------------------------------------------------------------------------------------


def test_the_hottest_nodes_come_first(workspace: GraphWorkspace, hand: Hand, job: str) -> None:
    hand.key(Qt.Key.Key_T)
    legend = workspace.display.legend
    assert legend.isVisible()
    assert [(row.heat.node, row.heat.text) for row in legend.rows] == [
        ("paint", "6.2 s"), ("blur", "0.9 s"), ("model", "0.4 s"), ("words", "2 ms"),
    ]  # fmt: skip
    assert item(workspace, "paint").marks.heat == (1.0, "6.2 s")
    assert item(workspace, "blur").marks.heat == (0.9 / 6.2, "0.9 s")
    QTest.mouseClick(legend.rows[1], Qt.MouseButton.LeftButton)
    assert workspace.scene.selected_nodes() == ["blur"]
    hand.key(Qt.Key.Key_T, Qt.KeyboardModifier.ShiftModifier)
    assert [row.heat.node for row in legend.rows] == ["blur", "paint"]
    assert item(workspace, "words").marks.heat == (0.0, "")
    hand.key(Qt.Key.Key_T, Qt.KeyboardModifier.ShiftModifier)
    assert not legend.isVisible()
    assert item(workspace, "paint").marks.heat is None


def test_a_cached_node_keeps_what_it_once_took(
    workspace: GraphWorkspace, bridge: FakeBridge, job: str
) -> None:
    again = workspace.run()
    bridge.start(again, "paint")
    bridge.finish(again, "paint", "cached", seconds=0.0)
    bridge.end(again)
    assert status_text(item(workspace, "paint").state) == "6.2 s"
    states = {"paint": item(workspace, "paint").state, "new": NodeState()}
    assert [heat.node for heat in hottest(states, "time")] == ["paint"]
    assert amount_text(2_000, "memory") == "2 kB"


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("zoom", [1.0, 0.15])
def test_heat_is_seen_near_and_far(workspace: GraphWorkspace, job: str, theme: str, zoom: float) -> None:
    current_theme().apply(theme)  # type: ignore[arg-type]
    workspace.view.set_zoom(zoom)
    plain = workspace.view.grab().toImage()
    workspace.display.heat.toggle("time")
    workspace.display.legend.hide()
    hot = workspace.view.grab().toImage()
    current_theme().apply("dark")
    assert hot != plain


# --- progress of lists ---------------------------------------------------------------------------------


def test_a_list_shows_which_of_how_many(workspace: GraphWorkspace, bridge: FakeBridge) -> None:
    job = workspace.run()
    bridge.start(job, "paint")
    bridge.progress(job, "paint", 8, 16, item=2, items=12, rate=9.2, seconds_left=0.9)
    state = item(workspace, "paint").state
    assert progress_texts(state)[0] == "3/12 · 8/16 · 9.2 it/s · 17 s left"
    assert state.fraction == pytest.approx(2.5 / 12)
    bridge.progress(job, "paint", 0, 0, item=3, items=12)
    assert status_text(item(workspace, "paint").state) == "4/12"


def test_the_seconds_left_outlast_the_speed_where_there_is_little_room() -> None:
    state = NodeState("running", 7, 160, rate=0.9, seconds_left=170.0)
    assert progress_texts(state) == [
        "7/160 · 0.9 it/s · 2 min 50 s left", "7/160 · 2 min 50 s left", "7/160",
    ]  # fmt: skip


# --- values on wires -----------------------------------------------------------------------------------


Hover = Callable[[QPointF], str]


@pytest.fixture
def hovered(workspace: GraphWorkspace, monkeypatch: pytest.MonkeyPatch) -> Hover:
    """The tooltip that comes up when the pointer rests somewhere."""
    shown: list[str] = []
    monkeypatch.setattr(QToolTip, "showText", lambda place, text, widget: shown.append(text))

    def hover(at: QPointF) -> str:
        view = workspace.view
        place = view.mapFromScene(at)
        QTest.mouseMove(view.viewport(), place)
        event = QHelpEvent(QEvent.Type.ToolTip, place, view.viewport().mapToGlobal(place))
        QApplication.sendEvent(view.viewport(), event)
        return shown.pop() if shown else ""

    return hover


def middle(workspace: GraphWorkspace, target: str, name: str) -> QPointF:
    wire = workspace.scene.wires[target, name]
    return wire.pos() + wire.points[len(wire.points) // 2]


def test_a_wire_says_what_it_carries(
    workspace: GraphWorkspace, job: str, document: GraphDocument, hovered: Hover
) -> None:
    picture = hovered(middle(workspace, "blur", "image"))
    assert "512 × 256 px" in picture
    assert "6.2 s" in picture
    assert "a red apple" in hovered(middle(workspace, "paint", "prompt"))
    document.set_param("words", "text", "a pear")
    assert "Out of date" in hovered(middle(workspace, "blur", "image"))
    press = workspace.view.press_at(
        workspace.view.mapFromScene(item(workspace, "paint").port_position("image", True)),
        Qt.MouseButton.NoButton,
        NO,
    )
    assert "512 × 256 px" in tip_at(workspace.scene, press)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (ValueRef(type="Number", value=4.0), "4.0"),
        (ValueRef(type="Boolean", value=True), "On"),
        (ValueRef(type="Size", value=[64, 32]), "64 × 32 px"),
        (ValueRef(type="Latent"), ""),
        (ValueRef(type="Text", value="one\n two"), "one two"),
        (ValueRef(type="list[Integer]", value=[1, 2, 3, 4, 5, 6], items=6), "6 items: 1, 2, 3, 4, 5, …"),
        (ValueRef(type="list[Image]", items=2, sizes=((64, 64), (64, 64))), "2 items, 64 × 64 px"),
        (ValueRef(type="list[Image]", items=2, sizes=((64, 64), (8, 8))), "2 items, 8 × 8 px to 64 × 64 px"),
    ],
)  # fmt: skip
def test_values_in_few_words(value: ValueRef, words: str) -> None:
    assert value_words(value) == words
    assert len(value_words(ValueRef(type="Text", value="word " * 400))) <= 280


def test_a_conversion_is_marked_and_explained(
    workspace: GraphWorkspace, document: GraphDocument, hovered: Hover
) -> None:
    number = document.add_node("test.number", (0, 400))
    document.connect_ports(number, "value", "paint", "steps")
    wire = workspace.scene.wires["paint", "steps"]
    assert wire.words == "rounded to the nearest whole number"
    assert "rounded to the nearest whole number" in hovered(middle(workspace, "paint", "steps"))


def test_a_port_that_cannot_take_the_wire_dims_and_says_why(workspace: GraphWorkspace, hand: Hand) -> None:
    start = hand.port("words", "text", output=True)
    end = hand.port("blur", "image")
    hand.press(start)
    hand.move(start, end)
    assert (False, "image") in item(workspace, "blur").marks.refused
    assert (False, "prompt") not in item(workspace, "paint").marks.refused
    assert "takes Image" in workspace.view.hint.text()
    hand.release(end)
    assert item(workspace, "blur").marks.refused == frozenset()


def test_a_conversion_is_announced_before_the_wire_is_let_go(
    workspace: GraphWorkspace, hand: Hand, document: GraphDocument
) -> None:
    number = document.add_node("test.number", (0, 400))
    start, end = hand.port(number, "value", output=True), hand.port("paint", "steps")
    hand.press(start)
    hand.move(start, end)
    assert "rounded to the nearest whole number" in workspace.view.hint.text()
    hand.release(end)
    assert workspace.view.hint.isHidden()
