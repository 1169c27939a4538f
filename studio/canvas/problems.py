"""What is wrong with the document, checked a moment after each change; read by badges, inspector and bar."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pipelines.errors import ErrorInfo
from pipelines.graph.plan import validate
from studio.canvas.run_state import local
from studio.document import GraphDocument

DELAY_MS = 150


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
        self._timer.start()

    @Slot()
    def refresh(self) -> None:
        """Check now."""
        self._timer.stop()
        found = validate(self._document.graph, self._document.registry)
        self.problems = (*found, *(item for item in self._more if item.node in self._document.graph.nodes))
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
