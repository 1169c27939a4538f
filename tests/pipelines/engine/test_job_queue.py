"""The queue on disk: nothing queued is lost, what ran is told apart."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipelines.engine.protocol import Run
from pipelines.engine.queue import KEEP, JobQueue


@pytest.fixture
def path(tmp_path):
    return tmp_path / "queue.sqlite"


def test_queued_jobs_come_back_in_order_and_running_ones_are_lost(path):
    queue = JobQueue(path)
    for name in "abcd":
        queue.add(Run(job=name, graph="{}"))
    queue.mark("a", "finished")
    queue.mark("b", "running")
    queue.close()
    again = JobQueue(path)
    assert [job.id for job in again.recover()] == ["c", "d"]
    assert [job.id for job in again.jobs("lost")] == ["b"]
    again.close()


def test_a_job_keeps_its_graph(path):
    queue = JobQueue(path)
    queue.add(Run(job="a", graph='{"nodes": {}}', targets=("x",), base="/somewhere"))
    (job,) = queue.jobs("queued")
    assert job.request == Run(job="a", graph='{"nodes": {}}', targets=("x",), base="/somewhere")
    queue.close()


def test_old_ended_jobs_are_forgotten(path):
    queue = JobQueue(path)
    for number in range(KEEP + 5):
        queue.add(Run(job=str(number), graph="{}"))
        queue.mark(str(number), "finished")
    kept = [job.id for job in queue.jobs("finished")]
    assert len(kept) == KEEP
    assert kept[-1] == str(KEEP + 4)
    queue.close()


@pytest.mark.posix
def test_a_killed_program_loses_no_queued_job(path):
    code = (
        "import os, signal, sys; from pathlib import Path; from pipelines.engine.queue import JobQueue;"
        "from pipelines.engine.protocol import Run; q = JobQueue(Path(sys.argv[1]));"
        "q.add(Run(job='a', graph='{}')); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    queue = JobQueue(path)
    assert [job.id for job in queue.recover()] == ["a"]
    queue.close()
