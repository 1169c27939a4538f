"""Fixtures of the studio's tests: a window with a bridge that plays the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QThreadPool
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from pipelines.graph.document import Graph
from studio.app import StudioApp
from studio.appearance import apply_theme
from studio.assembly import assemble
from studio.documents.document import GraphDocument
from studio.settings import SettingsStore
from tests.helpers.studio_fakes import FakeBridge


@pytest.fixture
def open_studio(qtbot: QtBot, tmp_path: Path) -> Iterator[Callable[..., tuple[StudioApp, FakeBridge]]]:
    """``open_studio(graph=…, session=…, **settings)`` gives a studio and its bridge; all are closed
    afterwards."""
    opened: list[StudioApp] = []

    def make(
        graph: Graph | None = None, session: Path | None = None, **values: Any
    ) -> tuple[StudioApp, FakeBridge]:
        bridge = FakeBridge(tmp_path / "pictures")
        settings = SettingsStore(None)
        settings.change(**{"theme": "dark", "reduced_motion": True, **values})
        parts = assemble(GraphDocument(graph), bridge, settings)
        apply_theme(parts)
        studio = StudioApp(parts, session)
        opened.append(studio)
        studio.window.resize(1280, 800)
        qtbot.addWidget(studio.window)
        with qtbot.waitExposed(studio.window):
            studio.window.show()
        return studio, bridge

    yield make
    for studio in opened:
        studio.window.close()
    QThreadPool.globalInstance().waitForDone()
    QApplication.processEvents()
