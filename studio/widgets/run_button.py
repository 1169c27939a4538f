"""The one primary button of a workspace: Generate, or Cancel while a run is active."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal, SignalInstance, Slot
from PySide6.QtWidgets import QPushButton, QWidget

from studio.translate import tr


class RunButton(QPushButton):
    """``run_requested`` or ``cancel_requested``, by what it shows."""

    run_requested = Signal()
    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._running: bool | None = None
        self._keys_text: Callable[[str], str] = lambda command: ""
        self.clicked.connect(self._pressed)
        self.set_running(False)

    def set_running(self, running: bool, waiting: int = 0) -> None:
        """Show what a press does now; ``waiting`` are runs behind the active one."""
        text = tr("Cancel") if running else tr("Generate")
        if running and waiting:
            text = tr("Cancel ({count} more waiting)", count=waiting)
        if self.text() == text and running == self._running:
            return
        self._running = running
        self.setText(text)
        self._show_keys()
        self.setAccessibleName(text)
        self.setProperty("role", "stop" if running else "primary")
        self.style().unpolish(self)
        self.style().polish(self)

    def follow_keys(self, keys_text: Callable[[str], str], changed: SignalInstance) -> None:
        """Name the keys that ``keys_text`` has for a command now; ``changed`` when they are others."""
        self._keys_text = keys_text
        changed.connect(self._show_keys)
        self._show_keys()

    @Slot()
    def _show_keys(self) -> None:
        keys = self._keys_text("run.cancel" if self._running else "run.generate")
        text = tr("Stop at the next step") if self._running else tr("Draw it")
        self.setToolTip(f"{text} ({keys})" if keys else text)

    @Slot()
    def _pressed(self) -> None:
        (self.cancel_requested if self._running else self.run_requested).emit()
