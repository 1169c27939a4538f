"""Saves that fail or are killed: the old file or the new one, never a torn one; no picture is lost."""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.engine import exchange
from pipelines.engine.protocol import NodeWarning, Saved, SaveImage
from pipelines.files import sweep_temporary
from pipelines.metadata import read_metadata
from tests.helpers.fault_graphs import assert_readable, engine, error_of, saving
from tests.helpers.fault_processes import ROOT, environment

posix = pytest.mark.posix

WRITER = """
import sys
from pathlib import Path
from pipelines.files import atomic_write
path = Path(sys.argv[1])
number = 0
print("ready", flush=True)
while True:
    number += 1
    atomic_write(path, f"{number:08}".encode() * 40_000)
"""


@posix
def test_a_process_killed_at_any_moment_of_a_save_leaves_a_whole_file(tmp_path):
    path, choose = tmp_path / "file", random.Random(3)
    path.write_bytes(b"00000000" * 40_000)
    seen = set()
    for _ in range(20):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            env=environment(tmp_path),
            cwd=ROOT,
        )
        child.stdout.readline()
        time.sleep(choose.uniform(0, 0.03))
        child.kill()
        child.communicate()
        data = path.read_bytes()
        assert len(data) == 320_000
        assert data == data[:8] * 40_000
        seen.add(data[:8])
    assert len(seen) > 2, "it never wrote"
    left = [item.name for item in tmp_path.iterdir() if item.name != "file"]
    assert sweep_temporary(tmp_path, older_than=0) == len(left)
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_a_save_takes_what_a_killed_one_left_with_it(tmp_path):
    """Nobody has to ask for the sweep: the next save in that folder does it."""
    old = tmp_path / ".diptych-0123456789abcdef.tmp"
    old.write_bytes(b"half a picture")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    drive = engine(tmp_path)
    assert drive.run(saving(tmp_path)).status == "finished"
    drive.client.close()
    assert not old.exists()
    assert (tmp_path / "picture.png").exists()


# --- no space --------------------------------------------------------------------------------------------


@pytest.fixture
def full(tmp_path, monkeypatch):
    """A folder on a disk that is full, as the system says it: at the moment when data must reach the disk."""
    folder = tmp_path / "full"
    folder.mkdir()
    fsync = os.fsync

    def no_space(descriptor):
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(folder):
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    monkeypatch.setattr(os, "fsync", no_space)
    return folder


def test_a_picture_that_finds_no_space_is_kept_and_can_be_saved_elsewhere(full, tmp_path):
    drive = engine(tmp_path)
    error = error_of(drive, saving(full), "save")
    assert error.code == "DiskFull"
    assert "free" in error.message
    assert list(full.iterdir()) == []
    job = drive.events[-1].job
    elsewhere = tmp_path / "elsewhere" / "kept.png"
    drive.client.send(SaveImage(request="1", job=job, node="save", path=str(full / "again.png")))
    assert drive.until(Saved).error.code == "DiskFull"
    drive.client.send(SaveImage(request="2", job=job, node="save", path=str(elsewhere)))
    saved = drive.until(Saved)
    assert (saved.error, saved.path) == (None, str(elsewhere))
    told = read_metadata(elsewhere)
    assert (told.width, told.height, told.source) == (48, 32, "diptych")
    for wrong in ({"index": 5}, {"index": -9}, {"node": "nobody"}, {"job": "nothing"}):
        request = {"request": "3", "job": job, "node": "save", "path": str(elsewhere), **wrong}
        drive.client.send(SaveImage(**request))
        assert drive.until(Saved).error.code == "NothingToSave"
    # with space again, the same run saves, and nothing upstream is made a second time
    finished = drive.run(saving(tmp_path / "pictures"))
    assert finished.nodes == {"solid": "cached", "save": "executed"}
    drive.client.close()


def test_views_without_space_for_pixels_cost_the_run_nothing(tmp_path, monkeypatch):
    def no_space(self, pixels):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(exchange.PixelWriter, "write", no_space)
    drive = engine(tmp_path)
    finished = drive.run(saving(tmp_path))
    assert finished.status == "finished"
    assert (tmp_path / "picture.png").exists()
    (warned,) = drive.of(NodeWarning)
    assert warned.warning.code == "PictureNotShown"
    assert_readable(warned.warning)
    drive.client.close()


@posix
@pytest.mark.parametrize(("kind", "code"), [("full", "DiskFull"), ("read-only", "SaveFailed")])
def test_on_a_disk_that_really_takes_nothing_the_picture_is_rescued_to_another(tmp_path, kind, code):
    """The real command on a real small disk, mounted where only it can see it."""
    disk, place, home = tmp_path / "disk", tmp_path / "place", tmp_path / "home"
    for folder in (disk, place, home):
        folder.mkdir()
    graph = saving(disk / "out").with_param("solid", "width", 1500).with_param("solid", "height", 1500)
    (place / "g.json").write_bytes(graph.dumps())
    if kind == "full":  # the home is there, too: the queue, the run directory and the log find no space
        home = disk / "home"
        change = f"mkdir {home}; head -c 300000 /dev/zero > {disk}/fill 2>/dev/null"
    else:
        change = f"mkdir {disk}/out; mount -o remount,ro {disk}"
    script = (
        f"mount -t tmpfs -o size=256k tmpfs {disk} || exit 77; cd {place}; {change};"
        f"{sys.executable} -m pipelines.cli run g.json --json; echo $?; ls -A {disk}/out 2>/dev/null | wc -l"
    )
    try:
        done = subprocess.run(
            ["unshare", "-m", "bash", "-c", script],
            env=environment(home),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("small disks can't be mounted here")
    if not done.stdout:
        pytest.skip(f"small disks can't be mounted here: {done.stderr}")
    assert "Traceback" not in done.stderr, done.stderr
    text, exit_code, left = done.stdout.strip().split("\n")
    result = json.loads(text)["graphs"][0]
    assert (exit_code, left) == ("1", "0"), done.stderr
    assert result["nodes"]["save"]["error"]["code"] == code
    (kept,) = result["nodes"]["save"]["kept"]
    assert Path(kept).parent == (place if kind == "full" else home / "pictures")
    assert read_metadata(Path(kept)).width == 1500


# --- what is written into files --------------------------------------------------------------------------


def test_nothing_of_this_machine_is_in_a_saved_file(tmp_path, monkeypatch):
    """Not the home folder, not where the graph and the pictures are, not the user's or the machine's name."""
    home = tmp_path / "users" / "adalovelace"
    folder = home / "Pictures" / "secret project"
    folder.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    drive = engine(tmp_path)
    first = drive.run(saving(folder, "a"), base=str(folder))
    source = first.result["outputs"]["save"]["path"]
    for suffix in ("png", "jpeg", "webp"):
        graph = saving("", "b", format=suffix)
        graph = graph.with_node("load", graph.nodes["solid"].new("image.load", params={"path": source}))
        graph = graph.with_link("save", "image", ("load", "image")).without_node("solid")
        finished = drive.run(graph, base=str(folder), output_dir=str(folder), name="the graph")
        assert finished.status == "finished", finished
        data = Path(finished.result["outputs"]["save"]["path"]).read_bytes()
        wanted = read_metadata(Path(finished.result["outputs"]["save"]["path"]))
        text = json.dumps(wanted.to_json())
        for secret in (str(tmp_path), str(home), "adalovelace"):
            assert secret not in text
            assert secret.encode() not in data
    drive.client.close()
