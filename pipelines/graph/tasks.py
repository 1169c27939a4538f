"""Who waits for whom in a run: tasks that are ready, and those that are tried again once others are done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal

Task = tuple[Literal["key", "value"], str]
"""Finding the key, or the outputs, of a node."""


class Tasks:
    """Tasks in the order they became ready. Each is started once, and waits without being looked at.

    Args:
        is_done: whether a task has its result.
    """

    def __init__(self, is_done: Callable[[Task], bool]) -> None:
        self.ready: deque[Task] = deque()
        self._is_done = is_done
        self._waiters: dict[Task, list[Task]] = {}
        self._missing: dict[Task, int] = {}

    def start(self, task: Task) -> None:
        """Make a task ready, unless it was started before."""
        if task not in self._waiters:
            self._waiters[task] = []
            self.ready.append(task)

    def wait(self, task: Task, others: Iterable[Task]) -> bool:
        """Let ``task`` wait for those of ``others`` that are not done; False if all are."""
        pending = [other for other in dict.fromkeys(others) if not self._is_done(other)]
        for other in pending:
            self.start(other)
            self._waiters[other].append(task)
        self._missing[task] = len(pending)
        return bool(pending)

    def done(self, task: Task) -> None:
        """Make those ready that waited for nothing else."""
        for waiter in self._waiters.get(task, ()):
            self._missing[waiter] -= 1
            if not self._missing[waiter]:
                self.ready.append(waiter)
        self._waiters[task] = []
