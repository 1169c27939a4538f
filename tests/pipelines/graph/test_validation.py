"""Validation names the node, the port, the reason and the remedy: every problem at once."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.errors import ErrorInfo
from pipelines.graph import types
from pipelines.graph.check import literal_problem
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.node import Input
from pipelines.graph.plan import plan, validate
from tests.helpers.stub_nodes import REGISTRY, graph

ONE = ("stub.constant", {"value": 1})
PICTURE = ("stub.picture", {})


def problems(made: Graph) -> list[ErrorInfo]:
    return validate(made, REGISTRY)


def only(made: Graph) -> ErrorInfo:
    found = problems(made)
    assert len(found) == 1, [item.text() for item in found]
    return found[0]


def brief(found: list[ErrorInfo]) -> set[tuple[str, str | None, str | None]]:
    return {(item.code, item.node, item.port) for item in found}


def test_a_healthy_graph_has_no_problems() -> None:
    assert problems(graph(a=ONE, b=("stub.add", {"b": 2}, {"a": ("a", "value")}))) == []
    assert problems(Graph()) == []


def test_a_dangling_link_is_reported_with_node_port_and_the_missing_id() -> None:
    found = only(graph(b=("stub.add", {}, {"a": ("ghost", "value")})))
    assert (found.code, found.node, found.port) == ("DanglingLink", "b", "a")
    assert "ghost" in found.text()
    assert found.sentences()[2], "there is a remedy"


def test_an_unknown_type_is_reported_and_its_links_are_checked_all_the_same() -> None:
    made = graph(
        a=("mars.rover", {"wheels": 6}, {"x": ("ghost", "y")}), b=("stub.add", {}, {"a": ("a", "whatever")})
    )
    assert brief(problems(made)) == {("UnknownNodeType", "a", None), ("DanglingLink", "a", "x")}
    assert "mars.rover" in problems(made)[0].text()


def test_a_newer_node_version_is_a_placeholder_that_says_why() -> None:
    newer = Graph().with_node("n", NodeRecord.new("stub.sampler", 3, params={"steps": "later"}))
    made = newer.with_node("t", NodeRecord.new("stub.typed", inputs={"image": ("n", "picture")}))
    found = only(made)
    assert (found.code, found.node) == ("NodeFromTheFuture", "n")
    assert "version 3, this one knows 2" in found.text()


@pytest.mark.parametrize(
    ("nodes", "code", "node", "port", "words"),
    [
        ({"a": ONE, "b": ("stub.add", {}, {"a": ("a", "nothing")})}, "UnknownOutput", "b", "a", "value"),
        ({"a": ONE, "b": ("stub.add", {"a": 1}, {"c": ("a", "value")})}, "UnknownInput", "b", "c", "a, b"),
        ({"a": ONE, "b": ("stub.add", {"a": 1}, {"a": ("a", "value")})}, "BothLiteralAndLink", "b", "a", ""),
        (
            {"a": ONE, "b": ("stub.sampler", {"steps": 1}, {"steps": ("a", "value")})},
            "BothLiteralAndLink", "b", "steps", "Steps has both",
        ),
        ({"a": PICTURE, "b": ("stub.add", {}, {"a": ("a", "image")})}, "IncompatibleLink", "b", "a", "Image"),
        (
            {"a": PICTURE, "b": ("stub.gather", {}, {"items": ("a", "image")})},
            "IncompatibleLink", "b", "items", "list[Text]",
        ),
        ({"a": ("stub.add",)}, "MissingInput", "a", "a", "Connect a Number"),
        ({"a": ("stub.scribble", {"image": 5})}, "MissingInput", "a", "image", "Connect a Image"),
        ({"a": ("stub.sampler", {"steps": 0})}, "InvalidParameter", "a", "steps", "between 1 and 1000"),
        ({"a": ("stub.sampler", {"steps": 10**9})}, "InvalidParameter", "a", "steps", "between 1 and 1000"),
        ({"a": ("stub.sampler", {"steps": "many"})}, "InvalidParameter", "a", "steps", "many"),
        ({"a": ("stub.sampler", {"strength": 0})}, "InvalidParameter", "a", "strength", "between 0 and 1"),
        ({"a": ("stub.sampler", {"strength": 10**350})}, "InvalidParameter", "a", "strength", "1000"),
        ({"a": ("stub.sampler", {"method": "dpm"})}, "InvalidParameter", "a", "method", "euler"),
        ({"a": ("stub.sampler", {"seed": -1})}, "InvalidParameter", "a", "seed", "18446744073709551615"),
        ({"a": ("stub.sampler", {"seed": 2**64})}, "InvalidParameter", "a", "seed", "18446744073709551615"),
        ({"a": ("stub.sampler", {"seed": 1.0})}, "InvalidParameter", "a", "seed", "18446744073709551615"),
        ({"a": ("stub.seeded", {"seed": 2**64})}, "InvalidParameter", "a", "seed", "18446744073709551615"),
        ({"a": ("stub.seeded", {"seed": True})}, "InvalidParameter", "a", "seed", "18446744073709551615"),
        ({"a": ("stub.add", {"a": "1"})}, "InvalidParameter", "a", "a", "must be a number"),
        ({"a": ("stub.add", {"a": 10**350})}, "InvalidParameter", "a", "a", "308 digits"),
    ],
)  # fmt: skip
def test_each_mistake_is_named(nodes: dict[str, Any], code: str, node: str, port: str, words: str) -> None:
    found = [item for item in problems(graph(**nodes)) if item.severity == "error"]
    assert [(item.code, item.node, item.port) for item in found] == [(code, node, port)]
    assert words in found[0].text()


def test_a_setting_nobody_knows_is_a_warning_and_no_part_of_the_result() -> None:
    made = graph(a=("stub.sampler", {"stepz": 3}))
    found = only(made)
    assert (found.code, found.node, found.port, found.severity) == (
        "UnknownParameter",
        "a",
        "stepz",
        "warning",
    )
    assert "stepz" not in plan(made, REGISTRY).nodes["a"].literals


@pytest.mark.parametrize("seed", [0, 2**64 - 1, None])
def test_every_seed_of_64_bits_is_accepted(seed: int | None) -> None:
    assert problems(graph(a=("stub.sampler", {"seed": seed}), b=("stub.seeded", {"seed": seed}))) == []


@pytest.mark.parametrize("node", ["", "a b", "x" * 65, "a/b", "ä", "a.b", "a\n"])
def test_unusable_ids_are_reported(node: str) -> None:
    found = only(Graph().with_node(node, NodeRecord.new("stub.constant")))
    assert (found.code, found.node) == ("BadNodeId", node)


def test_lazy_inputs_must_be_there_only_if_they_are_wanted() -> None:
    on = graph(a=ONE, s=("stub.switch", {"use_on": True}, {"on": ("a", "value")}))
    off = on.with_param("s", "use_on", False)
    linked = graph(a=ONE, s=("stub.switch", {}, {"on": ("a", "value"), "use_on": ("a", "value")}))
    assert problems(on) == []
    assert (only(off).code, only(off).port) == ("MissingInput", "off")
    assert problems(linked) == [], "only the run knows which it wants"


def test_wrong_params_do_not_break_what_is_made_from_them() -> None:
    made = graph(
        a=("stub.slots", {"template": 5}),
        b=("stub.sampler", {"batch": "x"}),
        t=("stub.typed", {}, {"image": ("b", "image")}),
    )
    assert brief(problems(made)) == {
        ("InvalidParameter", "a", "template"), ("InvalidParameter", "b", "batch"),
    }  # fmt: skip


def test_ports_made_from_params_are_checked() -> None:
    made = graph(a=ONE, s=("stub.slots", {"template": "x y", "y": "there"}, {"z": ("a", "value")}))
    assert brief(problems(made)) == {("UnknownInput", "s", "z"), ("MissingInput", "s", "x")}


@pytest.mark.parametrize(
    ("links", "members", "tail"),
    [
        ({"a": "a"}, {"a"}, set()),
        ({"a": "b", "b": "a"}, {"a", "b"}, set()),
        ({"a": "b", "b": "c", "c": "a", "t": "a", "u": "t"}, {"a", "b", "c"}, {"t", "u"}),
    ],
)
def test_circles_are_reported_at_each_member_and_not_behind(
    links: dict[str, str], members: set[str], tail: set[str]
) -> None:
    made = graph(**{node: ("stub.add", {}, {"a": (source, "value")}) for node, source in links.items()})
    for found in (problems(made), list(plan(made, REGISTRY).problems)):
        assert brief(found) == {("CycleFound", node, None) for node in members}
    text = problems(made)[0].text()
    assert all(node in text for node in members)
    assert not any(f" {node}," in text or f" {node}." in text for node in tail)


def test_the_order_in_the_message_follows_the_data() -> None:
    made = graph(
        a=("stub.add", {}, {"a": ("c", "value")}), b=("stub.add", {}, {"a": ("a", "value")}),
        c=("stub.add", {}, {"a": ("b", "value")}),
    )  # fmt: skip
    order = problems(made)[0].arguments["nodes"].split(", ")
    start = order.index("a")
    assert order[start:] + order[:start] == ["a", "b", "c"]


def test_circles_that_share_a_node_or_hang_behind_another_are_all_found() -> None:
    shared = graph(
        a=("stub.add", {}, {"a": ("b", "value"), "b": ("c", "value")}),
        b=("stub.add", {}, {"a": ("a", "value")}), c=("stub.add", {}, {"a": ("a", "value")}),
    )  # fmt: skip
    assert {item.node for item in problems(shared)} == {"a", "b", "c"}
    behind = graph(
        p=("stub.add", {}, {"a": ("p", "value")}), q=("stub.add", {}, {"a": ("q", "value")}),
        x=("stub.add", {}, {"a": ("p", "value"), "b": ("y", "value")}),
        y=("stub.add", {}, {"a": ("q", "value"), "b": ("x", "value")}),
    )  # fmt: skip
    assert {item.node for item in problems(behind)} == {"p", "q", "x", "y"}


def test_every_problem_is_reported_at_once() -> None:
    made = graph(
        a=("stub.add", {}, {"a": ("ghost", "value"), "b": ("b", "nothing"), "c": ("b", "value")}),
        b=("stub.sampler", {"steps": 0, "seed": 2**64, "method": "x"}),
        c=("mars.rover",),
        d=("stub.add", {}, {"a": ("d", "value")}),
    ).with_node("e f", NodeRecord.new("stub.constant"))  # fmt: skip
    assert brief(problems(made)) == {
        ("DanglingLink", "a", "a"), ("UnknownOutput", "a", "b"), ("UnknownInput", "a", "c"),
        ("InvalidParameter", "b", "steps"), ("InvalidParameter", "b", "seed"),
        ("InvalidParameter", "b", "method"),
        ("UnknownNodeType", "c", None), ("CycleFound", "d", None), ("BadNodeId", "e f", None),
    }  # fmt: skip
    for item in problems(made):
        assert "{" not in item.text()


def test_a_plan_tells_of_targets_that_are_not_there() -> None:
    made = plan(graph(a=ONE), REGISTRY, ["a", "nowhere", "a"])
    assert made.targets == ("a",)
    assert [(item.code, item.arguments["target"]) for item in made.errors] == [("UnknownTarget", "nowhere")]


def test_a_plan_holds_only_what_the_targets_need_each_after_what_it_needs() -> None:
    made = plan(
        graph(
            c=("stub.add", {}, {"a": ("b", "value")}), b=("stub.add", {}, {"a": ("a", "value")}), a=ONE, x=ONE
        ),
        REGISTRY,
        ["c"],
    )
    assert made.order == ("a", "b", "c")


def test_problems_of_muted_and_bypassed_nodes_are_warnings() -> None:
    made = graph(a=("mars.rover",), b=("stub.sampler", {"steps": 0}))
    muted = made.with_node("a", made.nodes["a"].with_mode("muted")).with_node(
        "b", made.nodes["b"].with_mode("bypassed")
    )
    assert {item.severity for item in problems(muted)} == {"warning"}
    assert plan(muted, REGISTRY).errors == ()


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (types.Text, ["", "x"], [1, None, ["x"]]),
        (types.Choice, ["x"], [1]),
        (types.Number, [1, 1.5, -0.0], [True, "1", float("nan"), float("inf"), 10**400]),
        (types.Integer, [1, 10**400], [1.0, True, "1"]),
        (types.Boolean, [True], [1, "true", None]),
        (types.Seed, [0, 2**64 - 1], [-1, 2**64, 1.0, False, "1"]),
        (types.Size, [[1, 2]], [[0, 1], [1], [1, 2, 3], [1.0, 2], [True, 2], "1×2", {"width": 1}]),
        (types.Json, [None, {"a": []}, "x"], []),
    ],
)
def test_literals_of_inputs_have_the_type_of_the_port(
    kind: types.PortType, good: list[Any], bad: list[Any]
) -> None:
    port = Input("x", kind, default=0)
    assert [value for value in good if literal_problem(port, value)] == []
    assert [value for value in bad if not literal_problem(port, value)] == []
    assert literal_problem(Input("x", kind, default=None), None) == ""
