"""Asks how many runs to queue."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from studio.translate import tr
from studio.widgets.dialog import Dialog
from studio.widgets.field_row import FieldRow
from studio.widgets.number_field import NumberField

USUAL: Final = 4
MOST: Final = 100


class SeveralRuns(Dialog):
    """``count_chosen`` carries the number."""

    count_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("Queue several runs"), parent)
        words = QLabel(
            tr("Each runs the graph as it is now. An empty seed is drawn for each; a given one counts up.")
        )
        words.setWordWrap(True)
        words.setMinimumWidth(340)
        words.setProperty("role", "body2")
        self.content.addWidget(words)
        self.count = NumberField(USUAL, minimum=1, maximum=MOST)
        self.content.addWidget(FieldRow(tr("Runs"), self.count, tr("How many wait in the queue.")))
        self.go = QPushButton(tr("Queue them"))
        self.go.setProperty("role", "primary")
        self.go.setDefault(True)
        self.go.clicked.connect(self._chosen)
        leave = QPushButton(tr("Cancel"))
        leave.setAutoDefault(False)
        leave.clicked.connect(self.reject)
        self.buttons.addWidget(self.go)
        self.buttons.addWidget(leave)
        self.count.setFocus()

    @Slot()
    def _chosen(self) -> None:
        self.count_chosen.emit(int(self.count.value()))
        self.accept()
