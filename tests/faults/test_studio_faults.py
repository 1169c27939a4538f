"""The real studio as a process of its own: killed, started twice, on damaged files, closed in mid-run."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest

from pipelines.engine.locks import FileLock
from tests.helpers.fault_processes import ROOT, is_gone, start, wait_for

pytestmark = pytest.mark.posix


class Studio:
    """A studio under test and what it says."""

    def __init__(self, mode, home):
        self.child = start([sys.executable, "-m", "tests.helpers.fault_studio", mode], home, cwd=ROOT)
        self.heard = []

    def kill(self):
        self.child.kill()
        self.child.communicate()

    def until(self, event):
        """What it says of an event; what it said before is kept in ``heard``."""
        for line in self.child.stdout:
            if not line.startswith("{"):
                continue
            told = json.loads(line)
            self.heard.append(told)
            if told["event"] == event:
                return told
        _, err = self.child.communicate(timeout=20)
        pytest.fail(f"no {event}; heard {self.heard}; {err}")

    def end(self):
        _, err = self.child.communicate(timeout=20)
        assert "Traceback" not in err, err
        return self.child.returncode


@pytest.fixture
def open_studio():
    """``open_studio(mode, home)``; what still runs at the end is killed."""
    opened = []

    def make(mode, home):
        opened.append(Studio(mode, home))
        return opened[-1]

    yield make
    for studio in opened:
        if studio.child.returncode is None:
            studio.kill()


def test_a_studio_killed_in_mid_run_loses_one_run_and_nothing_else(tmp_path, open_studio):
    first = open_studio("work", tmp_path)
    engine = first.until("ready")["pid"]
    running = first.until("started")["job"]
    first.kill()
    wait_for(lambda: is_gone(engine), 10)  # nobody ends it: it notices by itself

    again = open_studio("again", tmp_path)
    assert again.until("shown")["nodes"] == ["join", "lines"]
    queued = again.until("started")["job"]
    assert queued != running, "what ran is lost, what waited runs"
    assert again.until("finished") == {"event": "finished", "job": queued, "status": "finished", "errors": []}
    # and closing it in the middle of a run is quick
    engine = next(told for told in again.heard if told["event"] == "ready")["pid"]
    assert again.until("closed")["seconds"] < 3
    assert again.end() == 0
    wait_for(lambda: is_gone(engine), 5)
    assert not list((tmp_path / "run").glob("run-*"))


def test_an_engine_killed_under_the_studio_is_said_and_started_again(tmp_path, open_studio):
    studio = open_studio("lost", tmp_path)
    engine = studio.until("ready")["pid"]
    studio.until("started")
    os.kill(engine, signal.SIGKILL)
    assert studio.until("lost")["code"] == "EngineDied"
    assert studio.until("finished")["errors"] == ["EngineDied"]
    assert "engine stopped" in studio.until("closed")["banner"]
    assert studio.end() == 0


def test_damaged_files_of_the_last_time_are_kept_aside_and_said(tmp_path, open_studio):
    files = {
        "config/studio.json": b"{half",
        "data/session/graph.json": b"[" * 100_000,
        "data/session/session.json": b'{"results": [5, {"path": 7}, null], "selected": "x", "path": 9}',
        "data/queue.sqlite": b"no database at all" * 100,
    }
    for name, data in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    studio = open_studio("look", tmp_path)
    assert studio.until("shown")["nodes"] == []
    banner = studio.until("closed")["banner"]
    assert studio.end() == 0
    assert (tmp_path / "config/studio-unreadable.json").read_bytes() == files["config/studio.json"]
    assert (tmp_path / "data/session/graph-unreadable.json").read_bytes() == files["data/session/graph.json"]
    assert (tmp_path / "data/queue-unreadable.sqlite").read_bytes() == files["data/queue.sqlite"]
    assert "list of waiting runs" in banner


def test_a_second_studio_says_so_and_may_go_on_without_the_session(tmp_path, open_studio):
    lock = FileLock(tmp_path / "data" / "studio.lock", "Diptych, process 4711")
    assert lock.acquire()
    studio = open_studio("second", tmp_path)
    assert "process 4711" in studio.until("second")["text"]
    assert studio.until("shown")["read_only"]
    studio.until("closed")
    assert studio.end() == 0
    assert not (tmp_path / "data" / "session").exists()
    assert not (tmp_path / "data" / "queue.sqlite").exists()
    leaving = open_studio("leave", tmp_path)
    leaving.until("second")
    assert leaving.end() == 0
    lock.release()


def test_a_home_that_can_t_be_used_is_no_reason_not_to_open(tmp_path, open_studio):
    home = tmp_path / "file"
    home.write_text("x")
    studio = open_studio("look", home)
    assert studio.until("shown")["read_only"]
    told = studio.until("lost")
    assert told["code"] == "FolderUnusable"
    studio.kill()
    assert home.read_text() == "x"
