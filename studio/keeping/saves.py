"""Saves in flight: a document with pixels is packed and written in a worker, while one goes on editing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QObject, QThreadPool

from pipelines.errors import ErrorInfo, describe
from studio.background import in_background
from studio.documents.document import GraphDocument
from studio.documents.saving import Saving
from studio.documents.sheet import Sheet, Stamp

END_MS: Final = 10_000
"""A disk that doesn't answer for so long doesn't keep the window from closing."""


@dataclass(eq=False, slots=True)
class _Flight:
    """One save; what came of it is written by the worker, and looked at when that is done."""

    sheet: Sheet
    saving: Saving
    landed: Callable[[ErrorInfo | None], object]
    stamp: Stamp | None = None
    error: ErrorInfo | None = None
    over: bool = False

    def write(self) -> None:
        try:
            self.stamp = self.saving.write()
        except Exception as problem:  # noqa: BLE001 - every error of a worker is told, as data
            self.error = describe(problem)
        self.over = True


class SavesInFlight(QObject):
    """At most one of each document. Until it has landed, the document counts as modified."""

    def __init__(self, document: GraphDocument, parent: QObject) -> None:
        super().__init__(parent)
        self._document = document
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._flights: list[_Flight] = []

    def start(self, sheet: Sheet, saving: Saving, landed: Callable[[ErrorInfo | None], object]) -> None:
        """Write a document; ``landed(error or None)`` when that is done."""
        flight = _Flight(sheet, saving, landed)
        self._flights.append(flight)
        self._document.saving_begins(sheet, saving)
        in_background(self, flight.write, lambda _: self._land(flight), None, self._pool)

    def _land(self, flight: _Flight) -> None:
        if flight not in self._flights:
            return
        self._flights.remove(flight)
        if flight.error is None:
            self._document.saving_ends(flight.sheet, flight.saving, flight.stamp)
        else:
            self._document.saving_failed(flight.sheet)
        flight.landed(flight.error)

    def finish(self) -> bool:
        """Wait for what is being written, before the window closes; gives whether nothing failed. What takes
        too long goes on, and the session keeps the document as one that isn't saved."""
        fine = True
        while self._flights and self._pool.waitForDone(END_MS):  # one that has landed may start the next
            for flight in [flight for flight in self._flights if flight.over]:
                fine = fine and flight.error is None
                self._land(flight)
        return fine
