"""*Edit in…*: saves of the user's own program come back, whole, whatever way it writes them."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QColor, QDesktopServices, QImage
from pytestqt.qtbot import QtBot

from pipelines.errors import ErrorInfo
from pipelines.graph.values import Image
from pipelines.image import OraLayer, OraPicture, write_open_raster
from studio.inpaint import edit_elsewhere, edited_files
from studio.inpaint.edit_elsewhere import EditElsewhere
from studio.inpaint.reading import encode_png
from studio.settings import SettingsStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the painting programs here are scripts")
NOTHING = shutil.which("true") or ""
"""A program that opens whatever it is given, and does nothing."""


def picture(colour: str, side: int = 8) -> QImage:
    image = QImage(side, side, QImage.Format.Format_RGB32)
    image.fill(QColor(colour))
    return image


class Heard:
    """An :class:`EditElsewhere` and what it told."""

    def __init__(self, folder: Path, program: str) -> None:
        settings = SettingsStore(None)
        settings.change(painting_program=program)
        self.edit = EditElsewhere(settings, folder=folder)
        self.opened: list[Path] = []
        self.saved: list[QImage | OraPicture] = []
        self.failed: list[ErrorInfo] = []
        self.edit.opened.connect(lambda name, path: self.opened.append(Path(path)))
        self.edit.saved.connect(lambda name, path, found: self.saved.append(found))
        self.edit.failed.connect(lambda name, error: self.failed.append(error))


@pytest.fixture
def hear(qtbot: QtBot, tmp_path: Path) -> Callable[..., Heard]:
    return lambda program=NOTHING: Heard(tmp_path / "edited", program)


def script(path: Path, *lines: str) -> str:
    """A painting program: a Python program that is started with the path of the picture."""
    path.write_text("\n".join((f"#!{sys.executable}", "import sys, time", *lines)))
    path.chmod(0o755)
    return str(path)


def test_the_user_s_program_paints_and_the_picture_comes_back(
    hear: Callable[..., Heard], qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "red.png").write_bytes(encode_png(picture("red")))
    paint = (f"open(sys.argv[1], 'wb').write(open({str(tmp_path / 'red.png')!r}, 'rb').read())",)
    heard = hear(script(tmp_path / "my paint; touch oh-no", *paint))
    heard.edit.open(picture("blue"), "Layer 1/2: “sky”")
    qtbot.waitUntil(lambda: len(heard.saved) == 1)
    assert heard.saved == [picture("red")]
    (path,) = heard.opened
    assert path.name == "Layer 1_2_ “sky”.png"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not (path.parent / "oh-no").exists()
    assert heard.edit.names == ("Layer 1/2: “sky”",)


def test_every_way_to_save_is_noticed_once(hear: Callable[..., Heard], qtbot: QtBot) -> None:
    heard = hear()
    heard.edit.open(picture("blue"), "a")
    qtbot.waitUntil(lambda: len(heard.opened) == 1)
    (path,) = heard.opened
    path.write_bytes(encode_png(picture("red")))  # written over
    qtbot.waitUntil(lambda: len(heard.saved) == 1)
    other = path.with_name("new~")
    other.write_bytes(encode_png(picture("lime")))
    other.replace(path)  # replaced
    qtbot.waitUntil(lambda: len(heard.saved) == 2)
    path.unlink()  # gone for a moment, as some programs do it
    qtbot.wait(2 * edit_elsewhere.BUSY)
    path.write_bytes(encode_png(picture("gray")))
    qtbot.waitUntil(lambda: len(heard.saved) == 3)
    qtbot.wait(4 * edit_elsewhere.BUSY)
    assert heard.saved == [picture("red"), picture("lime"), picture("gray")]
    assert not heard.failed


def test_half_a_file_is_waited_for(hear: Callable[..., Heard], qtbot: QtBot) -> None:
    heard = hear()
    heard.edit.open(picture("blue"), "a")
    qtbot.waitUntil(lambda: len(heard.opened) == 1)
    data = encode_png(picture("red"))
    with heard.opened[0].open("wb") as file:
        file.write(data[:60])
        file.flush()
        qtbot.wait(5 * edit_elsewhere.BUSY)  # long enough to be taken for whole, and tried
        file.write(data[60:])
    qtbot.waitUntil(lambda: len(heard.saved) == 1)
    assert heard.saved == [picture("red")]
    assert not heard.failed


def test_a_broken_file_is_told_once_and_the_next_save_is_read(
    hear: Callable[..., Heard], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edit_elsewhere, "RETRIES", (0.05,))
    heard = hear()
    heard.edit.open(picture("blue"), "a")
    qtbot.waitUntil(lambda: len(heard.opened) == 1)
    heard.opened[0].write_bytes(b"not a picture")
    qtbot.waitUntil(lambda: len(heard.failed) == 1)
    qtbot.wait(4 * edit_elsewhere.BUSY)
    assert [error.code for error in heard.failed] == ["ImageUnreadable"]
    heard.opened[0].write_bytes(encode_png(picture("red")))
    qtbot.waitUntil(lambda: len(heard.saved) == 1)


def test_layers_come_back_with_what_the_program_forgot(
    hear: Callable[..., Heard], qtbot: QtBot, tmp_path: Path
) -> None:
    heard = hear()
    photo = Image(np.full((4, 5, 3), 9, np.uint8))
    mask = OraLayer("Sky", Image(np.full((4, 5), 77, np.uint8)), attributes={"kind": "mask"})
    heard.edit.open(OraPicture(5, 4, (OraLayer("Photo", photo), mask)), "Canvas")
    qtbot.waitUntil(lambda: len(heard.opened) == 1)
    assert heard.opened[0].suffix == ".ora"
    white = np.full((4, 5, 4), 255, np.uint8)
    white[..., 3] = 50
    layers = (OraLayer("Photo", photo, 1), OraLayer("New", photo), OraLayer("Sky", Image(white)))
    write_open_raster(heard.opened[0], OraPicture(5, 4, layers))
    qtbot.waitUntil(lambda: len(heard.saved) == 1)
    (back,) = heard.saved
    assert isinstance(back, OraPicture)
    assert [(layer.name, layer.kind, layer.x) for layer in back.layers] == [
        ("Photo", "", 1), ("New", "", 0), ("Sky", "mask", 0),
    ]  # fmt: skip
    assert (back.layers[2].image.pixels == 50).all()


@pytest.mark.parametrize("program", ["/nowhere/paint", __file__])
def test_a_program_that_can_t_be_started(program: str, hear: Callable[..., Heard], qtbot: QtBot) -> None:
    heard = hear(program)
    heard.edit.open(picture("blue"), "a")
    qtbot.waitUntil(lambda: len(heard.failed) == 1)
    assert heard.failed[0].code == "ProgramNotStarted"
    assert not heard.edit.names
    assert not list(heard.edit._folder.iterdir())


def test_without_a_program_the_system_chooses(
    hear: Callable[..., Heard], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def open_url(url: object) -> bool:
        asked.append(url.toLocalFile())  # type: ignore[attr-defined]
        return len(asked) == 1

    monkeypatch.setattr(QDesktopServices, "openUrl", open_url)
    heard = hear("")
    heard.edit.open(picture("blue"), "a")
    qtbot.waitUntil(lambda: len(heard.opened) == 1)
    assert asked == [str(heard.opened[0])]
    heard.edit.open(picture("blue"), "b")
    qtbot.waitUntil(lambda: len(heard.failed) == 1)
    assert heard.failed[0].code == "ProgramNotStarted"


def test_a_folder_that_can_t_be_used(hear: Callable[..., Heard], qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "edited").write_text("")
    heard = hear()
    heard.edit.open(picture("blue"), "a")
    qtbot.waitUntil(lambda: len(heard.failed) == 1)
    assert heard.failed[0].code == "FolderUnusable"


def test_what_is_closed_goes_and_what_was_not_taken_stays(hear: Callable[..., Heard], qtbot: QtBot) -> None:
    heard = hear()
    for name in ("a", "b"):
        heard.edit.open(picture("blue"), name)
    qtbot.waitUntil(lambda: len(heard.opened) == 2)
    first, second = sorted(heard.opened)
    heard.edit.close("a")
    second.write_bytes(encode_png(picture("red")))
    heard.edit.close("b")
    heard.edit.close("never opened")
    assert list(second.parent.glob("*.png")) == [second]
    assert not first.exists()
    heard.edit.open(picture("blue"), "c")
    heard.edit.close("c")  # before it was written
    heard.edit.open(picture("blue"), "b")
    qtbot.waitUntil(lambda: len(heard.opened) == 3)
    assert heard.opened[2].name == "b-2.png"  # nobody's save is written over
    assert heard.edit.names == ("b",)
    both = {"b.png", "b-2.png"}
    qtbot.waitUntil(lambda: {path.name for path in second.parent.glob("*.png")} == both)


def test_what_nobody_came_for_in_a_month_is_swept(tmp_path: Path) -> None:
    old, new = tmp_path / "old.png", tmp_path / "new.png"
    for path in (old, new):
        path.write_bytes(b"")
    month = time.time() - edited_files.KEPT_SECONDS - 60
    os.utime(old, (month, month))
    written, _ = edited_files.write(tmp_path, "x", picture("red"))
    assert sorted(tmp_path.glob("*.png")) == [new, written]


def test_which_programs_take_layers(hear: Callable[..., Heard]) -> None:
    assert hear("/opt/krita-5.2.AppImage").edit.takes_layers
    assert hear("/Applications/GIMP.app").edit.takes_layers
    assert not hear("/usr/bin/feh").edit.takes_layers
    assert not hear("").edit.takes_layers
