"""Above Generate: the document draws by itself when a model is here, unless the user says no."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from studio.models.download_words import fraction_of, state_text
from studio.models.waiting import WaitingDraw
from studio.translate import tr
from studio.widgets.progress_bar import SegmentBar


class WaitingLine(QFrame):
    """Shown while the document on show waits for a model."""

    def __init__(self, waiting: WaitingDraw, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "banner")
        self._waiting = waiting
        self.title, self.state, self.bar = QLabel(), QLabel(), SegmentBar()
        self.title.setWordWrap(True)
        self.state.setProperty("role", "hint")
        self.state.setWordWrap(True)
        self.cancel = QPushButton(tr("Cancel"))
        self.cancel.setProperty("role", "link")
        self.cancel.setToolTip(tr("Don't draw by itself. The download goes on."))
        self.cancel.clicked.connect(waiting.give_up)
        foot = QHBoxLayout()
        foot.addWidget(self.bar)
        foot.addStretch(1)
        foot.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 8, 6)
        column.setSpacing(4)
        column.addWidget(self.title)
        column.addWidget(self.state)
        column.addLayout(foot)
        waiting.changed.connect(self.refresh)
        waiting.downloads.changed.connect(self.refresh)
        waiting.downloads.progressed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show how far it is."""
        told = self._waiting.shown
        self.setVisible(told is not None)
        if told is None:
            self.bar.stop()
            return
        self.title.setText(tr("Draws when {title} is here", title=told.title))
        self.state.setText(state_text(told))
        fraction = fraction_of(told)
        if fraction is not None or told.state in ("paused", "failed"):
            self.bar.set_fraction(fraction or 0.0)
        else:
            self.bar.set_busy()
