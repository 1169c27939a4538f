"""What is known of each node's last run: fed by the engine's events, asked by the canvas. No widgets here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from pipelines.engine.protocol import (
    ErrorData,
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
from studio.canvas.face import number_text
from studio.canvas.inside_states import InsideStates
from studio.canvas.signatures import Signatures

MAX_PICTURES = 4
MAX_TEXT = 4_000
MAX_GONE = 32
"""States of deleted nodes that are kept for an undo."""


class Bridge(Protocol):
    """What the canvas needs of the engine's bridge (``studio.engine.EngineBridge``)."""

    run_submitted: Any
    run_started: Any
    node_started: Any
    node_progressed: Any
    node_warned: Any
    node_finished: Any
    run_finished: Any
    failed: Any

    def image(self, ref: ImageRef) -> QImage | None: ...

    def submit(
        self, graph: Graph, targets: tuple[str, ...] | None = None, name: str = "", base: str = ""
    ) -> str: ...


@dataclass(slots=True)
class NodeState:
    """One node's run: ``status`` is empty, ``queued``, ``running`` or a status of the protocol."""

    status: str = ""
    step: int = 0
    total: int = 0
    phase: str = ""
    unit: str = "step"
    rate: float | None = None
    seconds_left: float | None = None
    seconds: float | None = None
    took: float | None = None
    """Seconds of the last time that it really ran: what a cached result once cost."""
    inside_seconds: float = 0.0
    """What the nodes inside a subgraph took in this run."""
    stored_bytes: int = 0
    """What its results take in memory."""
    item: int = 0
    items: int = 1
    """Which one of how many, while it runs once for each item of a list."""
    pictures: tuple[QImage, ...] = ()
    count: int = 0
    """How many pictures there are, shown or not."""
    text: str = ""
    outputs: dict[str, ValueRef] = field(default_factory=dict)
    errors: tuple[ErrorData, ...] = ()
    warnings: tuple[ErrorData, ...] = ()
    made_from: bytes = b""
    """The digest of what the result was made from."""
    stale: bool = False

    @property
    def failures(self) -> int:
        """How many errors are its own; a blocked node only repeats what failed before it."""
        return len(self.errors) if self.status == "failed" else 0

    @property
    def fraction(self) -> float:
        """Progress in 0..1, all items of a list together."""
        part = min(1.0, self.step / self.total) if self.total > 0 else 0.0
        return min(1.0, (self.item + part) / max(1, self.items))


def local(node: str, prefix: str) -> str:
    """The node, on the level that ``prefix`` leads to (``outer/``), that a flattened id belongs to; or
    nothing."""
    return outer(node[len(prefix) :]) if node.startswith(prefix) else ""


def outer(node: str) -> str:
    """The node of the document that a flattened id (``outer/inner``) belongs to."""
    return node.split("/", 1)[0]


class RunState(QObject):
    """The states of all nodes of one document.

    ``node_state_changed`` names the node; ``cleared`` says that nothing is known any more.
    """

    node_state_changed = Signal(str)
    cleared = Signal()
    running_changed = Signal()

    def __init__(self, bridge: Bridge | None, registry: Registry, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._registry = bridge, registry
        self._states: dict[str, NodeState] = {}
        self._gone: dict[str, NodeState] = {}
        self._inside = InsideStates(NodeState, self._image)
        self.prefix = ""
        """What stands before the ids of the level that is shown: ``outer/``, or nothing."""
        self._jobs: dict[str, dict[str, bytes]] = {}
        self._signatures = Signatures()
        self._graph = Graph()
        if bridge is not None:
            bridge.run_submitted.connect(self.on_run_submitted)
            bridge.run_started.connect(self.on_run_started)
            bridge.node_started.connect(self.on_node_started)
            bridge.node_progressed.connect(self.on_node_progressed)
            bridge.node_warned.connect(self.on_node_warned)
            bridge.node_finished.connect(self.on_node_finished)
            bridge.run_finished.connect(self.on_run_finished)
            bridge.failed.connect(self.on_failed)

    def state(self, node: str) -> NodeState:
        """The state of a node on the level that is shown (an empty one if nothing is known)."""
        if self.prefix:
            return self._inside.of(self.prefix + node)
        return self._states.get(node) or NodeState()

    def state_at(self, id: str) -> NodeState:
        """The state of a node on any level, by its flattened id."""
        return self._inside.of(id) if "/" in id else self._states.get(id) or NodeState()

    @property
    def is_running(self) -> bool:
        return bool(self._jobs)

    def set_graph(self, graph: Graph) -> None:
        """The document changed: mark what no longer matches it, put aside what is gone (an undo may bring it
        back)."""
        self._graph = graph
        for node in [node for node in self._states if node not in graph.nodes]:
            self._gone[node] = self._states.pop(node)
        for node in list(self._gone)[: max(0, len(self._gone) - MAX_GONE)]:
            del self._gone[node]
        back = [node for node in self._gone if node in graph.nodes and node not in self._states]
        made = [(node, state) for node, state in self._states.items() if state.made_from]
        if not (made or back):
            return
        now = self._signatures.of(graph)
        for node in back:
            if self._gone[node].made_from == now[node]:
                self._states[node] = self._gone.pop(node)
                self.node_state_changed.emit(node)
        for node, state in made:
            stale = now[node] != state.made_from
            if stale != state.stale:
                state.stale = stale
                self._inside.set_stale(node, stale)
                self.node_state_changed.emit(node)

    def clear(self, graph: Graph) -> None:
        """Another document: events of runs submitted before are not for it."""
        self._states, self._gone, self._jobs, self._graph = {}, {}, {}, graph
        self._inside.clear()
        self.cleared.emit()
        self.running_changed.emit()

    # --- events ----------------------------------------------------------------------------------------

    @Slot(object)
    def on_run_submitted(self, job: object) -> None:
        """Remember what the document was like: results belong to that."""
        name = job if isinstance(job, str) else getattr(job, "job", str(job))
        self._jobs[name] = self._signatures.of(self._graph)
        self.running_changed.emit()

    @Slot(object)
    def on_run_started(self, event: object) -> None:
        if not isinstance(event, RunStarted) or event.job not in self._jobs:
            return
        self._inside.queue(event.nodes)
        for node in dict.fromkeys(map(outer, event.nodes)):
            if node in self._graph.nodes:
                state = self._states.setdefault(node, NodeState())
                state.status, state.step, state.total, state.phase, state.rate = "queued", 0, 0, "", None
                state.item, state.items, state.seconds_left, state.inside_seconds = 0, 1, None, 0.0
                state.errors = state.warnings = ()
                self.node_state_changed.emit(node)

    @Slot(object)
    def on_node_started(self, event: object) -> None:
        if isinstance(event, NodeStarted) and (state := self._running(event.job, event.node)):
            state.status, state.seconds, state.text = "running", None, ""
            self._note_inside(event)
            self.node_state_changed.emit(outer(event.node))

    @Slot(object)
    def on_node_progressed(self, event: object) -> None:
        if not isinstance(event, NodeProgress) or not (state := self._running(event.job, event.node)):
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

    @Slot(object)
    def on_node_warned(self, event: object) -> None:
        if isinstance(event, NodeWarning) and (state := self._running(event.job, event.node)):
            state.warnings = (*state.warnings, event.warning)
            self.node_state_changed.emit(outer(event.node))

    @Slot(object)
    def on_node_finished(self, event: object) -> None:
        if not isinstance(event, NodeFinished) or not (state := self._running(event.job, event.node)):
            return
        self._note_inside(event)
        if outer(event.node) != event.node and event.status != "failed":
            state.inside_seconds += event.seconds
            return  # a node inside: the outer one goes on, until the run ends or something in it fails
        state.status, state.seconds, state.phase, state.rate = event.status, event.seconds, "", None
        state.seconds_left = None
        if event.status == "executed":
            state.took = event.seconds
        state.errors = (event.error,) if event.error is not None else ()
        if event.status in ("executed", "cached"):
            state.made_from = self._jobs[event.job].get(event.node, b"")
            state.stale = state.made_from != self._signatures.of(self._graph).get(event.node)
            state.stored_bytes = event.stored_bytes
            self._take(event.node, state, event.outputs)
        self.node_state_changed.emit(outer(event.node))

    @Slot(object)
    def on_run_finished(self, event: object) -> None:
        if not isinstance(event, RunFinished) or event.job not in self._jobs:
            return
        made = self._jobs.pop(event.job)
        for key in self._inside.end() if not self._jobs else ():
            if shown := local(key, self.prefix):
                self.node_state_changed.emit(shown)
        for node, state in self._states.items():
            if state.status in ("queued", "running") and not self._jobs:
                inside = any(outer(key) == node for key in event.nodes)
                ended = "executed" if inside and event.status == "finished" else ""
                state.status = event.nodes.get(node, "cancelled" if event.status == "cancelled" else ended)
                if state.status == "executed" and inside:
                    state.made_from = made.get(node, b"")
                    state.stale = state.made_from != self._signatures.of(self._graph).get(node)
                if state.status == "executed" and state.inside_seconds:
                    state.seconds = state.took = state.inside_seconds
                self.node_state_changed.emit(node)
        self.running_changed.emit()

    @Slot(object)
    def on_failed(self, event: object) -> None:
        """A run that could not be served at all."""
        if isinstance(event, Failure) and event.request in self._jobs:
            self.on_run_finished(RunFinished(job=event.request, status="cancelled", seconds=0))

    def _note_inside(self, event: NodeStarted | NodeProgress | NodeFinished) -> None:
        self._inside.note(event)
        if self.prefix and (shown := local(event.node, self.prefix)):
            self.node_state_changed.emit(shown)

    # --- helpers ---------------------------------------------------------------------------------------

    def _running(self, job: str, node: str) -> NodeState | None:
        node = outer(node)
        if job not in self._jobs or node not in self._graph.nodes:
            return None
        return self._states.setdefault(node, NodeState())

    def _take(self, node: str, state: NodeState, outputs: dict[str, ValueRef]) -> None:
        """Keep what the node shows: its type's preview, else the first picture there is."""
        state.outputs = outputs
        schema = self._registry.get(self._graph.nodes[node].type)
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
