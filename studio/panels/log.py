"""The log: what the engine said, with times; for curiosity and for bug reports, never needed to go on."""

from __future__ import annotations

import time

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from pipelines.engine.protocol import Device, NodeFinished, NodeWarning, Ready, RunFinished, RunStarted
from pipelines.errors import ErrorInfo
from studio.engine.phases import memory_text
from studio.engine.runs import Bridge, error_info
from studio.theme import current_theme
from studio.translate import tr

LINES = 2_000


class LogPanel(QPlainTextEdit):
    """Read-only lines, the oldest go first."""

    def __init__(self, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "log")
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setMaximumBlockCount(LINES)
        self.setFont(current_theme().font("mono"))
        self.setPlaceholderText(tr("What the engine says appears here."))
        self.setAccessibleName(tr("Log"))
        self._device = ""
        for name in (
            "ready",
            "device_changed",
            "run_started",
            "node_warned",
            "node_finished",
            "run_finished",
        ):
            getattr(bridge, name).connect(self._hear)

    def write(self, text: str) -> None:
        """Add a line with the time."""
        self.appendPlainText(f"{time.strftime('%H:%M:%S')}  {text}")

    @Slot(object)
    def write_error(self, error: ErrorInfo) -> None:
        """Add an error with its details."""
        self.write(error.text(tr) + (f"\n{error.details}" if error.details else ""))

    @Slot(object)
    def _hear(self, event: object) -> None:
        match event:
            case Ready():
                self.write(tr("The engine is ready (version {version}).", version=event.version))
            case Device() if event.device and f"{event.device}{event.dtype}" != self._device:
                self._device = f"{event.device}{event.dtype}"
                memory = memory_text(event.total_bytes)
                self.write(f"{event.name or event.device} · {event.dtype} · {memory}")
            case RunStarted():
                self.write(tr("Run {job} started: {count} nodes.", job=event.job, count=len(event.nodes)))
            case NodeWarning():
                self.write(f"{event.node}: {error_info(event.warning).text(tr)}")
            case NodeFinished():
                self.write(f"{event.node}: {tr(event.status)} · {event.seconds:.3f} s")
                if event.error is not None and event.status == "failed":
                    self.write_error(error_info(event.error))
            case RunFinished():
                self.write(tr("Run {job} {status}.", job=event.job, status=tr(event.status)))
            case _:
                return
