"""Everything that is wrong with the document: what checking finds, missing models, how runs failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pipelines.engine.protocol import NodeStarted, RunStarted
from pipelines.errors import ErrorInfo, ModelMissing
from pipelines.graph.registry import ParamSchema
from studio.document import GraphDocument
from studio.panels.model_choices import ModelChoices
from studio.runs import RunTracker

DELAY_MS: Final = 60
_NOT_ITS_OWN: Final = "NotExecuted"
"""A node that was blocked only repeats what failed before it."""


class ProblemBook(QObject):
    """``changed`` when :attr:`problems` may differ. Nothing is put right here: problems are only told."""

    changed = Signal()

    def __init__(
        self, document: GraphDocument, tracker: RunTracker, models: ModelChoices, bridge: Any, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._document, self._models = document, models
        self._told: tuple[ErrorInfo, ...] = ()
        self._by_engine = False
        self._runs: dict[str, list[ErrorInfo]] = {}
        self.problems: tuple[ErrorInfo, ...] = ()
        self.missing: tuple[ErrorInfo, ...] = ()
        """Those about models that aren't on this computer."""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self.refresh)
        document.changed.connect(self._document_changed)
        document.replaced.connect(self._document_replaced)
        document.node_changed.connect(self._forget_node)
        models.changed.connect(self._timer.start)
        bridge.run_started.connect(self._run_started)
        bridge.node_started.connect(self._node_started)
        tracker.warned.connect(self._warned)
        tracker.run_ended.connect(self._run_ended)

    # --- what is told ----------------------------------------------------------------------------------

    def tell(self, problems: Iterable[ErrorInfo], *, by_engine: bool) -> None:
        """What checking the document has found. The engine knows more: after its word, until the next edit,
        others don't count."""
        if by_engine or not self._by_engine:
            self._told, self._by_engine = tuple(problems), by_engine
            self.refresh()

    @Slot()
    def _document_changed(self) -> None:
        self._by_engine = False
        self._timer.start()

    @Slot()
    def _document_replaced(self) -> None:
        self._told, self._runs = (), {}
        self.refresh()

    @Slot(str)
    def _forget_node(self, node: str) -> None:
        """A node was edited: how it failed before may not count any more."""
        self._drop(lambda problem: _outer(problem) == node)

    @Slot(object)
    def _run_started(self, event: RunStarted) -> None:
        nodes = {name.split("/", 1)[0] for name in event.nodes}
        self._drop(lambda problem: _outer(problem) in nodes or problem.node is None)

    @Slot(object)
    def _node_started(self, event: NodeStarted) -> None:
        self._drop(lambda problem: problem.node == event.node)

    @Slot(object, object)
    def _warned(self, problem: ErrorInfo, run: object) -> None:
        self._note(replace(problem, severity="warning"))

    @Slot(object)
    def _run_ended(self, run: Any) -> None:
        for problem in run.errors:
            if problem.code != _NOT_ITS_OWN:
                self._note(problem)

    def _note(self, problem: ErrorInfo) -> None:
        self._runs.setdefault(_outer(problem), []).append(problem)
        self._timer.start()

    def _drop(self, gone: Any) -> None:
        kept = {node: [item for item in found if not gone(item)] for node, found in self._runs.items()}
        if kept != self._runs:
            self._runs = {node: found for node, found in kept.items() if found}
            self._timer.start()

    # --- the whole -------------------------------------------------------------------------------------

    @Slot()
    def refresh(self) -> None:
        """Put together what is known now: errors before warnings, each once, in the order of the nodes."""
        self._timer.stop()
        nodes = {node: index for index, node in enumerate(self._document.graph.nodes)}
        runs = [item for found in self._runs.values() for item in found]
        found: dict[tuple[str, str | None, str | None, str], ErrorInfo] = {}
        self.missing = tuple(self._missing_models())
        for problem in [*self._told, *self.missing, *runs]:
            if problem.node is None or _outer(problem) in nodes:
                found.setdefault((problem.code, problem.node, problem.port, problem.text()), problem)
        problems = sorted(
            found.values(), key=lambda item: (item.severity != "error", nodes.get(_outer(item), -1))
        )
        if tuple(problems) != self.problems:
            self.problems = tuple(problems)
            self.changed.emit()

    def _missing_models(self) -> list[ErrorInfo]:
        """Models that the document names and this computer has not, once it is known which ones there are."""
        if not self._models.models:
            return []
        found = []
        for node, record in self._document.graph.nodes.items():
            schema = self._document.registry.get(record.type)
            for param in schema.params if schema is not None and record.mode == "active" else ():
                kind = model_kind(param)
                value = record.params.get(param.name)
                if not kind or not isinstance(value, str) or not value:
                    continue
                elsewhere = Path(value).expanduser().is_absolute()
                unknown = self._models.find(value, kind) is None and not self._models.problem_of(value, kind)
                if unknown and not elsewhere:
                    error = ModelMissing(model=Path(value).name, node=node, port=param.name)
                    found.append(error.info())
        return found


def model_kind(param: ParamSchema) -> str:
    """The kind of model that a param names; empty for other params."""
    source, _, kind = param.dynamic_choices.partition(":")
    return kind if source == "models" else ""


def _outer(problem: ErrorInfo) -> str:
    return (problem.node or "").split("/", 1)[0]
