"""Subgraphs as pure functions: a group computes the same, and dissolving gives back what was there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines.errors import GroupHasNodeBetween
from pipelines.graph.document import Graph
from pipelines.graph.plan import plan
from pipelines.graph.subgraphs import flatten
from studio.graph.annotations import Box, with_boxes
from studio.graph.fragments import fragment, pasted
from studio.graph.subgraph_edits import INPUTS, OUTPUTS, dissolve, group, is_linked, made_independent
from studio.graph.subgraph_ports import definitions_of, group_name, group_ports, uses
from studio.graph.subgraph_scope import inside, outside, renamed, with_port_name
from tests.helpers.canvas_fakes import small_graph, stub_registry


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, list[str]]:
    """A graph without circles, and some of its nodes."""
    count = draw(st.integers(1, 7))
    nodes: dict[str, Any] = {}
    names = [f"n{index}" for index in range(count)]
    for index, name in enumerate(names):
        fields: dict[str, Any] = {"type": "test.join", "version": 1}
        inputs, params = {}, {}
        for port in ("a", "b"):
            how = draw(st.integers(0, 2))
            if how == 1 and index:
                inputs[port] = [draw(st.sampled_from(names[:index])), "text"]
            elif how == 2:
                params[port] = draw(st.sampled_from(["x", "y"]))
        nodes[name] = fields | ({"inputs": inputs} if inputs else {}) | ({"params": params} if params else {})
    placed = draw(st.sets(st.sampled_from(names)))
    tree: dict[str, Any] = {"format": 1, "nodes": nodes}
    if placed:
        spots = st.lists(st.integers(-500, 500), min_size=2, max_size=2)
        tree["view"] = {"positions": {name: draw(spots) for name in sorted(placed)}}
    linked: list[Any] = [(name, port) for name in names for port in nodes[name].get("inputs", {})]
    if draw(st.booleans()) and linked:
        name, port = draw(st.sampled_from(linked))
        tree.setdefault("view", {})["waypoints"] = {name: {port: [[5, 7.5]]}}
        tree["view"]["previews"] = {name: {"height": 80}}
    owner = draw(st.sampled_from([None, *names]))
    if owner is not None and "a" not in nodes[owner].get("inputs", {}):
        tree["exposed"] = {"words": {"node": owner, "param": "a", "title": "Words"}}
    return Graph.from_json(tree), sorted(draw(st.sets(st.sampled_from(names), min_size=1)))


def flat(graph: Graph, prefix: str = "") -> dict[str, Any]:
    """What the engine would plan, without the prefix of a group."""
    found = flatten(graph)
    assert not found.problems
    plain = {id: id.removeprefix(prefix) for id in found.nodes}
    nodes = {
        plain[id]: (
            record.type, dict(record.params), record.mode,
            {port: (plain[link.node], link.output) for port, link in record.inputs.items()},
        )
        for id, record in found.nodes.items()
    }  # fmt: skip
    return {"nodes": nodes, "sinks": {plain[id] for id in found.sinks()}}


@given(graphs())
def test_a_group_computes_the_same_and_dissolves_into_what_it_was(made: tuple[Graph, list[str]]) -> None:
    graph, chosen = made
    try:
        grouped, node = group(graph, chosen, "Group")
    except GroupHasNodeBetween:
        assume(False)
        raise
    assert flat(grouped, f"{node}/") == flat(graph)
    assert set(grouped.nodes) == {*graph.nodes} - {*chosen} | {node}
    back, ids = dissolve(grouped, node)
    assert back.to_json() == graph.to_json()
    assert sorted(ids) == chosen


@given(graphs())
def test_the_inside_edited_by_nobody_is_what_it_was(made: tuple[Graph, list[str]]) -> None:
    graph, chosen = made
    try:
        grouped, node = group(graph, chosen, "Group")
    except GroupHasNodeBetween:
        assume(False)
        raise
    name = group_name(grouped.nodes[node])
    inner = inside(grouped, name, stub_registry())
    assert outside(grouped, name, inner).to_json() == grouped.to_json()


def test_a_node_between_is_refused_by_name() -> None:
    graph = Graph.from_json(
        {
            "nodes": {
                "a": {"type": "test.join"},
                "b": {"type": "test.join", "title": "In the middle", "inputs": {"a": ["a", "text"]}},
                "c": {"type": "test.join", "inputs": {"a": ["b", "text"]}},
            }
        }
    )
    with pytest.raises(GroupHasNodeBetween, match="In the middle"):
        group(graph, ["a", "c"], "Group")


def test_a_group_that_no_wire_leaves_offers_what_it_ends_in_and_still_runs() -> None:
    graph = small_graph()
    grouped, node = group(graph, ["paint", "blur"], "Picture", registry=stub_registry())
    assert [port.name for port in group_ports(grouped, stub_registry(), grouped.nodes[node])[1]] == ["image"]
    assert plan(grouped, stub_registry()).targets == (f"{node}/blur",)
    assert dissolve(grouped, node)[0].to_json() == graph.to_json()
    between, node = group(graph, ["paint"], "Painter", registry=stub_registry())
    assert list(definitions_of(between)["Painter"]["outputs"]) == ["image"], "its seed goes nowhere"


def test_ports_are_made_from_the_cut_wires_and_have_their_types() -> None:
    grouped, node = group(small_graph(), ["paint"], "Painter")
    inputs, outputs = group_ports(grouped, stub_registry(), grouped.nodes[node])
    assert [(port.name, str(port.type)) for port in inputs] == [
        ("model", "DiffusionModel"),
        ("prompt", "Text"),
    ]
    assert [(port.name, str(port.type)) for port in outputs] == [("image", "Image")]
    assert grouped.nodes["blur"].inputs == {"image": (node, "image")}


def test_frames_and_notes_go_in_and_come_out() -> None:
    graph = with_boxes(small_graph(), [Box("notes", "note_1", (320, -100, 100, 60), "Hello")])
    grouped, node = group(graph, ["paint", "blur"], "Group", [("notes", "note_1")])
    assert "notes" not in grouped.view
    moved = grouped.with_position(node, 580, 100)
    back, _ = dissolve(moved, node)
    assert back.view["notes"]["note_1"]["rect"] == [420, 0, 100, 60]
    assert (back.position("paint"), back.position("blur")) == ((420, 100), (740, 100))


def test_a_port_that_goes_is_taken_from_every_use() -> None:
    grouped, node = group(small_graph(), ["paint"], "Painter")
    twice, (other,), _ = pasted(grouped, fragment(grouped, [node]), (0, 900))
    assert is_linked(twice, node)
    twice = twice.with_link(other, "prompt", ("words", "text")).with_link("blur", "mask", (other, "image"))
    inner = inside(twice, "Painter", stub_registry())
    result = outside(twice, "Painter", inner.without_link("paint", "prompt").without_link(OUTPUTS, "image"))
    assert "prompt" not in result.nodes[node].inputs
    assert "prompt" not in result.nodes[other].inputs
    assert result.nodes["blur"].inputs == {}
    assert flat(result)


def test_names_of_groups_and_ports_change_everywhere() -> None:
    grouped, node = group(small_graph(), ["paint"], "Painter")
    outer, top = group(grouped, [node, "words"], "Both")
    result = with_port_name(renamed(outer, "Painter", "Artist"), "Artist", "outputs", "image", "picture")
    assert set(definitions_of(result)) == {"Artist", "Both"}
    assert definitions_of(result)["Both"]["outputs"] == {"image": [node, "picture"]}
    assert flat(result, f"{top}/{node}/")["nodes"].keys() == flat(outer, f"{top}/{node}/")["nodes"].keys()


def test_what_cannot_be_read_is_left_as_it_is() -> None:
    grouped, node = group(small_graph(), ["paint"], "Painter")
    user = {"type": "graph.subgraph", "params": {"subgraph": "Painter"}}
    broken = {
        "a": 7,
        "b": {"nodes": 7},
        "c": {"nodes": {"p": user, "q": 5}, "inputs": [1]},
        "d": {"nodes": {"p": 1}},
    }
    graph = grouped.with_field("subgraphs", {**definitions_of(grouped), **broken})
    inner = inside(graph, "Painter", stub_registry())
    result = outside(graph, "Painter", inner.without_link("paint", "prompt"))
    assert "prompt" not in result.nodes[node].inputs
    assert {name: definitions_of(result)[name] for name in broken} == broken
    assert set(definitions_of(fragment(graph, [node]))) == {"Painter"}


def test_an_independent_copy_no_longer_follows() -> None:
    grouped, node = group(small_graph(), ["paint"], "Painter")
    twice, (other,), _ = pasted(grouped, fragment(grouped, [node]), (0, 900))
    assert uses(twice, "Painter") == 2
    own = made_independent(twice, [node, other])
    assert {group_name(own.nodes[node]), group_name(own.nodes[other])} == {"Painter", "Painter 2"}
    assert not is_linked(own, node)
    inner = inside(own, "Painter 2", stub_registry()).with_param("paint", "steps", 3)
    result = outside(own, "Painter 2", inner)
    assert definitions_of(result)["Painter"] == definitions_of(own)["Painter"]


def test_a_paste_shares_an_equal_group_and_renames_another() -> None:
    grouped, node = group(small_graph(), ["paint"], "Painter")
    part = fragment(grouped, [node])
    same, _, _ = pasted(grouped, part, (0, 0))
    assert set(definitions_of(same)) == {"Painter"}
    inner = inside(grouped, "Painter", stub_registry()).with_param("paint", "steps", 3)
    other, (made,), _ = pasted(outside(grouped, "Painter", inner), part, (0, 0))
    assert group_name(other.nodes[made]) == "Painter 2"
    assert definitions_of(other)["Painter 2"] == definitions_of(grouped)["Painter"]


def test_the_inside_has_nodes_for_the_ports() -> None:
    grouped, _ = group(small_graph(), ["paint"], "Painter")
    inner = inside(grouped, "Painter", stub_registry())
    assert set(inner.nodes) == {"paint", INPUTS, OUTPUTS}
    assert inner.nodes["paint"].inputs["prompt"] == (INPUTS, "prompt")
    assert inner.nodes[OUTPUTS].inputs == {"image": ("paint", "image")}
