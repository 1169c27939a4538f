"""What stands in the list's place where no model has the words and filters that were asked for."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from studio.translate import tr


class NothingFound(QWidget):
    """``all_wanted`` asks for all models again, ``more_wanted`` for those that there are to get."""

    all_wanted = Signal()
    more_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        title = QLabel(tr("Nothing found"))
        title.setProperty("role", "heading")
        words = QLabel(tr("None of your models has these words and filters."))
        words.setProperty("role", "hint")
        self.all = QPushButton(tr("Show all models"))
        self.all.clicked.connect(self.all_wanted)
        self.more = QPushButton(tr("Look at models to get…"))
        self.more.setProperty("role", "link")
        self.more.clicked.connect(self.more_wanted)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(8)
        column.addStretch(1)
        for widget in (title, words, self.all, self.more):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
