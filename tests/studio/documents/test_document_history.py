"""Whatever was done: undoing all of it gives the bytes of the start, redoing all of it those of the end."""

from __future__ import annotations

import contextlib
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pipelines.errors import DiptychError
from pipelines.graph.document import Graph
from pipelines.graph.subgraph_file import SUBGRAPH
from studio.documents.document import GraphDocument
from studio.graph.annotations import Box, Kind, boxes, free_box_id
from studio.graph.previews import Preview
from tests.helpers.canvas_fakes import small_graph, stub_registry

TYPES = ("test.words", "test.paint", "test.blur", "test.model", "test.join", "test.number")
PORTS = ("text", "image", "model", "prompt", "a", "b", "value", "seed", "mask", "steps")
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12), st.lists(st.integers(0, 9), max_size=3),
)  # fmt: skip


class Editing(RuleBasedStateMachine):
    """Random edits, undo and redo, beside a list of what the document was after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.document = GraphDocument(small_graph(), stub_registry())
        self.start = self.document.graph.dumps()
        self.shadow: dict[str, Any] = dict(self.document.graph.nodes)
        self.document.node_added.connect(self._added)
        self.document.node_removed.connect(lambda node: self.shadow.pop(node))
        self.document.node_changed.connect(self._added)

    def _added(self, node: str) -> None:
        self.shadow[node] = self.document.graph.nodes[node]

    def node(self, index: int) -> str:
        nodes = list(self.document.graph.nodes)
        return nodes[index % len(nodes)]

    @property
    def has_nodes(self) -> bool:
        return bool(self.document.graph.nodes)

    @rule(kind=st.sampled_from(TYPES), x=st.integers(-500, 500), y=st.floats(-500, 500))
    def add(self, kind: str, x: int, y: float) -> None:
        self.document.add_node(kind, (x, y))

    @precondition(lambda self: self.has_nodes)
    @rule(at=st.integers(0, 99), name=st.sampled_from(PORTS), value=VALUES, merge=st.sampled_from(["", "m"]))
    def set(self, at: int, name: str, value: object, merge: str) -> None:
        self.document.set_param(self.node(at), name, value, merge=merge)

    @precondition(lambda self: self.has_nodes)
    @rule(a=st.integers(0, 99), b=st.integers(0, 99), out=st.sampled_from(PORTS), into=st.sampled_from(PORTS))
    def connect(self, a: int, b: int, out: str, into: str) -> None:
        with contextlib.suppress(DiptychError):
            self.document.connect_ports(self.node(a), out, self.node(b), into)

    @precondition(lambda self: self.has_nodes)
    @rule(at=st.integers(0, 99), name=st.sampled_from(PORTS))
    def disconnect(self, at: int, name: str) -> None:
        self.document.disconnect_port(self.node(at), name)

    @precondition(lambda self: self.has_nodes)
    @rule(ats=st.lists(st.integers(0, 99), max_size=3))
    def remove(self, ats: list[int]) -> None:
        self.document.remove_nodes([self.node(at) for at in ats])

    @precondition(lambda self: self.has_nodes)
    @rule(at=st.integers(0, 99), x=st.floats(-99, 99), y=st.floats(-99, 99), merge=st.sampled_from(["", "m"]))
    def move(self, at: int, x: float, y: float, merge: str) -> None:
        self.document.move_nodes({self.node(at): (x, y)}, merge)

    @precondition(lambda self: self.has_nodes)
    @rule(
        at=st.integers(0, 99),
        title=st.sampled_from(["", "A", "B"]),
        mode=st.sampled_from(["active", "muted"]),
    )
    def name_and_mode(self, at: int, title: str, mode: str) -> None:
        with self.document.macro("Both"):
            self.document.set_title(self.node(at), title)
            self.document.set_mode(self.node(at), mode)

    @precondition(lambda self: self.has_nodes)
    @rule(ats=st.lists(st.integers(0, 99), min_size=1, max_size=3), copy=st.booleans())
    def copy(self, ats: list[int], copy: bool) -> None:
        nodes = [self.node(at) for at in ats]
        if copy:
            self.document.paste(self.document.copy(nodes), (10, 10))
        else:
            self.document.duplicate(nodes, (40, 40))

    @precondition(lambda self: self.has_nodes)
    @rule(at=st.integers(0, 99), name=st.sampled_from(PORTS))
    def clear(self, at: int, name: str) -> None:
        self.document.clear_param(self.node(at), name)

    @precondition(lambda self: self.has_nodes)
    @rule(ats=st.lists(st.integers(0, 99), max_size=3), steps=st.integers(1, 9), whole=st.booleans())
    def set_several(self, ats: list[int], steps: int, whole: bool) -> None:
        values = {(self.node(at), "steps"): steps for at in ats}
        if whole:
            graph = self.document.graph
            for (node, name), value in values.items():
                graph = graph.with_param(node, name, value)
            self.document.replace(graph, "Replace")
        else:
            self.document.set_params(values, "Several")

    @precondition(lambda self: self.has_nodes)
    @rule(at=st.integers(0, 99), wide=st.integers(0, 900), high=st.integers(0, 900), shown=st.booleans())
    def resize_a_thumbnail(self, at: int, wide: int, high: int, shown: bool) -> None:
        self.document.set_previews({self.node(at): Preview(wide, high, shown)})

    @precondition(lambda self: self.has_nodes)
    @rule(
        at=st.integers(0, 99), name=st.sampled_from(PORTS), on=st.booleans(), title=st.sampled_from(["", "T"])
    )
    def expose(self, at: int, name: str, on: bool, title: str) -> None:
        self.document.set_exposed(self.node(at), name, on, title)
        self.document.show_port(self.node(at), name, on)

    @rule(kind=st.sampled_from(["frames", "notes"]), x=st.integers(-99, 99), words=st.sampled_from(["", "A"]))
    def put_a_box(self, kind: Kind, x: int, words: str) -> None:
        id = free_box_id(self.document.graph, kind)
        self.document.set_boxes([Box(kind, id, (x, 0, 200, 120), words)], "Box")

    @precondition(lambda self: bool(boxes(self.document.graph)))
    @rule(x=st.integers(-99, 99), merge=st.sampled_from(["", "m"]), away=st.booleans())
    def move_or_delete_a_box(self, x: int, merge: str, away: bool) -> None:
        key, box = next(iter(boxes(self.document.graph).items()))
        if away:
            self.document.remove_nodes([], [key])
        else:
            self.document.move_nodes({}, merge, [box.at(x, x)])

    @precondition(lambda self: self.has_nodes)
    @rule(ats=st.lists(st.integers(0, 99), min_size=1, max_size=3), name=st.sampled_from(["G", "H"]))
    def group(self, ats: list[int], name: str) -> None:
        with contextlib.suppress(DiptychError):
            self.document.group_nodes({self.node(at) for at in ats}, name)

    @rule(own=st.booleans())
    def dissolve_or_part_groups(self, own: bool) -> None:
        groups = [node for node, record in self.document.graph.nodes.items() if record.type == SUBGRAPH]
        with contextlib.suppress(DiptychError):
            if own:
                self.document.make_independent(groups)
            else:
                self.document.dissolve(groups)

    @rule(times=st.integers(1, 4))
    def undo(self, times: int) -> None:
        for _ in range(times):
            self.document.undo_stack.undo()

    @rule(times=st.integers(1, 4))
    def redo(self, times: int) -> None:
        for _ in range(times):
            self.document.undo_stack.redo()

    @invariant()
    def signals_told_everything(self) -> None:
        assert self.shadow == dict(self.document.graph.nodes)

    @invariant()
    def no_link_hangs_in_the_air(self) -> None:
        assert all(link.node in self.document.graph for _, _, link in self.document.graph.links())

    def teardown(self) -> None:
        stack = self.document.undo_stack
        stack.setIndex(stack.count())
        end = self.document.graph.dumps()
        assert Graph.loads(end).dumps() == end
        stack.setIndex(0)
        assert self.document.graph.dumps() == self.start
        stack.setIndex(stack.count())
        assert self.document.graph.dumps() == end


@pytest.mark.usefixtures("qapp")
def test_undo_and_redo_of_everything() -> None:
    run_state_machine_as_test(
        Editing,
        settings=settings(
            max_examples=60, stateful_step_count=25, deadline=None,
            suppress_health_check=list(HealthCheck), database=None,
        ),
    )  # fmt: skip
