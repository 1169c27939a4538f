"""The window in a language 40 % longer, read from right to left: everything is translated and nothing
breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import Qt, QTranslator
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QMenu, QWidget

from pipelines.errors import PromptTooLong
from studio.app import StudioApp
from studio.create.form_layers import PictureList
from studio.translate import CONTEXT
from tests.helpers.studio_fakes import FakeBridge, picture, template

MARK = "⟦"
NAMES = ("Diptych", "Diptych starter", "3 : 2 ▾")


class Pseudo(QTranslator):
    """Marks every text and makes it 40 % longer; slots stay."""

    def translate(self, context: str, source: str, disambiguation: str | None = None, n: int = -1) -> str:
        if context != CONTEXT:
            return source
        return f"{MARK}{source}{'·' * round(len(source) * 0.4)}⟧"

    def isEmpty(self) -> bool:
        return False


@pytest.fixture
def pseudo(qapp: QApplication) -> Iterator[None]:
    translator = Pseudo()
    qapp.installTranslator(translator)
    qapp.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    yield
    qapp.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
    qapp.removeTranslator(translator)


def untranslated(window: QWidget) -> list[str]:
    """Visible texts with letters that went round the translation."""
    texts = [
        widget.text()
        for kind in (QLabel, QAbstractButton)
        for widget in window.findChildren(kind)
        if widget.isVisible()
    ]
    texts += [action.text() for menu in window.findChildren(QMenu) for action in menu.actions()]
    return [
        text
        for text in texts
        if any(letter.isalpha() for letter in text) and MARK not in text and text not in NAMES
    ]


def test_the_window_is_translated_and_drawn(
    pseudo: None, open_studio: Callable[..., tuple[StudioApp, FakeBridge]]
) -> None:
    unfolded = ("more", "negative", "loras", "references", "controls", "parts", "speed")
    studio, bridge = open_studio(template(), open_sections=unfolded)
    window = studio.window
    window.show_workspace("start")
    window.grab()
    assert untranslated(window.start_page) == []
    window.show_workspace("create")
    bridge.tell_ready()
    job = bridge.submit(studio.parts.document.graph)
    bridge.tell_started(job)
    bridge.tell_warning(job, "draw", PromptTooLong(used=1, total=2, rest="x"))
    bridge.tell_step(job, 3, 16)
    window.show_panel("queue")
    window.status.refresh()
    for pictures in window.create_page.form.findChildren(PictureList):
        pictures.edits.add([f"/{MARK}name⟧"])
    image = window.grab().toImage()
    assert not image.isNull()
    left = [text for text in untranslated(window) if text not in (" px", "a red apple", *bridge_texts())]
    assert left == []
    assert window.width() <= 1280


def test_the_canvas_is_translated_and_drawn(
    pseudo: None, open_studio: Callable[..., tuple[StudioApp, FakeBridge]]
) -> None:
    studio, bridge = open_studio(template("inpaint"), open_sections=("more", "negative", "mask"))
    window = studio.window
    bridge.tell_ready()
    window.show_workspace("canvas")
    window.grab()
    assert [text for text in untranslated(window.canvas_page) if text not in bridge_texts()] == []
    window.canvas_page.open_image(picture(), f"{MARK}name⟧")
    for task in ("fill", "remove", "expand"):
        window.canvas_page.choose_task(task)
        window.canvas_page.drawing.generate()
        window.grab()
        left = [text for text in untranslated(window.canvas_page) if text not in (" px", *bridge_texts())]
        assert left == []
    assert window.width() <= 1280


def bridge_texts() -> tuple[str, ...]:
    """What comes from models and devices, and isn't ours to translate."""
    from tests.helpers.studio_fakes import STARTER

    return (*STARTER.examples, "Diptych starter · CPU bf16 · 3.1 GB free", "Prompt to image", "64 × 64 px")
