"""A queue whose file is damaged, locked, read-only or gone: runs go on, and it is said once."""

from __future__ import annotations

import random
import sqlite3
from functools import partial

import pytest

from pipelines.engine.client import EngineClient, default_settings
from pipelines.engine.hosts import InProcessHost
from pipelines.engine.protocol import Failure, Lost, Run, RunFinished
from pipelines.engine.queue import JobQueue
from pipelines.graph.registry import builtin
from tests.helpers.engine_drive import Drive
from tests.helpers.fault_graphs import assert_readable, one, outputs


def request(job="1"):
    return Run(job=job, graph=one("text.constant", text=job).dumps().decode())


def works(queue):
    queue.add(request("a"))
    queue.add(request("b"))
    queue.mark("a", "finished")
    assert [job.id for job in queue.jobs("queued")] == ["b"]


@pytest.mark.parametrize(
    "content",
    [b"", b"not a database at all", b"SQLite format 3\0" + b"\xff" * 5_000, b"\0" * 4096],
    ids=["empty", "text", "header only", "zeros"],
)
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(tmp_path, content):
    path = tmp_path / "queue.sqlite"
    path.write_bytes(content)
    queue = JobQueue(path)
    works(queue)
    queue.close()
    if content:
        told = JobQueue(path)
        assert (tmp_path / "queue-unreadable.sqlite").read_bytes()[:16] == content[:16]
        assert [job.id for job in told.recover()] == ["b"]
        told.close()


def test_another_program_s_database_is_left_to_it(tmp_path):
    path = tmp_path / "queue.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("create table jobs (something text)")
        other.execute("insert into jobs values ('precious')")
    other.close()
    queue = JobQueue(path)
    works(queue)
    assert queue.take_problem().code == "QueueUnreadable"
    queue.close()
    kept = sqlite3.connect(tmp_path / "queue-unreadable.sqlite")
    assert kept.execute("select * from jobs").fetchall() == [("precious",)]
    kept.close()


def test_a_file_damaged_at_random_never_stops_anything(tmp_path):
    path, choose = tmp_path / "queue.sqlite", random.Random(11)
    queue = JobQueue(path)
    for number in range(60):
        queue.add(request(f"job{number}"))
    queue.close()
    whole = path.read_bytes()
    for _ in range(25):
        data = bytearray(whole)
        for _ in range(40):
            data[choose.randrange(len(data))] = choose.randrange(256)
        for part in ("-wal", "-shm"):
            path.with_name(path.name + part).unlink(missing_ok=True)
        path.write_bytes(data[: choose.choice([len(data), len(data) // 2, 5_000])])
        queue = JobQueue(path)
        queue.recover()
        queue.add(request("new"))
        queue.mark("new", "running")
        queue.jobs("running", "queued", "finished")
        queue.close()


def test_a_job_that_can_t_be_understood_is_lost_alone(tmp_path):
    path = tmp_path / "queue.sqlite"
    queue = JobQueue(path)
    for job in ("a", "b", "c"):
        queue.add(request(job))
    queue.close()
    with sqlite3.connect(path) as other:
        other.execute("update jobs set request = '{\"half' where id = 'b'")
    other.close()
    queue = JobQueue(path)
    assert [job.id for job in queue.recover()] == ["a", "c"]
    assert queue.take_problem() is None
    queue.close()


def unusable(tmp_path, kind):
    if kind == "a file for a folder":
        (tmp_path / "file").write_text("x")
        return tmp_path / "file" / "queue.sqlite", None
    path = tmp_path / "queue.sqlite"
    if kind == "a folder of its name":
        path.mkdir()
        return path, None
    JobQueue(path).close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("pragma locking_mode = exclusive")
    holder.execute("begin exclusive")
    return path, holder


@pytest.mark.parametrize("kind", ["a file for a folder", "a folder of its name", "locked"])
def test_a_file_that_can_t_be_written_is_left_and_the_queue_lives_in_memory(tmp_path, kind):
    path, holder = unusable(tmp_path, kind)
    drive = Drive(tmp_path, partial(InProcessHost, registry=builtin()), builtin(), JobQueue(path)).start()
    told = drive.until(Failure)
    assert told.error.code == "QueueNotKept"
    assert told.error.severity == "warning"
    assert_readable(told.error)
    for number in range(3):
        assert outputs(drive.run(one("text.constant", text=str(number))))["n"]["text"] == str(number)
    assert len(drive.of(Failure)) == 1, "it is said once"
    drive.client.close()
    if holder is not None:
        holder.close()
        queue = JobQueue(path)
        assert queue.take_problem() is None
        queue.close()


def test_a_queue_is_deaf_after_its_end(tmp_path):
    queue = JobQueue(tmp_path / "queue.sqlite")
    queue.close()
    queue.mark("x", "failed")
    assert queue.jobs("queued") == []
    queue.close()


# --- no engine -------------------------------------------------------------------------------------------


def test_an_engine_that_can_t_be_started_fails_every_job_and_is_tried_again(tmp_path):
    attempts = []

    def host(hello, on_message, on_exit):
        attempts.append(hello)
        if len(attempts) < 3:
            raise OSError(12, "Cannot allocate memory")
        return InProcessHost(hello, on_message, on_exit, builtin())

    drive = Drive(tmp_path, host, builtin())
    early = drive.client.submit(one("text.constant", text="early"))
    drive.client.start()
    assert not drive.until(Lost).restarting
    assert drive.until(RunFinished, job=early).errors[0].code == "EngineUnavailable"
    assert drive.run(one("text.constant")).status == "failed"
    assert outputs(drive.run(one("text.constant", text="now")))["n"]["text"] == "now"
    assert len(attempts) == 3
    drive.client.close()


def test_a_runtime_folder_that_can_t_be_used_fails_the_job_in_words(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "file"))
    heard = []
    client = EngineClient(default_settings(), heard.append, partial(InProcessHost, registry=builtin()))
    client.start()
    client.submit(one("text.constant"))
    ended = next(event for event in heard if isinstance(event, RunFinished))
    assert ended.errors[0].code == "FolderUnusable"
    assert_readable(ended.errors[0])
    client.close()


def test_a_cancel_is_not_given_the_hour_that_nothing_happened_in(tmp_path, monkeypatch):
    """The time before the first progress of a run is no unit of work: a hung job is killed soon after."""
    from pipelines.engine import client as module
    from pipelines.engine.protocol import NodeProgress, RunStarted

    class Silent:
        killed = False

        def send(self, message): ...
        def kill(self):
            self.killed = True

        def close(self, seconds): ...

    host, graces = Silent(), []

    class Timer:
        daemon = True

        def __init__(self, grace, function, arguments):
            graces.append(grace)

        def start(self): ...
        def cancel(self): ...

    monkeypatch.setattr(module.threading, "Timer", Timer)
    client = EngineClient(default_settings(), lambda event: None, lambda *_: host)
    client.start()
    job = client.submit(one("text.constant"))
    client._received(RunStarted(job=job, nodes=("n",)))
    client._received(NodeProgress(job=job, node="n", step=1, total=9))
    client.cancel(job)
    client.close()
    assert graces == [module.CANCEL_GRACE]
