"""What another program saved while Diptych was closed is offered, once, and never lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from studio.inpaint import edited_files, edited_marks, left_elsewhere
from studio.inpaint.left_elsewhere import LeftElsewhere
from studio.inpaint.reading import encode_png
from tests.studio.inpaint.conftest import Stage, plain


@pytest.fixture
def left(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LeftElsewhere:
    """Of three pictures that went to another program, two were saved there; then Diptych starts."""
    monkeypatch.setattr(left_elsewhere, "AGAIN_MS", 10)
    folder = tmp_path / "edited"
    for name in ("fox", "owl", "untouched"):
        path, _ = edited_files.write(folder, name, plain("blue"))
        if name != "untouched":
            path.write_bytes(encode_png(plain("red", 32)))
    (folder / "by hand.png").write_bytes(encode_png(plain("red")))
    return LeftElsewhere(
        stage.window.banner,
        lambda paths: stage.window.canvas_actions.out.take_back(paths),
        stage.studio,
        folder,
    )


def button(stage: Stage, text: str) -> QPushButton:
    return next(item for item in stage.window.banner.buttons() if item.text() == text)


def test_saves_come_back_as_layers_in_one_step(left: LeftElsewhere, stage: Stage, qtbot: QtBot) -> None:
    stage.open()
    before = len(stage.page.paint.stack.layers)
    left.look()
    qtbot.waitUntil(stage.window.banner.isVisible)
    assert stage.window.banner.heading.text() == "2 pictures were changed in another program."
    assert "“fox”, “owl”" in stage.window.banner.body.text()
    steps = stage.document.undo_stack.index()
    qtbot.mouseClick(button(stage, "Add them as layers"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(stage.page.paint.stack.layers) == before + 2)
    assert stage.document.undo_stack.index() == steps + 1
    assert not stage.window.banner.isVisible()
    assert edited_marks.changed_since(left.folder) == []
    stage.document.undo_stack.undo()
    assert len(stage.page.paint.stack.layers) == before


def test_an_empty_canvas_starts_with_them_and_a_broken_one_is_told(
    left: LeftElsewhere, stage: Stage, qtbot: QtBot
) -> None:
    (left.folder / "fox.png").write_bytes(b"not a picture")
    left.look()
    qtbot.waitUntil(stage.window.banner.isVisible)
    qtbot.mouseClick(button(stage, "Add them as layers"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not stage.page.is_empty)
    assert (stage.page.paint.stack.width, stage.page.paint.stack.height) == (32, 32)
    assert "fox.png" in stage.page.banner.heading.text()


def test_what_is_forgotten_stays_in_its_folder_and_is_not_offered_again(
    left: LeftElsewhere, stage: Stage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(QUrl(url).toLocalFile()))
    stage.window.show_message("Diptych ended unexpectedly.", "")
    left.look()
    qtbot.waitUntil(lambda: len(left.found) == 2)
    assert stage.window.banner.heading.text() == "Diptych ended unexpectedly."
    stage.window.banner.close_button.click()
    qtbot.waitUntil(lambda: stage.window.banner.heading.text().startswith("2 pictures"))
    button(stage, "Show the folder").click()
    assert opened == [str(left.folder)]
    button(stage, "Forget them").click()
    assert len(list(left.folder.glob("*.png"))) == 4
    assert edited_marks.changed_since(left.folder) == []
    (left.folder / "owl.png").write_bytes(encode_png(plain("lime")))
    assert [path.name for path in edited_marks.changed_since(left.folder)] == ["owl.png"]
