"""Everything on the canvas from the keyboard alone, each key through the focused view."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from pipelines.graph.document import Graph
from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from tests.helpers.canvas_fakes import FakeBridge
from tests.helpers.canvas_mouse import Hand

SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier
Key = Qt.Key


def test_delete_and_undo(hand: Hand, document: GraphDocument) -> None:
    before = document.graph
    hand.scene.select(["paint", "words"])
    hand.key(Key.Key_Delete)
    assert set(document.graph.nodes) == {"blur", "model"}
    assert set(hand.scene.nodes) == {"blur", "model"}
    assert hand.scene.wires == {}
    document.undo_stack.undo()
    assert document.graph is before
    assert set(hand.scene.wires) == {("blur", "image"), ("paint", "model"), ("paint", "prompt")}


def test_duplicate_copy_cut_and_paste(hand: Hand, document: GraphDocument) -> None:
    hand.scene.select(["paint"])
    hand.key(Key.Key_D, CONTROL | SHIFT)
    assert hand.scene.selected_nodes() == ["paint_2"]
    assert document.graph.nodes["paint_2"].inputs == document.graph.nodes["paint"].inputs
    hand.scene.select(["words", "paint"])
    hand.key(Key.Key_C, CONTROL)
    assert set(Graph.loads(QGuiApplication.clipboard().text()).nodes) == {"words", "paint"}
    hand.key(Key.Key_V, CONTROL)
    assert hand.scene.selected_nodes() == ["paint_3", "words_2"]
    hand.key(Key.Key_X, CONTROL)
    assert "words_2" not in document.graph
    assert document.undo_stack.count() == 3
    document.undo_stack.setIndex(0)
    assert set(document.graph.nodes) == {"blur", "model", "paint", "words"}


def test_pasting_anything_else_is_said_or_ignored(
    hand: Hand, document: GraphDocument, workspace: GraphWorkspace
) -> None:
    QGuiApplication.clipboard().setText("a red apple")
    hand.key(Key.Key_V, CONTROL)
    assert not workspace.notice.isVisible()
    QGuiApplication.clipboard().setText('{"nodes": 7}')
    hand.key(Key.Key_V, CONTROL)
    assert workspace.notice.isVisible()
    assert document.undo_stack.count() == 0


def test_bypass_and_mute_toggle(hand: Hand, document: GraphDocument) -> None:
    hand.scene.select(["paint", "blur"])
    hand.key(Key.Key_M)
    assert {document.graph.nodes[node].mode for node in ("paint", "blur")} == {"bypassed"}
    hand.key(Key.Key_M, CONTROL)
    assert document.graph.nodes["paint"].mode == "muted"
    assert hand.scene.nodes["paint"].face.mode == "muted"
    hand.key(Key.Key_M, CONTROL)
    assert document.graph.nodes["paint"].mode == "active"
    assert document.undo_stack.count() == 3


def test_arrows_walk_and_control_moves(hand: Hand, document: GraphDocument) -> None:
    hand.scene.select(["model"])
    hand.key(Key.Key_Right)
    assert hand.scene.selected_nodes() == ["paint"]
    hand.key(Key.Key_Right)
    assert hand.scene.selected_nodes() == ["blur"]
    hand.key(Key.Key_Right)
    assert hand.scene.selected_nodes() == ["blur"]
    hand.scene.select(["model"])
    hand.key(Key.Key_Down)
    assert hand.scene.selected_nodes() == ["words"]
    hand.key(Key.Key_Right, CONTROL)
    hand.key(Key.Key_Right, CONTROL)
    assert document.graph.position("words") == (40, 200)
    assert document.undo_stack.count() == 1


def test_framing(hand: Hand) -> None:
    hand.scene.select(["blur"])
    hand.key(Key.Key_F)
    centre = hand.view.mapToScene(hand.view.viewport().rect().center())
    assert hand.scene.nodes["blur"].sceneBoundingRect().contains(centre)
    hand.key(Key.Key_Home)
    shown = hand.view.mapToScene(hand.view.viewport().rect()).boundingRect()
    assert shown.contains(hand.scene.bounds())


@pytest.mark.parametrize(
    ("key", "modifiers"), [(Key.Key_Tab, None), (Key.Key_Space, None), (Key.Key_A, SHIFT)]
)
def test_the_palette_by_keys_only(
    hand: Hand, document: GraphDocument, key: Qt.Key, modifiers: Qt.KeyboardModifier | None
) -> None:
    hand.key(key, modifiers or Qt.KeyboardModifier.NoModifier)
    palette = hand.workspace.palette_
    assert palette.isVisible()
    assert palette.field.hasFocus()
    QTest.keyClicks(palette.field, "wrd")
    assert palette.list.currentItem().text() == "Words"
    assert palette.words.text() == "A text to start from."
    assert "Text" in palette.ports.accessibleName()
    QTest.keyClick(palette.field, Key.Key_Return)
    assert not palette.isVisible()
    assert hand.view.hasFocus()
    assert hand.scene.selected_nodes() == ["words_2"]
    assert document.undo_stack.count() == 1


def test_the_palette_lists_moves_and_closes(hand: Hand, document: GraphDocument) -> None:
    hand.double_click(hand.view.mapToScene(500, 600))
    palette = hand.workspace.palette_
    first = palette.list.currentRow()
    QTest.keyClick(palette.field, Key.Key_Down)
    assert palette.list.currentRow() == first + 1
    QTest.keyClick(palette.field, Key.Key_Up)
    QTest.keyClick(palette.field, Key.Key_Up)
    assert palette.list.currentRow() == palette.list.count() - 1
    QTest.keyClicks(palette.field, "zzzz")
    assert palette.list.count() == 0
    QTest.keyClick(palette.field, Key.Key_Return)
    assert palette.isVisible()
    QTest.keyClick(palette.field, Key.Key_Escape)
    assert not palette.isVisible()
    assert hand.view.hasFocus()
    assert document.undo_stack.count() == 0


def test_rename_asks_for_the_title_and_double_click_for_the_value(hand: Hand) -> None:
    asked: list[tuple[str, str]] = []
    hand.workspace.edit_requested.connect(lambda node, param: asked.append((node, param)))
    hand.scene.select(["paint"])
    hand.key(Key.Key_F2)
    row = next(row for row in hand.scene.nodes["paint"].face.rows if row.param == "steps")
    hand.double_click(hand.scene.nodes["paint"].pos() + row.rect.center())
    hand.double_click(hand.body("paint"))
    assert asked == [("paint", ""), ("paint", "steps"), ("paint", "")]


def test_run_to_the_selected_node(hand: Hand, bridge: FakeBridge, document: GraphDocument) -> None:
    hand.key(Key.Key_Return, CONTROL | ALT)
    assert bridge.submitted == []
    hand.scene.select(["paint"])
    hand.key(Key.Key_Return, CONTROL | ALT)
    assert [(graph, targets) for graph, targets, _, _ in bridge.submitted] == [(document.graph, ("paint",))]


def test_commands_have_one_table_without_doubles(workspace: GraphWorkspace) -> None:
    commands = workspace.commands()
    assert len({command.id for command in commands}) == len(commands)
    keys = [keys for _, _, keys in workspace.keyboard()]
    assert len(set(keys)) == len(keys)
    labels = [action.text().split("\t")[0] for action in workspace.menu().actions() if action.text()]
    assert {"Delete", "Bypass", "Mute", "Run to selected node"} <= set(labels)


def test_escape_clears_the_selection(hand: Hand) -> None:
    hand.scene.select(["paint"])
    hand.key(Key.Key_Escape)
    assert hand.scene.selected_nodes() == []
