"""What is known of each node's last run: fed by the engine's events, asked by the canvas. No widgets here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from pipelines.engine.protocol import (
    CachedNodes,
    Failure,
    ImageRef,
    NodeFinished,
    NodeProgress,
    NodeStarted,
    NodeWarning,
    RunFinished,
    RunStarted,
    ValueRef,
)
from pipelines.graph.document import Graph
from pipelines.graph.registry import Registry
from pipelines.graph.subgraphs import Flat, flatten
from studio.canvas.face import number_text
from studio.canvas.inside_states import InsideStates
from studio.canvas.node_state import FRESH, together
from studio.canvas.node_state import NodeState as NodeState
from studio.canvas.node_state import local as local
from studio.canvas.node_state import outer as outer
from studio.canvas.signatures import Signatures

MAX_PICTURES = 4
MAX_TEXT = 4_000
MAX_GONE = 32
"""States of deleted nodes that are kept for an undo."""
MAX_AWAY = 32
"""Documents that aren't shown whose states are kept."""


class Bridge(Protocol):
    """What the canvas needs of the engine's bridge (``studio.engine.bridge.EngineBridge``)."""

    ready: Any
    run_submitted: Any
    run_started: Any
    node_started: Any
    node_progressed: Any
    node_warned: Any
    node_finished: Any
    run_finished: Any
    cached_found: Any
    failed: Any

    def find_cached(self, graph: Graph, base: str = "") -> str: ...

    def image(self, ref: ImageRef) -> QImage | None: ...

    def submit(
        self, graph: Graph, targets: tuple[str, ...] | None = None, name: str = "", base: str = ""
    ) -> str: ...


@dataclass(slots=True)
class _Known:
    """What is known of one document."""

    inside: InsideStates
    graph: Graph = field(default_factory=Graph)
    base: str = ""
    states: dict[str, NodeState] = field(default_factory=dict)
    gone: dict[str, NodeState] = field(default_factory=dict)
    jobs: dict[str, dict[str, bytes]] = field(default_factory=dict)
    asked: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Questions what is cached, with the digests of the nodes that were asked about."""
    flat: tuple[Graph, Flat] | None = None
    """The graph as it was last flattened, and what came of it."""

    def flattened(self) -> Flat:
        if self.flat is None or self.flat[0] is not self.graph:
            self.flat = (self.graph, flatten(self.graph))
        return self.flat[1]


class RunState(QObject):
    """The states of all nodes of a document; those of others are kept while these aren't shown.

    ``node_state_changed`` names the node; ``cleared`` says that another document's states are told now.
    """

    node_state_changed = Signal(str)
    cleared = Signal()
    running_changed = Signal()

    def __init__(self, bridge: Bridge | None, registry: Registry, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._registry = bridge, registry
        self.prefix = ""
        """What stands before the ids of the level that is shown: ``outer/``, or nothing."""
        self._signatures = Signatures()
        self._document, self._known = "", self._nothing(Graph())
        self._away: dict[str, _Known] = {}
        """What is known of documents that aren't shown, the one shown last at the end."""
        self._takes: dict[type, Callable[[Any], None]] = {
            RunStarted: self._run_started,
            NodeStarted: self._node_started,
            NodeProgress: self._node_progressed,
            NodeWarning: self._node_warned,
            NodeFinished: self._node_finished,
            RunFinished: self._run_finished,
            CachedNodes: self._cached_found,
            Failure: self._failed,
        }
        if bridge is not None:
            bridge.run_submitted.connect(self._run_submitted)
            bridge.ready.connect(self.ask)
            for signal in (
                bridge.run_started, bridge.node_started, bridge.node_progressed, bridge.node_warned,
                bridge.node_finished, bridge.run_finished, bridge.cached_found, bridge.failed,
            ):  # fmt: skip
                signal.connect(self._heard)

    def _nothing(self, graph: Graph, base: str = "") -> _Known:
        return _Known(InsideStates(self._image), graph, base)

    def state(self, node: str) -> NodeState:
        """The state of a node on the level that is shown (an empty one if nothing is known)."""
        return self.state_at(self.prefix + node)

    def state_at(self, id: str) -> NodeState:
        """The state of a node on any level, by its flattened id."""
        known = self._known
        return known.inside.of(id) if "/" in id else known.states.get(id) or NodeState()

    @property
    def is_running(self) -> bool:
        return bool(self._known.jobs)

    # --- which document --------------------------------------------------------------------------------

    def set_graph(self, graph: Graph) -> None:
        """The document changed: mark what no longer matches it, put aside what is gone (an undo may bring it
        back)."""
        known = self._known
        known.graph = graph
        for node in [node for node in known.states if node not in graph.nodes]:
            known.gone[node] = known.states.pop(node)
        for node in list(known.gone)[: max(0, len(known.gone) - MAX_GONE)]:
            del known.gone[node]
        back = [node for node in known.gone if node in graph.nodes and node not in known.states]
        made = [(node, state) for node, state in known.states.items() if state.made_from]
        if not (made or back):
            return
        now = self._signatures.of(graph)
        for node in back:
            if known.gone[node].made_from == now[node]:
                known.states[node] = known.gone.pop(node)
                self.node_state_changed.emit(node)
        for node, state in made:
            stale = now[node] != state.made_from
            if stale != state.stale:
                state.stale = stale
                known.inside.set_stale(node, stale)
                self.node_state_changed.emit(node)

    def show(self, document: str, graph: Graph, base: str = "") -> None:
        """Tell of another document, of which more may be known from before; and ask what is cached of it.

        Args:
            document: names it among those that are open.
            base: the folder that its relative paths start from.
        """
        if document != self._document:
            if self._document:
                self._away[self._document] = self._known
            self._known = self._away.pop(document) if document in self._away else self._nothing(graph)
            for old in list(self._away)[:-MAX_AWAY]:
                del self._away[old]
        self._document, self._known.base = document, base
        self.set_graph(graph)
        self.cleared.emit()
        for node in self._known.states:
            self.node_state_changed.emit(node)
        self.running_changed.emit()
        self.ask()

    @contextmanager
    def _document_of(self, job: str) -> Iterator[None]:
        """Have at hand what is known of the document that a job was made of, shown or not."""
        shown = self._known
        away = (known for known in self._away.values() if job in known.jobs or job in known.asked)
        found = None if job in shown.jobs or job in shown.asked else next(away, None)
        if found is None:
            yield
            return
        self._known, blocked = found, self.blockSignals(True)
        try:
            yield
        finally:
            self._known = shown
            self.blockSignals(blocked)

    # --- what is cached ----------------------------------------------------------------------------------

    @Slot()
    def ask(self) -> None:
        """Ask the engine what of the document is there from before, unless more is known of every node."""
        known = self._known
        unknown = any(node not in known.states for node in known.graph.nodes)
        if self._bridge is not None and unknown:
            made_from = self._signatures.of(known.graph)
            known.asked = {self._bridge.find_cached(known.graph, known.base): made_from}

    def _cached_found(self, event: CachedNodes) -> None:
        """Nodes that nothing better is known of are cached."""
        made_from = self._known.asked.pop(event.request, None)
        if made_from is None:
            return
        known, now = self._known, self._signatures.of(self._known.graph)
        there, flat = {node.node: node for node in event.nodes}, self._known.flattened()
        inside = {group: {*flat.inside(group)} for group in flat.offers}
        groups = [group for group, nodes in inside.items() if nodes and there.keys() >= nodes]
        known.inside.take_cached(there, groups, flat)
        for id in (*there, *groups):
            if "/" in id or id not in known.graph.nodes or self.state_at(id).status or id not in made_from:
                continue
            state = known.states[id] = NodeState("cached", made_from=made_from[id])
            state.stale = state.made_from != now[id]
            if id in there:
                state.took, state.stored_bytes = there[id].seconds, there[id].stored_bytes
                self._take(id, state, there[id].outputs)
            else:
                known.inside.give(id, state, flat)
        for id in (*there, *groups):
            if shown := local(id, self.prefix):
                self.node_state_changed.emit(shown)

    # --- events ----------------------------------------------------------------------------------------

    @Slot(object)
    def _heard(self, event: Any) -> None:
        """Take an event in."""
        with self._document_of(getattr(event, "job", "") or getattr(event, "request", "")):
            self._takes[type(event)](event)

    @Slot(object)
    def _run_submitted(self, job: str) -> None:
        """Remember what the document was like: results belong to that."""
        self._known.jobs[job] = self._signatures.of(self._known.graph)
        self.running_changed.emit()

    def _run_started(self, event: RunStarted) -> None:
        if event.job not in self._known.jobs:
            return
        self._known.inside.queue(event.nodes)
        for node in dict.fromkeys(map(outer, event.nodes)):
            if node in self._known.graph.nodes:
                state = self._known.states.setdefault(node, NodeState())
                state.status, state.step, state.total, state.phase, state.rate = "queued", 0, 0, "", None
                state.item, state.items, state.seconds_left, state.inside_seconds = 0, 1, None, 0.0
                state.errors = state.warnings = ()
                self.node_state_changed.emit(node)

    def _node_started(self, event: NodeStarted) -> None:
        if state := self._running(event.job, event.node):
            state.status, state.seconds, state.text = "running", None, ""
            self._note_inside(event)
            self.node_state_changed.emit(outer(event.node))

    def _node_progressed(self, event: NodeProgress) -> None:
        if not (state := self._running(event.job, event.node)):
            return
        self._note_inside(event)
        state.status = "running"
        state.step, state.total, state.phase, state.unit = event.step, event.total, event.phase, event.unit
        state.rate, state.seconds_left = event.rate, event.seconds_left
        state.item, state.items = event.item, event.items
        if event.text is not None:
            state.text = event.text[-MAX_TEXT:]
        if event.preview is not None and (picture := self._image(event.preview)):
            state.pictures, state.count = (picture,), 1
        self.node_state_changed.emit(outer(event.node))

    def _node_warned(self, event: NodeWarning) -> None:
        if state := self._running(event.job, event.node):
            state.warnings = (*state.warnings, event.warning)
            self.node_state_changed.emit(outer(event.node))

    def _node_finished(self, event: NodeFinished) -> None:
        if not (state := self._running(event.job, event.node)):
            return
        self._note_inside(event)
        if outer(event.node) != event.node and event.status != "failed":
            state.inside_seconds += event.seconds
            self._show_outside(event, state)
            return  # a node inside: the outer one goes on, until the run ends or something in it fails
        state.status, state.seconds, state.phase, state.rate = event.status, event.seconds, "", None
        state.seconds_left = None
        if event.status == "executed":
            state.took = event.seconds
        state.errors = (event.error,) if event.error is not None else ()
        if event.status in FRESH:
            state.made_from = self._known.jobs[event.job].get(event.node, b"")
            state.stale = state.made_from != self._signatures.of(self._known.graph).get(event.node)
            state.stored_bytes = event.stored_bytes
            self._take(event.node, state, event.outputs)
        self.node_state_changed.emit(outer(event.node))

    def _run_finished(self, event: RunFinished) -> None:
        if event.job not in self._known.jobs:
            return
        made = self._known.jobs.pop(event.job)
        for key in self._known.inside.end() if not self._known.jobs else ():
            if shown := local(key, self.prefix):
                self.node_state_changed.emit(shown)
        for node, state in self._known.states.items():
            if state.status in ("queued", "running") and not self._known.jobs:
                inside = [status for key, status in event.nodes.items() if outer(key) == node]
                ended = "cancelled" if event.status == "cancelled" else together(inside)
                state.status = event.nodes.get(node, ended)
                if state.status in FRESH:
                    state.made_from = made.get(node, b"")
                    state.stale = state.made_from != self._signatures.of(self._known.graph).get(node)
                if state.status == "executed" and state.inside_seconds:
                    state.seconds = state.took = state.inside_seconds
                self.node_state_changed.emit(node)
        self.running_changed.emit()

    def _failed(self, event: Failure) -> None:
        """A run or a question that could not be served at all."""
        self._known.asked.pop(event.request, None)
        if event.request in self._known.jobs:
            self._run_finished(RunFinished(job=event.request, status="cancelled", seconds=0))

    def _note_inside(self, event: NodeStarted | NodeProgress | NodeFinished) -> None:
        self._known.inside.note(event)
        if self.prefix and (shown := local(event.node, self.prefix)):
            self.node_state_changed.emit(shown)

    def _show_outside(self, event: NodeFinished, state: NodeState) -> None:
        """What was made inside of groups shows on these, too."""
        if event.status in FRESH:
            flat = self._known.flattened()
            self._known.inside.give_all(event.node, flat)
            self._known.inside.give(outer(event.node), state, flat)
            self.node_state_changed.emit(outer(event.node))

    # --- helpers ---------------------------------------------------------------------------------------

    def _running(self, job: str, node: str) -> NodeState | None:
        node = outer(node)
        if job not in self._known.jobs or node not in self._known.graph.nodes:
            return None
        return self._known.states.setdefault(node, NodeState())

    def _take(self, node: str, state: NodeState, outputs: dict[str, ValueRef]) -> None:
        """Keep what the node shows: its type's preview, else the first picture there is."""
        state.outputs = outputs
        schema = self._registry.get(self._known.graph.nodes[node].type)
        shown = outputs.get(schema.node.preview) if schema is not None else None
        if shown is None or not (shown.images or shown.value is not None):
            texts = [value for value in outputs.values() if isinstance(value.value, str)]
            shown = next((value for value in outputs.values() if value.images), texts[0] if texts else shown)
        refs = list(shown.images) if shown is not None else []
        found = [picture for ref in refs[:MAX_PICTURES] if (picture := self._image(ref))]
        if found:
            state.pictures, state.count = tuple(found), len(refs)
        if shown is not None and isinstance(shown.value, str):
            state.text = shown.value[:MAX_TEXT]
        elif shown is not None and isinstance(shown.value, int | float):
            state.text = number_text(shown.value)

    def _image(self, ref: ImageRef) -> QImage | None:
        picture = self._bridge.image(ref) if self._bridge is not None else None
        return picture if picture is not None and not picture.isNull() else None
