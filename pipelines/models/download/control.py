"""Pausing and cancelling downloads, and what is told while they run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pipelines.errors import Cancelled

Listener = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient a download is; times in seconds.

    ``attempts`` count those after which nothing more had arrived. A server that brings less than
    ``slow_bytes`` in ``slow_seconds`` is asked anew.
    """

    timeout: float = 30.0
    attempts: int = 6
    backoff: float = 1.0
    longest_wait: float = 120.0
    slow_seconds: float = 60.0
    slow_bytes: int = 64 * 2**10


PATIENT: Final = Limits()


class Control:
    """Pauses and cancels downloads, from any thread. Also a :class:`pipelines.graph.node.CancelToken`.

    Pausing closes the connections; what has arrived stays, after a cancel as well.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._cancelled = False
        self._paused = False
        self._listeners: set[Listener] = set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    @property
    def paused(self) -> bool:
        return self._paused

    def check(self) -> None:
        """Raise :class:`pipelines.errors.Cancelled` if the user cancelled."""
        if self._cancelled:
            raise Cancelled

    def pause(self) -> None:
        self._change(paused=True)

    def resume(self) -> None:
        self._change(paused=False)

    def cancel(self) -> None:
        self._change(cancelled=True)

    def wait(self, seconds: float) -> None:
        """Sleep, at most until a cancel. Raises as :meth:`check`."""
        with self._condition:
            self._condition.wait_for(lambda: self._cancelled, seconds)
        self.check()

    def wait_while_paused(self) -> None:
        """Return when downloading may go on. Raises as :meth:`check`."""
        with self._condition:
            self._condition.wait_for(lambda: self._cancelled or not self._paused)
        self.check()

    def listen(self, listener: Listener) -> None:
        """Have ``listener`` called after each change, from the thread that makes it."""
        with self._condition:
            self._listeners.add(listener)

    def forget(self, listener: Listener) -> None:
        with self._condition:
            self._listeners.discard(listener)

    def _change(self, *, paused: bool | None = None, cancelled: bool = False) -> None:
        with self._condition:
            before = self._paused, self._cancelled
            self._paused = self._paused if paused is None else paused
            self._cancelled = self._cancelled or cancelled
            changed = before != (self._paused, self._cancelled)
            listeners = list(self._listeners) if changed else []
            self._condition.notify_all()
        for listener in listeners:
            listener()
