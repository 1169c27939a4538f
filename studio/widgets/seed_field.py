"""The seed: a number of 64 bits, drawn anew for every run (dice) or kept (lock)."""

from __future__ import annotations

import secrets

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QToolButton, QWidget

from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.arithmetic import NotArithmetic, evaluate

SEED_END = 2**64


class SeedField(QWidget):
    """``value()`` is a seed, or ``None`` while a new one is drawn for every run.

    In the dice's state the field shows the seed of the last run in grey (:meth:`show_drawn`): looking at
    it is no edit.
    The lock keeps that seed. ``value_changed`` carries the seed or ``None``.
    """

    value_changed = Signal(object)
    noticed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        theme = current_theme()
        self._value: int | None = None
        self._drawn: int | None = None
        self.line = QLineEdit(self)
        self.line.setFont(theme.font("number"))
        self.line.setAccessibleName(tr("Seed"))
        self.dice = self._button("dice", tr("A new seed every time"))
        self.lock = self._button("lock", tr("Keep this seed, to draw the same picture again"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.line, 1)
        layout.addWidget(self.dice)
        layout.addWidget(self.lock)
        self.setFocusProxy(self.line)
        self.line.editingFinished.connect(self._commit)
        self.dice.clicked.connect(self._roll)
        self.lock.clicked.connect(self._keep)
        self._show()

    def _button(self, icon: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setCheckable(True)
        button.setIcon(current_theme().icon(icon, "text2", "brass"))
        button.setIconSize(QSize(18, 18))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        return button

    def value(self) -> int | None:
        """The seed kept, or ``None``."""
        return self._value

    def set_value(self, value: int | None) -> None:
        """Show a seed, or the dice's state, without telling anyone."""
        self._value = value
        self._show()

    def show_drawn(self, seed: int | None) -> None:
        """The seed the last run drew: shown in grey, kept by the lock."""
        self._drawn = seed
        self._show()

    def _show(self) -> None:
        random = self._value is None
        self.dice.setChecked(random)
        self.lock.setChecked(not random)
        self.line.setText("" if self._value is None else str(self._value))
        last = "" if self._drawn is None else str(self._drawn)
        self.line.setPlaceholderText(last or tr("new every time"))
        self.line.setCursorPosition(0)

    @Slot()
    def _roll(self) -> None:
        self._set(None)

    @Slot()
    def _keep(self) -> None:
        if self._value is not None:
            self._set(None)
            return
        self._set(self._drawn if self._drawn is not None else secrets.randbelow(SEED_END))

    @Slot()
    def _commit(self) -> None:
        text = self.line.text().strip()
        if text == ("" if self._value is None else str(self._value)):
            return
        if not text:
            self._set(None)
            return
        try:
            number = evaluate(text)
        except NotArithmetic:
            self.noticed.emit(tr("“{text}” is not a seed: it is a whole number.", text=text[:40]))
            self._show()
            return
        if number != int(number) or not 0 <= number < SEED_END:
            self.noticed.emit(tr("A seed is a whole number from 0 to 18446744073709551615."))
            self._show()
            return
        self._set(int(number))

    def _set(self, value: int | None) -> None:
        changed = value != self._value
        self._value = value
        self._show()
        if changed:
            self.value_changed.emit(value)
