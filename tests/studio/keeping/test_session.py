"""The session: the last prompt and pictures are there again, without asking; two studios never share one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from studio.app import SecondStudio, StudioApp
from studio.documents.document import GraphDocument
from studio.documents.open_documents import OpenDocuments
from studio.keeping import session_files as session
from studio.keeping.profile_lock import profile_lock
from studio.keeping.session import SessionKeeper
from studio.pictures.results import Result, ResultList
from tests.helpers.studio_fakes import FakeBridge, template

Open = Callable[..., tuple[StudioApp, FakeBridge]]


def test_prompt_and_pictures_come_back(open_studio: Open, tmp_path: Path) -> None:
    folder = tmp_path / "session"
    studio, bridge = open_studio(template(), folder)
    studio.window.show_workspace("create")
    studio.parts.binding.set("prompt", "a purple whale")
    studio.window.commands.run("run.generate")
    bridge.tell_ready()
    bridge.tell_started("job-1")
    bridge.tell_saved("job-1", (1, 2, 3))
    bridge.tell_finished("job-1")
    studio.window.create_page.strip.select(1)
    studio.window.close()

    again, _ = open_studio(None, folder)
    assert again.window.workspace == "create"
    assert again.window.create_page.form.rows["prompt"].field.value() == "a purple whale"
    assert [result.seed for result in again.parts.results.results] == [1, 2, 3]
    assert again.window.create_page.current is not None
    assert again.window.create_page.current.seed == 2
    assert again.window.banner.isHidden()


def test_a_change_is_kept_within_two_seconds(qtbot: QtBot, tmp_path: Path) -> None:
    document, results = GraphDocument(template()), ResultList()
    keeper = SessionKeeper(tmp_path, OpenDocuments(document), results, lambda: ("create", -1))
    document.set_param("draw", "prompt", "kept")
    document.set_param("draw", "steps", 5)
    qtbot.waitUntil(lambda: (tmp_path / "session.json").exists(), timeout=2_000)
    qtbot.waitUntil(lambda: session.load(tmp_path).graph is not None)
    saved = session.load(tmp_path).graph
    assert saved is not None
    assert saved.nodes["draw"].params["prompt"] == "kept"
    assert keeper.error is None


def test_an_edit_that_was_not_saved_to_its_file_is_kept_in_the_session(
    open_studio: Open, tmp_path: Path
) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(template().dumps())
    folder = tmp_path / "session"
    studio, _ = open_studio(None, folder)
    studio.window.actions_.open_path(str(path))
    studio.parts.binding.set("prompt", "not saved")
    studio.window.close()
    assert path.read_bytes() == template().dumps()
    again, _ = open_studio(None, folder)
    assert again.parts.binding.value("prompt") == "not saved"


def test_an_untouched_file_is_open_again(open_studio: Open, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(template().dumps())
    studio, _ = open_studio(None, tmp_path / "session")
    studio.window.actions_.open_path(str(path))
    studio.window.close()
    again, _ = open_studio(None, tmp_path / "session")
    assert again.parts.document.path == path


@pytest.mark.parametrize("name", ["graph.json", "session.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"null"])
def test_a_broken_session_starts_fresh(tmp_path: Path, name: str, content: bytes, qapp: QApplication) -> None:
    (tmp_path / "graph.json").write_bytes(template().dumps())
    (tmp_path / "session.json").write_text(json.dumps({"results": [{"path": "/a.png"}, 3, {}]}))
    (tmp_path / name).write_bytes(content)
    saved = session.load(tmp_path)
    if name == "graph.json":
        assert saved.graph is None
        assert (tmp_path / "graph-unreadable.json").read_bytes() == content
        assert [result.path for result in saved.results] == ["/a.png"]
    else:
        assert saved.graph is not None
        assert saved.results == ()


def test_an_unwritable_folder_does_not_stop_the_end(tmp_path: Path, qapp: QApplication) -> None:
    (tmp_path / "file").write_text("")
    tabs = OpenDocuments(GraphDocument(template()))
    keeper = SessionKeeper(tmp_path / "file", tabs, ResultList(), lambda: ("create", -1))
    keeper.write_now()
    assert keeper.error is not None


def test_results_survive_json() -> None:
    result = Result("/a.png", {"prompt": "x", "seed": 2**64 - 1}, {"seed": 2**64 - 1}, made=1.5)
    again = Result.from_json(json.loads(json.dumps(result.to_json())))
    assert again == result
    assert again is not None
    assert again.seed == 2**64 - 1


def test_the_profile_is_locked_for_others(tmp_path: Path) -> None:
    lock = profile_lock(tmp_path)
    assert lock.acquire()
    code = (
        "import sys; from pathlib import Path; from studio.keeping.profile_lock import profile_lock;"
        "lock = profile_lock(Path(sys.argv[1])); print(lock.acquire(), lock.holder())"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    first = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert first.startswith("False Diptych, process")
    lock.release()
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("True")


def test_the_second_studio_is_asked(qtbot: QtBot) -> None:
    dialog = SecondStudio("Diptych, process 7")
    qtbot.addWidget(dialog)
    texts = [dialog.buttons.itemAt(index).widget() for index in range(1, 3)]
    assert [button.text() for button in texts] == ["Open without keeping the session", "Quit"]
    assert texts[1].isDefault()
