"""What is known of models: by this process, by the index, or by looking into the files.

An entry is kept by place and state; whatever changes a state (size, time, what lies beside a model) makes it
be examined again.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blake3 import blake3

from pipelines.engine.protocol import ModelInfo
from pipelines.errors import DiptychError
from pipelines.files import is_folder, is_there
from pipelines.graph.node import file_fingerprint
from pipelines.models.files.safety import files_of
from pipelines.models.probing.probe import Probe
from pipelines.models.records.entries import Entry, Root, entry_of, id_of, told_of
from pipelines.models.records.examine import Record, Structures, examine
from pipelines.models.records.examiners import MANY, Answer, Examiners, Job
from pipelines.models.records.index import ModelIndex, Row
from pipelines.models.records.walk import Place

BATCH: Final = 256
"""Records that are written to the index at once."""
TRIED: Final = 200
"""New files that are examined here before it is decided whether other processes shall help."""


def fingerprint(path: Path) -> str:
    """A digest of path, size and time of a file, or of every file of a folder; it changes as they do."""
    return _digest([file_fingerprint(file) for file in (files_of(path) if path.is_dir() else (path,))])


def _digest(states: Sequence[str]) -> str:
    digest = blake3()
    for state in states:
        digest.update(state.encode() + b"\0")
    return digest.hexdigest(16)


def place_fingerprint(place: Place) -> str:
    """:func:`fingerprint` of what a walk found, without another look at a file."""
    if place.folder:
        return fingerprint(Path(place.path))
    return _digest([f"{place.path}:{place.size}:{place.mtime_ns}"])


def state_of(place: Place, root: Root, print_: str) -> str:
    """All that the entry of a place depends on, as text."""
    return f"{print_}|{place.beside}|{place.preview}|{root.prefix}|{root.kind}|{root.path}"


@dataclass(slots=True)
class Known:
    """What is known of a place in some state. ``entry`` is made of the record when it is asked for;
    ``examined``: this process looked into the files, or one that it started.
    """

    state: str
    fingerprint: str
    place: Place
    root: Root
    info: ModelInfo
    record: str
    entry: Entry | None = None
    examined: bool = False


class Memory:
    """What is known of the places below ``roots``. Safe to use from several threads."""

    def __init__(self, index: ModelIndex, roots: Sequence[Root]) -> None:
        self.index = index
        self.roots = tuple(roots)
        self._known: dict[tuple[str, Path], Known] = {}
        self._records: dict[str, Row] | None = None
        self._fresh: list[Row] = []
        self._structures = Structures()
        self._lock = threading.RLock()

    @property
    def unwritten(self) -> int:
        """How many were examined since the index was written."""
        return len(self._fresh)

    def look(self, place: Place, root: Root, itself: bool = False) -> Known:
        """What is known of a place, examined if it must be; ``itself``: by this process, whatever the index
        says.
        """
        try:
            print_ = place_fingerprint(place)
        except DiptychError as error:
            return self._made(place, root, "", "", Record(Probe(None), place.path, error=error))
        known = self.current(place, root, print_, itself)
        if known is None:
            state = state_of(place, root, print_)
            name = id_of(Path(place.path), root)
            record = examine(place, name, self._structures, [root.path for root in self.roots])
            known = self._made(place, root, state, print_, record)
            with self._lock:
                self._fresh.append(Row(place.path, state, known.record, told_of(known.info)))
        self._keep(known)
        return known

    def current(self, place: Place, root: Root, print_: str, itself: bool = False) -> Known | None:
        """What is known of a place as it is now; None if it must be examined."""
        state = state_of(place, root, print_)
        with self._lock:
            known = self._known.get((place.path, root.path))
        if known is not None and known.state == state and (known.examined or not itself):
            return known
        return None if itself else self._recorded(place, root, state, print_)

    def _made(self, place: Place, root: Root, state: str, print_: str, record: Record) -> Known:
        entry = entry_of(record, place, root, print_)
        return Known(state, print_, place, root, entry.info, record.dumps(), entry, examined=True)

    def _recorded(self, place: Place, root: Root, state: str, print_: str) -> Known | None:
        """What the index says, if it says it of this state."""
        with self._lock:
            if self._records is None:
                self._records = self.index.records()
            row = self._records.get(place.path)
        if row is None or row.state != state:
            return None
        with suppress(ValueError):  # of pydantic, too
            info = ModelInfo.model_validate_json(row.told)
            return Known(state, print_, place, root, info, row.record)
        return None

    def entry(self, known: Known) -> Entry:
        if known.entry is None:
            try:
                record = Record.loads(known.record)
            except (ValueError, TypeError, LookupError, AttributeError):
                return self.entry(self.look(known.place, known.root, itself=True))
            known.entry = entry_of(record, known.place, known.root, known.fingerprint)
        return known.entry

    def write(self) -> None:
        with self._lock:
            fresh, self._fresh = self._fresh, []
            if fresh and self._records is not None:
                self._records |= {row.path: row for row in fresh}
        if fresh:
            self.index.store(fresh)

    def forget(self, places: set[str]) -> None:
        """Drop what is known of files that are gone from folders that are there: a disk may be away."""
        with self._lock:
            records = self._records or {}
            below = tuple(f"{root.path}{os.sep}" for root in self.roots if is_folder(root.path))
            gone = [path for path in records if path not in places and path.startswith(below)]
            gone = [path for path in gone if not is_there(Path(path))]
            for path in gone:
                del records[path]
        if gone:
            self.index.forget(gone)

    def prepared(
        self, places: Sequence[tuple[Place, Root]]
    ) -> Generator[tuple[Place, Root, Known | None], None, None]:
        """The places with what is known of them. Where many are new, and the first of these share little,
        other processes examine the rest.
        """
        jobs: dict[int, Job] = {}
        current: dict[int, Known] = {}
        for number, (place, root) in enumerate(places):
            if place.folder:
                continue
            print_ = place_fingerprint(place)
            known = self.current(place, root, print_)
            if known is not None:
                current[number] = known
            else:
                jobs[number] = Job(place, root, print_)
        waiting = deque(jobs.values())
        answers: Iterator[Answer | None] | None = None
        with ExitStack() as stack:
            for number, (place, root) in enumerate(places):
                known = current.get(number)
                if number in jobs:
                    done = len(jobs) - len(waiting)
                    if (
                        answers is None
                        and done == TRIED
                        and len(waiting) >= MANY
                        and self._structures.differ()
                    ):
                        examiners = stack.enter_context(Examiners([root.path for root in self.roots]))
                        answers = examiners.examine(list(waiting))
                    job = waiting.popleft()
                    known = self._take(job, next(answers)) if answers is not None else None
                yield place, root, known

    def _take(self, job: Job, answer: Answer | None) -> Known | None:
        """Keep what another process found out; without an answer the place is examined here, in its turn."""
        if answer is None:
            return None
        record, told = answer
        state = state_of(job.place, job.root, job.print)
        try:
            info = ModelInfo.model_validate_json(told)
        except ValueError:
            return None
        known = Known(state, job.print, job.place, job.root, info, record, examined=True)
        with self._lock:
            self._fresh.append(Row(job.place.path, state, record, told))
        self._keep(known)
        return known

    def _keep(self, known: Known) -> None:
        with self._lock:
            self._known[known.place.path, known.root.path] = known
            full = len(self._fresh) >= BATCH
        if full:
            self.write()
