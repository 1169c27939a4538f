"""Worker threads by lane: one for the device, a few for the processor, a few for files."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from pipelines.graph.node import Lane


class ThreadLanes:
    """A device is a serial resource: its lane is a single thread. The others overlap with it and with each
    other."""

    def __init__(self, cpu: int | None = None, io: int = 2) -> None:
        cpu = cpu or max(2, min(4, os.cpu_count() or 2))
        self._sizes: dict[Lane, int] = {"gpu": 1, "cpu": cpu, "io": io}
        self._pools: dict[Lane, ThreadPoolExecutor] = {}
        self._lock = threading.Lock()

    def submit(self, lane: Lane, work: Callable[[], Any]) -> Future[Any]:
        """Queue ``work`` in a lane; threads are made when they are first needed."""
        with self._lock:
            pool = self._pools.get(lane)
            if pool is None:
                pool = self._pools[lane] = ThreadPoolExecutor(
                    self._sizes[lane], thread_name_prefix=f"diptych-{lane}"
                )
        return pool.submit(work)

    def finish(self) -> None:
        """Wait for everything that was submitted."""
        with self._lock:
            pools = list(self._pools.values())
            self._pools.clear()
        for pool in pools:
            pool.shutdown(wait=True)

    def close(self) -> None:
        """Let go of the threads without waiting for work that can't be stopped."""
        with self._lock:
            for pool in self._pools.values():
                pool.shutdown(wait=False, cancel_futures=True)
            self._pools.clear()
