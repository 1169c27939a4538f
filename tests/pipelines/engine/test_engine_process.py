"""The engine as a process: start, death, restart, kill, and who may use the device."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.engine import exchange
from pipelines.engine.locks import FileLock
from pipelines.engine.protocol import Lost, Ready, RunFinished, RunStarted
from pipelines.engine.queue import JobQueue
from pipelines.errors import Cancelled
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.node import FlagToken
from tests.helpers.engine_drive import in_own_process

pytestmark = pytest.mark.posix


def number(value=1.0):
    return Graph().with_node("a", NodeRecord.new("number.constant", params={"value": value}))


def long_text():
    """A graph that keeps the engine busy for a while: a long list of texts, mapped."""
    lines = "\n".join(str(line) for line in range(20_000))
    made = Graph().with_node("lines", NodeRecord.new("list.text", params={"lines": lines}))
    join = NodeRecord.new("text.join", params={"b": "!"}, inputs={"a": ("lines", "items")})
    return made.with_node("join", join)


@pytest.fixture
def drive(tmp_path):
    made = in_own_process(tmp_path).start()
    yield made
    made.client.close()


def test_a_job_submitted_before_the_engine_is_ready_runs(drive):
    finished = drive.run(number(2.5))
    assert finished.result["outputs"] == {"a": {"value": 2.5}}
    assert drive.of(Ready)[0].pid != os.getpid()


def test_a_graph_without_a_model_imports_no_torch(drive):
    drive.run(number())
    pid = drive.of(Ready)[0].pid
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert "libtorch" not in maps


def test_a_killed_engine_is_restarted_and_the_queue_goes_on(drive):
    pid = drive.until(Ready).pid
    first = drive.client.submit(long_text())
    second = drive.client.submit(number(7.0))
    drive.until(RunStarted)
    os.kill(pid, signal.SIGKILL)
    lost = drive.until(Lost)
    assert lost.restarting
    assert "killed" in lost.error.message
    ended = {event.job: event for event in (drive.until(RunFinished), drive.until(RunFinished))}
    assert ended[first].status == "failed"
    assert ended[first].errors[0].code == "EngineDied"
    assert ended[second].result["outputs"] == {"a": {"value": 7.0}}


def test_an_engine_that_dies_again_and_again_is_given_up(drive):
    for _ in range(10):
        event = drive.until(Ready)
        os.kill(event.pid, signal.SIGKILL)
        lost = drive.until(Lost)
        assert lost.error.code == "EngineDiedIdle", "no run was in the middle of anything"
        if not lost.restarting:
            break
    else:
        pytest.fail("it was restarted for ever")


def test_closing_ends_the_process_and_removes_the_run_directory(tmp_path):
    drive = in_own_process(tmp_path).start()
    pid = drive.until(Ready).pid
    run_dir = drive.client.run_dir
    assert run_dir.stat().st_mode & 0o777 == 0o700
    drive.client.close()
    assert not run_dir.exists()
    assert not exchange.is_alive(pid) or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


def test_the_engine_ends_when_its_client_is_killed(tmp_path):
    code = (
        "import sys, time; sys.path.insert(0, '.');"
        "from pathlib import Path; from tests.helpers.engine_drive import in_own_process;"
        "from pipelines.engine.protocol import Ready;"
        "d = in_own_process(Path(sys.argv[1])).start(); print(d.until(Ready).pid, flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    pid = int(child.stdout.readline())
    child.kill()
    child.wait()
    child.stdout.close()
    end = time.monotonic() + 10
    while exchange.is_alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not exchange.is_alive(pid)


def test_jobs_left_in_the_queue_run_at_the_next_start(tmp_path):
    path = tmp_path / "queue.sqlite"
    first = in_own_process(tmp_path, jobs=JobQueue(path))
    job = first.client.submit(number(4.0))
    first.client.close()
    again = in_own_process(tmp_path, jobs=JobQueue(path)).start()
    finished = again.until(RunFinished)
    again.client.close()
    assert finished.job == job
    assert finished.result["outputs"] == {"a": {"value": 4.0}}


def test_run_directories_of_dead_programs_are_swept(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / f"run-{dead.pid}-abc").mkdir()
    mine = exchange.make_run_dir(tmp_path)
    assert exchange.sweep(tmp_path) == 1
    assert mine.exists()


def test_the_device_lock_waits_says_for_whom_and_can_be_cancelled(tmp_path):
    path = tmp_path / "device.lock"
    first, second = FileLock(path, "studio of Ada"), FileLock(path)
    assert first.acquire()
    token, told = FlagToken(), []

    def waiting(owner):
        told.append(owner)
        token.cancel()

    with pytest.raises(Cancelled), second.hold(token, waiting):
        pass
    assert told == ["studio of Ada"]
    first.release()
    with second.hold(FlagToken(), told.append):
        assert second.held
    assert told == ["studio of Ada"]


def test_a_lock_is_gone_with_its_process(tmp_path):
    path = tmp_path / "device.lock"
    code = (
        "import sys; from pathlib import Path; from pipelines.engine.locks import FileLock;"
        "lock = FileLock(Path(sys.argv[1])); print(lock.acquire(), flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline().strip() == "True"
    lock = FileLock(path)
    assert not lock.acquire()
    child.kill()
    child.communicate()
    assert lock.acquire()
    lock.release()
