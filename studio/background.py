"""Work off the main thread: files and pictures are read and written here, never in an event handler.

Worker threads only ever touch one object, made in the main thread and living as long as the application:
it hands
results to their owners there. An owner that is gone by then hears nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import shiboken6
from PySide6.QtCore import QCoreApplication, QObject, Qt, QThreadPool, Signal, Slot

from pipelines.errors import ErrorInfo, describe

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Waiting:
    owner: QObject
    done: Callable[[Any], object]
    failed: Callable[[ErrorInfo], object] | None


class _Dispatcher(QObject):
    """Takes results from worker threads and delivers them in the main thread."""

    arrived = Signal(object)

    def __init__(self, app: QCoreApplication) -> None:
        super().__init__(app)
        self._waiting: dict[int, _Waiting] = {}
        self._count = itertools.count()
        self.arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def expect(self, waiting: _Waiting) -> int:
        """Remember who waits; gives the number under which the result will come."""
        number = next(self._count)
        self._waiting[number] = waiting
        return number

    @Slot(object)
    def _deliver(self, result: tuple[int, Any, ErrorInfo | None]) -> None:
        number, value, error = result
        waiting = self._waiting.pop(number)
        if not shiboken6.isValid(waiting.owner):
            return
        if error is None:
            waiting.done(value)
        elif waiting.failed is not None:
            waiting.failed(error)


def _dispatcher() -> _Dispatcher:
    app = QCoreApplication.instance()
    if app is None:
        raise RuntimeError("work in the background needs an application")
    found = app.findChild(_Dispatcher, options=Qt.FindChildOption.FindDirectChildrenOnly)
    return found if isinstance(found, _Dispatcher) else _Dispatcher(app)


def in_background(
    owner: QObject,
    work: Callable[[], T],
    done: Callable[[T], object],
    failed: Callable[[ErrorInfo], object] | None = None,
    pool: QThreadPool | None = None,
) -> None:
    """Run ``work`` in a worker thread, then ``done(result)`` or ``failed(error)`` in the main thread.

    Call it in the main thread; ``pool`` is the application's unless another is given. ``work`` must not touch
    widgets or other Qt objects that live there.
    """
    dispatcher = _dispatcher()
    number = dispatcher.expect(_Waiting(owner, done, failed))

    def job() -> None:
        value: T | None = None
        error: ErrorInfo | None = None
        try:
            value = work()
        except Exception as problem:  # noqa: BLE001 - every error of a worker is told, as data
            error = describe(problem)
        dispatcher.arrived.emit((number, value, error))

    (pool or QThreadPool.globalInstance()).start(job)
