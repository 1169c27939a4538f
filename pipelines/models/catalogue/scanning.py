"""How far a search for models has come, told a few times a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pipelines.engine.protocol import ModelInfo

TELL_SECONDS: Final = 0.2
"""Between two reports of a search."""


@dataclass(frozen=True, slots=True)
class Scan:
    """How far a search has come. ``models``: those found since the last report; ``total`` so far."""

    models: tuple[ModelInfo, ...]
    total: int
    examined: int
    folder: str = ""


class Report:
    """Tells of what is found, not too often."""

    def __init__(self, tell: Callable[[Scan], None] | None) -> None:
        self._tell = tell
        self._models: list[ModelInfo] = []
        self._examined = 0
        self._last = time.monotonic()

    def found(self, info: ModelInfo, total: int, examined: int) -> None:
        if self._tell is None:
            return
        self._models.append(info)
        self._examined = max(self._examined, examined)
        if time.monotonic() - self._last >= TELL_SECONDS:
            self._send(total, info.path)

    def end(self, total: int) -> None:
        if self._tell is not None:
            self._send(total, "")

    def _send(self, total: int, path: str) -> None:
        assert self._tell is not None
        self._tell(Scan(tuple(self._models), total, self._examined, path))
        self._models, self._last = [], time.monotonic()
