"""The queue: what runs, what waits, how the last ones ended."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.engine.phases import duration_text, fraction_of, hue_of, progress_text
from studio.engine.runs import RunRecord, RunTracker
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.elided_label import ElidedLabel
from studio.widgets.progress_bar import SegmentBar

SHOWN = 30
REFRESH_MS = 100
_ICONS = {
    "queued": ("clock", "text2"),
    "waiting": ("clock", "text2"),
    "running": ("play", "brass"),
    "finished": ("good", "good"),
    "failed": ("error", "bad"),
    "cancelled": ("stop", "text2"),
}


class RunCard(QFrame):
    """One run: its prompt, its state, and a button that cancels it or shows its picture."""

    cancel_requested = Signal(str)
    show_requested = Signal(int)

    def __init__(self, run: RunRecord, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run = run
        self.setProperty("role", "card")
        self._state_shown = ""
        self.icon = QLabel()
        self.title = ElidedLabel(_title(run))
        self.title.setToolTip(self.title.text())
        self.state = QLabel()
        self.state.setProperty("role", "hint")
        self.state.setWordWrap(True)
        self.bar = SegmentBar()
        self.bar.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button = QToolButton()
        self.button.setIconSize(QSize(16, 16))
        self.button.clicked.connect(self._pressed)
        words = QVBoxLayout()
        words.setSpacing(3)
        words.addWidget(self.title)
        words.addWidget(self.state)
        words.addWidget(self.bar)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 8, 6, 8)
        row.setSpacing(8)
        row.addWidget(self.icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignTop)
        self.refresh()

    def refresh(self) -> None:
        """Show the run as it is."""
        run, theme = self.run, current_theme()
        if run.state != self._state_shown:
            self._state_shown = run.state
            name, role = _ICONS[run.state]
            self.icon.setPixmap(theme.pixmap(name, 16, role, self.devicePixelRatioF()))
            tip = tr("Cancel") if run.active else tr("Show the picture")
            self.button.setIcon(theme.icon("close" if run.active else "image"))
            self.button.setToolTip(tip)
            self.button.setAccessibleName(tip)
        self.button.setVisible(run.active or bool(run.rows))
        self.state.setText(_state(run))
        self.bar.setVisible(run.state == "running")
        if run.state == "running":
            fraction = fraction_of(run.progress) if run.progress is not None else None
            if fraction is None:
                self.bar.set_busy()
            elif run.progress is not None:
                self.bar.set_fraction(fraction, hue_of(run.progress))

    @Slot()
    def _pressed(self) -> None:
        if self.run.active:
            self.cancel_requested.emit(self.run.job)
        elif self.run.rows:
            self.show_requested.emit(self.run.rows[-1])


def _title(run: RunRecord) -> str:
    text = run.settings.get("prompt") or run.settings.get("idea") or run.name or tr("Graph")
    return " ".join(str(text)[:200].split())


def _state(run: RunRecord) -> str:
    match run.state:
        case "queued":
            return tr("waits")
        case "waiting":
            return tr("waits for {owner}", owner=run.owner)
        case "running":
            return progress_text(run.progress) if run.progress is not None else tr("at work")
        case "finished":
            time = duration_text(run.seconds)
            if not run.executed:
                return tr("already made")
            return (
                tr("{count} pictures · {time}", count=run.pictures, time=time) if run.pictures > 1 else time
            )
        case "failed":
            return run.errors[0].sentences(tr)[0] if run.errors else tr("failed")
        case _:
            return tr("cancelled")


class QueuePanel(QScrollArea):
    """All runs of this session, newest first."""

    show_requested = Signal(int)

    def __init__(self, tracker: RunTracker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tracker = tracker
        self._cards: dict[str, RunCard] = {}
        self.setWidgetResizable(True)
        self.setAccessibleName(tr("Queue"))
        page = QWidget()
        page.setProperty("role", "scrolled")
        self._column = QVBoxLayout(page)
        self._column.setContentsMargins(10, 10, 10, 10)
        self._column.setSpacing(8)
        self._empty = QLabel(tr("Nothing has run yet. Press Generate, and it is listed here."))
        self._empty.setProperty("role", "body2")
        self._empty.setWordWrap(True)
        self._column.addWidget(self._empty)
        self._column.addStretch(1)
        self.setWidget(page)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        tracker.changed.connect(self._soon)
        self.refresh()

    @Slot()
    def _soon(self) -> None:
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def showEvent(self, event: object) -> None:
        super().showEvent(event)  # type: ignore[arg-type]
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the runs as they are."""
        runs = self._tracker.runs[-SHOWN:]
        wanted = {run.job for run in runs}
        for job in [job for job in self._cards if job not in wanted]:
            self._cards.pop(job).deleteLater()
        for run in runs:
            if run.job not in self._cards:
                card = RunCard(run)
                card.cancel_requested.connect(self._tracker.cancel)
                card.show_requested.connect(self.show_requested)
                self._cards[run.job] = card
                self._column.insertWidget(0, card)
            self._cards[run.job].refresh()
        self._empty.setVisible(not runs)
