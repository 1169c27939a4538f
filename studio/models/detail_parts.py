"""Parts of the detail pane that do something: hashes with their progress, who uses a model, its problem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from pipelines.engine.protocol import ModelInfo
from pipelines.errors import ModelPickled
from studio.engine.phases import memory_text
from studio.models.detail_rows import hash_rows
from studio.models.facts import Facts
from studio.models.work import ModelWork
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.flow import FlowLayout
from studio.widgets.layouts import empty
from studio.widgets.progress_bar import SegmentBar


class WorkLine(QWidget):
    """What is being done with the file of one model, with a button that stops it."""

    def __init__(self, work: ModelWork, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._work, self._path = work, ""
        self.bar, self.text = SegmentBar(), QLabel()
        self.text.setProperty("role", "hint")
        self.stop = QPushButton(tr("Stop"))
        self.stop.setProperty("role", "link")
        self.stop.clicked.connect(self._stop)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.bar)
        row.addWidget(self.text, 1)
        row.addWidget(self.stop)
        work.changed.connect(self.refresh)
        self.refresh()

    def show_model(self, path: str) -> None:
        """Show the work on this model."""
        self._path = path
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show how far it is."""
        tasks = [task for task in self._work.of(self._path) if task.what != "note" or task.words]
        self.setVisible(bool(tasks))
        if not tasks:
            self.bar.stop()
            return
        task = tasks[0]
        self.text.setText(task.words or tr("waits"))
        if task.fraction is None:
            self.bar.set_busy()
        else:
            self.bar.set_fraction(task.fraction, "brass")

    @Slot()
    def _stop(self) -> None:
        for task in self._work.of(self._path):
            self._work.stop(task)


class HashPart(QWidget):
    """A model's hashes. ``hash_requested``, ``check_requested``: its buttons."""

    hash_requested = Signal()
    check_requested = Signal()
    copied = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.facts = Facts()
        self.make = QPushButton(tr("Make its hashes"))
        self.make.setToolTip(tr("Reads the whole file once, in the background."))
        self.copy = QPushButton(tr("Copy"))
        self.copy.setToolTip(tr("Copy the SHA-256"))
        self.check = QPushButton(tr("Check the file"))
        self.check.setToolTip(tr("Reads it through and compares it with its last and its published hash."))
        self._sha256 = ""
        buttons = QWidget()
        row = FlowLayout(buttons, 8)
        for button in (self.make, self.copy, self.check):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.facts)
        column.addWidget(buttons)
        self.make.clicked.connect(self.hash_requested)
        self.check.clicked.connect(self.check_requested)
        self.copy.clicked.connect(lambda: self.copied.emit(self._sha256))

    def show_model(self, info: ModelInfo, busy: bool) -> None:
        """Show the hashes of a model; its buttons wait while its file is read."""
        self._sha256 = info.sha256
        self.facts.show_rows(hash_rows(info))
        self.facts.setVisible(bool(info.sha256))
        self.make.setVisible(not info.sha256)
        self.copy.setVisible(bool(info.sha256))
        for button in (self.make, self.check):
            button.setEnabled(not busy)


class Links(QWidget):
    """Lines to press: documents, files, other models. Made anew each time."""

    def __init__(self, none: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._none = none
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self.shown: tuple[str, ...] = ()

    def show_links(self, links: Sequence[tuple[str, str, Callable[[], object]]]) -> None:
        """``(text, tooltip, what it does)`` each."""
        empty(self._column)
        self.shown = tuple(text for text, _, _ in links)
        for text, tip, act in links:
            button = QPushButton(text)
            button.setProperty("role", "link")
            button.setToolTip(tip)
            button.clicked.connect(lambda _=False, act=act: act())
            self._column.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        if not links and self._none:
            words = QLabel(self._none)
            words.setProperty("role", "hint")
            self._column.addWidget(words)


class ProblemCard(QFrame):
    """Why a model can't be used, and the way out where there is one."""

    convert_requested = Signal()
    copied = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "banner")
        self.setProperty("severity", "warning")
        self._command = ""
        self.icon, self.text = QLabel(), QLabel()
        self.text.setWordWrap(True)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.convert = QPushButton(tr("Convert to safetensors"))
        self.convert.setToolTip(tr("Writes a safe copy beside it; nothing in it is run."))
        self.how = QLabel()
        self.how.setProperty("role", "hint")
        self.how.setWordWrap(True)
        self.how.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.copy = QPushButton(tr("Copy the command"))
        self.copy.setProperty("role", "link")
        self.copy.setProperty("flush", True)
        self._buttons = QWidget()
        buttons = FlowLayout(self._buttons, 8)
        buttons.addWidget(self.convert)
        buttons.addWidget(self.copy)
        words = QVBoxLayout()
        words.setSpacing(8)
        words.addWidget(self.text)
        words.addWidget(self.how)
        words.addWidget(self._buttons)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 10, 12, 10)
        row.setSpacing(10)
        row.addWidget(self.icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        self.convert.clicked.connect(self.convert_requested)
        self.copy.clicked.connect(lambda: self.copied.emit(self._command))
        current_theme().changed.connect(self._restyle)
        self._restyle()

    @Slot()
    def _restyle(self) -> None:
        self.icon.setPixmap(current_theme().pixmap("warning", 16, "warn", self.devicePixelRatioF()))

    def show_problem(self, info: ModelInfo, can_convert: bool) -> None:
        """Show it, or go away."""
        self.setVisible(bool(info.problem))
        self._command = f'diptych models convert "{info.path}"'
        # what the button does need not be said as a command too
        command = ModelPickled.remedy.partition(":")[0]
        said = info.problem.partition(command)[0].rstrip() if can_convert else info.problem
        self.text.setText(tr(said))
        self._buttons.setVisible(can_convert)
        self.how.setVisible(can_convert)
        if can_convert:
            self.how.setText(conversion_text(info.path, info.bytes))


def conversion_text(path: str, size: int) -> str:
    """What is read for a conversion, how, and where the result goes."""
    from pipelines.models.convert.conversion import target_of

    return tr(
        "Reads {size} in a process without network, running nothing of it; writes {target} beside it.",
        size=memory_text(size) if size else Path(path).name, target=target_of(Path(path)).name,
    )  # fmt: skip


def name_of(path: str) -> str:
    """A file's name, with its folder's where that says more."""
    found = Path(path)
    return f"{found.parent.name}/{found.name}" if found.parent.name else found.name
