"""The models that are to be downloaded, as they are kept: what each is, and how far it is. Nothing is lost
when the program ends; what has arrived lies in the parts.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from pipelines.engine.protocol import DownloadInfo
from pipelines.engine.protocol.downloads import DownloadState
from pipelines.errors import DiptychError
from pipelines.files import atomic_write

WORKING: Final[frozenset[DownloadState]] = frozenset({"waiting", "asking", "running", "checking"})
KEPT: Final = 200
MAX_BYTES: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Kept:
    """The list as it was kept, and the rate of downloads so far in bytes a second (0: none yet)."""

    wishes: tuple[DownloadInfo, ...] = ()
    rate: float = 0.0


class WishFile:
    """The list in a file; without a path it is forgotten at the end."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()

    def read(self) -> Kept:
        """What was kept. A file that can't be understood is no list; single entries that can't are left
        out."""
        if self._path is None:
            return Kept()
        try:
            with self._path.open("rb") as file:
                data: Any = json.loads(file.read(MAX_BYTES))
            found = [_wish(entry) for entry in data["downloads"][:KEPT]]
            rate = float(data.get("rate", 0.0))
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            return Kept()
        return Kept(tuple(wish for wish in found if wish is not None), rate if 0 <= rate < 1e12 else 0.0)

    def write(self, wishes: Iterable[DownloadInfo], rate: float) -> None:
        """Keep the list. A disk that takes nothing costs the memory of it, no download."""
        if self._path is None:
            return
        kept = [
            wish.changed(rate=None, seconds_left=None).model_dump(mode="json")
            for wish in wishes
            if wish.state != "finished"
        ][:KEPT]
        text = json.dumps({"format": 1, "rate": rate, "downloads": kept}, indent=1, sort_keys=True)
        with self._lock:
            try:
                atomic_write(self._path, text + "\n")
            except DiptychError:
                return


def _wish(entry: Any) -> DownloadInfo | None:
    """One entry: what was at work waits; None if it isn't sound."""
    try:
        wish = DownloadInfo.model_validate(entry, strict=True)
    except ValidationError:
        return None
    if not wish.id or not wish.source or min(wish.done, wish.files_done, wish.files, wish.total or 0) < 0:
        return None
    state: DownloadState = "waiting" if wish.state in WORKING else wish.state
    return wish.changed(rate=None, seconds_left=None, converted=False, state=state)


@dataclass(slots=True)
class Rate:
    """How fast bytes arrive: over the last seconds, so that a slow beginning is soon forgotten."""

    window: float = 12.0
    _seen: list[tuple[float, int]] = field(default_factory=list)

    def note(self, now: float, done: int) -> float | None:
        """Bytes a second, once half a second can be looked back on."""
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()  # it began anew
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > self.window:
            del self._seen[0]
        since, before = self._seen[0]
        return (done - before) / (now - since) if now - since >= 0.5 else None

    def forget(self) -> None:
        """It stands still: what was before says nothing of what comes."""
        self._seen.clear()
