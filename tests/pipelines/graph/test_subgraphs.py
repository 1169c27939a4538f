"""Subgraphs: flattened before planning, whatever they nest; what is wrong with one is said at its node."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from pipelines.graph import subgraphs
from pipelines.graph.document import Graph
from pipelines.graph.plan import plan, validate
from pipelines.graph.subgraphs import flatten
from tests.helpers.stub_nodes import REGISTRY, Bench

PLUS = {
    "nodes": {
        "one": {"type": "stub.add", "params": {"b": 1}},
        "two": {"type": "stub.add", "params": {"b": 2}, "inputs": {"a": ["one", "value"]}},
    },
    "inputs": {"x": ["one", "a"], "more": ["two", "b"]},
    "outputs": {"sum": ["two", "value"], "half": ["one", "value"]},
}
"""sum = x + 1 + more (2 by default)."""


def use(name: str = "plus", inputs: dict[str, list[str]] | None = None, **params: Any) -> dict[str, Any]:
    return {"type": "graph.subgraph", "params": {"subgraph": name, **params}, "inputs": inputs or {}}


def constant(value: Any) -> dict[str, Any]:
    return {"type": "stub.constant", "params": {"value": value}}


def add(*links: list[str], **params: Any) -> dict[str, Any]:
    return {"type": "stub.add", "params": params, "inputs": dict(zip("ab", links, strict=False))}


def document(nodes: dict[str, Any], **definitions: Any) -> Graph:
    return Graph.from_json({"format": 1, "nodes": nodes, "subgraphs": {"plus": PLUS, **definitions}})


def values(bench: Bench, made: Graph, *targets: str) -> dict[str, Any]:
    results = bench.run(made, list(targets) or None)
    assert not [result.error.text() for result in results.values() if result.error]
    return {f"{node}.{port}": value for node in results for port, value in results[node].outputs.items()}


def brief(made: Graph) -> set[tuple[str, str | None, str | None]]:
    return {(item.code, item.node, item.port) for item in validate(made, REGISTRY)}


def test_a_subgraph_computes_what_its_nodes_do(bench: Bench) -> None:
    made = document(
        {"c": constant(10), "s": use(inputs={"x": ["c", "value"]}), "end": add(["s", "sum"], b=0)}
    )
    found = values(bench, made)
    assert found["end.value"] == 13
    assert set(found) == {"c.value", "s/one.value", "s/two.value", "end.value"}


def test_literals_and_links_override_what_is_inside(bench: Bench) -> None:
    made = document({"c": constant(100), "s": use(x=5, inputs={"more": ["c", "value"]})})
    assert values(bench, made)["s/two.value"] == 106
    assert values(bench, document({"s": use(x=5, more=7)}))["s/two.value"] == 13


def test_two_uses_are_independent_and_share_what_is_equal(bench: Bench, runs: Counter[str]) -> None:
    made = document({"s": use(x=1), "t": use(x=1, more=5), "u": use(x=2)})
    found = values(bench, made)
    assert [found[f"{node}/two.value"] for node in "stu"] == [4, 7, 5]
    assert runs["stub.add"] == 5, "s/one and t/one are the same"


def test_keys_are_those_of_the_nodes_inside(bench: Bench) -> None:
    bench.run(document({"a": {"type": "stub.add", "params": {"a": 5, "b": 1}}}))
    results = bench.run(document({"s": use(x=5)}), ["s/one"])
    assert results["s/one"].status == "cached"


def test_one_input_can_feed_several_nodes(bench: Bench) -> None:
    both = {**PLUS, "inputs": {"x": [["one", "a"], ["two", "b"]]}}
    assert values(bench, document({"s": use("both", x=4)}, both=both))["s/two.value"] == 9


NESTED = {
    "nodes": {
        "first": use(x=0),
        "second": use(inputs={"x": ["first", "sum"]}),
    },
    "inputs": {"start": ["first", "x"], "last": ["second", "more"]},
    "outputs": {"out": ["second", "sum"]},
}
"""out = start + 3 + 1 + last."""


def test_subgraphs_nest(bench: Bench) -> None:
    made = document(
        {
            "c": constant(1),
            "n": use("nested", inputs={"start": ["c", "value"]}, last=10),
            "end": add(["n", "out"], b=0),
        },
        nested=NESTED,
    )
    assert values(bench, made)["end.value"] == 15
    assert set(flatten(made).nodes) == {
        "c", "end", "n/first/one", "n/first/two", "n/second/one", "n/second/two",
    }  # fmt: skip
    assert validate(made, REGISTRY) == []


def test_deep_nesting_needs_no_recursion_but_has_an_end(bench: Bench) -> None:
    def nested(depth: int) -> Graph:
        layers = {
            f"l{i}": {
                "nodes": {"n": use(f"l{i + 1}")},
                "inputs": {"x": ["n", "x"]},
                "outputs": {"sum": ["n", "sum"]},
            }
            for i in range(depth)
        }
        return document({"s": use("l0", x=1)}, **layers, **{f"l{depth}": PLUS})

    assert values(bench, nested(20))["s" + "/n" * 20 + "/two.value"] == 4
    [error] = plan(nested(60), REGISTRY).errors
    assert error.code == "SubgraphBroken"
    assert "levels deep" in error.text()


def test_a_document_that_grows_without_measure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = {
        f"l{i}": {"nodes": {"a": use(f"l{i + 1}"), "b": use(f"l{i + 1}")}, "inputs": {}, "outputs": {}}
        for i in range(30)
    }
    monkeypatch.setattr(subgraphs, "MAX_NODES", 2000)
    made = document({"s": use("l0")}, **layers, l30={"nodes": {}, "inputs": {}, "outputs": {}})
    assert len(flatten(made).nodes) <= 2001
    assert "more than 2000 nodes" in validate(made, REGISTRY)[0].text()


@pytest.mark.parametrize(
    ("definitions", "path"),
    [
        ({"a": {"nodes": {"n": use("a")}}}, "a → a"),
        ({"a": {"nodes": {"n": use("b")}}, "b": {"nodes": {"m": use("a")}}}, "a → b → a"),
    ],
)
def test_a_subgraph_in_itself_is_an_error_that_names_it(
    bench: Bench, definitions: dict[str, Any], path: str
) -> None:
    made = document({"s": use("a"), "fine": constant(1)}, **definitions)
    results = bench.run(made)
    [failed] = [result for result in results.values() if result.status == "failed"]
    assert failed.error
    assert failed.error.code == "SubgraphRecursion"
    assert f"The subgraph a contains itself: {path}." in failed.error.text()
    assert results["fine"].status == "executed"


def broken(**changes: Any) -> dict[str, Any]:
    return {**PLUS, **changes}


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (5, "must be objects"),
        ({"nodes": []}, "must be objects"),
        (broken(inputs=[]), "must be objects"),
        (broken(inputs={"x": "one"}), "port x is not of the form [node, port]"),
        (broken(inputs={"x": []}), "port x is not of the form [node, port]"),
        (broken(inputs={"x": [["one", "a"], 5]}), "port x is not of the form"),
        (broken(inputs={"x": ["ghost", "a"]}), "port x leads to a node that isn't there: ghost"),
        (broken(outputs={"y": ["ghost", "a"]}), "port y leads to a node that isn't there: ghost"),
        (broken(inputs={"subgraph": ["one", "a"]}), "No input can be called"),
        (broken(nodes={"a/b": {"type": "t"}}), "“a/b” is not a usable node id"),
        (broken(nodes={"a": {"type": 5}}), "Node a: its type is missing"),
        (
            {"nodes": {"n": use("plus")}, "outputs": {"y": ["n", "none"]}},
            "port y leads to one that n doesn't have",
        ),
        (
            {"nodes": {"n": use("plus")}, "inputs": {"y": ["n", "sum"]}},
            "port y leads to one that n doesn't have",
        ),
    ],
)
def test_a_malformed_subgraph_fails_at_the_node_that_uses_it(
    bench: Bench, definition: Any, words: str
) -> None:
    made = document({"s": use("odd"), "fine": constant(1), "after": add(["s", "sum"])}, odd=definition)
    raw = made.dumps()
    results = bench.run(made)
    assert {node: result.status for node, result in results.items()} == {
        "s": "failed", "fine": "executed", "after": "blocked",
    }  # fmt: skip
    error = results["s"].error
    assert error
    assert error.node == "s"
    assert words in error.text()
    assert Graph.loads(raw).dumps() == raw


def test_a_document_without_subgraphs_may_still_name_one() -> None:
    made = Graph.from_json({"nodes": {"s": use("plus")}, "subgraphs": 7})
    assert brief(made) == {("UnknownSubgraph", "s", "subgraph")}


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ({"s": use("minus")}, ("UnknownSubgraph", "s", "subgraph")),
        ({"s": {"type": "graph.subgraph"}}, ("UnknownSubgraph", "s", "subgraph")),
        ({"s": use(5)}, ("UnknownSubgraph", "s", "subgraph")),  # type: ignore[arg-type]
        ({"s": use(x=1, z=2)}, ("UnknownParameter", "s", "z")),
        ({"c": constant(1), "s": use(x=1, inputs={"z": ["c", "value"]})}, ("UnknownInput", "s", "z")),
        ({"c": constant(1), "s": use(x=1, inputs={"x": ["c", "value"]})}, ("BothLiteralAndLink", "s", "x")),
        ({"s": use(x=1), "end": add(["s", "product"])}, ("UnknownOutput", "end", "a")),
        ({"s": use(inputs={"x": ["ghost", "value"]})}, ("DanglingLink", "s/one", "a")),
        ({"s": use()}, ("MissingInput", "s/one", "a")),
        ({"s": use(x="seven")}, ("InvalidParameter", "s/one", "a")),
        ({"s": use(x=1), "t": {"type": "stub.typed", "inputs": {"image": ["s", "sum"]}}},
         ("IncompatibleLink", "t", "image")),
        ({"s/one": constant(1)}, ("BadNodeId", "s/one", None)),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_node_and_port(nodes: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert brief(document(nodes)) == {expected}


def test_an_outer_node_with_the_id_of_an_inner_one_is_told_so() -> None:
    assert ("BadNodeId", "s/one", None) in brief(document({"s/one": constant(1), "s": use(x=1)}))


def test_an_inner_link_that_dangles_names_the_inner_id() -> None:
    odd = broken(nodes={"one": add(["ghost", "value"]), "two": add(a=1)})
    made = document({"ghost": constant(1), "s": use("odd")}, odd=odd)
    [problem] = [item for item in validate(made, REGISTRY) if item.severity == "error"]
    assert (problem.code, problem.node, problem.port) == ("DanglingLink", "s/one", "a")
    assert "s/ghost" in problem.text(), "a subgraph can't reach outside"


def test_circles_through_subgraphs_are_found(bench: Bench) -> None:
    made = document({"s": use(inputs={"x": ["t", "sum"]}), "t": use(inputs={"x": ["s", "sum"]})})
    assert {item.node for item in validate(made, REGISTRY)} == {"s/one", "s/two", "t/one", "t/two"}
    no_circle = document({"s": use(x=1, inputs={"more": ["t", "value"]}), "t": add(["s", "half"], b=1)})
    assert values(bench, no_circle)["s/two.value"] == 5


def test_targets_are_what_the_outer_graph_ends_in() -> None:
    saver = {
        "nodes": {
            "text": {"type": "stub.seeded"},
            "save": {"type": "stub.save", "inputs": {"text": ["text", "text"]}},
        },
        "outputs": {"text": ["text", "text"]},
    }
    two = {"nodes": {"p": add(a=1), "q": add(a=2)}, "outputs": {"p": ["p", "value"], "q": ["q", "value"]}}
    unused = document({"s": use("two"), "end": add(["s", "p"])}, two=two)
    assert plan(unused, REGISTRY).targets == ("end",), "q is offered, but nobody takes it"
    assert plan(document({"s": use("two")}, two=two), REGISTRY).targets == ("s/p", "s/q")
    assert plan(document({"s": use(x=1)}), REGISTRY).targets == ("s/two",)
    assert plan(document({"s": use("saver")}, saver=saver), REGISTRY).targets == ("s/save",)
    made = document(
        {"s": use("saver"), "end": {"type": "stub.gather", "inputs": {"items": ["s", "text"]}}}, saver=saver
    )
    assert set(plan(made, REGISTRY).targets) == {"s/save", "end"}
    assert set(plan(document({"s": use(x=1)}), REGISTRY, ["s"]).targets) == {"s/one", "s/two"}
    assert plan(document({"s": use(x=1)}), REGISTRY, ["s/one"]).order == ("s/one",)
    assert plan(document({"s": use(x=1)}), REGISTRY, ["s/three"]).errors[0].code == "UnknownTarget"


def test_a_muted_subgraph_skips_its_branch(bench: Bench) -> None:
    made = document({"s": {**use("nowhere"), "mode": "muted"}, "end": add(["s", "sum"]), "fine": constant(1)})
    statuses = {node: result.status for node, result in bench.run(made).items()}
    assert statuses == {"s": "skipped", "end": "skipped", "fine": "executed"}
    assert plan(made, REGISTRY).errors == ()


@pytest.mark.parametrize("name", ["plus", "wrapped"])
def test_a_bypassed_subgraph_passes_on_by_type(bench: Bench, name: str) -> None:
    wrapped = {"nodes": {"in": use()}, "inputs": {"x": ["in", "x"]}, "outputs": {"sum": ["in", "sum"]}}
    nodes = {"c": constant(10), "s": {**use(name, inputs={"x": ["c", "value"]}), "mode": "bypassed"}}
    made = document({**nodes, "end": add(["s", "sum"], b=1)}, wrapped=wrapped)
    assert values(bench, made) == {"c.value": 10, "end.value": 11}
    picture = {"nodes": {"p": {"type": "stub.picture"}}, "outputs": {"image": ["p", "image"]}}
    dead_end = document(
        {
            "s": {**use("p"), "mode": "bypassed"},
            "end": {"type": "stub.scribble", "inputs": {"image": ["s", "image"]}},
        },
        p=picture,
    )
    assert {result.status for result in bench.run(dead_end).values()} == {"skipped"}


def test_modes_inside_are_kept(bench: Bench) -> None:
    definition = json.loads(json.dumps(PLUS))
    definition["nodes"]["one"]["mode"] = "bypassed"
    made = document({"c": constant(5), "s": use("odd", inputs={"x": ["c", "value"]})}, odd=definition)
    assert values(bench, made)["s/two.value"] == 7


def test_lists_map_through_subgraphs(bench: Bench) -> None:
    made = document(
        {"l": {"type": "stub.items", "params": {"items": ["1", "2"]}}, "s": use(inputs={"x": ["l", "items"]})}
    )
    assert values(bench, made)["s/two.value"] == (4.0, 5.0)


def test_a_failure_inside_is_placed_inside(bench: Bench) -> None:
    definition = broken(nodes={**PLUS["nodes"], "one": {"type": "stub.fail"}}, inputs={})
    results = bench.run(document({"s": use("odd")}, odd=definition))
    assert (results["s/one"].status, results["s/two"].status) == ("failed", "blocked")
    assert results["s/one"].error
    assert results["s/one"].error.node == "s/one"


def test_flattening_leaves_the_document_alone() -> None:
    made = document(
        {"c": constant(1), "n": use("nested", inputs={"start": ["c", "value"]}, last=3)}, nested=NESTED
    )
    before = made.dumps()
    flatten(made)
    validate(made, REGISTRY)
    assert made.dumps() == before
    without = document({"c": constant(1)})
    assert flatten(without).nodes is without.nodes
