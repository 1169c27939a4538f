"""Bypassed nodes pass on what comes in; muted ones take their branch with them."""

from __future__ import annotations

from collections import Counter

import pytest

from pipelines.graph.document import Graph
from pipelines.graph.plan import plan
from tests.helpers.stub_nodes import REGISTRY, Bench, graph


def with_mode(made: Graph, mode: str, *nodes: str) -> Graph:
    for node in nodes:
        made = made.with_node(node, made.nodes[node].with_mode(mode))
    return made


def texts() -> Graph:
    """start -> one -> two -> end, each of type Text."""
    return graph(
        start=("stub.seeded", {"text": "s"}),
        one=("stub.seeded", {"seed": 1}, {"text": ("start", "text")}),
        two=("stub.seeded", {"seed": 2}, {"text": ("one", "text")}),
        end=("stub.join", {"b": "!"}, {"a": ("two", "text")}),
    )


@pytest.mark.parametrize(
    ("bypassed", "expected"),
    [((), "s:None:1:2+!"), (("one",), "s:None:2+!"), (("two",), "s:None:1+!"), (("one", "two"), "s:None+!")],
)
def test_bypassed_nodes_pass_on_what_comes_in(bench: Bench, bypassed: tuple[str, ...], expected: str) -> None:
    results = bench.run(with_mode(texts(), "bypassed", *bypassed))
    assert results["end"].outputs["text"] == expected
    assert {"executed"} == {results[node].status for node in results}
    assert not set(bypassed) & set(results)


def test_the_first_declared_input_of_the_type_is_passed(bench: Bench) -> None:
    made = graph(
        x=("stub.seeded", {"text": "x"}), y=("stub.seeded", {"text": "y"}),
        n=("stub.join", {}, {"a": ("x", "text"), "b": ("y", "text")}),
        end=("stub.gather", {}, {"items": ("n", "text")}),
    )  # fmt: skip
    assert bench.run(with_mode(made, "bypassed", "n"))["end"].outputs["text"] == "y:None"


def test_a_bypassed_node_with_nothing_to_pass_skips_its_branch(bench: Bench, runs: Counter[str]) -> None:
    made = graph(
        p=("stub.picture", {}), t=("stub.typed", {}, {"image": ("p", "image")}),
        end=("stub.typed", {}, {"json": ("t", "got")}),
    )  # fmt: skip
    results = bench.run(with_mode(made, "bypassed", "t"))
    assert {result.status for result in results.values()} == {"skipped"}
    assert not runs


def test_a_bypassed_target_stands_for_what_it_passes_on(bench: Bench) -> None:
    results = bench.run(with_mode(texts(), "bypassed", "two", "end"), ["end"])
    assert {node: result.status for node, result in results.items()} == {
        "start": "executed", "one": "executed", "end": "skipped",
    }  # fmt: skip


def test_a_bypassed_save_saves_nothing(bench: Bench) -> None:
    made = graph(t=("stub.seeded", {"text": "x"}), s=("stub.save", {}, {"text": ("t", "text")}))
    results = bench.run(with_mode(made, "bypassed", "s"))
    assert results["s"].status == "skipped"
    assert results["t"].status == "executed"
    assert not (bench.folder / "saved.txt").exists()


def test_what_is_passed_on_is_checked_at_the_consumer() -> None:
    made = graph(
        p=("stub.picture", {}), n=("stub.scribble", {}, {"image": ("p", "image")}),
        end=("stub.add", {}, {"a": ("n", "image")}), gone=("stub.seeded", {}, {"text": ("ghost", "text")}),
        last=("stub.gather", {}, {"items": ("gone", "text")}),
    )  # fmt: skip
    errors = plan(with_mode(made, "bypassed", "n", "gone"), REGISTRY).errors
    assert {(item.code, item.node, item.port) for item in errors} == {
        ("IncompatibleLink", "end", "a"), ("DanglingLink", "last", "items"),
    }  # fmt: skip


def test_a_long_chain_of_bypassed_nodes_in_any_order_is_followed(bench: Bench) -> None:
    nodes = {"n0": ("stub.seeded", {"text": "x"})}
    nodes |= {f"n{i}": ("stub.seeded", {}, {"text": (f"n{i - 1}", "text")}) for i in range(1, 3000)}
    made = with_mode(graph(**nodes), "bypassed", *(f"n{i}" for i in range(1, 2999)))
    for each in (made, Graph(dict(reversed(made.nodes.items())))):
        assert bench.run(each)["n2999"].outputs["text"] == "x:None:None"


def test_bypassed_nodes_in_a_circle_end_nowhere(bench: Bench) -> None:
    made = graph(
        a=("stub.seeded", {}, {"text": ("b", "text")}), b=("stub.seeded", {}, {"text": ("a", "text")}),
        end=("stub.gather", {}, {"items": ("a", "text")}),
    )  # fmt: skip
    assert bench.run(with_mode(made, "bypassed", "a", "b"))["end"].status == "skipped"
    half = bench.run(with_mode(made, "bypassed", "b"))
    assert half["a"].status == "failed"
    assert half["end"].status == "blocked"


def test_a_muted_node_skips_its_branch_and_nothing_else(bench: Bench) -> None:
    made = graph(
        a=("stub.constant", {"value": 1}), m=("stub.add", {}, {"a": ("a", "value")}),
        after=("stub.add", {}, {"a": ("m", "value")}), beside=("stub.add", {"b": 3}, {"a": ("a", "value")}),
    )  # fmt: skip
    results = bench.run(with_mode(made, "muted", "m"))
    assert {node: result.status for node, result in results.items()} == {
        "a": "executed", "m": "skipped", "after": "skipped", "beside": "executed",
    }  # fmt: skip


def test_a_muted_node_may_be_broken(bench: Bench) -> None:
    results = bench.run(with_mode(graph(m=("mars.rover",), n=("stub.constant",)), "muted", "m"))
    assert {node: result.status for node, result in results.items()} == {"m": "skipped", "n": "executed"}


def test_modes_can_be_switched_without_losing_what_is_cached(bench: Bench) -> None:
    bench.run(texts())
    bench.run(with_mode(texts(), "bypassed", "one"))
    assert bench.run(texts())["end"].status == "cached"
