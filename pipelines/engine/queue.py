"""The queue of jobs, in SQLite: what was queued when the program ended, or was ended, is there at the next
start.

Runs never fail for its sake: a damaged file is moved aside and a new one begun, one that can't be written is
left as it is, and the queue lives in memory.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from pipelines.engine.protocol import Run
from pipelines.errors import ErrorInfo, QueueNotKept, QueueUnreadable

JobState = Literal["queued", "running", "finished", "failed", "cancelled", "lost"]
KEEP = 200
"""Ended jobs that are remembered."""

_PATIENCE: Final = 0.5
"""Seconds to wait for another program that has the file locked: callers must not stand still."""
_FAULTS: Final = (sqlite3.Error, UnicodeDecodeError)
"""What a file can raise: texts of a damaged one, SQLite's own messages included, may be no UTF-8."""
_DAMAGED: Final = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""What SQLite says of a file that isn't ours or is broken; anything else is about the disk or the moment."""

_SCHEMA = """
create table if not exists jobs (
    id text primary key, state text not null, created real not null, ended real, request text not null
)
"""


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """One row: the request as it was when it was queued."""

    id: str
    state: JobState
    created: float
    request: Run


class JobQueue:
    """Jobs in the order they were queued. Safe to use from several threads."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._path = path
        self._problem: ErrorInfo | None = None
        self._told: set[str] = set()
        self._db: sqlite3.Connection | None = self._open()

    def add(self, request: Run) -> None:
        """Write a job down before anything else happens to it."""
        row = (request.job, "queued", time.time(), request.model_dump_json())
        self._execute("insert or replace into jobs (id, state, created, request) values (?, ?, ?, ?)", row)

    def mark(self, job: str, state: JobState) -> None:
        """Change a job's state; an ended one gets its time, and the oldest ended ones are forgotten."""
        ended = None if state in ("queued", "running") else time.time()
        self._execute("update jobs set state = ?, ended = ? where id = ?", (state, ended, job))
        if ended is not None:
            self._execute(
                "delete from jobs where ended is not null and id not in "
                "(select id from jobs where ended is not null order by ended desc limit ?)",
                (KEEP,),
            )

    def jobs(self, *states: JobState) -> list[QueuedJob]:
        """Jobs in these states, oldest first. One that can't be understood any more is marked as lost."""
        marks = ",".join("?" * len(states))
        query = (
            f"select id, state, created, request from jobs where state in ({marks}) order by created, rowid"
        )
        found = []
        for job, state, created, request in self._execute(query, states):
            try:
                found.append(QueuedJob(job, state, created, Run.model_validate_json(request)))
            except (ValidationError, TypeError):
                self.mark(job, "lost")
        return found

    def recover(self) -> list[QueuedJob]:
        """At start: jobs that were running when the program ended are lost; those still queued are
        returned."""
        self._execute("update jobs set state = 'lost', ended = ? where state = 'running'", (time.time(),))
        return self.jobs("queued")

    def take_problem(self) -> ErrorInfo | None:
        """What went wrong with the file since the last time this was asked; each kind is told once."""
        with self._lock:
            problem, self._problem = self._problem, None
        return problem

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
            self._db = None

    # --- the file ------------------------------------------------------------------------------------------

    def _execute(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """The rows; none if the file fails, which :meth:`take_problem` tells."""
        with self._lock:
            if self._db is None:
                return []
            try:
                return self._db.execute(query, values).fetchall()
            except _FAULTS as error:
                if self._path is not None and _is_damaged(error):
                    self._db.close()
                    self._db = self._begin_anew(self._path, error)
                else:
                    self._tell(QueueNotKept(path=str(self._path), reason=f"{error}.").info())
                return []

    def _open(self) -> sqlite3.Connection:
        if self._path is None:
            return _connect(":memory:")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return _connect(self._path)
        except _FAULTS as error:
            if _is_damaged(error):
                return self._begin_anew(self._path, error)
            return self._in_memory(f"{error}.")
        except OSError as error:
            return self._in_memory(f"{error.strerror or error}.")

    def _begin_anew(self, path: Path, error: Exception) -> sqlite3.Connection:
        """A new file in place of a damaged one, which is kept beside it."""
        kept = path.with_name(f"{path.stem}-unreadable{path.suffix}")
        try:
            path.replace(kept)
            for part in ("-wal", "-shm"):
                Path(f"{path}{part}").unlink(missing_ok=True)
            made = _connect(path)
        except (OSError, *_FAULTS) as again:
            return self._in_memory(f"{again}.")
        self._tell(QueueUnreadable(reason=f"{error}.", kept=kept.name).info())
        return made

    def _in_memory(self, reason: str) -> sqlite3.Connection:
        self._tell(QueueNotKept(path=str(self._path), reason=reason).info())
        return _connect(":memory:")

    def _tell(self, problem: ErrorInfo) -> None:
        if problem.code not in self._told:
            self._told.add(problem.code)
            self._problem = problem


def _connect(path: Path | str) -> sqlite3.Connection:
    """An open queue. Raises :class:`sqlite3.Error` if it can't be written or isn't one."""
    made = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=_PATIENCE)
    try:
        made.execute("pragma journal_mode = wal")
        made.execute("pragma synchronous = normal")
        made.execute(_SCHEMA)
        made.execute("select id, state, created, ended, request from jobs limit 1").fetchone()
        made.execute("update jobs set state = state where id = ''")  # a file that can't be written says so
    except _FAULTS:
        made.close()
        raise
    return made


def _is_damaged(error: Exception) -> bool:
    return not isinstance(error, sqlite3.Error) or getattr(error, "sqlite_errorcode", -1) & 0xFF in _DAMAGED
