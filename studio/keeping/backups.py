"""Backups: earlier versions of each document, in the data folder, fewer the older they are.

A version is a gzipped graph file named by its moment and why it was kept; pixels stay in the asset store.
Each document has a folder of its own with a note of what it is, so that a deleted file or a document that
never had one is found again. No Qt here: any thread may use it.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import secrets
import shutil
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from blake3 import blake3

from pipelines import paths
from pipelines.errors import BackupNotKept, DiptychError, GraphUnreadable
from pipelines.files import atomic_write, open_file, reason_of, sanitise_name
from pipelines.graph.assets import assets_of
from pipelines.graph.document import Graph
from pipelines.graph.storage import MAX_GRAPH, read_any

Why = Literal["timed", "before", "other", "closed", "crashed"]
"""``timed`` while one works, ``before`` a save that replaced it, ``other``: written by another program,
``closed`` without being saved, ``crashed``: found at the start after a crash."""

UNTITLED: Final = "untitled-"
"""How the keys of documents without a file begin."""
EVERY: Final = 600.0
"""Seconds between two backups of one document."""
SLOTS: Final = ((600, 6), (3_600, 8))
"""Of each 10 minutes and each hour the newest, for so many of them; see :func:`kept`."""
DAYS: Final = 5
OTHERS: Final = 5
"""How many of each other kind are kept."""
DOCUMENTS: Final = 60
"""So many documents have backups; those not worked on for longest lose theirs first."""
MAX_BYTES: Final = 512 * 2**20
"""All backups together."""
ABOUT: Final = "about.json"
_NAME: Final = re.compile(r"(\d{10,16})-([a-z]+)\.json\.gz")
_UNREADABLE: Final = (OSError, EOFError, zlib.error, DiptychError)


@dataclass(frozen=True, slots=True)
class Version:
    """One backup. ``time`` in seconds since 1970."""

    path: Path
    time: float
    why: str

    def read(self) -> Graph:
        """The graph it holds. Raises :class:`GraphUnreadable` if it is damaged."""
        name = self.path.name
        try:
            with open_file(self.path) as file, gzip.GzipFile(fileobj=file) as unpacked:
                data = unpacked.read(MAX_GRAPH + 1)
        except OSError as error:
            raise GraphUnreadable(name=name, reason=reason_of(error)) from error
        except (EOFError, zlib.error) as error:
            raise GraphUnreadable(name=name, reason="It is damaged.") from error
        if len(data) > MAX_GRAPH:
            raise GraphUnreadable(name=name, reason=f"It is larger than {MAX_GRAPH // 2**20} MB.")
        return read_any(data, name).graph


@dataclass(frozen=True, slots=True)
class Backed:
    """A document that has backups: its key, its file (or ``""``), what to call it, and its newest backup."""

    key: str
    path: str
    name: str
    time: float


def backups_dir() -> Path:
    """Where this profile keeps them."""
    return paths.data_dir() / "backups"


def key_of(path: Path) -> str:
    """The key of a document that has a file: the same however the path is written."""
    real = os.path.normcase(os.path.realpath(path))
    digest = blake3(real.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"{sanitise_name(path.stem, 60)}-{digest}"


def new_key() -> str:
    """A key for a document without a file."""
    return UNTITLED + secrets.token_hex(8)


def kept(times: Collection[float]) -> set[float]:
    """Which of these moments (seconds since 1970) stay: the newest of each of the last 6 periods of 10
    minutes, of the last 8 hours and of the last 5 days in which there are any.

    Periods without a backup don't count, so that a holiday costs nothing; the clock's periods, not those
    before now, so that thinning again and again keeps the same ones.
    """
    newest_first = sorted(times, reverse=True)
    found: set[float] = set()
    slots: list[tuple[Callable[[float], int], int]] = [
        (partial(_period, seconds), count) for seconds, count in SLOTS
    ]
    slots.append((_day, DAYS))
    for slot, count in slots:
        seen: set[int] = set()
        for moment in newest_first:
            if (period := slot(moment)) not in seen:
                if len(seen) == count:
                    break
                seen.add(period)
                found.add(moment)
    return found


def _period(seconds: int, moment: float) -> int:
    return int(moment // seconds)


def _day(moment: float) -> int:
    """The day on the user's calendar."""
    local = time.localtime(moment)
    return local.tm_year * 1000 + local.tm_yday


class Backups:
    """The backups below ``folder``."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or backups_dir()

    def put(
        self, key: str, graph: Graph, why: Why, *, path: str = "", name: str = "", now: float = 0
    ) -> bool:
        """Keep a version; False if the newest is the same already. ``now`` is the clock's unless given.

        Raises:
            DiskFull, BackupNotKept: it could not be kept.
        """
        moment = now or time.time()
        there, data = self.versions(key), graph.dumps()
        folder = self.folder / sanitise_name(key)
        if there and self._holds(there[0], data):
            return False
        about = json.dumps({"path": path, "name": name}, ensure_ascii=False)
        atomic_write(folder / ABOUT, about + "\n", failure=BackupNotKept)
        stamp = round(moment * 1000)
        while any(f"{stamp:013d}-" in version.path.name for version in there):
            stamp += 1
        goal = folder / f"{stamp:013d}-{why}.json.gz"
        atomic_write(goal, gzip.compress(data, 6, mtime=0), failure=BackupNotKept)
        self._thin(key)
        return True

    def rename(self, key: str, new: str) -> None:
        """A document got a file: its backups are that file's, unless it has some."""
        with contextlib.suppress(OSError):
            goal = self.folder / sanitise_name(new)
            if not goal.exists():
                (self.folder / sanitise_name(key)).rename(goal)

    def put_file(self, key: str, path: Path) -> Path | None:
        """Keep a file that isn't a graph before it is replaced, byte for byte; gives where, or ``None`` if
        there is none.

        Raises:
            DiskFull, BackupNotKept: it could not be kept.
        """
        folder = self.folder / sanitise_name(key)
        try:
            with open_file(path) as file:
                goal = folder / f"{round(time.time() * 1000):013d}-{sanitise_name(path.name, 120)}"
                return atomic_write(goal, lambda out: shutil.copyfileobj(file, out), failure=BackupNotKept)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BackupNotKept(path=str(folder), reason=reason_of(error)) from error

    def versions(self, key: str) -> list[Version]:
        """The backups of a document, newest first."""
        found = []
        with contextlib.suppress(OSError), os.scandir(self.folder / sanitise_name(key)) as entries:
            for entry in entries:
                if match := _NAME.fullmatch(entry.name):
                    found.append(Version(Path(entry.path), int(match[1]) / 1000, match[2]))
        return sorted(found, key=lambda version: version.time, reverse=True)

    def documents(self) -> list[Backed]:
        """All documents that have backups, those worked on last first."""
        found = []
        for folder in self._folders():
            versions = self.versions(folder.name)
            if versions:
                about = _about(folder / ABOUT)
                path, name = str(about.get("path") or ""), str(about.get("name") or "")
                found.append(Backed(folder.name, path, name, versions[0].time))
        return sorted(found, key=lambda document: document.time, reverse=True)

    def assets(self) -> set[str]:
        """The pixels that any backup names."""
        found: set[str] = set()
        for folder in self._folders():
            for version in self.versions(folder.name):
                with contextlib.suppress(*_UNREADABLE):
                    found |= assets_of(version.read())
        return found

    def sweep(self) -> None:
        """Drop the backups of the documents not worked on for longest, until the limits are kept."""
        size = 0
        for index, document in enumerate(self.documents()):
            folder = self.folder / document.key
            size += sum(_size(path) for path in folder.iterdir())
            if index >= DOCUMENTS or (index and size > MAX_BYTES):
                shutil.rmtree(folder, ignore_errors=True)

    def _folders(self) -> list[Path]:
        with contextlib.suppress(OSError):
            return [path for path in self.folder.iterdir() if path.is_dir()]
        return []

    @staticmethod
    def _holds(version: Version, data: bytes) -> bool:
        try:
            return version.read().dumps() == data
        except DiptychError:
            return False

    def _thin(self, key: str) -> None:
        versions = self.versions(key)
        stay = kept([version.time for version in versions if version.why == "timed"])
        _unlink(version.path for version in versions if version.why == "timed" and version.time not in stay)
        for why in {version.why for version in versions} - {"timed"}:
            same = [version.path for version in versions if version.why == why]
            _unlink(same[OTHERS:])


def _about(path: Path) -> Mapping[str, Any]:
    try:
        about = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return about if isinstance(about, dict) else {}


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def _unlink(files: Iterable[Path]) -> None:
    for path in files:
        with contextlib.suppress(OSError):
            path.unlink()
