"""The Models workspace in a language 40 % longer, read from right to left."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QApplication

from pipelines.engine.protocol import ModelInfo
from studio.app import StudioApp
from tests.helpers.studio_fakes import FakeBridge, template
from tests.studio.test_pseudo_language import MARK, pseudo, untranslated

__all__ = ["pseudo"]

NAME = f"{MARK}name⟧"
MODEL = ModelInfo(
    kind="diffusion", id=f"{NAME}.safetensors", title=NAME, path=f"/{NAME}/{NAME}.safetensors", card=NAME,
    bytes=1_000_000, trigger_words=(NAME,), tags=(NAME,), problem=NAME, problem_code="ModelPickled",
    author=NAME, licence=NAME, modified=1.0e9, sha256="ab" * 32,
)  # fmt: skip


def test_the_models_workspace_is_translated_and_drawn(
    pseudo: None, open_studio: Callable[..., tuple[StudioApp, FakeBridge]], qapp: QApplication
) -> None:
    studio, bridge = open_studio(template())
    starter = MODEL.model_copy(update={"id": "starter/x", "path": "/x", "problem": ""})
    bridge.tell_ready(MODEL, starter)
    studio.window.show_workspace("models")
    page = studio.window.models_page
    page.choose(MODEL.path)
    qapp.processEvents()
    assert not page.grab().toImage().isNull()
    data = ("1 MB", "2001-09-09", "SHA-256", "ab" * 32, "ab" * 5)
    assert [text for text in untranslated(page) if text not in data] == []
    assert studio.window.width() <= 1280
