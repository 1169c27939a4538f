"""The models that are to be downloaded, as they are kept: what each is, and how far it is. Nothing is lost
when the program ends; what has arrived lies in the parts.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pipelines.errors import DiptychError
from pipelines.files import atomic_write

State = Literal["waiting", "asking", "running", "checking", "paused", "finished", "failed"]
"""``asking``: the server is asked what there is; ``checking``: all is there and is looked through."""

WORKING: Final[frozenset[State]] = frozenset({"waiting", "asking", "running", "checking"})
KEPT: Final = 200
MAX_BYTES: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Wish:
    """One model to download.

    ``source`` and ``variant`` are what :meth:`.jobs.Downloader.plan` takes; ``model_kind`` the folder where
    its tensors don't say what it is. ``curated`` is its id in our list, if it is from there. ``name`` is the
    plan's, known once the server was asked. ``rate`` in bytes a second and ``seconds_left`` while it runs.
    ``error`` is of :meth:`pipelines.errors.ErrorInfo.to_json`; ``path`` the model, once it is one.
    """

    id: str
    source: str
    title: str
    variant: str = ""
    model_kind: str = ""
    curated: str = ""
    state: State = "waiting"
    name: str = ""
    done: int = 0
    total: int | None = None
    files_done: int = 0
    files: int = 0
    rate: float | None = None
    seconds_left: float | None = None
    error: Mapping[str, Any] | None = None
    path: str = ""
    converted: bool = False


_NAMES: Final = frozenset(field.name for field in fields(Wish))


@dataclass(frozen=True, slots=True)
class Kept:
    """The list as it was kept, and the rate of downloads so far in bytes a second (0: none yet)."""

    wishes: tuple[Wish, ...] = ()
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

    def write(self, wishes: Iterable[Wish], rate: float) -> None:
        """Keep the list. A disk that takes nothing costs the memory of it, no download."""
        if self._path is None:
            return
        kept = [asdict(wish) for wish in wishes if wish.state != "finished"][:KEPT]
        for entry in kept:
            entry.update(rate=None, seconds_left=None)
        text = json.dumps({"format": 1, "rate": rate, "downloads": kept}, indent=1, sort_keys=True)
        with self._lock:
            try:
                atomic_write(self._path, text + "\n")
            except DiptychError:
                return


def _wish(entry: Any) -> Wish | None:
    """One entry: what was at work waits; None if it isn't sound."""
    if not isinstance(entry, dict):
        return None
    values = {name: value for name, value in entry.items() if name in _NAMES}
    texts = ("id", "source", "title", "variant", "model_kind", "curated", "name", "path")
    if not all(isinstance(values.get(name, ""), str) for name in texts) or not values.get("source"):
        return None
    if values.get("state") not in get_args(State) or not values.get("id"):
        return None
    counts = {name: _count(values.get(name)) for name in ("done", "files_done", "files")}
    total = values.get("total")
    error = values.get("error")
    values |= counts | {
        "total": total if type(total) is int and total >= 0 else None, "rate": None, "seconds_left": None,
        "error": error if isinstance(error, dict) else None, "converted": False,
        "state": "waiting" if values["state"] in WORKING else values["state"],
    }  # fmt: skip
    return Wish(**values)


def _count(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0


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
