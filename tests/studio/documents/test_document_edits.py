"""Every edit is one undo step, tells what it changed, and nothing else writes a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import studio.documents.sheet_document
from pipelines.errors import CycleFound, GraphUnreadable, IncompatibleLink, UnknownInput, UnknownOutput
from pipelines.graph.document import Exposed, Graph
from studio.documents.document import GraphDocument
from tests.helpers.canvas_fakes import small_graph, stub_registry

SIGNALS = (
    "node_added", "node_removed", "node_changed", "links_changed", "view_changed", "exposed_changed",
    "changed", "replaced",
)  # fmt: skip


@pytest.fixture
def document(qapp: Any) -> GraphDocument:
    return GraphDocument(small_graph(), stub_registry())


@pytest.fixture
def heard(document: GraphDocument) -> list[tuple[Any, ...]]:
    events: list[tuple[Any, ...]] = []

    def listen(name: str) -> Callable[..., None]:
        return lambda *arguments: events.append((name, *arguments))

    for name in SIGNALS:
        getattr(document, name).connect(listen(name))
    return events


def test_a_setting_changes_one_node_and_can_be_undone(document: GraphDocument, heard: list[Any]) -> None:
    before = document.graph
    document.set_param("words", "text", "a pear")
    assert heard == [("node_changed", "words"), ("changed",)]
    assert document.graph.nodes["paint"] is before.nodes["paint"]
    document.undo_stack.undo()
    assert document.graph is before


@pytest.mark.parametrize("value", [1, 1.0, True, "1", None])
def test_setting_the_same_value_again_is_no_edit(document: GraphDocument, value: object) -> None:
    document.set_param("paint", "steps", value)
    assert document.undo_stack.count() == 1
    document.set_param("paint", "steps", value)
    assert document.undo_stack.count() == 1


def test_one_is_not_one_point_nought_is_not_true(document: GraphDocument) -> None:
    for value in (1, 1.0, True):
        document.set_param("paint", "steps", value)
    assert document.undo_stack.count() == 3


def test_what_json_cannot_say_never_gets_into_the_document(document: GraphDocument) -> None:
    with pytest.raises(ValueError):
        document.set_param("paint", "guidance", float("nan"))
    assert not document.is_modified


def test_typing_is_one_step_and_a_pause_begins_another(
    document: GraphDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("a", "a p", "a pe"):
        document.set_param("words", "text", text, merge="words.text")
    document.set_param("paint", "steps", 3, merge="paint.steps")
    assert document.undo_stack.count() == 2
    monkeypatch.setattr(studio.documents.sheet_document, "MERGE_SECONDS", -1.0)
    document.set_param("paint", "steps", 4, merge="paint.steps")
    assert document.undo_stack.count() == 3
    for _ in range(3):
        document.undo_stack.undo()
    assert document.graph.nodes["words"].params["text"] == "a red apple"


def test_several_settings_are_one_step(document: GraphDocument) -> None:
    document.set_params({("paint", "steps"): 8, ("words", "text"): "x"}, "Draft")
    assert document.undo_stack.count() == 1
    assert document.undo_stack.undoText() == "Draft"
    document.clear_param("paint", "steps")
    assert "steps" not in document.graph.nodes["paint"].params


def test_connecting_replaces_the_literal_and_disconnecting_removes_the_link(
    document: GraphDocument, heard: list[Any]
) -> None:
    document.disconnect_port("paint", "prompt")
    document.set_param("paint", "prompt", "by hand")
    heard.clear()
    document.connect_ports("words", "text", "paint", "prompt")
    assert "prompt" not in document.graph.nodes["paint"].params
    assert ("links_changed",) in heard
    assert document.graph.nodes["paint"].inputs["prompt"] == ("words", "text")


def test_params_take_links_too(document: GraphDocument) -> None:
    number = document.add_node("test.number", (0, 0))
    document.connect_ports(number, "value", "paint", "steps")
    assert document.graph.nodes["paint"].inputs["steps"] == (number, "value")


@pytest.mark.parametrize(
    ("ends", "error"),
    [
        (("blur", "image", "paint", "prompt"), CycleFound),
        (("paint", "image", "paint", "prompt"), CycleFound),
        (("words", "text", "blur", "image"), IncompatibleLink),
        (("words", "nothing", "paint", "prompt"), UnknownOutput),
        (("words", "text", "paint", "nothing"), UnknownInput),
    ],
)
def test_a_wrong_connection_is_refused_with_its_reason(
    document: GraphDocument, ends: tuple[str, str, str, str], error: type[Exception]
) -> None:
    before = document.graph
    with pytest.raises(error) as caught:
        document.connect_ports(*ends)
    assert document.graph is before
    assert caught.value.info().node == ends[2]  # type: ignore[attr-defined]
    assert "{" not in str(caught.value)


def test_ports_of_unknown_types_are_not_judged(document: GraphDocument) -> None:
    odd = """{"format": 1, "nodes": {"odd": {"type": "from.elsewhere", "version": 7, "later": [1]}}}"""
    node = document.paste(odd, (0, 0))[0]
    document.connect_ports("paint", "image", node, "anything")
    assert document.graph.nodes[node].inputs["anything"] == ("paint", "image")
    assert document.graph.nodes[node].fields["later"] == [1]


def test_removing_nodes_takes_links_places_and_arguments_along(
    document: GraphDocument, heard: list[Any]
) -> None:
    document.replace(
        document.graph.with_exposed("idea", "words", "text").with_exposed("n", "paint", "steps"), "x"
    )
    before = document.graph
    heard.clear()
    document.remove_nodes(["words", "model"])
    assert document.graph.nodes["paint"].inputs == {}
    assert document.graph.exposed == {"n": Exposed("paint", "steps")}
    assert set(document.graph.view["positions"]) == {"blur", "paint"}
    names = [event[0] for event in heard]
    assert names.count("node_removed") == 2
    assert names[-1] == "changed"
    assert {"links_changed", "view_changed", "exposed_changed"} <= set(names)
    document.undo_stack.undo()
    assert document.graph is before


def test_copies_get_free_ids_and_keep_the_links_among_them(document: GraphDocument) -> None:
    text = document.copy(["words", "paint"])
    assert Graph.loads(text).nodes["paint"].inputs == {"prompt": ("words", "text")}
    first = document.paste(text, (1000, 0))
    assert sorted(first) == ["paint_2", "words_2"]
    assert document.graph.nodes["paint_2"].inputs == {"prompt": ("words_2", "text")}
    assert document.graph.position("paint_2") == (1320, 0)
    assert document.graph.position("words_2") == (1000, 200)
    assert sorted(document.paste(document.copy(first), (0, 0))) == ["paint_3", "words_3"]
    assert document.undo_stack.count() == 2


def test_a_duplicate_keeps_what_feeds_it(document: GraphDocument) -> None:
    (copy,) = document.duplicate(["paint"], (40, 40))
    assert document.graph.nodes[copy].inputs == document.graph.nodes["paint"].inputs
    assert document.graph.position(copy) == (360, 40)


def test_pasting_what_is_no_graph_changes_nothing(document: GraphDocument) -> None:
    for text in ("hello", "{}", '{"nodes": 3}', '{"nodes": {}, "format": NaN}'):
        with pytest.raises(GraphUnreadable):
            document.paste(text, (0, 0))
    assert document.undo_stack.count() == 0


def test_moving_tells_the_view_and_writes_whole_numbers(document: GraphDocument, heard: list[Any]) -> None:
    document.move_nodes({"words": (20.0, 40.04), "nobody": (1, 1)})
    assert heard == [("view_changed",), ("changed",)]
    assert document.graph.view["positions"]["words"] == [20, 40.0]
    assert isinstance(document.graph.view["positions"]["words"][0], int)
    document.move_nodes({"words": (20.0, 40.04)})
    assert document.undo_stack.count() == 1


def test_a_macro_is_one_step_and_a_failing_one_leaves_nothing(document: GraphDocument) -> None:
    before = document.graph
    with document.macro("Add and connect"):
        node = document.add_node("test.blur", (0, 0))
        document.connect_ports("paint", "image", node, "image")
    assert document.undo_stack.count() == 1
    document.undo_stack.undo()
    assert document.graph is before

    def add_and_connect_wrongly() -> None:
        with document.macro("Fails"):
            node = document.add_node("test.blur", (0, 0))
            document.connect_ports("words", "text", node, "image")

    with pytest.raises(IncompatibleLink):
        add_and_connect_wrongly()
    assert document.graph is before
    assert document.undo_stack.undoText() == ""


def test_titles_and_modes(document: GraphDocument) -> None:
    document.set_title("paint", "My picture")
    document.set_mode(["paint", "blur"], "muted")
    assert document.graph.nodes["blur"].mode == "muted"
    document.set_mode("paint", "active")
    document.set_title("paint", "")
    with pytest.raises(ValueError):
        document.set_mode("paint", "sleeping")
    for _ in range(4):
        document.undo_stack.undo()
    assert document.graph.dumps() == small_graph().dumps()


def test_a_missing_node_is_a_mistake_of_the_caller(document: GraphDocument) -> None:
    with pytest.raises(KeyError):
        document.set_param("nobody", "x", 1)
    with pytest.raises(KeyError):
        document.add_node("no.such.type", (0, 0))
