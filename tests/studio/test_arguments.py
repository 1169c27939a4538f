"""Params as ports, params as arguments: the switches of the inspector, the arranged form, its editor."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QTreeWidgetItem
from pytestqt.qtbot import QtBot

from pipelines.graph.document import Graph, NodeRecord
from studio.app import StudioApp
from studio.create.form_editor import LABEL, LINE, MORE, NAME, FormEditor
from studio.documents.document import GraphDocument
from studio.documents.scoped_document import ScopedDocument
from studio.graph import exposed as graph_exposed
from studio.graph.exposed import Argument
from studio.panels.inspector import Inspector
from tests.helpers.studio_fakes import FakeBridge, template

Open = Callable[..., tuple[StudioApp, FakeBridge]]


def plain() -> GraphDocument:
    """Two nodes, nothing exposed."""
    text = NodeRecord.new("text.constant", params={"text": "a fox"})
    return GraphDocument(Graph({"words": text, "sum": NodeRecord.new("number.math")}))


def test_a_name_is_unique_and_can_be_typed(qapp: object) -> None:
    graph = plain().graph.with_exposed("text", "words", "text")
    assert graph_exposed.free_argument(graph, "sum", "a b") == "a_b"
    assert graph_exposed.free_argument(graph, "words", "text") == "words_text"
    taken = graph.with_exposed("words_text", "words", "text")
    assert graph_exposed.free_argument(taken, "words", "text") == "words_text_2"
    assert graph_exposed.free_argument(graph, "1", "2") == "_2"
    assert [graph_exposed.fault_of(name, ["b"]) for name in ("a", "b", "", "1a", "a=b")] == [
        "", "taken", "form", "form", "form",
    ]  # fmt: skip


def test_what_a_file_has_beside_is_kept_and_undone_byte_for_byte(qapp: object) -> None:
    document = plain()
    data = (
        b'{"exposed": {"x": 3, "old": {"node": "words", "param": "text", "colour": "red"}}, "format": 1, '
        b'"nodes": {"words": {"type": "text.constant"}, "sum": {"type": "number.math"}}}'
    )
    document.load_bytes(data, "Old")
    document.set_exposed("sum", "a", True)
    assert list(document.graph.exposed) == ["old", "a"]
    document.arrange_exposed(
        [("a", Argument("first", "sum", "a", "The first")), ("old", Argument("text", "words", "text"))]
    )
    entries = document.graph.fields["exposed"]
    assert entries["x"] == 3
    assert entries["text"] == {"colour": "red", "more": False, "node": "words", "order": 2, "param": "text"}
    assert [(found.name, found.title) for found in graph_exposed.arguments(document.graph)] == [
        ("first", "The first"), ("text", ""),
    ]  # fmt: skip
    document.set_exposed("sum", "b", True)
    assert [found.name for found in graph_exposed.arguments(document.graph)] == ["first", "text", "b"]
    document.set_exposed("words", "text", False)
    assert "text" not in document.graph.fields["exposed"]
    while document.undo_stack.canUndo():
        document.undo_stack.undo()
    assert document.graph.dumps() == data


def test_a_port_is_shown_and_taken_back_with_its_link(qapp: object) -> None:
    document = plain()
    document.show_port("sum", "operation", True)
    assert graph_exposed.shown_ports(document.graph.nodes["sum"]) == {"operation"}
    document.connect_ports("words", "text", "sum", "operation")
    document.show_port("sum", "operation", False)
    assert not document.graph.nodes["sum"].inputs
    assert "ports" not in document.graph.nodes["sum"].fields
    document.undo_stack.undo()
    assert document.graph.nodes["sum"].inputs["operation"] == ("words", "text")


@pytest.fixture
def inspector(qtbot: QtBot) -> Inspector:
    document = GraphDocument(template())
    panel = Inspector(document)
    qtbot.addWidget(panel)
    panel.show_nodes(["draw"])
    return panel


def test_the_switches_at_a_row_edit_the_document_and_follow_it(inspector: Inspector) -> None:
    document = inspector._document
    seen = inspector.toggles("variation_strength")
    assert seen is not None
    assert seen.port is not None
    assert seen.form is not None
    assert not seen.port.isChecked()
    seen.form.click()
    assert document.graph.exposed["variation_strength"] == ("draw", "variation_strength")
    assert "variation_strength=" in seen.form.toolTip()
    seen.port.click()
    assert seen.port.isChecked()
    assert "variation_strength" in graph_exposed.shown_ports(document.graph.nodes["draw"])
    document.undo_stack.undo()
    document.undo_stack.undo()
    assert not seen.form.isChecked()
    assert not seen.port.isChecked()
    prompt = inspector.toggles("prompt")
    assert prompt is not None
    assert prompt.port is None, "it is a port anyway"
    assert prompt.form is not None
    assert prompt.form.isChecked()
    assert inspector.toggles("model") is None, "only a wire can feed it"


def test_a_shown_port_is_one_on_the_node(qapp: object) -> None:
    from studio.canvas.face import build_face
    from studio.canvas.style import Metrics

    document = GraphDocument(template())

    def port() -> object:
        face = build_face(document.graph, "draw", document.registry, Metrics(), frozenset())
        return face.port("variation_strength", False)

    assert port() is None
    document.show_port("draw", "variation_strength", True)
    shown = port()
    assert shown is not None
    assert shown.quiet is False  # type: ignore[attr-defined]


def test_a_newly_exposed_param_stands_in_front(open_studio: Open) -> None:
    studio, _ = open_studio(template())
    form = studio.window.create_page.form
    studio.parts.document.set_exposed("draw", "variation_strength", True)
    assert "variation_strength" in form.rows
    assert not form.sections["more"].isAncestorOf(form.rows["variation_strength"])
    form.rows["variation_strength"].field.value_changed.emit(0.5)  # type: ignore[attr-defined]
    assert studio.parts.document.graph.nodes["draw"].params["variation_strength"] == 0.5


def test_a_second_model_is_chosen_from_its_own_list(open_studio: Open) -> None:
    studio, bridge = open_studio(template("text_model_writes"))
    bridge.tell_ready()
    document, form = studio.parts.document, studio.window.create_page.form
    node = next(id for id, record in document.graph.nodes.items() if record.type == "model.language")
    panel = Inspector(document)
    panel.show_nodes([node])
    name = graph_exposed.free_argument(document.graph, node, "model")
    switches = panel.toggles("model")
    assert switches is not None
    assert switches.form is not None
    switches.form.click()
    assert name != "model"
    assert form.rows[name].label.text() == "Model of Language model"
    choices = form.rows[name].field.field.choices()  # type: ignore[attr-defined]
    assert ("", "SmolLM2 135M") in choices
    assert all("Photos" not in title for _, title in choices)


@pytest.fixture
def editor(open_studio: Open) -> FormEditor:
    studio, _ = open_studio(template())
    studio.window.show_workspace("create")
    studio.window.commands.run("edit.form")
    dialog = studio.window.findChild(FormEditor)
    assert dialog is not None
    return dialog


def named(editor: FormEditor, name: str) -> QTreeWidgetItem:
    return next(item for item in editor.items() if item.text(NAME) == name)


def test_the_editor_starts_with_the_form_as_it_is(editor: FormEditor) -> None:
    names = [item.text(NAME) for item in editor.items()]
    assert names[:3] == ["prompt", "negative", "model"]
    assert set(names) == set(template().exposed)
    assert named(editor, "sampler").checkState(MORE) == Qt.CheckState.Checked
    assert named(editor, "prompt").text(LINE).startswith("prompt=")


def test_fields_are_moved_renamed_and_removed_in_one_step(editor: FormEditor, qtbot: QtBot) -> None:
    document = editor._document
    before = document.graph
    steps = document.undo_stack.count()
    editor.tree.setCurrentItem(named(editor, "guidance_scale"))
    editor.tree.setFocus()
    for _ in range(len(editor.items())):
        QTest.keyClick(editor.tree, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    moved = named(editor, "guidance_scale")
    assert editor.tree.indexOfTopLevelItem(moved) == 0
    moved.setCheckState(MORE, Qt.CheckState.Unchecked)
    moved.setText(LABEL, " How strictly ")
    moved.setText(NAME, "strictness")
    assert moved.text(LINE).startswith("strictness=")
    editor.tree.setCurrentItem(named(editor, "schedule"))
    QTest.keyClick(editor.tree, Qt.Key.Key_Delete)
    window = editor.parent()
    editor.use()
    assert document.undo_stack.count() == steps + 1
    form = window.create_page.form  # type: ignore[union-attr]
    assert next(iter(form.rows)) == "strictness"
    assert form.rows["strictness"].label.text() == "How strictly"
    assert "schedule" not in form.rows
    assert {"prompt", "model", "shape", "quality", "batch", "seed", "width"} <= set(form.rows)
    assert "sampler" in form.rows
    assert form.sections["more"].isAncestorOf(form.rows["sampler"])
    form.rows["strictness"].field.value_changed.emit(2.5)
    assert document.graph.nodes["draw"].params["guidance_scale"] == 2.5
    document.undo_stack.undo()
    document.undo_stack.undo()
    assert document.graph is before
    assert "strictness" not in form.rows


def test_a_name_is_refused_while_it_is_typed(editor: FormEditor) -> None:
    for name, words in (
        ("two words", "can't be a name"),
        ("prompt", "name of its own"),
        ("", "can't be a name"),
    ):
        item = next(item for item in editor.items() if item.data(LABEL, Qt.ItemDataRole.UserRole) == "seed")
        item.setText(NAME, name)
        assert words in editor.note.text()
        assert not editor.done_button.isEnabled()
    item.setText(NAME, "start")
    assert editor.done_button.isEnabled()


def test_a_setting_of_a_group_is_an_argument_too(open_studio: Open) -> None:
    studio, _ = open_studio(template())
    document, form = studio.parts.document, studio.window.create_page.form
    data = {
        "nodes": {"soft": {"type": "graph.subgraph", "params": {"subgraph": "Softer"}}},
        "subgraphs": {"Softer": {
            "nodes": {"b": {"type": "number.constant", "params": {"value": 3}}},
            "inputs": {"how": ["b", "value"]}, "outputs": {"value": ["b", "value"]},
        }},
    }  # fmt: skip
    document.load_bytes(json.dumps(data).encode(), "Grouped")
    panel = Inspector(document)
    panel.show_nodes(["soft"])
    switches = panel.toggles("how")
    assert switches is not None
    assert switches.form is not None
    switches.form.click()
    assert document.graph.exposed["how"] == ("soft", "how")
    assert form.rows["how"].field.value() == 3  # type: ignore[attr-defined]
    form.rows["how"].field.value_changed.emit(4.5)  # type: ignore[attr-defined]
    assert document.graph.nodes["soft"].params["how"] == 4.5


def test_what_is_inside_a_group_is_no_argument(qtbot: QtBot) -> None:
    document = GraphDocument(template())
    group = document.group_nodes(["draw"], "Drawing")
    inside = ScopedDocument(document)
    inside.enter(group)
    panel = Inspector(inside)
    qtbot.addWidget(panel)
    panel.show_nodes(["draw"])
    switches = panel.toggles("variation_strength")
    assert switches is not None
    assert switches.form is None
    assert switches.port is not None
    switches.port.click()
    assert "variation_strength" in graph_exposed.shown_ports(inside.graph.nodes["draw"])
    assert document.undo_stack.undoText() == "Show a port"
