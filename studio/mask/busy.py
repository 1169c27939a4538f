"""Work in the background, one at a time as far as the user is concerned: while it lasts nothing is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from pipelines.errors import ErrorInfo
from studio.background import in_background


class Busy(QObject):
    """``noticed`` carries an :class:`~pipelines.errors.ErrorInfo`: the work failed, nothing was changed."""

    busy_changed = Signal(bool)
    noticed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._busy = 0

    @property
    def busy(self) -> bool:
        """Whether an operation is computed in the background; until it ends nothing else can be drawn."""
        return self._busy > 0

    def _compute(self, work: Callable[[], Any], done: Callable[[Any], object]) -> None:
        """Do ``work`` in a worker thread, then ``done`` with what it gave, in this one."""
        self._set_busy(1)

        def finished(result: Any) -> None:
            self._set_busy(-1)
            done(result)

        def failed(error: ErrorInfo) -> None:
            self._set_busy(-1)
            self._gave_up()
            self.noticed.emit(error)

        in_background(self, work, finished, failed)

    def _gave_up(self) -> None:
        """The work failed."""

    def _set_busy(self, by: int) -> None:
        was, self._busy = self.busy, self._busy + by
        if was != self.busy:
            self.busy_changed.emit(self.busy)
