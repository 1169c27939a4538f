"""Driving an engine from tests: submit, wait for events with a bound, look at what came."""

from __future__ import annotations

import queue
import time
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.engine.client import EngineClient, HostFactory, default_settings
from pipelines.engine.hosts import InProcessHost, ProcessHost
from pipelines.engine.protocol import Message, RunFinished
from pipelines.engine.queue import JobQueue
from pipelines.graph.document import Graph
from pipelines.graph.registry import Registry

TIMEOUT = 60.0


class Drive:
    """A client whose events land in a list."""

    def __init__(
        self,
        folder: Path,
        host: HostFactory,
        registry: Registry | None = None,
        jobs: JobQueue | None = None,
        **settings: Any,
    ) -> None:
        self.folder = folder
        self.arrived: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.events: list[Message] = []
        folders = {"output_dir": str(folder / "pictures"), "cache_dir": str(folder / "cache")}
        (folder / "pictures").mkdir(exist_ok=True)
        self.client = EngineClient(
            default_settings(**folders, **settings), self.arrived.put, host, jobs, registry
        )

    def start(self) -> Drive:
        self.client.start()
        return self

    def until(self, kind: type[Message], timeout: float = TIMEOUT, **fields: Any) -> Any:
        """The next event of a kind with these fields; everything before it is kept in ``events``."""
        end = time.monotonic() + timeout
        while True:
            event = self.arrived.get(timeout=max(0.01, end - time.monotonic()))
            self.events.append(event)
            if isinstance(event, kind) and all(
                getattr(event, name) == value for name, value in fields.items()
            ):
                return event

    def run(self, graph: Graph, **options: Any) -> RunFinished:
        """Submit and wait for the end."""
        return self.until(RunFinished, job=self.client.submit(graph, **options))

    def of(self, kind: type[Message]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def in_process(folder: Path, registry: Registry, **options: Any) -> Drive:
    """An engine in this process with these node types."""
    return Drive(folder, partial(InProcessHost, registry=registry), registry, **options)


def in_own_process(folder: Path, **options: Any) -> Drive:
    """The real thing."""
    return Drive(folder, ProcessHost, **options)
