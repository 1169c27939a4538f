"""The run states of nodes inside of groups, by their flattened ids (``outer/inner``): shown inside."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from PySide6.QtGui import QImage

from pipelines.engine.protocol import ImageRef, NodeFinished, NodeProgress, NodeStarted
from pipelines.graph.subgraphs import Flat
from studio.canvas.node_state import FRESH, NodeState

MAX_PICTURES = 4
MAX_TEXT = 4_000


class InsideStates:
    """What events said of nodes inside. A group in a group runs while anything in it does."""

    def __init__(self, image: Callable[[ImageRef], QImage | None]) -> None:
        self._image = image
        self.states: dict[str, NodeState] = {}

    def of(self, node: str) -> NodeState:
        """The state of a node by its flattened id; an empty one if nothing is known."""
        return self.states.get(node) or NodeState()

    def clear(self) -> None:
        self.states = {}

    def queue(self, nodes: tuple[str, ...]) -> None:
        """A run of these nodes begins."""
        for node in nodes:
            for key in _levels(node):
                took = self.of(key).took
                state = self.states[key] = NodeState()
                state.status, state.took = "queued", took

    def note(self, event: NodeStarted | NodeProgress | NodeFinished) -> None:
        """Take in an event, if it is about a node inside."""
        levels = _levels(event.node)
        if not levels:
            return
        for key in levels[:-1]:
            above = self.states.setdefault(key, NodeState())
            failed = isinstance(event, NodeFinished) and event.status == "failed"
            above.status = "failed" if failed or above.status == "failed" else "running"
        state = self.states.setdefault(event.node, NodeState())
        if isinstance(event, NodeFinished):
            self._finish(state, event)
            return
        state.status = "running"
        if isinstance(event, NodeProgress):
            state.step, state.total, state.phase = event.step, event.total, event.phase
            state.unit, state.rate, state.seconds_left = event.unit, event.rate, event.seconds_left
            state.item, state.items = event.item, event.items
            if event.text is not None:
                state.text = event.text[-MAX_TEXT:]
            if event.preview is not None and (picture := self._image(event.preview)):
                state.pictures, state.count = (picture,), 1

    def _finish(self, state: NodeState, event: NodeFinished) -> None:
        state.status, state.seconds, state.phase, state.rate = event.status, event.seconds, "", None
        state.seconds_left = None
        state.errors = (event.error,) if event.error is not None else ()
        if event.status not in FRESH:
            return
        state.outputs, state.stale = event.outputs, False
        state.stored_bytes = event.stored_bytes
        if event.status == "executed":
            state.took = event.seconds
        refs = next((value.images for value in event.outputs.values() if value.images), ())
        found = [picture for ref in refs[:MAX_PICTURES] if (picture := self._image(ref))]
        if found:
            state.pictures, state.count = tuple(found), len(refs)
        words = next((value.value for value in event.outputs.values() if isinstance(value.value, str)), "")
        state.text = words[:MAX_TEXT]

    def give(self, group: str, state: NodeState, flat: Flat) -> None:
        """Show in a group what it offers and ends in: the values of its outputs, and the pictures inside."""
        offered = flat.offers.get(group, {})
        values = {port: self.of(link.node).outputs.get(link.output) for port, link in offered.items()}
        state.outputs = {port: value for port, value in values.items() if value is not None}
        shown = [self.of(node) for node in flat.inside(group)]
        pictures = [picture for inner in shown for picture in inner.pictures]
        if pictures:
            state.pictures = tuple(pictures[:MAX_PICTURES])
            state.count = sum(inner.count for inner in shown)

    def give_all(self, node: str, flat: Flat) -> None:
        """The same in every group inside of groups that a node is in."""
        for key in _levels(node)[:-1]:
            self.give(key, self.states.setdefault(key, NodeState()), flat)

    def take_cached(self, nodes: Mapping[str, NodeFinished], groups: Collection[str], flat: Flat) -> None:
        """These results are there from before, those of whole groups too; what is known better stays."""
        for id, event in nodes.items():
            if "/" in id and not self.of(id).status:
                state = self.states[id] = NodeState()
                self._finish(state, event)
                state.took = event.seconds
        for id in groups:
            if "/" in id and not self.of(id).status:
                state = self.states[id] = NodeState()
                state.status = "cached"
                self.give(id, state, flat)

    def end(self) -> list[str]:
        """The run is over: nothing goes on any more. Gives the nodes that this changes."""
        ended = [node for node, state in self.states.items() if state.status in ("queued", "running")]
        for node in ended:
            running, self.states[node].status = self.states[node].status == "running", ""
            if running and any(key.startswith(f"{node}/") for key in self.states):
                self.states[node].status = "executed"
        return ended

    def set_stale(self, group: str, stale: bool) -> None:
        """Everything in a group is out of date, or no longer."""
        for node, state in self.states.items():
            if node.startswith(f"{group}/") and state.status in FRESH:
                state.stale = stale


def _levels(node: str) -> list[str]:
    """The flattened ids of a node inside and of the groups it is in, but for the outermost."""
    parts = node.split("/")
    return ["/".join(parts[: count + 1]) for count in range(1, len(parts))]
