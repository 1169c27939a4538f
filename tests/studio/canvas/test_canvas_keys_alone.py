"""What took a mouse, by keys alone: frames and notes, the view, the chain, the context menu, the library."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.canvas import library_dialog
from studio.canvas.library_dialog import LibraryDialog
from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from studio.graph.annotations import Box, Kind, boxes
from studio.graph.group_library import GroupLibrary
from studio.graph.waypoints import waypoints_of
from studio.pictures import picture_files
from tests.helpers.canvas_mouse import Hand

Key = Qt.Key
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
FRAME: tuple[Kind, str] = ("frames", "f")
NOTE: tuple[Kind, str] = ("notes", "n")


@pytest.fixture
def framed(document: GraphDocument) -> GraphDocument:
    """A frame round *words*, and a note."""
    around, beside = (-40, 160, 400, 300), (420, 420, 240, 120)
    document.set_boxes([Box("frames", "f", around, "Text"), Box("notes", "n", beside, "Why")], "Put")
    document.undo_stack.clear()
    return document


def test_frames_and_notes_are_walked_moved_and_resized(hand: Hand, framed: GraphDocument) -> None:
    hand.key(Key.Key_G)
    assert hand.scene.boxes.selected == [FRAME]
    hand.key(Key.Key_Right, CONTROL)
    hand.key(Key.Key_Right, CONTROL)
    assert boxes(framed.graph)[FRAME].rect[:2] == (0, 160)
    assert framed.graph.position("words") == (40, 200)
    assert framed.undo_stack.count() == 1
    hand.key(Key.Key_Down, CONTROL | SHIFT)
    assert boxes(framed.graph)[FRAME].rect[2:] == (400, 320)
    hand.key(Key.Key_G)
    assert hand.scene.boxes.selected == [NOTE]
    hand.key(Key.Key_G, SHIFT)
    assert hand.scene.boxes.selected == [FRAME]


def test_a_dot_is_put_from_a_port_and_moved(hand: Hand, document: GraphDocument) -> None:
    hand.scene.select(["blur"])
    hand.key(Key.Key_I)
    hand.key(Key.Key_D, SHIFT)
    before = waypoints_of(document.graph, ("blur", "image"))
    assert len(before) == 1
    hand.key(Key.Key_Down, CONTROL)
    after = waypoints_of(document.graph, ("blur", "image"))
    assert after == ((before[0][0], before[0][1] + 20),)


def test_a_node_is_taken_out_without_a_drag(hand: Hand, document: GraphDocument) -> None:
    before = document.graph
    hand.scene.select(["blur"])
    hand.key(Key.Key_X, SHIFT)
    assert document.graph.nodes["blur"].inputs == {}
    assert document.undo_stack.count() == 1
    document.undo_stack.undo()
    assert document.graph is before


def test_the_view_moves_by_keys(hand: Hand) -> None:
    before = hand.view.shown_area()
    hand.key(Key.Key_Right, ALT | SHIFT)
    assert hand.view.shown_area().left() > before.left()
    hand.key(Key.Key_Left, ALT | SHIFT)
    assert hand.view.shown_area() == before


def test_the_menu_key_keeps_what_is_selected(hand: Hand, workspace: GraphWorkspace) -> None:
    hand.scene.select(["words"])
    hand.view.centerOn(hand.scene.nodes["paint"].centre)
    middle = hand.view.viewport().rect().center()
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, middle, hand.view.mapToGlobal(middle))
    asked: list[object] = []
    workspace.view.menu_requested.disconnect()
    workspace.view.menu_requested.connect(asked.append)
    QApplication.sendEvent(hand.view.viewport(), event)
    assert len(asked) == 1
    assert hand.scene.selected_nodes() == ["words"]


def test_a_group_is_placed_from_the_library_and_removed(
    workspace: GraphWorkspace, hand: Hand, document: GraphDocument, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    groups = workspace.structure.groups
    groups.library = GroupLibrary(tmp_path / "groups")
    assert not workspace.command("graph.library").enabled()
    hand.scene.select([document.group_nodes(["words"], "Prompts")])
    groups.keep()
    monkeypatch.setattr(picture_files, "to_bin", lambda path: Path(path).unlink())
    monkeypatch.setattr(library_dialog, "ask", lambda *texts: True)
    workspace.command("graph.library").callback()
    dialog = workspace.findChild(LibraryDialog)
    assert dialog is not None
    count = len(document.graph.nodes)
    QTest.mouseClick(dialog.place, Qt.MouseButton.LeftButton)
    assert len(document.graph.nodes) == count + 1
    again = LibraryDialog(groups.library, workspace)
    QTest.mouseClick(again.remove, Qt.MouseButton.LeftButton)
    assert groups.library.names() == []
    assert not again.place.isEnabled()
    again.reject()
