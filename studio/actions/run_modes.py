"""Ways to run beside Generate: the whole graph, only what is stale, several runs, and on each change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pipelines.engine.seeds import SEED
from pipelines.graph import types
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import Registry
from pipelines.graph.subgraphs import flatten
from studio.actions.shell import Shell
from studio.engine.runs import RunRecord
from studio.parts import Parts
from studio.translate import tr

DELAY_MS: Final = 700
"""After a change, so that what is typed in one go is one run."""
CHEAP_SECONDS: Final = 5.0
"""A run that takes longer is too dear to be made on each change."""
PLACES: Final = ("create", "graph")
"""Where runs on change are made; the canvas has its own way."""
FRESH: Final = ("executed", "cached")


def with_later_seeds(graph: Graph, registry: Registry, by: int) -> Graph:
    """The graph with every seed that somebody gave counted up by ``by``; empty ones are drawn anyway."""
    for node, record in graph.nodes.items():
        schema = registry.get(record.type)
        port = schema.port(SEED, record.params) if schema is not None else None
        seed = record.params.get(SEED)
        if by and port is not None and port.type == types.Seed and type(seed) is int:
            graph = graph.with_param(node, SEED, (seed + by) % 2**64)
    return graph


def _differs(before: Mapping[str, NodeRecord], after: Mapping[str, NodeRecord]) -> bool:
    """Whether a run would; titles and places don't count."""
    if before.keys() != after.keys():
        return True
    pairs = ((before[node], record) for node, record in after.items() if before[node] is not record)
    return any(
        (a.type, a.version, a.mode, a.params, a.inputs) != (b.type, b.version, b.mode, b.params, b.inputs)
        for a, b in pairs
    )


class RunModes(QObject):
    """Submits runs of the document. ``changed`` when running on change is switched on or off."""

    changed = Signal()

    def __init__(
        self,
        parts: Parts,
        shell: Shell,
        may_run: Callable[[], bool],
        when_kept: Callable[[Callable[[], object]], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._parts, self._shell, self._may_run, self._when_kept = parts, shell, may_run, when_kept
        self._on = self._again = False
        self._job = ""
        self._nodes: Mapping[str, NodeRecord] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._run_changed)
        parts.document.changed.connect(self._document_changed)
        parts.document.replaced.connect(self._stop)
        parts.tracker.run_ended.connect(self._ended)

    # --- once ------------------------------------------------------------------------------------------

    def run_all(self) -> None:
        """Every node that nothing depends on, whichever workspace is shown."""
        if self._may_run():
            self._when_kept(self._parts.tracker.submit)

    def stale_targets(self) -> tuple[str, ...]:
        """The ends of the graph, inside of groups too, whose result isn't that of the graph as it is now.

        What they need and is still in the cache isn't made again.
        """
        flat, state = flatten(self._parts.document.graph), self._shell.run_state()
        ends = [node for node in flat.sinks() if flat.nodes[node].mode == "active"]
        return tuple(node for node in ends if state(node).stale or state(node).status not in FRESH)

    def run_stale(self) -> None:
        """Run only what is stale; if nothing is, say so."""
        if not self.stale_targets():
            self._shell.status.note(tr("Nothing is stale: every result is that of the graph as it is"))
        elif self._may_run():
            self._when_kept(lambda: self._parts.tracker.submit(self.stale_targets() or None))

    # --- several ---------------------------------------------------------------------------------------

    def ask_for_several(self) -> None:
        """Ask how many, and queue them."""
        from studio.panels.several_runs import SeveralRuns

        dialog = SeveralRuns(self._shell.window())
        dialog.count_chosen.connect(self.run_several)
        dialog.open()

    @Slot(int)
    def run_several(self, count: int) -> None:
        """Queue runs of the document as it is now. Given seeds count up; the last one queued has those of the
        document, so that its results are the ones shown for it."""
        if self._may_run():
            self._when_kept(lambda: self._submit_several(count))

    def _submit_several(self, count: int) -> None:
        document = self._parts.document
        graph = document.graph
        for number in reversed(range(count)):
            self._parts.tracker.submit(graph=with_later_seeds(graph, document.registry, number))

    # --- on change -------------------------------------------------------------------------------------

    @property
    def on_change(self) -> bool:
        """Whether each change is followed by a run."""
        return self._on

    def toggle_on_change(self) -> None:
        """Switch it on (which runs once) or off."""
        if self._on:
            self._stop()
        elif self._may_run():
            self._on, self._again, self._nodes = True, False, {}
            self.changed.emit()
            self._shell.status.note(tr("Each change is run now, as long as a run takes less than 5 s"))
            self._document_changed()

    @Slot()
    def _stop(self) -> None:
        self._timer.stop()
        if self._on:
            self._on = False
            self.changed.emit()

    @Slot()
    def _document_changed(self) -> None:
        if self._on and _differs(self._nodes, self._parts.document.graph.nodes):
            self._timer.start()

    @Slot()
    def _run_changed(self) -> None:
        """Run what has changed; while something runs, once that has ended."""
        if not self._on or self._shell.workspace not in PLACES:
            return
        self._again = self._parts.tracker.current is not None
        nodes = self._parts.document.graph.nodes
        if self._again or not nodes:
            return
        if self._parts.consent.to_ask():  # it came to touch what nobody agreed to: that is asked by hand
            self._stop()
            return
        self._nodes = nodes
        self._job = self._parts.tracker.submit()

    @Slot(object)
    def _ended(self, run: RunRecord) -> None:
        if not self._on:
            return
        if run.job == self._job and run.seconds > CHEAP_SECONDS:
            self._stop()
            seconds = round(run.seconds, 1)
            self._shell.status.note(tr("Running on change is off: the last run took {n} s", n=seconds))
        elif self._again:
            self._timer.start()
