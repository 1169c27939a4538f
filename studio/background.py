"""Work off the main thread: files and pictures are read and written here, never in an event handler.

The worker emits a signal of an object that was made in the main thread; what is done with the result runs there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, QThreadPool, Signal, Slot

from pipelines.errors import ErrorInfo, describe

T = TypeVar("T")


class _Delivery(QObject):
    """Carries one result from a worker thread to the main thread."""

    arrived = Signal(object, object)

    def __init__(
        self, owner: QObject, done: Callable[[Any], object], failed: Callable[[ErrorInfo], object] | None
    ) -> None:
        super().__init__(owner)
        self._done, self._failed = done, failed
        self.arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @Slot(object, object)
    def _deliver(self, value: Any, error: ErrorInfo | None) -> None:
        if error is None:
            self._done(value)
        elif self._failed is not None:
            self._failed(error)
        self.deleteLater()


def in_background(
    owner: QObject,
    work: Callable[[], T],
    done: Callable[[T], object],
    failed: Callable[[ErrorInfo], object] | None = None,
) -> None:
    """Run ``work`` in a worker thread, then ``done(result)`` or ``failed(error)`` in the main thread.

    Nothing is delivered if ``owner`` is gone by then.
    """
    delivery = _Delivery(owner, done, failed)

    def job() -> None:
        value: T | None = None
        error: ErrorInfo | None = None
        try:
            value = work()
        except Exception as problem:  # noqa: BLE001 - every error of a worker is told, as data
            error = describe(problem)
        with contextlib.suppress(RuntimeError):  # the owner was deleted meanwhile
            delivery.arrived.emit(value, error)

    QThreadPool.globalInstance().start(job)
