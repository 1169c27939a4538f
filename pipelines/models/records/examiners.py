"""Examining thousands of files at once, in processes of their own: reading headers is work for the processor,
and a thread that does it would keep the one that draws waiting.

A process takes lists of places as lines of JSON and answers each with a line of what it found; it ends when
its input does. What a process doesn't answer is examined here.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, cast

from pipelines.models.probing.probe import Kind
from pipelines.models.records.entries import Root, entry_of, id_of, told_of
from pipelines.models.records.examine import Structures, examine
from pipelines.models.records.walk import Place

MANY: Final = 1_200
"""Files from which on it is worth to start processes, which takes about half a second."""
CHUNK: Final = 24
MAX_PROCESSES: Final = 4
_ROOT: Final = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Job:
    """One place to be examined, below its root; ``print`` is its fingerprint."""

    place: Place
    root: Root
    print: str


Answer = tuple[str, str]
"""A record and what is told of the model, both as JSON."""


def examined(job: Job, structures: Structures, roots: Sequence[Path]) -> Answer:
    """What is found out of one place."""
    record = examine(job.place, id_of(Path(job.place.path), job.root), structures, roots)
    return record.dumps(), told_of(entry_of(record, job.place, job.root, job.print).info)


class Examiners:
    """Some processes that examine; use it as a context manager. Each is served by a thread of this one."""

    def __init__(self, roots: Sequence[Path], processes: int = 0) -> None:
        self._roots = roots
        self._count = processes or min(os.cpu_count() or 1, MAX_PROCESSES)
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads = ThreadPoolExecutor(self._count, "diptych-examine")

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError):  # without processes everything is examined here
            for _ in range(self._count):
                process = _started()
                self._processes.append(process)
                self._idle.put(process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._processes:
            process.kill()
        self._threads.shutdown()
        for process in self._processes:
            with process:  # closes its pipes and waits for it
                pass

    def examine(self, jobs: Sequence[Job]) -> Iterator[Answer | None]:
        """An answer for each job, in their order; None for one that must be examined here."""
        chunks = [jobs[start : start + CHUNK] for start in range(0, len(jobs), CHUNK)]
        for answers in self._threads.map(self._ask, chunks):
            yield from answers

    def _ask(self, jobs: Sequence[Job]) -> list[Answer | None]:
        nothing: list[Answer | None] = [None] * len(jobs)
        if not self._processes:
            return nothing
        process = self._idle.get()
        try:
            question = {"jobs": [_plain(job) for job in jobs], "roots": [str(root) for root in self._roots]}
            stdin, stdout = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
            stdin.write(json.dumps(question).encode() + b"\n")
            stdin.flush()
            answers = json.loads(stdout.readline())
            return (
                [(str(record), str(told)) for record, told in answers]
                if len(answers) == len(jobs)
                else nothing
            )
        except (OSError, ValueError, TypeError):  # it ended, or was ended
            return nothing
        finally:
            self._idle.put(process)


def _started() -> subprocess.Popen[bytes]:
    paths = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "pipelines.models.records.examiners"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip


def _plain(job: Job) -> dict[str, Any]:
    root = job.root
    return {
        "place": asdict(job.place), "print": job.print,
        "root": [str(root.path), root.prefix, root.kind, root.program],
    }  # fmt: skip


def _job(data: dict[str, Any]) -> Job:
    place = data["place"] | {"notes": tuple(data["place"]["notes"])}
    path, prefix, kind, program = data["root"]
    return Job(Place(**place), Root(Path(path), prefix, cast(Kind | None, kind), program), data["print"])


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer questions until there are no more."""
    structures = Structures()
    for line in source:
        question = json.loads(line)
        roots = [Path(root) for root in question["roots"]]
        answers = [examined(_job(job), structures, roots) for job in question["jobs"]]
        sink.write(json.dumps(answers).encode() + b"\n")
        sink.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)
