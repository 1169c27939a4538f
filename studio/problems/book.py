"""Everything that is wrong with the document: what checking finds, missing models, how runs failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pipelines.engine.protocol import NodeStarted, RunStarted
from pipelines.errors import ErrorInfo, ModelMissing
from pipelines.graph.document import Graph
from pipelines.graph.registry import ParamSchema
from pipelines.graph.subgraphs import flatten
from studio.documents.document import GraphDocument
from studio.documents.sheet import Sheet
from studio.engine.runs import RunRecord, RunTracker
from studio.graph.places import place_of
from studio.models.choices import ModelChoices

DELAY_MS: Final = 60
MEMORY: Final = "problems"
"""Where a sheet remembers what went wrong in its runs."""
_NOT_ITS_OWN: Final = "NotExecuted"
"""A node that was blocked only repeats what failed before it."""


class ProblemBook(QObject):
    """``changed`` when :attr:`problems` may differ. Nothing is put right here: problems are only told."""

    changed = Signal()

    def __init__(
        self, document: GraphDocument, tracker: RunTracker, models: ModelChoices, bridge: Any, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._document, self._tracker, self._models = document, tracker, models
        self._graph = document.graph
        self._told: tuple[ErrorInfo, ...] = ()
        self._by_engine = False
        self.problems: tuple[ErrorInfo, ...] = ()
        self.missing: tuple[ErrorInfo, ...] = ()
        """Those about models that aren't on this computer."""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self.refresh)
        document.changed.connect(self._document_changed)
        document.types_changed.connect(self._document_changed)
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
        before, self._graph = self._graph, self._document.graph
        if before.fields.get("subgraphs") is not self._graph.fields.get("subgraphs"):
            self._drop(lambda problem: "/" in (problem.node or "") and self._was_edited(problem, before))
        self._timer.start()

    def _was_edited(self, problem: ErrorInfo, before: Graph) -> bool:
        """Whether the node of a problem, inside of a group, isn't what it was."""
        was, now = (place_of(graph, problem.node or "") for graph in (before, self._graph))
        return was is None or now is None or was.record.fields != now.record.fields

    @Slot()
    def _document_replaced(self) -> None:
        self._told, self._graph = (), self._document.graph
        self.refresh()

    @Slot(str)
    def _forget_node(self, node: str) -> None:
        """A node was edited: how it failed before may not count any more."""
        self._drop(lambda problem: _outer(problem) == node)

    @Slot(object)
    def _run_started(self, event: RunStarted) -> None:
        nodes = {name.split("/", 1)[0] for name in event.nodes}
        self._drop_of(event.job, lambda problem: _outer(problem) in nodes or problem.node is None)

    @Slot(object)
    def _node_started(self, event: NodeStarted) -> None:
        self._drop_of(event.job, lambda problem: problem.node == event.node)

    @Slot(object, object)
    def _warned(self, problem: ErrorInfo, run: RunRecord) -> None:
        self._note(replace(problem, severity="warning"), run.home)

    @Slot(object)
    def _run_ended(self, run: RunRecord) -> None:
        for problem in run.errors:
            if problem.code != _NOT_ITS_OWN:
                self._note(problem, run.home)

    @staticmethod
    def _of_runs(sheet: Sheet) -> list[ErrorInfo]:
        """What went wrong in runs of a document, and may count still."""
        found: list[ErrorInfo] = sheet.memory.setdefault(MEMORY, [])
        return found

    def _note(self, problem: ErrorInfo, sheet: Sheet) -> None:
        self._of_runs(sheet).append(problem)
        self._timer.start()

    def _drop_of(self, job: str, gone: Callable[[ErrorInfo], bool]) -> None:
        self._drop(gone, self._tracker.home(job))

    def _drop(self, gone: Callable[[ErrorInfo], bool], sheet: Sheet | None = None) -> None:
        found = self._of_runs(sheet or self._document.sheet)
        kept = [problem for problem in found if not gone(problem)]
        if len(kept) != len(found):
            found[:] = kept
            self._timer.start()

    # --- the whole -------------------------------------------------------------------------------------

    @Slot()
    def refresh(self) -> None:
        """Put together what is known now: errors before warnings, each once, in the order of the nodes."""
        self._timer.stop()
        nodes = {node: index for index, node in enumerate(self._document.graph.nodes)}
        runs = self._of_runs(self._document.sheet)
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
        kinds: dict[str, dict[str, str]] = {}
        for node, record in flatten(self._document.graph).nodes.items():
            if record.type not in kinds:
                kinds[record.type] = self._model_params(record.type)
            for name, kind in kinds[record.type].items() if record.mode == "active" else ():
                value = record.params.get(name)
                if not isinstance(value, str) or not value:
                    continue
                elsewhere = Path(value).expanduser().is_absolute()
                unknown = self._models.find(value, kind) is None and not self._models.problem_of(value, kind)
                if unknown and not elsewhere:
                    error = ModelMissing(model=Path(value).name, node=node, port=name)
                    found.append(error.info())
        return found

    def _model_params(self, type_id: str) -> dict[str, str]:
        """The params of a node type that name a model, with its kind."""
        schema = self._document.registry.get(type_id)
        kinds = {param.name: model_kind(param) for param in schema.params} if schema is not None else {}
        return {name: kind for name, kind in kinds.items() if kind}


def model_kind(param: ParamSchema) -> str:
    """The kind of model that a param names; empty for other params."""
    source, _, kind = param.dynamic_choices.partition(":")
    return kind if source == "models" else ""


def _outer(problem: ErrorInfo) -> str:
    return (problem.node or "").split("/", 1)[0]
