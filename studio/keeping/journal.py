"""The journal: each state of the document, a moment after it came to be, in a file that only grows.

A record says when, by which step, and what differs from the record before; the first holds the whole graph.
It is compressed and stands behind its length and digest, so that a reader takes what is whole and stops at
what isn't: a kill or a full disk costs the record being written, never those before it. No Qt here; the
writer lives in one worker thread.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from blake3 import blake3

from pipelines.errors import DiptychError, JournalNotKept
from pipelines.files import atomic_write, open_file, save_error
from pipelines.graph import jsontext
from pipelines.graph.delta import MISFITS, applied, delta
from pipelines.graph.document import Graph
from pipelines.graph.storage import MAX_GRAPH

NAME: Final = "journal"
BEFORE: Final = "journal-before"
"""The journal before this one: its steps can still be looked at."""
UNREADABLE: Final = "journal-unreadable"
MAGIC: Final = b"DIPTYCH JOURNAL 1\n"
MAX_RECORDS: Final = 400
MAX_GROWTH: Final = 16 * 2**20
"""Bytes that a journal grows by before another is begun."""
MAX_BYTES: Final = MAX_GRAPH + 2 * MAX_GROWTH
"""Largest file that is read."""
END: Final = b'{"kind": "end"'
"""How the record that ends a session begins."""
_HEAD: Final = struct.Struct("<I16s")


@dataclass(frozen=True, slots=True)
class State:
    """The document at one moment. ``text`` names the step that led to it, ``path`` its file (or is empty),
    ``key`` its backups, ``stamp`` the file as it was last read or written."""

    graph: Graph
    time: float = 0.0
    text: str = ""
    path: str = ""
    name: str = ""
    key: str = ""
    stamp: tuple[int, int] | None = None
    modified: bool = False
    from_elsewhere: bool = True

    def about(self) -> dict[str, Any]:
        """All but the graph, as JSON."""
        return {
            "time": self.time,
            "text": self.text,
            "path": self.path,
            "name": self.name,
            "key": self.key,
            "stamp": self.stamp,
            "modified": self.modified,
            "from_elsewhere": self.from_elsewhere,
        }

    @classmethod
    def of(cls, graph: Graph, about: Mapping[str, Any]) -> State:
        """The inverse of :meth:`about`; what has the wrong kind counts as missing."""
        texts = {name: str(about.get(name) or "") for name in ("text", "path", "name", "key")}
        time, stamp = about.get("time"), about.get("stamp")
        known = isinstance(stamp, list) and len(stamp) == 2 and all(type(part) is int for part in stamp)
        return cls(
            graph,
            float(time) if isinstance(time, int | float) else 0.0,
            stamp=(stamp[0], stamp[1]) if isinstance(stamp, list) and known else None,
            modified=bool(about.get("modified")),
            from_elsewhere=bool(about.get("from_elsewhere", True)),
            **texts,
        )

    def is_same(self, other: State | None) -> bool:
        """Whether nothing differs but the moment and the step."""
        return (
            other is not None
            and other.graph is self.graph
            and self.about()
            == other.about()
            | {
                "time": self.time,
                "text": self.text,
            }
        )


class Found(NamedTuple):
    """What a journal held: the states from the oldest, whether its session ended, and whether all of the file
    could be read."""

    states: tuple[State, ...] = ()
    ended: bool = False
    whole: bool = True


def read(path: Path) -> Found:
    """A journal as far as it is whole. Never fails: what isn't there or can't be read has no states."""
    try:
        with open_file(path) as file:
            data = file.read(MAX_BYTES)
    except FileNotFoundError:
        return Found()
    except OSError:
        return Found(whole=False)
    states: list[State] = []
    ended, end = False, 0
    for at, record in _records(data):
        end = at
        head, _, body = record.partition(b"\n")
        try:
            about = json.loads(head)
            ended = about["kind"] == "end"
            if not ended:
                graph = _graph(about["kind"], body, states[-1].graph if states else None)
                states.append(State.of(graph, about))
        except (*MISFITS, RecursionError):
            return Found(tuple(states), False, False)
    return Found(tuple(states), ended, end == len(data))


def has_ended(path: Path) -> bool:
    """Whether a journal is whole and its session ended, without looking at its states."""
    try:
        with open_file(path) as file:
            data = file.read(MAX_BYTES)
    except OSError:
        return False
    last = deque(_records(data), 1)
    return bool(last) and last[0][0] == len(data) and last[0][1].startswith(END)


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The whole records, each with the position behind it."""
    if not data.startswith(MAGIC):
        return
    at = len(MAGIC)
    while at + _HEAD.size <= len(data):
        length, digest = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        packed = data[at : at + length]
        at += length
        if len(packed) != length or blake3(packed).digest(16) != digest:
            return
        unpacker = zlib.decompressobj()
        try:
            record = unpacker.decompress(packed, MAX_GRAPH)
        except zlib.error:
            return
        if not unpacker.eof:
            return
        yield at, record


def _graph(kind: str, body: bytes, before: Graph | None) -> Graph:
    if kind == "whole":
        return Graph.loads(body)
    if before is None:
        raise ValueError("a difference without a graph")
    return applied(before, jsontext.loads(body))


def _record(kind: str, about: Mapping[str, Any], body: bytes = b"") -> bytes:
    head = json.dumps({"kind": kind, **about}).encode()
    packed = zlib.compress(head + b"\n" + body, 1)
    return _HEAD.pack(len(packed), blake3(packed).digest(16)) + packed


class JournalWriter:
    """Writes the journal of one session. The one that is there stays until the first state of the new one is
    safe; a copy is kept as :data:`BEFORE`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._last: Graph | None = None
        self._records, self._end, self._limit = 0, 0, 0

    def write(self, state: State) -> None:
        """Add a state; it is on the disk when this returns.

        Raises:
            DiskFull, JournalNotKept: it isn't; what was there before still is.
        """
        if self._last is None or self._records >= MAX_RECORDS or self._end >= self._limit:
            self._begin(state)
            return
        part = delta(self._last, state.graph)
        if part is None:
            record = _record("whole", state.about(), state.graph.dumps())
        else:
            record = _record("difference", state.about(), jsontext.dumps(part).encode())
        if self._append(record):
            self._last = state.graph
        else:
            self._begin(state)

    def end(self, state: State) -> None:
        """The session ends here and is safe elsewhere: the next start has nothing to say."""
        try:
            if self._last is None:
                if not self.path.exists() or read(self.path).ended:
                    return
                self._begin(state)
            told = self._append(_record("end", {"time": state.time}))
        except DiptychError:
            told = False
        if not told:  # else the next start would take an older state for the last one
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _begin(self, state: State) -> None:
        self._last = None
        self._keep_before()
        data = MAGIC + _record("whole", state.about(), state.graph.dumps())
        atomic_write(self.path, data, failure=JournalNotKept)
        self._last, self._records = state.graph, 1
        self._end, self._limit = len(data), len(data) + MAX_GROWTH

    def _keep_before(self) -> None:
        """Copied, not renamed: at every moment there is a journal that a start finds."""
        try:
            with open_file(self.path) as file:
                data = file.read(MAX_BYTES)
        except OSError:
            return
        with contextlib.suppress(
            DiptychError
        ):  # no room for the old one is no reason not to keep the new one
            atomic_write(self.path.with_name(BEFORE), data)

    def _append(self, record: bytes) -> bool:
        """False if the file isn't as it was left: somebody deleted or changed it."""
        try:
            with self.path.open("r+b", buffering=0) as file:
                if file.seek(0, os.SEEK_END) != self._end:
                    return False
                try:
                    written = 0
                    while written < len(record):
                        written += file.write(record[written:])
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(self._end)
                    raise
        except FileNotFoundError:
            return False
        except OSError as error:
            raise save_error(error, self.path, len(record), JournalNotKept) from error
        self._end += len(record)
        self._records += 1
        return True
