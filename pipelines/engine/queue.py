"""The queue of jobs, in SQLite: what was queued when the program ended, or was ended, is there at the next
start."""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.engine.protocol import Run

JobState = Literal["queued", "running", "finished", "failed", "cancelled", "lost"]
KEEP = 200
"""Ended jobs that are remembered."""

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
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(
            path or ":memory:", check_same_thread=False, isolation_level=None, timeout=5
        )
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.execute(_SCHEMA)

    def add(self, request: Run) -> None:
        """Write a job down before anything else happens to it."""
        row = (request.job, "queued", time.time(), request.model_dump_json())
        with self._lock:
            self._db.execute("insert into jobs (id, state, created, request) values (?, ?, ?, ?)", row)

    def mark(self, job: str, state: JobState) -> None:
        """Change a job's state; an ended one gets its time, and the oldest ended ones are forgotten."""
        ended = None if state in ("queued", "running") else time.time()
        with self._lock:
            self._db.execute("update jobs set state = ?, ended = ? where id = ?", (state, ended, job))
            if ended is not None:
                self._db.execute(
                    "delete from jobs where ended is not null and id not in "
                    "(select id from jobs where ended is not null order by ended desc limit ?)",
                    (KEEP,),
                )

    def jobs(self, *states: JobState) -> list[QueuedJob]:
        """Jobs in these states, oldest first."""
        marks = ",".join("?" * len(states))
        query = (
            f"select id, state, created, request from jobs where state in ({marks}) order by created, rowid"
        )
        with self._lock:
            rows = self._db.execute(query, states).fetchall()
        return [QueuedJob(row[0], row[1], row[2], Run.model_validate_json(row[3])) for row in rows]

    def recover(self) -> list[QueuedJob]:
        """At start: jobs that were running when the program ended are lost; those still queued are
        returned."""
        for job in self.jobs("running"):
            self.mark(job.id, "lost")
        return self.jobs("queued")

    def close(self) -> None:
        with self._lock:
            self._db.close()
