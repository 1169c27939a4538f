"""Rewiring and dots as pure functions: what is kept, for any graph."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pipelines.graph.document import Graph, Link, NodeRecord
from studio.graph.edits import downstream, refusal
from studio.graph.rewiring import healed, insertion, taken_out, with_inserted
from studio.graph.waypoints import all_waypoints, following, inserted_at, waypoints_of, with_waypoints
from tests.helpers.canvas_fakes import stub_registry

REGISTRY = stub_registry()


def chain(length: int, extra: list[tuple[int, int]] = ()) -> Graph:  # type: ignore[assignment]
    """A source of pictures, blurs n1 → n2 → …, and further wires into their masks."""
    nodes = {"n0": NodeRecord.new("test.paint")}
    for index in range(1, length):
        inputs = {"image": (f"n{index - 1}", "image")}
        for source, target in extra:
            if target == index and source < target:
                inputs["mask"] = (f"n{source}", "image")
        nodes[f"n{index}"] = NodeRecord.new("test.blur", inputs=inputs)
    return Graph(nodes)


CHAINS = st.builds(
    chain, st.integers(2, 8), st.lists(st.tuples(st.integers(0, 6), st.integers(1, 7)), max_size=6)
)


@given(CHAINS, st.sets(st.integers(1, 7)))
@settings(max_examples=60, deadline=None)
def test_taking_out_heals_the_chain_and_leaves_the_nodes_loose(graph: Graph, chosen: set[int]) -> None:
    nodes = {f"n{index}" for index in chosen} & set(graph.nodes)
    result = taken_out(graph, REGISTRY, nodes)
    for node, name, link in result.links():
        assert (node in nodes) == (link.node in nodes)
        out = result.without_link(node, name)
        assert refusal(out, REGISTRY, *link, node, name) is None
    kept = [node for node in graph.nodes if node not in nodes]
    for before, after in pairwise(kept):
        assert result.nodes[after].inputs["image"].node in {before, *kept[: kept.index(before)]}
    assert "n0" in downstream(result, ["n0"])
    assert downstream(result, ["n0"]) >= set(kept)
    assert taken_out(result, REGISTRY, nodes) is result


def test_a_wire_that_nothing_fits_goes() -> None:
    graph = (
        chain(2).with_node("words", NodeRecord.new("test.words")).with_link("n0", "prompt", ("words", "text"))
    )
    assert healed(graph, REGISTRY, ["n0"]) == {("n1", "image"): None}


@given(CHAINS, st.data())
@settings(max_examples=40, deadline=None)
def test_insertion_and_taking_out_are_opposites(graph: Graph, data: Any) -> None:
    graph = graph.with_node("new", NodeRecord.new("test.blur"))
    node, name, link = data.draw(st.sampled_from(list(graph.links())))
    ports = insertion(graph, REGISTRY, "new", (node, name))
    assert ports == ("image", "image")
    result = with_inserted(graph, "new", (node, name), ports)
    assert result.nodes["new"].inputs == {"image": link}
    assert result.nodes[node].inputs[name] == ("new", "image")
    assert list(taken_out(result, REGISTRY, ["new"]).links()) == list(graph.links())


@pytest.mark.parametrize("kind", ["test.words", "test.number", "test.model", "test.join"])
def test_no_insertion_without_fitting_ports(kind: str) -> None:
    graph = chain(2).with_node("new", NodeRecord.new(kind))
    assert insertion(graph, REGISTRY, "new", ("n1", "image")) is None


def test_dots_are_shared_out_when_a_node_comes_between() -> None:
    graph = chain(2).with_node("new", NodeRecord.new("test.blur"))
    for node, x in (("n0", 0), ("new", 400), ("n1", 900)):
        graph = graph.with_position(node, x, 0)
    graph = with_waypoints(graph, {("n1", "image"): ((200.0, 50.0), (700.0, 50.0))})
    ports = insertion(graph, REGISTRY, "new", ("n1", "image"))
    assert ports is not None
    result = with_inserted(graph, "new", ("n1", "image"), ports)
    assert all_waypoints(result) == {("new", "image"): ((200.0, 50.0),), ("n1", "image"): ((700.0, 50.0),)}


def test_dots_follow_only_what_moves_alike() -> None:
    graph = with_waypoints(
        chain(2).with_position("n0", 0, 0).with_position("n1", 500, 0), {("n1", "image"): ((250.0, 80.0),)}
    )
    both = graph.with_position("n0", 30, 10).with_position("n1", 530, 10)
    assert waypoints_of(following(graph, both), ("n1", "image")) == ((280.0, 90.0),)
    one = graph.with_position("n1", 530, 10)
    assert following(graph, one) is one


POINTS = st.lists(st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000)), max_size=5)


@given(POINTS)
def test_dots_are_read_as_they_were_written(points: list[tuple[int, int]]) -> None:
    graph = chain(2)
    result = with_waypoints(graph, {("n1", "image"): tuple((float(x), float(y)) for x, y in points)})
    read = Graph.loads(result.dumps())
    assert waypoints_of(read, ("n1", "image")) == tuple(points)
    assert with_waypoints(read, {("n1", "image"): waypoints_of(read, ("n1", "image"))}) is read
    assert with_waypoints(result, {("n1", "image"): ()}).dumps() == graph.dumps()


def test_a_dot_goes_between_its_neighbours() -> None:
    route = ((0.0, 0.0), (100.0, 0.0), (100.0, 100.0))
    assert inserted_at(route, (50.0, 5.0)) == 0
    assert inserted_at(route, (95.0, 60.0)) == 1


def test_heirs_are_followed_through_all_that_goes() -> None:
    links = healed(chain(5), REGISTRY, ["n1", "n2", "n3"])
    assert links == {("n4", "image"): Link("n0", "image")}
