"""What is wrong with the document, checked a moment after each change; read by badges, inspector and bar."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pipelines.errors import ErrorInfo
from pipelines.graph.plan import validate
from studio.canvas.run_state import outer
from studio.document import GraphDocument

DELAY_MS = 150


class ProblemList(QObject):
    """All problems of one document; ``changed`` when they may differ."""

    changed = Signal()

    def __init__(self, document: GraphDocument, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.problems: tuple[ErrorInfo, ...] = ()
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
        self.problems = tuple(validate(self._document.graph, self._document.registry))
        self.changed.emit()

    def of(self, node: str) -> list[ErrorInfo]:
        """The problems of one node."""
        return [problem for problem in self.problems if problem.node and outer(problem.node) == node]
