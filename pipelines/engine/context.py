"""What a node sees of the engine while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from pipelines.engine.exchange import PixelWriter
from pipelines.engine.protocol import ImageRef, Message, NodeProgress, NodeWarning
from pipelines.engine.refs import error_data
from pipelines.errors import ErrorInfo
from pipelines.graph.cache import Cache
from pipelines.graph.node import CancelToken, ModelAccess
from pipelines.graph.values import Image

UNITS = {"writing": "token", "upscaling": "tile", "enlarging": "tile", "reading": "byte", "saving": "image"}
"""What is counted in each phase; a step otherwise."""
MIN_INTERVAL = 1 / 60
"""Seconds between two progress messages without a picture; the last of a phase is always sent."""


class JobContext(Protocol):
    """What the contexts of one job share (see :class:`pipelines.engine.job.Job`)."""

    id: str
    models: ModelAccess
    cache: Cache
    cache_dir: Path
    output_dir: Path
    pixels: PixelWriter
    previews: bool

    @property
    def cancel(self) -> CancelToken: ...

    @property
    def device(self) -> str: ...

    def emit(self, message: Message) -> None: ...

    def show(self, node: str, picture: Image) -> ImageRef | None: ...

    def path(self, text: str) -> Path: ...

    def asset(self, name: str) -> bytes: ...

    def provenance(self) -> dict[str, Any]: ...


class RunContext:
    """The :class:`pipelines.graph.node.Context` of one call of one node.

    ``code`` is the hash of the node's code, for one from outside: what other code remembered isn't its own.
    """

    def __init__(self, job: JobContext, node: str, item: int, items: int, code: str = "") -> None:
        self.node = node
        self.models, self.cancel = job.models, job.cancel
        self.cache_dir, self.output_dir = job.cache_dir, job.output_dir
        self._job, self._item, self._items, self._code = job, item, items, code
        self._phase, self._since, self._first, self._sent = "", 0.0, 0, 0.0

    @property
    def device(self) -> str:
        return self._job.device

    def progress(
        self,
        step: int,
        total: int,
        *,
        phase: str = "",
        preview: Image | None = None,
        text: str | None = None,
        asked: int | None = None,
        moved: int = 0,
    ) -> None:
        """Send progress, with the rate since this phase began and the seconds left at that rate."""
        now = time.perf_counter()
        if phase != self._phase or step < self._first:
            self._phase, self._since, self._first, self._sent = phase, now, step, 0.0
        if preview is None and step < total and now - self._sent < MIN_INTERVAL:
            return
        self._sent = now
        done, elapsed = step - self._first, now - self._since
        rate = done / elapsed if done > 0 and elapsed > 0 else None
        image = self._job.show(self.node, preview) if preview is not None and self._job.previews else None
        self._job.emit(
            NodeProgress(
                job=self._job.id,
                node=self.node,
                step=step,
                total=total,
                phase=phase,
                unit=UNITS.get(phase, "step"),
                rate=rate,
                seconds_left=(total - step) / rate if rate else None,
                item=self._item,
                items=self._items,
                preview=image,
                text=text,
                asked=asked,
                moved_bytes=moved,
            )
        )

    def warn(self, warning: ErrorInfo) -> None:
        self._job.emit(
            NodeWarning(job=self._job.id, node=self.node, warning=error_data(warning.at(self.node)))
        )

    def path(self, text: str) -> Path:
        return self._job.path(text)

    def asset(self, name: str) -> bytes:
        return self._job.asset(name)

    def provenance(self) -> dict[str, Any]:
        return self._job.provenance()

    def memo(self, key: tuple[object, ...], make: Callable[[], Any]) -> Any:
        return self._job.cache.memo((self._code, *key) if self._code else key, make)
