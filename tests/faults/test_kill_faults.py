"""Killed at any moment, on a full disk, without the right to write: what was kept is there, and whole."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from pipelines.errors import BackupNotKept, GraphNotSaved, JournalNotKept
from pipelines.graph.registry import builtin
from studio.documents.document import GraphDocument
from studio.keeping import session_files as session
from studio.keeping.backups import Backups
from studio.keeping.journal import JournalWriter, State
from tests.helpers.fault_processes import environment, shell, start
from tests.helpers.studio_fakes import template

POSIX = pytest.mark.skipif(os.name == "nt", reason="fork, SIGKILL and limits are POSIX")
KILLS = 47
WINDOWS = 3


@POSIX
def test_killed_at_any_moment_the_journal_and_the_files_are_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.helpers.fault_journal", str(tmp_path), str(KILLS)]
    done = subprocess.run(
        command, env=environment(tmp_path), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    rounds = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rounds) == KILLS
    for found in rounds:
        # what write() returned from is there; the one being written may be, too
        assert found["written"] <= found["journal"] <= found["written"] + 1
        assert found["saved"] <= found["document"] <= found["written"] + 1
        assert -1 not in found["backups"]
        assert max(found["backups"], default=0) >= found["kept"]
    assert sum(found["written"] for found in rounds) > 2 * KILLS, "they were killed before they did anything"


@POSIX
def test_the_window_killed_while_one_works_loses_two_seconds_at_most(tmp_path: Path) -> None:
    homes = [tmp_path / str(number) for number in range(WINDOWS)]
    children = [start([sys.executable, "-m", "tests.helpers.fault_edits"], home) for home in homes]
    lines: list[list[str]] = []
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline(), child.stderr.read() if child.stderr is not None else ""
        time.sleep(random.uniform(2.2, 3.4))
        ends = []
        for child in children:
            child.kill()
            ends.append(time.time())
            time.sleep(random.uniform(0.0, 0.4))
    finally:
        for child in children:
            child.kill()
            lines.append(child.communicate(timeout=20)[0].splitlines())
    for home, said, end in zip(homes, lines, ends, strict=True):
        edits = [json.loads(line) for line in said if line.startswith("{") and line.endswith("}")]
        saved = session.load(home / "data" / "session")
        assert saved.crashed
        assert saved.graph is not None
        due = max((edit["number"] for edit in edits if edit["time"] <= end - 2.0), default=0)
        assert saved.graph.nodes["draw"].params["steps"] >= due


FULL = """
import sys
from pathlib import Path
from pipelines.errors import DiptychError
from studio.keeping.journal import JournalWriter, State, read
from studio.keeping.backups import Backups
from tests.helpers.studio_fakes import template
import random
folder = Path(sys.argv[1])
writer, backups = JournalWriter(folder), Backups(folder / "backups")
graph, written, refused = template(), 0, []
for number in range(400):
    text = "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=4000))
    graph = graph.with_param("draw", "steps", number).with_param("draw", "prompt", text)
    try:
        writer.write(State(graph))
        written = number
    except DiptychError as error:
        refused.append(type(error).__name__)
        if len(refused) == 1:
            found = read(writer.path)
            assert found.whole and found.states[-1].graph.nodes["draw"].params["steps"] == written
        if len(refused) > 3:
            break
big = graph.with_param("draw", "prompt", "".join(map(chr, random.choices(range(0x4e00, 0x9000), k=200_000))))
try:
    backups.put("k", big, "timed")
except DiptychError as error:
    refused.append(type(error).__name__)
assert not backups.versions("k")
assert not list(folder.rglob(".diptych-*.tmp"))
print(written, sorted(set(refused)))
"""


@POSIX
def test_on_a_full_disk_what_was_written_stays_readable(tmp_path: Path) -> None:
    (tmp_path / "full.py").write_text(FULL)
    script = f'ulimit -f 200; trap "" XFSZ; exec "{sys.executable}" full.py "{tmp_path / "kept"}"'
    code, out, err = shell(script, tmp_path, tmp_path)
    assert code == 0, err
    written, refused = out.split(" ", 1)
    assert int(written) > 10
    assert refused.strip() == "['BackupNotKept', 'JournalNotKept']"


@pytest.fixture
def plain_folder() -> Iterator[Path]:
    """A folder that this process, no longer the administrator's, may look into and not write to."""
    folder = Path(tempfile.mkdtemp(prefix=f"diptych-tests-{os.getpid()}-"))
    (folder / "mine.json").write_bytes(template().dumps())
    (folder / "session").mkdir()
    JournalWriter(folder / "session").write(State(template(), 1.0))
    for path in (folder / "session", folder):
        path.chmod(0o555)
    for path in (folder / "mine.json", folder / "session" / "journal"):
        path.chmod(0o444)
    builtin()  # what is imported later might lie where only the administrator reads
    administrator = os.geteuid() == 0
    if administrator:
        os.seteuid(65_534)
    yield folder
    if administrator:
        os.seteuid(0)
    for path in (folder, folder / "session"):
        path.chmod(0o755)
    shutil.rmtree(folder)


@POSIX
def test_a_folder_without_the_right_to_write_loses_nothing(plain_folder: Path, qapp: QApplication) -> None:
    document, path = GraphDocument(), plain_folder / "mine.json"
    document.load(path)
    document.set_param("draw", "steps", 7)
    with pytest.raises(GraphNotSaved):
        document.save()
    assert document.is_modified
    assert path.read_bytes() == template().dumps()
    saved = session.load(plain_folder / "session")
    assert saved.crashed
    with pytest.raises(JournalNotKept):
        JournalWriter(plain_folder / "session").write(State(document.graph))
    with pytest.raises(BackupNotKept):
        Backups(plain_folder / "backups").put("k", document.graph, "timed")
    assert session.load(plain_folder / "session") == saved
    assert {item.name for item in plain_folder.iterdir()} == {"mine.json", "session"}
