"""What one command or gesture is reached by: each with a button to take it off, and who else wants it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from studio.translate import tr
from studio.widgets.flow import FlowLayout
from studio.widgets.layouts import discard


class KeyEditor(QFrame):
    """``removed(text)``, ``taken`` (what was asked for is taken from whoever has it), ``left`` (it isn't),
    ``reset``.

    :attr:`adding` is where the owner puts what adds another."""

    removed = Signal(str)
    taken = Signal()
    left = Signal()
    reset = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.heading = QLabel()
        self.note = QLabel()
        self.note.setProperty("role", "body2")
        self.note.setWordWrap(True)
        self._chips_box = QWidget()
        self._flow = FlowLayout(self._chips_box)
        self.chips: dict[str, QPushButton] = {}
        self.reset_button = self._button(tr("As it was"))
        self.reset_button.clicked.connect(self.reset)
        self.adding = QHBoxLayout()
        self.adding.setSpacing(8)
        self.question = QLabel()
        self.question.setWordWrap(True)
        self.take = self._button("")
        self.leave = self._button(tr("Leave it there"))
        self.take.clicked.connect(self.taken)
        self.leave.clicked.connect(self.left)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.setSpacing(8)
        layout.addWidget(self.heading)
        layout.addWidget(self._chips_box)
        bottom = QHBoxLayout()
        bottom.addLayout(self.adding)
        bottom.addStretch(1)
        bottom.addWidget(self.reset_button)
        layout.addLayout(bottom)
        layout.addWidget(self.note)
        layout.addWidget(self.question)
        answers = QHBoxLayout()
        answers.addWidget(self.take)
        answers.addWidget(self.leave)
        answers.addStretch(1)
        layout.addLayout(answers)
        self.ask("", "")

    def _button(self, text: str) -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)
        return button

    def show_keys(
        self, title: str, keys: Sequence[tuple[str, str]], note: str = "", *, changed: bool = False
    ) -> None:
        """Show (text, words) for each; ``changed``: there is something to go back to."""
        self.ask("", "")
        self.heading.setText(title)
        self.note.setText(note)
        self.note.setVisible(bool(note))
        self.reset_button.setEnabled(changed)
        discard(self._flow, self.chips.values())
        self.chips = {}
        for text, words in keys:
            chip = self._button(f"{words}  ×")
            chip.setProperty("role", "chip")
            chip.setToolTip(tr("Take “{keys}” off", keys=words))
            chip.setAccessibleName(chip.toolTip())
            chip.clicked.connect(partial(self.removed.emit, text))
            self._flow.addWidget(chip)
            self.chips[text] = chip
        self._chips_box.setVisible(bool(keys))

    def ask(self, question: str, take: str) -> None:
        """Say who has what was asked for; with ``take`` (the words of the button) it can be taken."""
        self.question.setText(question)
        self.question.setVisible(bool(question))
        self.take.setText(take)
        self.take.setVisible(bool(take))
        self.leave.setVisible(bool(take))
        if take:
            self.take.setFocus()
