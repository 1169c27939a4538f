"""Settings in their dialog: the painting program is chosen, shown, and given back to the system."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from studio.panels.preferences import Preferences
from studio.settings import SettingsStore


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
