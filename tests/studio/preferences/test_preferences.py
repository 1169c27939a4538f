"""Settings in their dialog: the painting program, and the results that are kept on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from pipelines.engine.protocol import ResultsKept
from studio.app import engine_settings
from studio.preferences import result_settings
from studio.preferences.dialog import Preferences
from studio.settings import Settings, SettingsStore
from tests.helpers.studio_fakes import FakeBridge


def test_the_painting_program(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SettingsStore(None)
    dialog = Preferences(settings)
    qtbot.addWidget(dialog)
    assert not dialog.program_reset.isEnabled()
    answers = ["/opt/paint/krita", ""]
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (answers.pop(0), ""))
    for _ in range(2):  # the second time it is cancelled
        qtbot.mouseClick(dialog.program, Qt.MouseButton.LeftButton)
        assert settings.values.painting_program == "/opt/paint/krita"
        assert dialog.program.text() == "krita"
    qtbot.mouseClick(dialog.program_reset, Qt.MouseButton.LeftButton)
    assert settings.values.painting_program == ""
    assert dialog.program.text() not in ("krita", "")


def test_results_on_disk(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(result_settings, "APPLY_MS", 60_000)
    settings, bridge = SettingsStore(None), FakeBridge(tmp_path)
    dialog = Preferences(settings, None, bridge)
    qtbot.addWidget(dialog)
    results = dialog.results
    assert results is not None
    bridge.ready.emit(None)
    bridge.results_kept.emit(ResultsKept(request="of another window", results=9, bytes=9))
    assert not results.delete.isEnabled()
    bridge.results_kept.emit(ResultsKept(request="results-1", results=3, bytes=2_500_000_000))
    assert "3 results, 2.5 GB" in results.state.text()
    qtbot.mouseClick(results.delete, Qt.MouseButton.LeftButton)
    told = ResultsKept(request="results-2", results=1, bytes=10**6, deleted=2, deleted_bytes=2_499_000_000)
    bridge.results_kept.emit(told)
    assert results.state.text() == "Deleted 2 results, 2.5 GB. There are 1 results, 1 MB."
    for text in ("1", "10"):
        results.limit.selectAll()
        qtbot.keyClicks(results.limit, text)
        results.limit.editingFinished.emit()
        assert settings.values.results_gb == 0  # neither 1 nor 10 yet
    dialog.accept()
    assert settings.values.results_gb == 10
    assert bridge.kept_results == [None, "clear", 10**10]
    assert engine_settings(settings.values).disk_cache_bytes == 10**10
    assert engine_settings(Settings()).disk_cache_bytes == 0
