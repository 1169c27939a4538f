"""The scene shows what the document says, whatever was edited, undone or opened, and writes nothing."""

from __future__ import annotations

import contextlib
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from PySide6.QtCore import QPointF

from pipelines.errors import DiptychError
from pipelines.graph.document import Graph
from pipelines.paths import RESOURCES
from studio.canvas.run_state import RunState
from studio.canvas.scene import GraphScene
from studio.canvas.style import CanvasStyle
from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from studio.graph.edits import title_of
from studio.theme import current_theme
from tests.helpers.canvas_fakes import small_graph, stub_registry
from tests.helpers.canvas_mouse import Hand

TYPES = ("test.words", "test.paint", "test.blur", "test.model", "test.join", "no.such.type")
PORTS = ("text", "image", "model", "prompt", "a", "b", "seed", "steps")
EDITS = ("add", "remove", "connect", "cut", "move", "set", "name", "paste", "undo", "redo", "batch")
STEP = st.tuples(
    st.sampled_from(EDITS),
    st.integers(0, 99), st.integers(0, 99), st.sampled_from(PORTS), st.sampled_from(PORTS),
)  # fmt: skip


def check_projection(scene: GraphScene) -> None:
    """Nodes, titles, ports, places and wires are those of the document."""
    graph, registry = scene.document.graph, scene.document.registry
    assert set(scene.nodes) == set(graph.nodes)
    for node, item in scene.nodes.items():
        record = graph.nodes[node]
        assert item.scene() is scene
        assert item.face.title == title_of(graph, registry, node)
        assert item.face.known == (record.type in registry)
        assert item.face.mode == record.mode
        at = graph.position(node)
        assert at is None or item.pos() == QPointF(*at)
        assert set(record.inputs) <= {port.name for port in item.face.ports if not port.is_output}
        assert all(
            port.linked == (port.name in record.inputs) for port in item.face.ports if not port.is_output
        )
    links = {(node, port): link for node, port, link in graph.links() if link.node in graph}
    assert {key: (wire.source, wire.output) for key, wire in scene.wires.items()} == links
    for wire in scene.wires.values():
        start = scene.nodes[wire.source].port_position(wire.output, True)
        end = scene.nodes[wire.target].port_position(wire.input, False)
        assert wire.points[0] + wire.pos() == start
        assert (wire.points[-1] + wire.pos() - end).manhattanLength() < 1e-6


def apply(document: GraphDocument, step: tuple[str, int, int, str, str]) -> None:
    """One random edit; what is refused is refused."""
    what, first, second, port, other = step
    nodes = list(document.graph.nodes)
    node = nodes[first % len(nodes)] if nodes else ""
    if what == "undo":
        document.undo_stack.undo()
    elif what == "redo":
        document.undo_stack.redo()
    elif what == "add":
        with contextlib.suppress(KeyError):
            document.add_node(TYPES[second % len(TYPES)], (first * 10, second * 10))
    elif what == "paste":
        document.paste('{"nodes": {"odd": {"type": "no.such.type", "params": {"x": 1.50}}}}', (first, second))
    elif node:
        edit(document, what, node, nodes[second % len(nodes)], port, other, second)


def edit(
    document: GraphDocument, what: str, node: str, target: str, port: str, other: str, number: int
) -> None:
    """An edit of a node that is there."""
    if what == "remove":
        document.remove_nodes([node, target])
    elif what == "connect":
        with contextlib.suppress(DiptychError):
            document.connect_ports(node, port, target, other)
    elif what == "cut":
        document.disconnect_port(node, port)
    elif what == "move":
        document.move_nodes({node: (number, -number)})
    elif what == "set":
        document.set_param(node, port, number)
    elif what == "name":
        document.set_title(node, "N" * (number % 3))
        document.set_mode(node, ("active", "muted", "bypassed")[number % 3])
    elif what == "batch":
        document.set_param(node, "batch", 1 + number % 2)


@pytest.mark.usefixtures("qapp")
@settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEP, max_size=20))
def test_the_scene_follows_random_edits(steps: list[tuple[str, int, int, str, str]]) -> None:
    document = GraphDocument(small_graph(), stub_registry())
    scene = GraphScene(document, RunState(None, document.registry), CanvasStyle(current_theme()))
    check_projection(scene)
    for step in steps:
        apply(document, step)
        check_projection(scene)
    before = document.graph
    scene.restyle(CanvasStyle(current_theme()))
    scene.show_moved({node: QPointF(1, 2) for node in scene.nodes})
    scene.show_document_positions()
    check_projection(scene)
    assert document.graph is before


@pytest.mark.parametrize("name", ["prompt_to_image", "text_model_writes", "variations"])
def test_templates_open_whole_and_without_overlap(workspace: GraphWorkspace, name: str) -> None:
    document = GraphDocument()
    scene = GraphScene(document, RunState(None, document.registry), CanvasStyle(current_theme()))
    document.load(RESOURCES / "templates" / f"{name}.json")
    check_projection(scene)
    items = list(scene.nodes.values())
    assert all(item.face.known for item in items)
    bodies = [item.body().translated(item.pos()) for item in items]
    assert not any(a.intersects(b) for i, a in enumerate(bodies) for b in bodies[:i])
    assert not any(wire.wrong for wire in scene.wires.values())
    assert all(sum(bool(row.param) for row in item.face.rows) <= 8 for item in items)


def test_a_document_without_places_is_laid_out_and_not_written(hand: Hand, document: GraphDocument) -> None:
    graph = small_graph()
    bare = Graph.loads(graph.with_field("view", {}).dumps())
    document.new(bare)
    assert document.graph.dumps() == bare.dumps()
    places = {node: item.pos() for node, item in hand.scene.nodes.items()}
    assert places["words"].x() < places["paint"].x() < places["blur"].x()
    hand.view.frame()
    hand.drag(hand.body("blur"), hand.body("blur") + QPointF(0, 80))
    assert document.graph.position("paint") == (places["paint"].x(), places["paint"].y())
    assert document.undo_stack.count() == 1
    document.undo_stack.undo()
    assert document.graph.dumps() == bare.dumps()


def test_unknown_types_are_placeholders_that_keep_their_data(
    hand: Hand, document: GraphDocument, workspace: GraphWorkspace
) -> None:
    source = (
        b'{"nodes": {"a": {"type": "test.words"}, "x": {"type": "far.away", "params": {"k": 1e5},'
        b' "inputs": {"in": ["a", "text"]}}, "y": {"type": "test.join", "inputs": {"a": ["x", "made"]}}}}'
    )
    document.load_bytes(source, "Odd")
    item = hand.scene.nodes["x"]
    assert item.face.title == "far.away"
    assert not item.face.known
    assert [(port.name, port.is_output) for port in item.face.ports] == [("in", False), ("made", True)]
    hand.view.frame()
    hand.drag(hand.body("x"), hand.body("x") + QPointF(0, 60))
    assert b'"k": 1e5' in document.graph.dumps()
    document.undo_stack.undo()
    assert document.graph.dumps() == source
    workspace.problems.refresh()
    assert [problem.code for problem in workspace.problems.of("x")] == ["UnknownNodeType"]
    assert item.marks.problem_count == 1


def test_a_dangling_link_is_shown_at_its_port(document: GraphDocument, workspace: GraphWorkspace) -> None:
    document.load_bytes(
        b'{"nodes": {"b": {"type": "test.blur", "inputs": {"image": ["gone", "image"]}}}}', "Odd"
    )
    workspace.problems.refresh()
    assert workspace.scene.wires == {}
    marks = workspace.scene.nodes["b"].marks
    assert list(marks.problems) == ["image"]
    assert "gone" in marks.problems["image"]
    assert workspace.bar.problems.isVisible()
    assert workspace.bar.problems.text() == "1 problem"


def test_a_link_that_does_not_fit_is_shown_as_wrong(
    document: GraphDocument, workspace: GraphWorkspace
) -> None:
    odd: dict[str, Any] = {"image": ("words", "text")}
    graph = document.graph.with_link("blur", "image", odd["image"])
    document.replace(graph, "From a file")
    assert workspace.scene.wires["blur", "image"].wrong
    document.undo_stack.undo()
    assert not workspace.scene.wires["blur", "image"].wrong


def test_a_list_changes_port_and_wire(document: GraphDocument, workspace: GraphWorkspace) -> None:
    document.set_param("paint", "batch", 4)
    port = workspace.scene.nodes["paint"].face.port("image", True)
    assert port is not None
    assert port.type.is_list
    assert workspace.scene.wires["blur", "image"].words == "once per item"
    document.undo_stack.undo()
    assert workspace.scene.wires["blur", "image"].words is None


def test_an_empty_graph_teaches(document: GraphDocument, workspace: GraphWorkspace) -> None:
    assert not workspace.empty.isVisible()
    document.new()
    assert workspace.empty.isVisible()
    document.add_node("test.words", (0, 0))
    assert not workspace.empty.isVisible()


def test_a_subgraph_shows_its_name_and_ports(document: GraphDocument, workspace: GraphWorkspace) -> None:
    document.load_bytes(
        b'{"nodes": {"s": {"type": "graph.subgraph", "params": {"subgraph": "Softer"}},'
        b' "t": {"type": "graph.subgraph", "params": {"subgraph": "missing"}}},'
        b' "subgraphs": {"Softer": {"nodes": {"b": {"type": "test.blur"}},'
        b' "inputs": {"picture": ["b", "image"]}, "outputs": {"soft": ["b", "image"]}}}}',
        "Grouped",
    )
    face = workspace.scene.nodes["s"].face
    assert (face.title, face.known) == ("Softer", True)
    assert [(port.name, port.is_output) for port in face.ports] == [("picture", False), ("soft", True)]
    assert workspace.scene.nodes["t"].face.ports == ()
