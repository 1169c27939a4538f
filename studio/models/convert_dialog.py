"""Before a pickle is converted: what is read, how, and where the result goes; then how far it is."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from pipelines.engine.protocol import ModelConverted
from pipelines.errors import ErrorInfo
from pipelines.models.convert.conversion import target_of
from studio.engine.phases import memory_text
from studio.models.detail_parts import WorkLine
from studio.models.facts import Facts
from studio.models.work import ModelWork, Task
from studio.translate import tr
from studio.widgets.banner import Banner
from studio.widgets.dialog import Dialog


class ConvertDialog(Dialog):
    """Asks, then stays until the file is there. Closing it while it works leaves the work alone."""

    def __init__(self, work: ModelWork, path: str, parent: QWidget | None = None) -> None:
        super().__init__(tr("Convert {name}", name=Path(path).name), parent)
        self._work, self._path = work, path
        self.setMinimumWidth(520)
        words = QLabel(
            tr(
                "It is a pickle: a program that builds a model. Diptych doesn't run it. A process without "
                "network and with limited memory reads names and numbers from it; anything else in it is "
                "refused."
            )
        )
        words.setProperty("role", "body2")
        words.setWordWrap(True)
        self.facts = Facts()
        self.facts.show_rows(conversion_rows(path))
        self.line = WorkLine(work)
        self.line.show_model(path)
        self.banner = Banner()
        self.banner.close_button.hide()
        for widget in (words, self.facts, self.line, self.banner):
            self.content.addWidget(widget)
        self.convert, self.leave = QPushButton(tr("Convert")), QPushButton(tr("Leave it"))
        self.convert.setProperty("role", "compact")
        self.convert.setDefault(True)
        self.leave.setAutoDefault(False)
        self.buttons.addWidget(self.leave)
        self.buttons.addWidget(self.convert)
        self.convert.clicked.connect(self._begin)
        self.leave.clicked.connect(self.reject)
        work.changed.connect(self._show_work)
        work.converted.connect(self._converted)
        work.failed.connect(self._failed)
        self._show_work()

    @Slot()
    def _begin(self) -> None:
        self.banner.hide()
        if not self._work.of(self._path):
            self._work.convert(self._path)

    @Slot()
    def _show_work(self) -> None:
        busy = bool(self._work.of(self._path))
        self.convert.setEnabled(not busy)
        self.leave.setText(tr("Go on in the background") if busy else tr("Leave it"))

    @Slot(object)
    def _converted(self, event: ModelConverted) -> None:
        if event.path == self._path:
            self.accept()

    @Slot(object, object)
    def _failed(self, error: ErrorInfo, task: Task) -> None:
        if task.path == self._path:
            self.banner.show_error(error)


def conversion_rows(path: str) -> list[tuple[str, str, str]]:
    """Rows for :class:`Facts`: what is read, and what is written."""
    source = Path(path)
    target = target_of(source)
    try:
        size = f" ({memory_text(source.stat().st_size)})"
    except OSError:
        size = ""
    return [
        (tr("Reads"), f"{source.name}{size}", str(source)),
        (tr("Writes beside it"), target.name, str(target)),
    ]
