"""What a run executes, what it takes from the cache, and what becomes of the rest."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from pipelines.errors import DiptychError, describe
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.executor import NodeResult
from pipelines.graph.values import nbytes
from tests.helpers.stub_nodes import Bench, Meet, graph

ONE = ("stub.constant", {"value": 1})
PAIR = {"a": ONE, "b": ("stub.add", {"b": 1}, {"a": ("a", "value")})}


def statuses(results: dict[str, NodeResult]) -> dict[str, str]:
    return {node: result.status for node, result in results.items()}


def value(results: dict[str, NodeResult], node: str, port: str = "value") -> object:
    return results[node].outputs[port]


def chain(count: int, first: float = 1) -> Graph:
    nodes = {"n0": NodeRecord.new("stub.constant", params={"value": first})}
    for i in range(1, count):
        nodes[f"n{i}"] = NodeRecord.new("stub.add", params={"b": 1}, inputs={"a": (f"n{i - 1}", "value")})
    return Graph(nodes)


def test_a_run_returns_outputs_and_tells_of_each_start(bench: Bench) -> None:
    results = bench.run(graph(**PAIR))
    assert statuses(results) == {"a": "executed", "b": "executed"}
    assert value(results, "b") == 2.0
    assert bench.started == ["a", "b"]


def test_there_and_back_executes_two_one_and_no_nodes(bench: Bench) -> None:
    first = graph(**PAIR)
    second = first.with_param("b", "b", 5)
    executed = []
    for made in (first, second, first):
        executed.append(list(statuses(bench.run(made)).values()).count("executed"))
    assert executed == [2, 1, 0]
    assert bench.started == []


def test_one_one_point_zero_and_true_are_three_keys(bench: Bench, runs: Counter[str]) -> None:
    made = graph(a=ONE)
    for each in (1, 1.0, True, 1, 1.0, True):
        results = bench.run(made.with_param("a", "value", each))
        assert type(value(results, "a")) is type(each)
    assert runs["stub.constant"] == 3


@pytest.mark.parametrize("spelling", ["1e2", "100.0", "1.00e2"])
def test_spellings_of_one_number_are_one_key(bench: Bench, runs: Counter[str], spelling: str) -> None:
    bench.run(graph(a=("stub.constant", {"value": 100.0})))
    bench.run(
        Graph.loads(f'{{"nodes": {{"x": {{"type": "stub.constant", "params": {{"value": {spelling}}}}}}}}}')
    )
    assert runs["stub.constant"] == 1


def test_titles_modes_views_and_ids_are_no_part_of_a_key(bench: Bench) -> None:
    bench.run(graph(**PAIR))
    renamed = graph(x=ONE, y=("stub.add", {"b": 1}, {"a": ("x", "value")})).with_position("x", 1, 1)
    renamed = renamed.with_node("y", renamed.nodes["y"].with_title("Sum"))
    assert statuses(bench.run(renamed)) == {"x": "skipped", "y": "cached"}


def test_a_default_written_out_is_the_same_key(bench: Bench) -> None:
    bench.run(graph(a=("stub.sampler", {"seed": 1})))
    assert statuses(bench.run(graph(a=("stub.sampler", {"seed": 1, "steps": 16, "batch": 1})))) == {
        "a": "cached"
    }


def test_changed_downstream_runs_nothing_upstream(bench: Bench, runs: Counter[str]) -> None:
    bench.run(graph(**PAIR))
    results = bench.run(graph(**PAIR).with_param("b", "b", 9))
    assert statuses(results) == {"a": "cached", "b": "executed"}
    assert runs["stub.constant"] == 1


def test_a_cached_result_needs_nothing_upstream_even_if_that_was_evicted(bench: Bench) -> None:
    made = graph(**PAIR)
    bench.run(made)
    upstream = [key for key in bench.cached_keys() if bench.cache.get(key).outputs["value"] == 1]
    assert len(upstream) == 1
    bench.cache.discard(upstream[0])
    results = bench.run(made)
    assert statuses(results) == {"a": "skipped", "b": "cached"}
    assert value(results, "b") == 2.0


def test_identical_nodes_run_once_in_one_run_too(bench: Bench, runs: Counter[str]) -> None:
    results = bench.run(graph(a=("stub.slow", {"steps": 5}), b=("stub.slow", {"steps": 5})))
    assert sorted(statuses(results).values()) == ["cached", "executed"]
    assert runs["stub.slow"] == 1


def test_targets_limit_a_run(bench: Bench) -> None:
    made = graph(**PAIR, c=("stub.crash",))
    assert statuses(bench.run(made, ["b"])) == {"a": "executed", "b": "executed"}
    assert bench.run(made, ["nowhere"]) == {}


@pytest.mark.parametrize("names", [("fail", "good"), ("good", "sour")])
def test_a_failing_branch_leaves_its_healthy_sibling_running(
    bench: Bench, runs: Counter[str], names: tuple[str, str]
) -> None:
    broken, healthy = names if names[0] == "fail" else names[::-1]
    nodes = {name: ("stub.fail",) if name == broken else ("stub.constant", {"value": 3}) for name in names}
    made = graph(
        **nodes,
        after=("stub.add", {}, {"a": (broken, "value")}),
        end=("stub.add", {}, {"a": ("after", "value"), "b": (healthy, "value")}),
        fine=("stub.add", {}, {"a": (healthy, "value")}),
    )
    results = bench.run(made)
    assert statuses(results) == {
        broken: "failed", healthy: "executed", "after": "blocked", "end": "blocked", "fine": "executed",
    }  # fmt: skip
    assert results[broken].error
    assert results[broken].error.node == broken
    blocked = results["after"].error
    assert blocked
    assert (blocked.code, blocked.node, blocked.port) == ("NotExecuted", "after", "a")
    assert statuses(bench.run(made))[broken] == "failed"
    assert runs["stub.fail"] == 2, "a failure is never cached"


def test_healthy_targets_of_an_invalid_graph_still_run(bench: Bench) -> None:
    made = graph(
        **PAIR,
        dangling=("stub.add", {}, {"a": ("ghost", "value")}),
        behind=("stub.add", {}, {"a": ("dangling", "value")}),
        unknown=("mars.rover",),
        x=("stub.add", {}, {"a": ("y", "value")}),
        y=("stub.add", {}, {"a": ("x", "value")}),
        tail=("stub.add", {}, {"a": ("x", "value")}),
        newer=("stub.constant",),
    )
    made = made.with_node("newer", NodeRecord.new("stub.constant", 5))
    results = bench.run(made)
    assert statuses(results) == {
        "a": "executed", "b": "executed", "dangling": "failed", "behind": "blocked", "unknown": "failed",
        "x": "failed", "y": "skipped", "tail": "blocked", "newer": "failed",
    }  # fmt: skip
    assert results["x"].error
    assert results["x"].error.code == "CycleFound"


def test_a_document_of_circles_only_fails_at_each_of_them(bench: Bench) -> None:
    made = graph(
        p=("stub.add", {}, {"a": ("p", "value")}), q=("stub.add", {}, {"a": ("q", "value")}),
        x=("stub.add", {}, {"a": ("p", "value"), "b": ("y", "value")}),
        y=("stub.add", {}, {"a": ("q", "value"), "b": ("x", "value")}),
    )  # fmt: skip
    assert set(statuses(bench.run(made)).values()) == {"failed"}


def test_an_unexpected_exception_is_an_unexpected_error_with_a_traceback(bench: Bench) -> None:
    error = bench.run(graph(c=("stub.crash",)))["c"].error
    assert error
    assert (error.code, error.node) == ("UnexpectedError", "c")
    assert "RuntimeError: boom" in error.text()
    assert 'raise RuntimeError("boom")' in error.details


@pytest.mark.parametrize(
    ("params", "words"),
    [({"device": True}, "Tried to allocate 2.00 GiB"), ({}, "not enough memory on this computer")],
)
def test_running_out_of_memory_is_said_as_that(bench: Bench, params: dict[str, bool], words: str) -> None:
    error = bench.run(graph(g=("stub.greedy", params)))["g"].error
    assert error
    assert (error.code, error.node) == ("OutOfMemory", "g")
    assert words in error.text()


def test_other_exceptions_are_no_memory_errors() -> None:
    assert describe(RuntimeError("boom")).code == "UnexpectedError"
    assert describe(DiptychError()).code == "DiptychError"


@pytest.mark.parametrize(("params", "words"), [({"path": "x"}, "KeyError"), ({}, "BadOutput")])
def test_a_careless_node_type_fails_its_node_not_the_run(
    bench: Bench, params: dict[str, str], words: str
) -> None:
    results = bench.run(graph(c=("stub.careless", params), **PAIR))
    assert statuses(results) == {"c": "failed", "a": "executed", "b": "executed"}
    assert words in results["c"].error.text()


def test_a_node_that_tries_to_change_its_input_cannot(bench: Bench) -> None:
    made = graph(p=("stub.picture", {"size": 4}), s=("stub.scribble", {}, {"image": ("p", "image")}))
    results = bench.run(made)
    assert results["s"].status == "failed"
    assert "ValueError" in results["s"].error.text()
    assert "read-only" in results["s"].error.text()
    again = bench.run(made)
    assert again["p"].status == "cached"
    assert not value(again, "p", "image").pixels.any()


def test_json_is_copied_for_each_node_so_that_neither_cache_nor_document_change(bench: Bench) -> None:
    made = graph(
        c=("stub.constant", {"value": {"list": [1]}}),
        t=("stub.tamper", {"extra": [0]}, {"data": ("c", "value")}),
    )
    before = made.dumps()
    results = bench.run(made)
    assert value(results, "t", "data") == {"list": [1, "tampered"]}
    assert value(bench.run(made, ["c"]), "c") == {"list": [1]}
    assert made.dumps() == before


def test_a_save_node_runs_again_if_its_file_is_gone_or_changed(bench: Bench, runs: Counter[str]) -> None:
    made = graph(t=("stub.constant", {"value": "hello"}), s=("stub.save", {}, {"text": ("t", "value")}))
    bench.run(made)
    assert statuses(bench.run(made))["s"] == "cached"
    path = bench.folder / "saved.txt"
    path.unlink()
    assert statuses(bench.run(made)) == {"t": "cached", "s": "executed"}
    path.write_text("something else")
    assert statuses(bench.run(made))["s"] == "executed"
    assert path.read_text() == "hello"
    assert runs["stub.save"] == 3


def test_where_files_go_is_part_of_the_key_of_what_saves_them(bench: Bench) -> None:
    made = graph(t=("stub.constant", {"value": "hello"}), s=("stub.save", {}, {"text": ("t", "value")}))
    bench.run(made, salt="one")
    assert statuses(bench.run(made, salt="two")) == {"t": "cached", "s": "executed"}


@pytest.mark.parametrize("named", ["here", "over a link", "at an input"])
def test_a_file_reading_node_sees_a_changed_file(bench: Bench, named: str) -> None:
    path = bench.folder / "note.txt"
    path.write_text("one")
    linked = {"path": ("p", "value")}
    reader = {
        "here": ("stub.read", {"path": "note.txt"}), "over a link": ("stub.read", {}, linked),
        "at an input": ("stub.told", {}, linked | {"after": ("q", "value")}),
    }[named]  # fmt: skip
    made = graph(p=("stub.constant", {"value": "note.txt"}), q=("stub.constant", {"value": "2"}), r=reader)
    assert value(bench.run(made), "r", "text") == "one"
    assert statuses(bench.run(made))["r"] == "cached"
    path.write_text("two, longer")
    assert value(bench.run(made), "r", "text") == "two, longer"
    path.unlink()
    missing = bench.run(made)["r"]
    assert (missing.status, missing.error.code) == ("failed", "FileMissing")


def test_each_file_of_a_list_of_paths_counts(bench: Bench) -> None:
    for name in ("a", "b"):
        (bench.folder / name).write_text(name)
    made = graph(p=("stub.items", {"items": ["a", "b"]}), r=("stub.read", {}, {"path": ("p", "items")}))
    assert value(bench.run(made), "r", "text") == ("a", "b")
    (bench.folder / "b").write_text("new one")
    assert value(bench.run(made), "r", "text") == ("a", "new one")


def test_a_path_no_system_knows_fails_its_node_only(bench: Bench) -> None:
    results = bench.run(graph(r=("stub.read", {"path": "a\0b"}), **PAIR))
    assert statuses(results) == {"r": "failed", "a": "executed", "b": "executed"}


@pytest.mark.parametrize("linked", [False, True])
def test_an_unused_lazy_branch_neither_runs_nor_invalidates(
    bench: Bench, runs: Counter[str], linked: bool
) -> None:
    selector = {"use_on": ("sel", "value")} if linked else {}
    params = {} if linked else {"use_on": True}
    made = graph(
        sel=("stub.constant", {"value": True}), on=("stub.constant", {"value": "on"}), bad=("stub.fail",),
        off=("stub.fail", {}, {"a": ("bad", "value")}),
        s=("stub.switch", params, {"on": ("on", "value"), "off": ("off", "value"), **selector}),
    )  # fmt: skip
    results = bench.run(made, ["s"])
    assert value(results, "s") == "on"
    assert {results[node].status for node in ("bad", "off")} == {"skipped"}
    assert runs["stub.fail"] == 0
    changed = made.with_node("bad", NodeRecord.new("stub.picture", params={"size": 9}))
    changed = changed.with_link("off", "a", ("bad", "image"))
    assert statuses(bench.run(changed, ["s"]))["s"] == "cached"
    assert bench.started == []


def test_a_linked_selector_chooses(bench: Bench) -> None:
    made = graph(
        sel=("stub.constant", {"value": 0}), on=("stub.fail",), off=("stub.constant", {"value": "off"}),
        s=("stub.switch", {}, {"on": ("on", "value"), "off": ("off", "value"), "use_on": ("sel", "value")}),
    )  # fmt: skip
    results = bench.run(made)
    assert value(results, "s") == "off"
    assert results["on"].status == "skipped"
    failed = bench.run(made.with_param("sel", "value", 1))
    assert statuses(failed) == {"sel": "executed", "on": "failed", "off": "skipped", "s": "blocked"}


def test_a_list_of_selectors_chooses_item_by_item(bench: Bench) -> None:
    made = graph(
        sel=("stub.flags", {"items": [True, False]}), on=("stub.constant", {"value": "on"}),
        off=("stub.constant", {"value": "off"}),
        s=("stub.switch", {}, {"on": ("on", "value"), "off": ("off", "value"), "use_on": ("sel", "items")}),
    )  # fmt: skip
    assert value(bench.run(made), "s") == ("on", "off")


def test_a_selector_that_is_no_such_value_fails_at_its_port(bench: Bench) -> None:
    made = graph(
        sel=("stub.constant", {"value": "neither"}), on=ONE, off=ONE,
        s=("stub.switch", {}, {"on": ("on", "value"), "off": ("off", "value"), "use_on": ("sel", "value")}),
    )  # fmt: skip
    refused = bench.run(made)["s"]
    assert refused.error
    assert refused.status == "failed"
    assert (refused.error.code, refused.error.node, refused.error.port) == ("IncompatibleLink", "s", "use_on")


def test_cancelling_stops_the_running_node_and_everything_after(bench: Bench) -> None:
    made = graph(
        a=ONE, slow=("stub.slow", {"steps": 20_000}), after=("stub.add", {}, {"a": ("slow", "value")}),
        other=("stub.slow", {"steps": 20_001}),
    )  # fmt: skip
    timer = threading.Timer(0.1, bench.cancel.cancel)
    timer.start()
    began = time.perf_counter()
    results = bench.run(made)
    assert time.perf_counter() - began < 10
    assert statuses(results) == {
        "a": "executed", "slow": "cancelled", "after": "cancelled", "other": "cancelled",
    }  # fmt: skip
    timer.join()
    bench.cancel = type(bench.cancel)()
    shorter = made.with_param("slow", "steps", 3)
    assert statuses(bench.run(shorter, ["after"])) == {"slow": "executed", "after": "executed"}


def test_a_cancelled_node_is_not_cached(bench: Bench, runs: Counter[str]) -> None:
    made = graph(slow=("stub.slow", {"steps": 400}))
    threading.Timer(0.05, bench.cancel.cancel).start()
    assert statuses(bench.run(made)) == {"slow": "cancelled"}
    assert len(bench.cache) == 0
    bench.cancel = type(bench.cancel)()
    assert statuses(bench.run(made)) == {"slow": "executed"}


def test_a_run_cancelled_beforehand_starts_nothing(bench: Bench) -> None:
    bench.cancel.cancel()
    assert set(statuses(bench.run(graph(**PAIR))).values()) == {"cancelled"}
    assert bench.started == []


def test_lanes_that_are_closed_fail_the_node(bench: Bench) -> None:
    bench.lanes.close()
    results = bench.run(graph(**PAIR))
    assert statuses(results) == {"a": "failed", "b": "blocked"}


def test_independent_branches_overlap(bench: Bench) -> None:
    Meet.barrier.reset()
    made = graph(a=("stub.meet", {"name": "a"}), b=("stub.meet", {"name": "b"}))
    assert set(statuses(bench.run(made)).values()) == {"executed"}


def test_a_chain_of_five_thousand_nodes_needs_no_recursion(bench: Bench) -> None:
    made = chain(5000)
    assert value(bench.run(made), "n4999") == 5000
    assert statuses(bench.run(made))["n4999"] == "cached"
    assert bench.started == []
    backwards = Graph(dict(reversed(made.nodes.items())))
    assert backwards.sinks() == ("n4999",)
    changed = backwards.with_param("n4000", "b", 2)
    assert value(bench.run(changed), "n4999") == 5001
    assert len(bench.started) == 1000


def test_what_a_small_cache_cannot_hold_is_made_again(bench: Bench) -> None:
    bench.cache.limit = 2_000
    made = graph(p=("stub.picture", {"size": 64}), s=("stub.typed", {}, {"image": ("p", "image")}))
    results = bench.run(made)
    assert statuses(results) == {"p": "executed", "s": "executed"}
    assert nbytes(value(results, "p", "image")) > bench.cache.limit
    assert bench.cache.bytes <= bench.cache.limit
    assert statuses(bench.run(made, ["p"])) == {"p": "executed"}
