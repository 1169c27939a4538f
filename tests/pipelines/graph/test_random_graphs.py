"""Random graphs: their values are those of plain Python, and an edit re-executes what depends on it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.graph.document import Graph, NodeRecord
from tests.helpers.stub_nodes import Bench

Recipe = list[tuple[int | None, int | None, int, int]]
"""For each node: the nodes that a and b come from (among those before it), and the literals otherwise."""


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    made: Recipe = []
    for index in range(draw(st.integers(1, 14))):
        source = st.none() | st.integers(0, index - 1) if index else st.none()
        made.append((draw(source), draw(source), draw(st.integers(-9, 9)), draw(st.integers(-9, 9))))
    return made


def build(recipe: Recipe, order: list[int]) -> Graph:
    nodes = {}
    for index in order:
        a, b, left, right = recipe[index]
        links = {name: (f"n{source}", "value") for name, source in (("a", a), ("b", b)) if source is not None}
        values = {name: number for name, number in (("a", left), ("b", right)) if name not in links}
        # every node's own literal makes it a key of its own
        nodes[f"n{index}"] = NodeRecord.new("stub.sum", params={**values, "own": index}, inputs=links)
    return Graph(nodes)


def evaluate(recipe: Recipe) -> list[float]:
    values: list[float] = []
    for index, (a, b, left, right) in enumerate(recipe):
        values.append((left if a is None else values[a]) + (right if b is None else values[b]) + index * 1000)
    return values


def downstream(recipe: Recipe, changed: int) -> set[str]:
    affected = {changed}
    for index, (a, b, _, _) in enumerate(recipe):
        if a in affected or b in affected:
            affected.add(index)
    return {f"n{index}" for index in affected}


@settings(max_examples=60, database=None, deadline=None, derandomize=True)
@given(st.data(), recipes())
def test_random_graphs_and_single_edits(data: st.DataObject, recipe: Recipe) -> None:
    order = data.draw(st.permutations(range(len(recipe))))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        try:
            check(bench, recipe, order, data)
        finally:
            bench.lanes.close()


def check(bench: Bench, recipe: Recipe, order: list[int], data: st.DataObject) -> None:
    everything = [f"n{index}" for index in range(len(recipe))]
    made = build(recipe, order)
    results = bench.run(made, everything)
    assert {node: result.status for node, result in results.items()} == dict.fromkeys(results, "executed")
    values = evaluate(recipe)
    assert [results[node].outputs["value"] for node in everything] == values
    sinks = bench.run(made)
    assert {sinks[node].status for node in made.sinks()} == {"cached"}

    changed = data.draw(st.integers(0, len(recipe) - 1))
    a, b, left, right = recipe[changed]
    before = data.draw(st.integers(0, changed - 1)) if changed and data.draw(st.booleans()) else None
    edited = list(recipe)
    edited[changed] = (before, b, left + 100, right)
    results = bench.run(build(edited, order), everything)
    assert [results[node].outputs["value"] for node in everything] == evaluate(edited)
    executed = {node for node, result in results.items() if result.status == "executed"}
    is_same = before == a and before is not None
    assert executed == (set() if is_same else downstream(edited, changed))
    assert bench.run(build(recipe, order), everything)
    assert bench.started == []
