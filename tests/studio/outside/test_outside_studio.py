"""Nodes from outside in the window: edited like others, agreed to, watched, named in documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from pipelines import paths
from pipelines.engine.outside import told
from pipelines.engine.protocol import OutsideNodes, Ports
from pipelines.graph.described import description, input_json, output_json
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import Origin, builtin, schema_of
from pipelines.outside.agreements import Agreements
from pipelines.outside.library import Listed
from pipelines.outside.sources import scan
from studio.app import StudioApp
from studio.outside.dialog import OutsideNodesDialog
from tests.helpers.outside_nodes import SHOUT, agree, write
from tests.helpers.stub_nodes import Add
from tests.helpers.studio_fakes import FakeBridge, template

Open = Callable[..., tuple[StudioApp, FakeBridge]]
ORIGIN = Origin("file", "mine.py", digest="ab12")


@pytest.fixture(autouse=True)
def nodes_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folders of its own."""
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))
    return paths.nodes_dir()


def tell(bridge: FakeBridge, *types: dict[str, object], state: str = "new") -> None:
    """What the engine says of the files that are there now."""
    sources = tuple(told(Listed(source, state)) for source in scan(paths.nodes_dir(), packages=False))  # type: ignore[arg-type]
    nodes = tuple(json.loads(json.dumps(item)) for item in types)
    bridge.outside_listed.emit(OutsideNodes(sources=sources, nodes=nodes))


def with_adds() -> Graph:
    graph = template().with_node("sum", NodeRecord.new("stub.add", params={"b": 2}))
    return graph.with_node("more", NodeRecord.new("stub.add", inputs={"a": ("sum", "value")}))


def test_a_type_from_outside_is_edited_drawn_and_searched_like_others(open_studio: Open) -> None:
    studio, bridge = open_studio(with_adds())
    studio.window.show_workspace("graph")
    graph, document = studio.window.graph, studio.parts.document
    scene = graph.scene
    assert not scene.nodes["sum"].face.known
    tell(bridge, description(schema_of(Add, ORIGIN)))
    assert scene.nodes["sum"].face.title == "Add"
    assert [row.label for row in scene.nodes["sum"].face.rows if row.param] == ["A", "B"]
    assert scene.wires["more", "a"].kind.name == "Number"
    graph.problems.refresh()
    assert {item.code for item in graph.problems.of("sum")} == {"MissingInput"}
    graph.palette_.open_at(QPoint(10, 10))
    graph.palette_.field.setText("stub.add")
    assert graph.palette_.origin.text() == "From mine.py"
    graph.palette_.dismiss()
    scene.select(["sum"])
    texts = [label.text() for label in studio.window.maker.inspector.findChildren(type(graph.palette_.words))]
    assert any("From mine.py" in text for text in texts)
    assert document.add_node("stub.add", (0, 0)) in document.graph
    tell(bridge)
    assert not scene.nodes["sum"].face.known
    assert "stub.add" not in builtin()


def test_a_saved_document_names_its_file_and_elsewhere_offers_to_agree(
    open_studio: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    studio, bridge = open_studio(with_adds())
    document, path = studio.parts.document, tmp_path / "sum.json"
    tell(bridge, description(schema_of(Add, ORIGIN)))
    document.set_param("sum", "b", 3)
    document.save(path)
    assert json.loads(path.read_bytes())["requires"] == {"mine.py": {"hash": "ab12", "types": ["stub.add"]}}
    assert not document.is_modified
    saved = path.read_bytes()
    document.load(path)
    document.save()
    assert path.read_bytes() == saved
    tell(bridge)
    studio.window.show_workspace("graph")
    studio.window.graph.problems.refresh()
    studio.window.show_problems()
    studio.window.panel.problems.refresh()
    card = next(item for item in studio.window.panel.problems.cards if item.problem.code == "NodeFileNotHere")
    assert "mine.py" in card.accessibleName()
    button = next(item for item in card.buttons if item.text() == "Nodes from outside…")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    dialog = studio.window.findChild(OutsideNodesDialog)
    assert dialog is not None
    assert bridge.loads == [False]
    dialog.accept()


def test_the_code_is_shown_before_one_agrees_and_the_agreement_is_to_what_was_shown(
    open_studio: Open, qtbot: QtBot, nodes_dir: Path
) -> None:
    studio, bridge = open_studio(template())
    path = write(nodes_dir, "mine.py", SHOUT)
    studio.window.commands.run("graph.outside")
    dialog = studio.window.findChild(OutsideNodesDialog)
    assert dialog is not None
    assert dialog.empty.isVisible()
    tell(bridge)
    assert dialog.agree_button.isHidden()  # nothing was shown yet
    qtbot.waitUntil(lambda: "class Shout" in dialog.code.toPlainText())
    assert dialog.agree_button.isVisible()
    assert not dialog.agree_button.isDefault()
    (seen,) = scan(nodes_dir, packages=False)
    path.write_text("raise SystemError('swapped')", encoding="utf-8")
    qtbot.mouseClick(dialog.agree_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bridge.loads == [False, True])
    assert Agreements(paths.agreements_path()).read()["file mine.py"].digest == seen.digest
    tell(bridge, state="changed")
    qtbot.waitUntil(lambda: "swapped" in dialog.code.toPlainText())
    assert dialog.agree_button.text() == "Agree again"
    qtbot.mouseClick(dialog.withdraw_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: Agreements(paths.agreements_path()).read() == {})
    dialog.accept()


def test_a_change_in_the_folder_is_noticed_and_said_once(
    open_studio: Open, qtbot: QtBot, nodes_dir: Path
) -> None:
    path = write(nodes_dir, "mine.py", SHOUT)
    studio, bridge = open_studio(template())
    bridge.tell_ready()
    write(nodes_dir, "mine.py", SHOUT + "\n# edited\n")
    qtbot.waitUntil(lambda: bool(bridge.loads), timeout=5_000)
    tell(bridge, state="changed")
    assert "mine.py changed" in studio.window.status.text.text()
    banner = studio.window.banner
    assert banner.isVisible()
    assert [button.text() for button in banner.buttons()] == ["Nodes from outside…"]
    banner.hide()
    tell(bridge, state="changed")
    assert not banner.isVisible()
    path.unlink()
    qtbot.waitUntil(lambda: len(bridge.loads) > 1, timeout=5_000)


def test_what_cannot_be_loaded_is_said_with_its_line(
    open_studio: Open, nodes_dir: Path, tmp_path: Path
) -> None:
    from pipelines.graph.registry import OpenRegistry
    from pipelines.outside.library import Outside

    write(nodes_dir, "broken.py", "x = 1 / 0\n")
    agree()
    library = Outside(OpenRegistry(builtin()), nodes_dir, paths.agreements_path(), tmp_path)
    studio, bridge = open_studio(template())
    bridge.outside_listed.emit(OutsideNodes(sources=tuple(map(told, library.load())), nodes=()))
    assert "broken.py, line 6" in studio.window.banner.body.text()
    assert "broken.py" in studio.window.panel.log.toPlainText()


def test_ports_that_depend_on_params_come_from_the_engine(open_studio: Open, qtbot: QtBot) -> None:
    node = NodeRecord.new("mine.template", params={"template": "{who} {what}"})
    studio, bridge = open_studio(template().with_node("words", node))
    studio.window.show_workspace("graph")
    schema = builtin()["text.template"]
    tell(bridge, description(schema) | {"id": "mine.template"})
    face = studio.window.graph.scene.nodes["words"]
    assert ("mine.template", {"template": "{who} {what}"}) in bridge.port_questions
    params = {"template": "{who} {what}"}
    inputs = tuple(input_json(port) for port in schema.inputs(params))
    outputs = tuple(output_json(port) for port in schema.outputs(params))
    bridge.ports_told.emit(
        Ports(request="ports", type="mine.template", params=params, inputs=inputs, outputs=outputs)
    )
    qtbot.waitUntil(lambda: face.face.port("who", False) is not None)
    assert face.face.port("subject", False) is None


def test_the_dialog_offers_folder_and_reload(open_studio: Open, qtbot: QtBot) -> None:
    studio, bridge = open_studio(template())
    studio.window.commands.run("graph.outside")
    dialog = studio.window.findChild(OutsideNodesDialog)
    assert dialog is not None
    buttons = {button.text(): button for button in dialog.findChildren(QPushButton)}
    qtbot.mouseClick(buttons["Reload"], Qt.MouseButton.LeftButton)
    assert bridge.loads == [False, True]
    assert "Open the folder" in buttons
    dialog.accept()
