"""A document that is written by a worker: edited, saved again, refused and closed meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from pipelines.errors import GraphNotSaved
from pipelines.graph.storage import read_file
from studio.app import StudioApp
from studio.documents import saving
from studio.documents.sheet import Stamp
from tests.helpers.studio_fakes import FakeBridge, template

Open = Callable[..., tuple[StudioApp, FakeBridge]]


class Disk:
    """Writes when it is let, and what it is let."""

    def __init__(self) -> None:
        self.free, self.full, self.begun = threading.Event(), False, 0

    def write(self, what: saving.Saving) -> Stamp | None:
        self.begun += 1
        assert self.free.wait(10)
        if self.full:
            raise GraphNotSaved(path=str(what.goal), reason="No room.")
        return WRITE(what)


WRITE = saving.Saving.write


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    found = Disk()
    monkeypatch.setattr(saving.Saving, "write", lambda what: found.write(what))
    return found


@pytest.fixture
def studio(open_studio: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudioApp:
    monkeypatch.setenv("DIPTYCH_HOME", str(tmp_path / "home"))
    studio, _ = open_studio(None, tmp_path / "session")
    studio.parts.document.new(template(), "mine")
    return studio


def steps_in(path: Path) -> int:
    return int(read_file(path).graph.nodes["draw"].params["steps"])


def test_edits_and_saves_meanwhile_are_kept(
    studio: StudioApp, disk: Disk, tmp_path: Path, qtbot: QtBot
) -> None:
    document, run, path = studio.parts.document, studio.window.commands.run, tmp_path / "mine.diptych"
    document.set_param("draw", "steps", 7, merge="typing")
    studio.window.actions_._save(path)
    document.set_param("draw", "steps", 8, merge="typing")
    assert (document.is_modified, path.exists()) == (True, False)
    disk.free.set()
    qtbot.waitUntil(lambda: document.path == path)
    assert steps_in(path) == 7
    assert document.is_modified
    document.undo_stack.undo()  # a step of its own, although one went on typing
    assert document.graph.nodes["draw"].params["steps"] == 7
    assert not document.is_modified
    disk.free.clear()
    for steps in (9, 10, 11):  # the file is Diptych's own work: nobody is asked about another program
        document.set_param("draw", "steps", steps)
        run("file.save")
    assert disk.begun <= 2
    disk.free.set()
    qtbot.waitUntil(lambda: not document.is_modified)
    assert (steps_in(path), disk.begun) == (11, 3)
    assert "Saved mine" in studio.window.status.text.text()


def test_what_fails_is_told_and_stays_unsaved(
    studio: StudioApp, disk: Disk, tmp_path: Path, qtbot: QtBot
) -> None:
    document, disk.full = studio.parts.document, True
    disk.free.set()
    studio.window.actions_._save(tmp_path / "mine.diptych")
    qtbot.waitUntil(lambda: studio.window.banner.severity == "error")
    assert studio.window.banner.buttons()[0].text() == "Save elsewhere…"
    assert document.is_modified
    assert document.path is None


@pytest.mark.parametrize("full", [False, True])
def test_closing_waits_for_it_and_is_taken_back_for_a_failure(
    studio: StudioApp, disk: Disk, tmp_path: Path, full: bool
) -> None:
    path, disk.full = tmp_path / "mine.diptych", full
    studio.window.show()
    studio.window.actions_._save(path)
    threading.Timer(0.05, disk.free.set).start()
    assert studio.window.close() is not full
    assert path.exists() is not full
    assert studio.parts.document.is_modified is full
    if full:
        assert studio.window.isVisible()
        assert studio.window.banner.severity == "error"
        assert studio.window.close()  # it is told once
