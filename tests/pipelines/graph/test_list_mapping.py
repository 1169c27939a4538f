"""Lists at single-value ports: mapped in order, zipped, with seeds that count up."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pipelines.graph.executor import NodeResult
from pipelines.graph.values import ListValue
from tests.helpers.stub_nodes import Bench, graph


def run_one(bench: Bench, node: str, **nodes: tuple[Any, ...]) -> NodeResult:
    return bench.run(graph(**nodes), [node])[node]


def items(*values: Any) -> tuple[str, dict[str, list[Any]]]:
    return "stub.items", {"items": list(values)}


def test_a_node_runs_once_per_item_in_order(bench: Bench, runs: Counter[str]) -> None:
    found = run_one(
        bench, "n", l=items("x", "y", "z"), n=("stub.seeded", {"seed": 10}, {"text": ("l", "items")})
    )
    assert found.outputs["text"] == ListValue(["x:10", "y:11", "z:12"])
    assert isinstance(found.outputs["text"], ListValue)
    assert runs["stub.seeded"] == 3


def test_seeds_wrap_at_64_bits_and_count_up_over_links_too(bench: Bench) -> None:
    top = run_one(
        bench, "n", l=items("x", "y"), n=("stub.seeded", {"seed": 2**64 - 1}, {"text": ("l", "items")})
    )
    assert top.outputs["text"] == ("x:18446744073709551615", "y:0")
    linked = run_one(
        bench, "n", l=items("x", "y"), s=("stub.constant", {"value": 7}), one=items(7),
        n=("stub.seeded", {}, {"text": ("l", "items"), "seed": ("s", "value")}),
    )  # fmt: skip
    assert linked.outputs["text"] == ("x:7", "y:8")


def test_a_list_of_one_is_like_a_single_value(bench: Bench) -> None:
    found = run_one(
        bench, "n", l=items("x", "y"), s=items(7),
        n=("stub.seeded", {}, {"text": ("l", "items"), "seed": ("s", "items")}),
    )  # fmt: skip
    assert found.outputs["text"] == ("x:7", "y:8")
    alone = run_one(bench, "n", s=items(7), n=("stub.seeded", {}, {"seed": ("s", "items")}))
    assert alone.outputs["text"] == ListValue([":7"])


def test_a_list_of_seeds_is_taken_as_it_is(bench: Bench) -> None:
    found = run_one(
        bench, "n", l=items("x", "y"), s=items(7, 7),
        n=("stub.seeded", {}, {"text": ("l", "items"), "seed": ("s", "items")}),
    )  # fmt: skip
    assert found.outputs["text"] == ("x:7", "y:7")


def test_a_seed_param_counts_up_and_an_empty_one_stays_empty(bench: Bench) -> None:
    made: dict[str, Any] = {"l": items(1, 2), "n": ("stub.sampler", {"seed": 5}, {"steps": ("l", "items")})}
    pictures = run_one(bench, "n", **made).outputs["image"]
    assert [picture.info["seed"] for picture in pictures] == [5, 6]
    made["n"][1]["seed"] = None
    assert [picture.info["seed"] for picture in run_one(bench, "n", **made).outputs["image"]] == [0, 0]


def test_lists_zip(bench: Bench) -> None:
    found = run_one(
        bench, "n", l=items("x", "y"), r=items("1", "2"),
        n=("stub.join", {}, {"a": ("l", "items"), "b": ("r", "items")}),
    )  # fmt: skip
    assert found.outputs["text"] == ("x+1", "y+2")


def test_different_lengths_are_an_error_that_names_both(bench: Bench) -> None:
    found = run_one(
        bench, "n", l=items("x", "y"), r=items("1", "2", "3"),
        n=("stub.join", {}, {"a": ("l", "items"), "b": ("r", "items")}),
    )  # fmt: skip
    assert found.error
    assert (found.error.code, found.error.node, found.error.port) == ("ListLengthMismatch", "n", "a")
    assert "B has 3 items, A 2" in found.error.text()


def test_an_empty_list_gives_an_empty_list(bench: Bench, runs: Counter[str]) -> None:
    found = run_one(
        bench, "n", l=items(), r=items("1", "2"),
        n=("stub.join", {}, {"a": ("l", "items"), "b": ("r", "items")}),
    )  # fmt: skip
    assert found.status == "executed"
    assert found.outputs["text"] == ListValue()
    assert runs["stub.join"] == 0


def test_a_list_port_takes_a_list_whole_and_a_single_value_as_a_list_of_one(bench: Bench) -> None:
    whole = run_one(bench, "n", l=items("x", "y"), n=("stub.gather", {}, {"items": ("l", "items")}))
    assert dict(whole.outputs) == {"text": "x,y", "length": 2}
    single = run_one(
        bench, "n", c=("stub.constant", {"value": 5}), n=("stub.gather", {}, {"items": ("c", "value")})
    )
    assert dict(single.outputs) == {"text": "5", "length": 1}
    empty = run_one(bench, "n", l=items(), n=("stub.gather", {}, {"items": ("l", "items")}))
    assert dict(empty.outputs) == {"text": "", "length": 0}


def test_a_list_into_anything_is_passed_whole(bench: Bench) -> None:
    found = run_one(
        bench, "n", l=items("x", "y"), n=("stub.switch", {"use_on": True}, {"on": ("l", "items")})
    )
    assert found.outputs["value"] == ListValue(["x", "y"])


def test_lists_made_per_item_are_joined(bench: Bench) -> None:
    found = run_one(bench, "n", l=items("a b", "", "c"), n=("stub.split", {}, {"text": ("l", "items")}))
    assert found.outputs["items"] == ListValue(["a", "b", "c"])
    batches = run_one(
        bench, "n", l=items(1, 2), n=("stub.sampler", {"batch": 2, "seed": 0}, {"steps": ("l", "items")})
    )
    assert [picture.info["seed"] for picture in batches.outputs["image"]] == [0, 1, 1, 2]


def test_items_are_converted_one_by_one_and_a_bad_one_names_the_port(bench: Bench) -> None:
    good = run_one(bench, "n", l=items("1", "2.5"), n=("stub.add", {"b": 1}, {"a": ("l", "items")}))
    assert good.outputs["value"] == (2.0, 3.5)
    bad = run_one(bench, "n", l=items("1", "seven"), n=("stub.add", {"b": 1}, {"a": ("l", "items")}))
    assert bad.error
    assert (bad.error.code, bad.error.node, bad.error.port) == ("IncompatibleLink", "n", "a")
    assert "Text “seven”" in bad.error.text()


def test_a_linked_param_is_checked_when_its_value_is_known(bench: Bench) -> None:
    found = run_one(bench, "n", l=items(3, 5000), n=("stub.sampler", {}, {"steps": ("l", "items")}))
    assert found.error
    assert (found.error.code, found.error.node, found.error.port) == ("InvalidParameter", "n", "steps")
    assert "5000" in found.error.text()


def test_contexts_know_which_item_they_are(bench: Bench) -> None:
    seen: list[tuple[int, int]] = []
    made = graph(l=items("x", "y"), n=("stub.seeded", {}, {"text": ("l", "items")}))
    bench.on_context = lambda context: (
        seen.append((context.item, context.items)) if context.node == "n" else None
    )
    bench.run(made)
    assert seen == [(0, 2), (1, 2)]
