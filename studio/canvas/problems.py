"""What is wrong with the document, checked a moment after each change; read by badges, inspector and bar."""

from __future__ import annotations

import time
from collections.abc import Iterable

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pipelines.errors import ErrorInfo
from pipelines.graph.document import Graph
from pipelines.graph.plan import validate
from studio.canvas.run_state import local, outer
from studio.document import GraphDocument

DELAY_MS, MOST_DELAY_MS = 150, 3_000
PAUSE = 8
"""How many times as long as looking for problems takes nobody must have changed anything before."""


class ProblemList(QObject):
    """All problems of one document; ``changed`` when they may differ."""

    changed = Signal()

    def __init__(self, document: GraphDocument, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.prefix = ""
        """What stands before the ids of the level that is shown: ``outer/``, or nothing."""
        self.problems: tuple[ErrorInfo, ...] = ()
        self._more: tuple[ErrorInfo, ...] = ()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self.refresh)
        document.changed.connect(self._timer.start)
        document.types_changed.connect(self._forget)
        self._checked: Graph | None = None
        self._found: tuple[ErrorInfo, ...] = ()
        self._timer.start()

    @Slot()
    def _forget(self) -> None:
        """Node types came or went: what was found may not hold any more."""
        self._checked = None
        self._timer.start()

    @Slot()
    def refresh(self) -> None:
        """Check now."""
        self._timer.stop()
        graph = self._document.graph
        if self._checked is None or not _is_alike(graph, self._checked):
            began = time.perf_counter()
            self._found = tuple(validate(graph, self._document.registry))
            took = (time.perf_counter() - began) * 1000
            # what takes long waits for a pause that is as long in proportion
            self._timer.setInterval(max(DELAY_MS, min(MOST_DELAY_MS, round(took * PAUSE))))
        self._checked = graph
        more = (item for item in self._more if outer(item.node or "") in graph.nodes)
        self.problems = (*self._found, *more)
        self.changed.emit()

    def set_more(self, problems: Iterable[ErrorInfo]) -> None:
        """What others know of the nodes: models that aren't on this computer."""
        if tuple(problems) != self._more:
            self._more = tuple(problems)
            self._timer.start()

    def of(self, node: str) -> list[ErrorInfo]:
        """The problems of one node of the level that is shown."""
        found = [problem for problem in self.problems if problem.node]
        return [problem for problem in found if local(problem.node or "", self.prefix) == node]


def _is_alike(graph: Graph, other: Graph) -> bool:
    """Whether two graphs differ in nothing but what a canvas shows: where nodes stand, frames, bookmarks."""
    fields, known = graph.fields, other.fields
    names = (fields.keys() | known.keys()) - {"view"}
    return graph.nodes is other.nodes and all(fields.get(name) is known.get(name) for name in names)
