"""Groups, frames, notes, bookmarks, the map and finding, by real events on the shown canvas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pipelines.engine.protocol import NodeProgress
from pipelines.graph.document import Graph
from pipelines.graph.plan import validate
from studio.canvas.box_layer import Key
from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from studio.graph.annotations import Box, boxes
from studio.graph.bookmarks import bookmarks
from studio.graph.subgraph_edits import INPUTS, OUTPUTS
from studio.graph.subgraph_ports import definitions_of, group_name
from tests.helpers.canvas_fakes import FakeBridge
from tests.helpers.canvas_mouse import Hand

SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier
FRAME: Key = ("frames", "frame_1")
NOTE: Key = ("notes", "note_1")


@pytest.fixture
def undone(document: GraphDocument) -> Callable[[], None]:
    """Call it at the end: undoing everything gives the very document of before, redoing the last."""
    before, first = document.graph, document.graph.dumps()

    def check() -> None:
        last = document.graph.dumps()
        assert document.undo_stack.count() > 0
        while document.undo_stack.canUndo():
            document.undo_stack.undo()
        assert document.graph is before
        assert document.graph.dumps() == first
        while document.undo_stack.canRedo():
            document.undo_stack.redo()
        assert document.graph.dumps() == last

    return check


def type_words(workspace: GraphWorkspace, words: str, *, several: bool = False) -> None:
    """Into the editor that is open, and take them."""
    editor = workspace.structure.editor
    assert editor.isVisible()
    field = editor.text if several else editor.line
    QTest.keyClicks(field, words)
    QTest.keyClick(field, Qt.Key.Key_Return, CONTROL if several else Qt.KeyboardModifier.NoModifier)
    assert not editor.isVisible()


def grouped(hand: Hand, *nodes: str, name: str = "Painter") -> str:
    """Make a group by its key and name it; gives the node."""
    hand.scene.select(nodes)
    hand.key(Qt.Key.Key_G, CONTROL)
    type_words(hand.workspace, name)
    return hand.scene.selected_nodes()[0]


# --- groups ----------------------------------------------------------------------------------------


def test_a_group_is_made_named_and_dissolved(
    hand: Hand, document: GraphDocument, undone: Callable[[], None]
) -> None:
    before = document.graph.to_json()
    node = grouped(hand, "paint", "blur")
    assert set(document.graph.nodes) == {"model", "words", node}
    assert definitions_of(document.graph).keys() == {"Painter"}
    item = hand.scene.nodes[node]
    assert item.face.title == "Painter"
    assert [row.value for row in item.face.rows][-1] == "Independent"
    assert {str(wire.kind) for wire in hand.scene.wires.values()} == {"DiffusionModel", "Text"}
    hand.key(Qt.Key.Key_G, CONTROL | SHIFT)
    assert document.graph.to_json() == before
    assert set(hand.scene.selected_nodes()) == {"paint", "blur"}
    undone()


def test_escape_leaves_the_name_of_a_new_group(hand: Hand, document: GraphDocument) -> None:
    hand.scene.select(["paint"])
    hand.key(Qt.Key.Key_G, CONTROL)
    QTest.keyClicks(hand.workspace.structure.editor.line, "Nothing")
    QTest.keyClick(hand.workspace.structure.editor.line, Qt.Key.Key_Escape)
    assert definitions_of(document.graph).keys() == {"Group"}
    assert document.undo_stack.count() == 1


def test_into_a_group_and_out_by_mouse_and_keys(hand: Hand, workspace: GraphWorkspace) -> None:
    node = grouped(hand, "paint", "blur")
    middle = hand.view.mapToScene(hand.view.viewport().rect().center())
    hand.double_click(hand.body(node))
    assert set(hand.scene.nodes) == {"paint", "blur", INPUTS, OUTPUTS}
    assert workspace.canvas.path_inside == (node,)
    crumbs = workspace.structure.breadcrumb
    assert crumbs.isVisible()
    assert [level.text() for level in crumbs.levels] == ["Graph", "Painter"]
    hand.view.setFocus()
    hand.key(Qt.Key.Key_Backspace)
    assert not workspace.canvas.path_inside
    assert hand.scene.selected_nodes() == [node]
    away = hand.view.mapToScene(hand.view.viewport().rect().center()) - middle
    assert away.manhattanLength() < 3, "the view is where it was"
    hand.key(Qt.Key.Key_Return)
    assert workspace.canvas.path_inside == (node,)
    QTest.mouseClick(crumbs.levels[0], Qt.MouseButton.LeftButton)
    assert not workspace.canvas.path_inside
    assert not crumbs.isVisible()


def test_edits_inside_are_steps_of_the_document(
    hand: Hand, document: GraphDocument, undone: Callable[[], None]
) -> None:
    node = grouped(hand, "paint", "blur")
    steps = document.undo_stack.count()
    hand.double_click(hand.body(node))
    start = hand.body("paint")
    hand.drag(start, start + QPointF(40, 60))
    assert document.undo_stack.count() == steps + 1
    assert definitions_of(document.graph)["Painter"]["view"]["positions"]["paint"] == [360, 60]
    hand.drag(hand.port("paint", "image", output=True), hand.port("blur", "mask"))
    assert definitions_of(document.graph)["Painter"]["nodes"]["blur"]["inputs"]["mask"] == ["paint", "image"]
    hand.scene.select([INPUTS])
    hand.key(Qt.Key.Key_Delete)
    assert INPUTS in hand.scene.nodes, "the ports can't be deleted"
    inner = grouped(hand, "blur", name="Softer")
    assert definitions_of(document.graph).keys() == {"Painter", "Softer"}
    hand.double_click(hand.body(inner))
    assert hand.workspace.canvas.trail() == ["Painter", "Softer"]
    assert set(hand.scene.nodes) == {"blur", INPUTS, OUTPUTS}
    undone()
    assert not hand.workspace.canvas.path_inside, "undo took away what was shown"
    assert not [
        problem for problem in validate(document.graph, document.registry) if "blur" in str(problem.node)
    ]


def test_ports_are_made_renamed_and_taken_away_inside(
    hand: Hand, document: GraphDocument, undone: Callable[[], None]
) -> None:
    node = grouped(hand, "paint")
    hand.double_click(hand.body(node))
    hand.drag(hand.port("paint", "steps"), hand.port(INPUTS, "+", output=True))
    assert definitions_of(document.graph)["Painter"]["inputs"]["steps"] == ["paint", "steps"]
    place = hand.port(INPUTS, "steps", output=True) - QPointF(60, 0)
    hand.double_click(place)
    type_words(hand.workspace, "How long")
    assert definitions_of(document.graph)["Painter"]["inputs"]["How long"] == ["paint", "steps"]
    hand.view.setFocus()
    hand.key(Qt.Key.Key_Backspace)
    row = next(row for row in hand.scene.nodes[node].face.rows if row.param == "How long")
    assert row.value == "16", "it shows what the node inside has"
    document.set_param(node, "How long", 4)
    hand.double_click(hand.body(node))
    hand.drag(hand.port("paint", "steps"), QPointF(330, 500))
    assert "How long" not in document.graph.nodes[node].params
    undone()


def test_linked_groups_change_together_until_one_is_made_independent(
    hand: Hand, document: GraphDocument
) -> None:
    first = grouped(hand, "paint")
    hand.key(Qt.Key.Key_D, CONTROL)
    (second,) = hand.scene.selected_nodes()
    assert hand.scene.nodes[first].face.rows[-1].value == "Linked with 1 more"
    hand.workspace.command("graph.independent").callback()
    assert group_name(document.graph.nodes[second]) == "Painter 2"
    assert hand.scene.nodes[first].face.rows[-1].value == "Independent"


def test_a_group_is_kept_and_placed_again_from_the_palette(
    hand: Hand, document: GraphDocument, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path))
    grouped(hand, "paint", name="Quick / brush")
    hand.workspace.command("graph.keep_group").callback()
    kept = Graph.loads(next((tmp_path / "data" / "groups").iterdir()).read_bytes())
    assert not validate(kept, document.registry) or kept.nodes.keys() == {"group"}
    document.new()
    palette = hand.workspace.palette_
    hand.key(Qt.Key.Key_Tab)
    palette.field.setText("brush")
    assert palette.list.item(0).text() == "Quick _ brush"
    QTest.keyClick(palette.field, Qt.Key.Key_Return)
    assert definitions_of(document.graph).keys() == {"Quick / brush"}
    assert document.from_elsewhere, "its paths are asked about"
    assert len(hand.scene.nodes) == 1


def test_a_group_is_not_put_into_itself(hand: Hand, document: GraphDocument) -> None:
    node = grouped(hand, "paint")
    hand.key(Qt.Key.Key_C, CONTROL)
    hand.double_click(hand.body(node))
    graph = document.graph
    hand.view.setFocus()
    hand.key(Qt.Key.Key_V, CONTROL)
    assert document.graph is graph
    assert "can't be put here" in hand.workspace.notice.heading.text()
    document.new()
    assert not hand.workspace.canvas.path_inside
    assert hand.scene.nodes == {}


def test_progress_inside_shows_inside(hand: Hand, bridge: FakeBridge) -> None:
    node = grouped(hand, "paint", "blur")
    job = hand.workspace.run()
    bridge.start(job, "model", "words", f"{node}/paint", f"{node}/blur")
    bridge.node_progressed.emit(NodeProgress(job=job, node=f"{node}/paint", step=3, total=8))
    hand.double_click(hand.body(node))
    assert hand.scene.nodes["paint"].state.step == 3
    assert hand.scene.nodes["blur"].state.status == "queued"
    bridge.finish(job, f"{node}/paint", seconds=2.0)
    assert hand.scene.nodes["paint"].state.status == "executed"


# --- frames and notes ------------------------------------------------------------------------------


def framed(hand: Hand, *nodes: str) -> Box:
    hand.scene.select(nodes)
    hand.key(Qt.Key.Key_J, CONTROL)
    type_words(hand.workspace, "The picture")
    return boxes(hand.workspace.document.graph)[FRAME]


def title_of(box: Box) -> QPointF:
    return QPointF(box.rect[0] + 30, box.rect[1] + 10)


def test_a_frame_carries_what_is_in_it_and_alt_moves_it_alone(
    hand: Hand, document: GraphDocument, undone: Callable[[], None]
) -> None:
    box = framed(hand, "paint", "blur")
    assert box.text == "The picture"
    hand.drag(title_of(box), title_of(box) + QPointF(40, 20))
    moved = boxes(document.graph)[FRAME]
    assert moved.rect[:2] == (round((box.rect[0] + 40) / 20) * 20, round((box.rect[1] + 20) / 20) * 20)
    away = (moved.rect[0] - box.rect[0], moved.rect[1] - box.rect[1])
    assert document.graph.position("paint") == (320 + away[0], away[1])
    assert document.graph.position("words") == (0, 200)
    place = title_of(moved)
    hand.press(place)
    for step in (10, 25, 40):
        at = QPointF(hand.at(place) + QPoint(step, 0))
        global_at = QPointF(hand.view.viewport().mapToGlobal(at.toPoint()))
        move = QMouseEvent(
            QMouseEvent.Type.MouseMove, at, global_at, Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton, ALT
        )
        QApplication.sendEvent(hand.view.viewport(), move)
    hand.release(place + QPointF(40, 0), ALT)
    alone = boxes(document.graph)[FRAME]
    assert alone.rect[0] == moved.rect[0] + 40
    assert document.graph.position("paint") == (320 + away[0], away[1])
    undone()


def test_a_box_round_everything_takes_frames_along(hand: Hand, document: GraphDocument) -> None:
    box = framed(hand, "blur")
    x, y, width, height = box.rect
    hand.drag(QPointF(x - 20, y - 20), QPointF(x + width + 20, y + height + 20))
    assert hand.scene.boxes.selected == [FRAME]
    assert hand.scene.selected_nodes() == ["blur"]
    hand.drag(hand.body("blur"), hand.body("blur") + QPointF(0, 200))
    moved = boxes(document.graph)[FRAME].rect
    assert (document.graph.position("blur") or (0, 0))[1] == moved[1] - y > 100
    assert "Selected: Blur, frame The picture." in hand.view.accessibleDescription()


def test_escape_puts_a_frame_and_its_contents_back(hand: Hand, document: GraphDocument) -> None:
    box = framed(hand, "paint")
    steps = document.undo_stack.count()
    hand.press(title_of(box))
    hand.move(title_of(box), title_of(box) + QPointF(100, 100))
    assert hand.scene.nodes["paint"].pos() != QPointF(320, 0)
    hand.key(Qt.Key.Key_Escape)
    assert hand.scene.nodes["paint"].pos() == QPointF(320, 0)
    assert hand.scene.boxes.items[FRAME].box == box
    assert document.undo_stack.count() == steps


def test_a_frame_is_resized_at_its_corner_and_deleted_without_its_contents(
    hand: Hand, document: GraphDocument, undone: Callable[[], None]
) -> None:
    x, y, width, height = framed(hand, "paint").rect
    corner = QPointF(x + width, y + height)
    hand.drag(corner, corner + QPointF(37, -1000))
    box = boxes(document.graph)[FRAME]
    assert box.rect[0] + box.rect[2] == round((corner.x() + 37) / 20) * 20
    assert box.rect[3] == 60, "no smaller than a title and a bit"
    hand.key(Qt.Key.Key_Delete)
    assert boxes(document.graph) == {}
    assert "paint" in document.graph.nodes
    undone()


def test_a_note_is_written_coloured_and_written_anew(
    hand: Hand, workspace: GraphWorkspace, document: GraphDocument, undone: Callable[[], None]
) -> None:
    QTest.mouseMove(hand.view.viewport(), hand.at(QPointF(441, 401)))
    hand.key(Qt.Key.Key_N)
    type_words(workspace, "Try less guidance", several=True)
    note = boxes(document.graph)[NOTE]
    assert (note.text, note.rect) == ("Try less guidance", (440, 400, 240, 120))
    action = next(item for item in workspace.structure.boxes.colour_menu().actions() if item.text() == "Blue")
    action.trigger()
    assert boxes(document.graph)[NOTE].colour == "iris"
    hand.double_click(QPointF(500, 450))
    type_words(workspace, "Done", several=True)
    assert boxes(document.graph)[NOTE].text == "Done"
    hand.drag(QPointF(500, 450), QPointF(540, 490))
    assert boxes(document.graph)[NOTE].rect[:2] == (480, 440)
    undone()


def test_copies_go_through_text_with_frames_notes_and_groups(hand: Hand, document: GraphDocument) -> None:
    framed(hand, "paint")
    node = grouped(hand, "blur", name="Softer")
    hand.scene.select([node, "paint"])
    hand.scene.boxes.select([FRAME])
    hand.key(Qt.Key.Key_C, CONTROL)
    text = QGuiApplication.clipboard().text()
    assert Graph.loads(text).nodes.keys() == {"paint", node}
    QGuiApplication.clipboard().setText("  " + text.replace("\n", "\r\n"))
    document.new()
    hand.view.setFocus()
    hand.key(Qt.Key.Key_V, CONTROL)
    assert document.graph.nodes.keys() == {"paint", node}
    assert definitions_of(document.graph).keys() == {"Softer"}
    assert boxes(document.graph)[FRAME].text == "The picture"
    assert hand.scene.boxes.selected == [FRAME]


def test_with_and_without_the_links_from_outside(hand: Hand, document: GraphDocument) -> None:
    hand.scene.select(["paint"])
    hand.key(Qt.Key.Key_D, CONTROL)
    assert document.graph.nodes["paint_2"].inputs == {}
    hand.scene.select(["paint"])
    hand.key(Qt.Key.Key_D, CONTROL | SHIFT)
    assert document.graph.nodes["paint_3"].inputs == document.graph.nodes["paint"].inputs
    hand.scene.select(["paint"])
    hand.key(Qt.Key.Key_C, CONTROL)
    hand.key(Qt.Key.Key_V, CONTROL)
    assert document.graph.nodes["paint_4"].inputs == {}
    document.remove_nodes(["words"])
    hand.key(Qt.Key.Key_V, CONTROL | SHIFT)
    assert document.graph.nodes["paint_5"].inputs == {"model": ("model", "model")}


# --- finding one's way -----------------------------------------------------------------------------


def test_finding_walks_the_hits_into_groups_and_notes(
    hand: Hand, workspace: GraphWorkspace, document: GraphDocument
) -> None:
    document.set_boxes([Box("notes", "n", (900, 500, 100, 60), "No apple here")], "Put")
    document.set_param("paint", "prompt", "An APPLE pie")
    node = grouped(hand, "paint")
    hand.key(Qt.Key.Key_F, CONTROL)
    bar = workspace.structure.find_bar
    QTest.keyClicks(bar.field, "apple")
    QTest.keyClick(bar.field, Qt.Key.Key_Return)
    assert bar.count.text() == "1 of 3"
    assert hand.scene.selected_nodes() == ["words"]
    QTest.keyClick(bar.field, Qt.Key.Key_Return)
    assert hand.scene.boxes.selected == [("notes", "n")]
    QTest.keyClick(bar.field, Qt.Key.Key_Return)
    assert workspace.canvas.path_inside == (node,)
    assert hand.scene.selected_nodes() == ["paint"]
    QTest.keyClick(bar.field, Qt.Key.Key_Return, SHIFT)
    assert not workspace.canvas.path_inside
    QTest.keyClicks(bar.field, "zzz")
    QTest.keyClick(bar.field, Qt.Key.Key_Return)
    assert bar.count.text() == "Nothing"
    QTest.keyClick(bar.field, Qt.Key.Key_Escape)
    assert not bar.isVisible()
    assert hand.view.hasFocus()


def test_bookmarks_remember_place_zoom_and_group(
    hand: Hand, workspace: GraphWorkspace, document: GraphDocument, undone: Callable[[], None]
) -> None:
    node = grouped(hand, "paint")
    hand.double_click(hand.body(node))
    hand.view.setFocus()
    hand.view.set_zoom(0.5)
    hand.view.centerOn(300, 200)
    QTest.keyClick(hand.view, Qt.Key.Key_3, CONTROL | SHIFT)
    mark = bookmarks(document.graph)[3]
    assert (mark.path, mark.zoom) == ((node,), 0.5)
    hand.key(Qt.Key.Key_Backspace)
    # most keyboards send the sign above the digit
    for kind in (QKeyEvent.Type.KeyPress, QKeyEvent.Type.KeyRelease):
        event = QKeyEvent(kind, Qt.Key.Key_NumberSign, SHIFT, 12, 0, 0, "#")
        QApplication.sendEvent(hand.view, event)
    assert workspace.canvas.path_inside == (node,)
    assert hand.view.zoom == 0.5
    undone()


def test_the_map_moves_the_view_and_follows_it(hand: Hand, workspace: GraphWorkspace) -> None:
    hand.key(Qt.Key.Key_M, SHIFT)
    minimap = workspace.structure.minimap
    assert minimap.isVisible()
    assert minimap.accessibleName() == "Map of the graph"
    picture = minimap.grab().toImage()
    hand.view.set_zoom(2.0)
    start, target = QPointF(440, 150), QPointF(640, 100)
    places = [minimap.transform().map(place).toPoint() for place in (start, target)]
    QTest.mousePress(minimap, Qt.MouseButton.LeftButton, pos=places[0])
    QTest.mouseMove(minimap, places[1])
    QTest.mouseRelease(minimap, Qt.MouseButton.LeftButton, pos=places[1])
    middle = hand.view.mapToScene(hand.view.viewport().rect().center())
    assert (middle - target).manhattanLength() < 30, "dragged by where it was grabbed"
    place = minimap.transform().map(QPointF(40, 20)).toPoint()
    QTest.mouseClick(minimap, Qt.MouseButton.LeftButton, pos=place)
    middle = hand.view.mapToScene(hand.view.viewport().rect().center())
    assert (middle - QPointF(40, 20)).manhattanLength() < 15, "outside of what is in view: it goes there"
    assert minimap.grab().toImage() != picture
    before = QRectF(hand.view.mapToScene(hand.view.viewport().rect()).boundingRect())
    QTest.keyClick(minimap, Qt.Key.Key_Left)
    after = hand.view.mapToScene(hand.view.viewport().rect()).boundingRect()
    assert after.left() < before.left() - 50
    hand.key(Qt.Key.Key_M, SHIFT)
    assert not minimap.isVisible()
