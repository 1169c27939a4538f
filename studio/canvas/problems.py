"""What is wrong with the document, checked a moment after each change; read by badges, inspector and bar.

A large document is checked in slices, between which the window does what else there is to do.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pipelines.errors import ErrorInfo
from pipelines.graph.document import Graph
from pipelines.graph.plan import Steps, finished, validating
from studio.canvas.run_state import local, outer
from studio.documents.document import GraphDocument

DELAY_MS = 150
SLICE_SECONDS = 0.004
"""How long a slice may take: a part of a frame."""


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
        self._timer.timeout.connect(self._look)
        self._next = QTimer(self)
        self._next.setSingleShot(True)
        self._next.timeout.connect(self._go_on)
        document.changed.connect(self._document_changed)
        document.types_changed.connect(self._forget)
        self._checked: Graph | None = None
        """What was checked, or is being checked in :attr:`_steps`."""
        self._steps: Steps[list[ErrorInfo]] | None = None
        self._found: tuple[ErrorInfo, ...] = ()
        self._timer.start()

    @Slot()
    def _document_changed(self) -> None:
        if self._steps is not None and not self._is_checked():
            self._forget()
        self._timer.start()

    @Slot()
    def _forget(self) -> None:
        """What was found, or is being looked for, may not hold any more: node types came or went, say."""
        self._checked = self._steps = None
        self._next.stop()
        self._timer.start()

    @Slot()
    def refresh(self) -> None:
        """Check now, all at once."""
        self._begin()
        if self._steps is not None:
            self._found, self._steps = tuple(finished(self._steps)), None
        self._tell()

    @Slot()
    def _look(self) -> None:
        """Check in slices, unless nothing that counts has changed."""
        self._begin()
        self._go_on()

    def _begin(self) -> None:
        self._timer.stop()
        self._next.stop()
        if not self._is_checked():
            self._checked = self._document.graph
            self._steps = validating(self._checked, self._document.registry)

    @Slot()
    def _go_on(self) -> None:
        """One slice."""
        ends = time.perf_counter() + SLICE_SECONDS
        try:
            while self._steps is not None:
                next(self._steps)
                if time.perf_counter() >= ends:
                    self._next.start()
                    return
        except StopIteration as end:
            self._found, self._steps = tuple(end.value), None
        self._tell()

    def _is_checked(self) -> bool:
        return self._checked is not None and _is_alike(self._document.graph, self._checked)

    def _tell(self) -> None:
        graph = self._document.graph
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
