"""The inspector: made from the schema, edits by the document, follows it, shows problems where they are."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QToolButton
from pytestqt.qtbot import QtBot

from pipelines.engine.protocol import ErrorData, ModelInfo, Models
from pipelines.errors import SaveFailed
from pipelines.graph.registry import builtin
from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from studio.panels.inspector import Inspector
from studio.panels.inspector_fields import ConnectField, LinkField, ValueRow
from studio.widgets.param_editors import ChoiceEditor
from tests.helpers.canvas_fakes import FakeBridge


@pytest.fixture
def inspector(qtbot: QtBot, workspace: GraphWorkspace, document: GraphDocument) -> Inspector:
    panel = Inspector(document, workspace.problems, workspace.run_state)
    qtbot.addWidget(panel)
    panel.resize(320, 900)
    panel.show()
    workspace.selection_changed.connect(panel.show_nodes)
    workspace.edit_requested.connect(panel.edit)
    return panel


def value_row(inspector: Inspector, name: str) -> ValueRow:
    row = inspector.row(name)
    assert isinstance(row, ValueRow)
    return row


def words_of(inspector: Inspector) -> str:
    return " ".join(label.text() for label in inspector.findChildren(QLabel) if label.isVisible())


def test_it_shows_every_setting_of_the_selected_node(inspector: Inspector, workspace: GraphWorkspace) -> None:
    assert "Nothing selected" in words_of(inspector)
    workspace.scene.select(["paint"])
    assert "A picture from a text." in words_of(inspector)
    names = ("model", "prompt", "seed", "steps", "guidance", "sampler", "batch", "tiles")
    assert all(inspector.row(name) is not None for name in names)
    tiles, steps = inspector.row("tiles"), inspector.row("steps")
    assert tiles is not None
    assert steps is not None
    assert steps.isVisible()
    assert not tiles.isVisible()
    workspace.scene.select(["paint", "blur"])
    assert "2 nodes selected" in words_of(inspector)


def test_an_edit_is_an_undo_step_and_undo_is_seen(
    inspector: Inspector, workspace: GraphWorkspace, document: GraphDocument
) -> None:
    workspace.scene.select(["paint"])
    editor = value_row(inspector, "steps").editor
    editor.value_changed.emit(30)
    editor.value_changed.emit(31)
    assert document.graph.nodes["paint"].params["steps"] == 31
    assert document.undo_stack.count() == 1
    document.undo_stack.undo()
    assert editor.value() == 16
    document.set_param("paint", "steps", 40)
    assert editor.value() == 40
    row = value_row(inspector, "steps")
    assert row.reset.isVisible()
    row.reset.click()
    assert "steps" not in document.graph.nodes["paint"].params
    assert not row.reset.isVisible()


def test_inputs_take_texts_and_seeds_by_hand(
    inspector: Inspector, workspace: GraphWorkspace, document: GraphDocument
) -> None:
    document.disconnect_port("paint", "prompt")
    inspector.show_nodes(["paint"])
    value_row(inspector, "prompt").editor.value_changed.emit("a pear")
    value_row(inspector, "seed").editor.value_changed.emit(2**64 - 1)
    assert document.graph.nodes["paint"].params == {"prompt": "a pear", "seed": 2**64 - 1}


def test_a_link_names_its_source_and_can_be_removed(
    qtbot: QtBot, inspector: Inspector, workspace: GraphWorkspace, document: GraphDocument
) -> None:
    document.set_title("words", "My idea")
    workspace.scene.select(["paint"])
    row = inspector.row("prompt")
    assert row is not None
    field = row.field
    assert isinstance(field, LinkField)
    assert field.source.text() == "My idea · Text"
    with qtbot.waitSignal(inspector.node_requested) as asked:
        field.source.click()
    assert asked.args == ["words"]
    field.unlink.click()
    assert "prompt" not in document.graph.nodes["paint"].inputs
    qtbot.waitUntil(lambda: isinstance(inspector.row("prompt"), ValueRow))
    document.undo_stack.undo()
    qtbot.waitUntil(lambda: not isinstance(inspector.row("prompt"), ValueRow))


def test_a_wire_can_be_made_without_a_mouse(
    qtbot: QtBot, inspector: Inspector, workspace: GraphWorkspace, document: GraphDocument
) -> None:
    document.disconnect_port("blur", "image")
    workspace.scene.select(["blur"])
    row = inspector.row("image")
    assert row is not None
    field = row.field
    assert isinstance(field, ConnectField)
    field.fill()
    menu = field.button.menu()
    assert [action.text() for action in menu.actions()] == ["Paint · Image"]
    menu.actions()[0].trigger()
    assert document.graph.nodes["blur"].inputs["image"] == ("paint", "image")


def test_renaming_and_modes(inspector: Inspector, workspace: GraphWorkspace, document: GraphDocument) -> None:
    workspace.edit_requested.emit("paint", "")
    assert inspector.nodes == ["paint"]
    inspector.title.setText("Apple")
    QTest.keyClick(inspector.title, Qt.Key.Key_Return)
    assert document.graph.nodes["paint"].title == "Apple"
    assert workspace.scene.nodes["paint"].face.title == "Apple"
    buttons = {button.accessibleName(): button for button in inspector.findChildren(QToolButton)}
    buttons["Mute"].click()
    assert document.graph.nodes["paint"].mode == "muted"


def test_asking_for_a_folded_setting_unfolds_it(qtbot: QtBot, inspector: Inspector) -> None:
    inspector.edit("paint", "tiles")
    row = inspector.row("tiles")
    assert row is not None
    assert row.isVisible()


def test_problems_stand_at_their_field(
    inspector: Inspector, workspace: GraphWorkspace, document: GraphDocument
) -> None:
    workspace.scene.select(["paint"])
    document.set_param("paint", "steps", 1_000_000_000)
    document.disconnect_port("paint", "model")
    inspector.show_nodes([])
    inspector.show_nodes(["paint"])
    workspace.problems.refresh()
    steps, model = inspector.row("steps"), inspector.row("model")
    assert steps is not None
    assert model is not None
    assert "1000000000" in steps.message.text()
    assert "Nothing is connected to Model" in model.message.text()
    document.set_param("paint", "steps", 10)
    workspace.problems.refresh()
    assert steps.message.text() == ""


def test_what_the_run_said_is_shown(
    inspector: Inspector, workspace: GraphWorkspace, bridge: FakeBridge
) -> None:
    workspace.scene.select(["blur"])
    job = workspace.run()
    error = ErrorData(**SaveFailed(path="a.png", reason="No room.").info().to_json())
    bridge.finish(job, "blur", "failed", error=error)
    assert inspector.banner is not None
    assert inspector.banner.isVisible()
    assert "a.png" in inspector.banner.heading.text()


def test_an_unknown_type_says_why_and_shows_its_data(
    inspector: Inspector, workspace: GraphWorkspace, document: GraphDocument
) -> None:
    document.load_bytes(b'{"nodes": {"x": {"type": "far.away", "params": {"k": 1e5}}}}', "Odd")
    inspector.show_nodes(["x"])
    assert inspector.banner is not None
    assert "far.away" in inspector.banner.heading.text()
    assert '"k": 1e5' in words_of(inspector)
    assert not document.is_modified


def test_it_lets_go_of_nodes_that_are_gone(
    qtbot: QtBot, inspector: Inspector, workspace: GraphWorkspace, document: GraphDocument
) -> None:
    workspace.scene.select(["paint"])
    row = value_row(inspector, "steps")
    document.remove_nodes(["paint"])
    row.editor.value_changed.emit(3)
    qtbot.waitUntil(lambda: "Nothing selected" in words_of(inspector))
    inspector.show_nodes(["nobody"])
    assert inspector.nodes == []
    document.new()
    assert inspector.nodes == []


@pytest.mark.parametrize("kind", [schema.id for schema in builtin()])
def test_every_built_in_type_can_be_inspected(qtbot: QtBot, themed: None, kind: str) -> None:
    document = GraphDocument()
    node = document.add_node(kind, (0, 0))
    before = document.graph
    panel = Inspector(document)
    qtbot.addWidget(panel)
    panel.show_nodes([node])
    schema = document.registry[kind]
    assert all(panel.row(param.name) is not None for param in schema.params)
    assert all(
        row.editor.accessibleName() or row.editor.focusProxy() is not None
        for row in map(panel.row, schema.params_by_name)
        if isinstance(row, ValueRow)
    )
    assert document.graph is before


def test_models_fill_their_lists(inspector: Inspector, workspace: GraphWorkspace) -> None:
    workspace.scene.select(["model"])
    usable = ModelInfo(kind="diffusion", id="mine", title="Mine", path="mine")
    broken = ModelInfo(kind="diffusion", id="bad", title="Bad", path="bad", problem="Truncated.")
    inspector.show_models(Models(request="", models=(usable, broken)))
    editor = value_row(inspector, "model").editor
    assert isinstance(editor, ChoiceEditor)
    editor.set_value("mine")
    assert editor.value() == "mine"
    assert "bad" in editor.field.values()  # it is there, greyed, and says why
    row = editor.field.values().index("bad")
    item = editor.field.model().index(row, 0)
    assert not item.flags() & Qt.ItemFlag.ItemIsEnabled
    assert item.data(Qt.ItemDataRole.ToolTipRole) == "Truncated."
