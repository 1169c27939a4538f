"""The one primary button of a workspace: Generate, or Cancel while a run is active."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QPushButton, QWidget

from studio.translate import tr


class RunButton(QPushButton):
    """``run_requested`` or ``cancel_requested``, by what it shows."""

    run_requested = Signal()
    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._running: bool | None = None
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
        self.setToolTip(tr("Stop at the next step (Ctrl+.)") if running else tr("Draw it (Ctrl+Enter)"))
        self.setAccessibleName(text)
        self.setProperty("role", "stop" if running else "primary")
        self.style().unpolish(self)
        self.style().polish(self)

    @Slot()
    def _pressed(self) -> None:
        (self.cancel_requested if self._running else self.run_requested).emit()
