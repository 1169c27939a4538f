"""Edits make new graphs, keep to one namespace per node, and leave the old graph as it was."""

from __future__ import annotations

import pytest

from pipelines.graph.document import Exposed, Graph, Link, NodeRecord
from tests.helpers.stub_nodes import graph


def test_edits_leave_the_old_graph_as_it_was() -> None:
    old = graph(a=("stub.constant", {"value": 1}), b=("stub.add", {}, {"a": ("a", "value")}))
    before = old.dumps()
    old.with_param("a", "value", 2).with_link("b", "b", ("a", "value")).without_node("a")
    old.with_position("a", 1, 2).with_exposed("x", "a", "value").with_view("frames", [])
    assert old.dumps() == before


def test_a_name_is_a_literal_or_a_link_never_both() -> None:
    record = NodeRecord.new("t", params={"a": 1, "b": 2})
    linked = record.with_input("a", ("m", "o"))
    assert linked.inputs == {"a": Link("m", "o")}
    assert linked.params == {"b": 2}
    literal = linked.with_param("a", 5)
    assert literal.inputs == {}
    assert literal.params == {"a": 5, "b": 2}
    assert literal.without_param("a").without_param("nothing").params == {"b": 2}


def test_removing_a_node_removes_its_links_and_its_place() -> None:
    made = graph(
        a=("stub.constant", {}),
        b=("stub.add", {}, {"a": ("a", "value"), "b": ("c", "value")}),
        c=("stub.constant", {}),
    ).with_position("a", 3, 4)
    left = made.without_node("a")
    assert "a" not in left
    assert left.nodes["b"].inputs == {"b": Link("c", "value")}
    assert left.position("a") is None
    assert made.position("a") == (3.0, 4.0)


def test_sinks_are_the_nodes_nothing_uses() -> None:
    made = graph(
        a=("stub.constant",),
        b=("stub.add", {}, {"a": ("a", "value")}),
        c=("stub.constant",),
        d=("stub.fail",),
    )
    assert made.sinks() == ("b", "c", "d")


def test_free_ids_are_free_and_usable() -> None:
    made = graph(add=("stub.add",), add_2=("stub.add",))
    assert made.free_id("stub.add") == "add_3"
    assert made.free_id("x.wörd!") == "w_rd_"


def test_keys_go_to_their_sorted_place_unless_the_file_is_unsorted() -> None:
    record = NodeRecord.new("t", params={"a": 1, "c": 3})
    assert list(record.with_param("b", 2).params) == ["a", "b", "c"]
    unsorted = NodeRecord.from_json({"type": "t", "params": {"c": 3, "a": 1}})
    assert list(unsorted.with_param("b", 2).params) == ["c", "a", "b"]
    assert list(unsorted.with_param("c", 0).params) == ["c", "a"]


def test_title_and_mode_are_only_written_where_they_say_something() -> None:
    record = NodeRecord.new("t")
    assert record.with_title("").fields == record.fields
    assert record.with_mode("active").fields == record.fields
    assert record.with_mode("muted").with_mode("active").mode == "active"
    assert record.with_title("Hello").fields["title"] == "Hello"


def test_arguments_come_in_the_order_they_give_themselves() -> None:
    made = Graph.loads(
        b'{"nodes": {}, "exposed": {"a": {"node": "n", "param": "p", "order": "first"},'
        b' "b": {"node": "n", "param": "p", "order": 2.5}, "c": {"node": "n", "param": "p", "order": 1},'
        b' "d": {"node": "n", "param": "p"}}}'
    )
    assert list(made.exposed) == ["c", "b", "a", "d"]


def test_malformed_views_and_exposed_params_are_kept_but_not_believed() -> None:
    raw = (
        b'{"nodes": {"n": {"type": "t"}}, "view": {"positions": {"n": ["left", 1]}},'
        b' "exposed": {"x": {"node": "n", "param": "p"}, "y": {"node": 5}, "z": 1}}'
    )
    made = Graph.loads(raw)
    assert made.position("n") is None
    assert made.exposed == {"x": Exposed("n", "p")}
    assert made.dumps() == raw
    assert Graph.loads(b'{"nodes": {}, "view": [], "exposed": 1}').view == {}


@pytest.mark.parametrize("mode", ["active", "bypassed", "muted"])
def test_modes_round_trip(mode: str) -> None:
    made = Graph().with_node("n", NodeRecord.new("t", mode=mode))
    assert Graph.loads(made.dumps()).nodes["n"].mode == mode
