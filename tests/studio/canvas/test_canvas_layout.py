"""Automatic places: no node on another, sources left of users, for any graph; and what fits a wire."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pipelines.graph import types
from pipelines.graph.document import Graph, NodeRecord
from studio.canvas.fitting import fitting_port
from studio.canvas.layout import layered
from studio.canvas.signatures import Signatures
from studio.canvas.workspace import GraphWorkspace
from studio.documents.document import GraphDocument
from studio.graph.edits import downstream, upstream
from tests.helpers.canvas_fakes import stub_registry

LINKS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30)


def graph_of(links: list[tuple[int, int]], count: int = 12) -> Graph:
    """Nodes n0… with a link per pair (source, target); circles included."""
    inputs: dict[int, dict[str, tuple[str, str]]] = {}
    for at, (source, target) in enumerate(links):
        inputs.setdefault(target, {})[f"p{at}"] = (f"n{source}", "out")
    return Graph({f"n{i}": NodeRecord.new("t", inputs=inputs.get(i)) for i in range(count)})


@settings(max_examples=80, deadline=None, database=None)
@given(links=LINKS, heights=st.lists(st.integers(40, 400), min_size=12, max_size=12))
def test_places_never_overlap(links: list[tuple[int, int]], heights: list[int]) -> None:
    graph = graph_of(links)
    sizes = {f"n{i}": (200.0, float(height)) for i, height in enumerate(heights)}
    places = layered(graph, sizes)
    assert set(places) == set(graph.nodes)
    boxes = [(x, y, x + 200, y + sizes[node][1]) for node, (x, y) in places.items()]
    for i, a in enumerate(boxes):
        assert all(a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1] for b in boxes[:i])


@settings(max_examples=60, deadline=None, database=None)
@given(links=LINKS)
def test_without_circles_sources_stand_left_of_users(links: list[tuple[int, int]]) -> None:
    forward = [(min(pair), max(pair)) for pair in links if pair[0] != pair[1]]
    graph = graph_of(forward)
    places = layered(graph, dict.fromkeys(graph.nodes, (200.0, 100.0)))
    assert all(places[link.node][0] < places[node][0] for node, _, link in graph.links())


def test_a_chain_of_five_thousand_is_laid_out_without_recursion() -> None:
    graph = graph_of([(i, i + 1) for i in range(4999)], 5000)
    places = layered(graph, dict.fromkeys(graph.nodes, (200.0, 100.0)))
    assert places["n4999"][0] > places["n4998"][0] > places["n0"][0]
    assert len(upstream(graph, "n4999")) == 4999
    assert len(downstream(graph, ["n0"])) == 5000
    assert len(set(Signatures().of(graph).values())) == 5000


def test_circles_and_missing_sources_have_signatures_too() -> None:
    graph = graph_of([(0, 1), (1, 0), (1, 2)]).with_link("n3", "x", ("gone", "out"))
    assert set(Signatures().of(graph)) == set(graph.nodes)


def test_only_some_nodes_are_placed_from_a_corner() -> None:
    graph = graph_of([(0, 1), (1, 2)])
    places = layered(graph, dict.fromkeys(graph.nodes, (200.0, 100.0)), ["n1", "n2"], (500, 300))
    assert places["n1"] == (500, 300)
    assert places["n2"][0] > 500


def test_arranging_is_one_step(workspace: GraphWorkspace, document: GraphDocument) -> None:
    before = document.graph
    document.move_nodes({"paint": (0, 0), "blur": (0, 0)})
    workspace.actions_.arrange()
    assert document.undo_stack.count() == 2
    left = {node: document.graph.position(node) for node in document.graph.nodes}
    assert left["words"] is not None
    assert left["paint"] is not None
    assert left["words"][0] < left["paint"][0]
    document.undo_stack.setIndex(0)
    assert document.graph is before


@pytest.mark.parametrize(
    ("type_id", "kind", "from_output", "port"),
    [
        ("test.blur", types.Image, True, "image"),
        ("test.blur", types.Mask, True, "mask"),
        ("test.paint", types.Text, True, "prompt"),
        ("test.paint", types.Seed, True, "seed"),
        ("test.paint", types.Boolean, True, "prompt"),
        ("test.paint", types.Latent, True, None),
        ("test.number", types.Number, True, "value"),
        ("test.words", types.Text, False, "text"),
        ("test.words", types.Image, False, None),
        ("test.blur", types.Mask, False, "image"),
    ],
)
def test_the_port_a_wire_would_take(
    type_id: str, kind: types.PortType, from_output: bool, port: str | None
) -> None:
    assert fitting_port(stub_registry()[type_id], kind, from_output=from_output) == port
