"""Differences between graphs: applied to the one they give the other, byte for byte."""

from __future__ import annotations

import random

import pytest

from pipelines.graph import jsontext
from pipelines.graph.delta import MISFITS, Counts, applied, counted, delta
from pipelines.graph.document import Graph, NodeRecord
from tests.helpers.stub_nodes import graph

ODD = (
    b'{ "later": 1e5, "nodes": {"z": {"type": "from.elsewhere", "params": {"a": 1.50, "b": {"c": [1, 2]}}},'
    b' "a": {"type": "b.c"}}, "view": {"positions": {"z": [1, 2]}}}'
)


def an_edit(draw: random.Random, now: Graph) -> Graph:
    node = draw.choice(list(now.nodes)) if now.nodes else ""
    if not node or draw.random() < 0.3:
        kind = f"a.{draw.choice('klmnop')}"
        return now.with_node(now.free_id(kind), NodeRecord.new(kind, params={"x": 0.1, "deep": {"y": []}}))
    what = draw.randrange(5)
    if what == 0:
        return now.without_node(node)
    if what == 1:
        return now.with_position(node, draw.random(), draw.random())
    if what == 2:
        return now.with_param(
            node, draw.choice("abc"), draw.choice([1, 1.0, True, None, "é", {"c": [draw.random()]}])
        )
    if what == 3:
        return now.with_link(node, "in", (node, "out"))
    return now.with_field(draw.choice(["title", "aa", "zz"]), {"n": draw.random()})


@pytest.mark.parametrize("seed", range(8))
def test_differences_give_the_other_graph_byte_for_byte(seed: int) -> None:
    draw = random.Random(seed)
    now = Graph.loads(ODD)
    read = Graph.loads(ODD)
    first = now
    for _ in range(60):
        after = an_edit(draw, now)
        part = delta(now, after)
        assert part is not None
        read = applied(read, jsontext.loads(jsontext.dumps(part)))
        now = after
        assert read.dumps() == now.dumps()
    part = delta(now, first)
    if part is not None:  # undone as a whole: the very bytes that were read
        assert applied(read, jsontext.loads(jsontext.dumps(part))).dumps() == ODD


def test_an_edit_of_a_large_graph_is_a_few_lines() -> None:
    large = Graph()
    for number in range(300):
        large = large.with_node(f"n{number:03}", NodeRecord.new("a.b", params={"x": number}))
    moved = large.with_position("n007", 1, 2)
    more = moved.with_param("n008", "x", 5).with_node("n0085", NodeRecord.new("a.b"))
    assert len(jsontext.dumps(delta(large, more))) < 600
    assert applied(large, delta(large, more) or {}).dumps() == more.dumps()


def test_another_document_or_order_has_no_difference() -> None:
    one, other = Graph.loads(ODD), Graph.loads(ODD + b"\n")
    assert delta(one, other) is None
    turned = Graph(dict(reversed(one.nodes.items())), one.fields, one.source, one.source_key, one.nodes_at)
    assert delta(one, turned) is None


@pytest.mark.parametrize(
    "part",
    [
        {},
        {"nodes": {"in": {"q": {}}}, "fields": {}},
        {"nodes": {"new": [["q", "r", {"type": "a"}]]}, "fields": {}},
        {"nodes": {"set": {"z": 3}}, "fields": {}},
        {"nodes": [], "fields": {"in": 3}},
    ],
)
def test_a_difference_of_another_graph_is_refused(part: dict[str, object]) -> None:
    with pytest.raises(MISFITS):
        applied(Graph.loads(ODD), part)


def test_what_differs_is_counted() -> None:
    before = graph(a=("stub.constant", {"value": 1}), b=("stub.constant", {"value": 1}))
    after = before.without_node("a").with_param("b", "value", 1.0).with_node("c", NodeRecord.new("x.y"))
    assert counted(before, after) == Counts(added=1, removed=1, changed=1)
    assert not counted(before, Graph.loads(before.dumps()))
    assert counted(before, before.with_position("a", 1, 2)) == Counts(elsewhere=True)
