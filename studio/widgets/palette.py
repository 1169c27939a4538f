"""What every palette is: a field and a list that float over a widget, and have all keys until they close."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QListView, QWidget

from studio.widgets.shadow import Shadow

_STEPS: Final = {
    Qt.Key.Key_Down: 1, Qt.Key.Key_Tab: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_Backtab: -1,
    Qt.Key.Key_PageDown: 8, Qt.Key.Key_PageUp: -8,
}  # fmt: skip
"""Rows that a key goes down in the list."""


class Palette(QFrame):
    """Letters narrow the list, arrows move in it, Enter takes what is marked and Esc leaves.

    No key that is pressed in the field reaches a shortcut or what is underneath, whatever it means elsewhere.
    ``chosen(id)`` or ``dismissed``; both hide it. A subclass says what is listed, by :meth:`search`, and what
    a row stands for, by :meth:`id_at`.
    """

    chosen = Signal(str)
    dismissed = Signal()

    def __init__(self, owner: QWidget, words: str, view: QListView) -> None:
        super().__init__(owner)
        self.setProperty("role", "floating")
        self.field = QLineEdit()
        self.field.setPlaceholderText(words)
        self.field.setClearButtonEnabled(True)
        self.list = view
        view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._before: QWidget | None = None
        self._shadow = Shadow(self)
        self.field.textChanged.connect(self.search)
        self.field.installEventFilter(self)
        view.clicked.connect(self._choose)
        self.hide()

    def open(self, before: QWidget | None = None) -> None:
        """Show it with all there is, its field having the keys; ``before`` gets the focus back."""
        self._before = before
        self.field.clear()
        self.search("")
        self.show()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    @Slot(str)
    def search(self, text: str) -> None:
        """List what has these letters, and mark the best."""
        raise NotImplementedError

    def id_at(self, row: int) -> str:
        """What ``chosen`` says of a row."""
        raise NotImplementedError

    def dismiss(self) -> None:
        """Close without choosing."""
        if self.isVisible():
            self._close()
            self.dismissed.emit()

    def _close(self) -> None:
        self.hide()
        if self._before is not None:
            self._before.setFocus(Qt.FocusReason.PopupFocusReason)

    @Slot()
    def _choose(self) -> None:
        row = self.list.currentIndex().row()
        if row >= 0:
            id = self.id_at(row)
            self._close()
            self.chosen.emit(id)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.field:
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
                return self._key(event)
            if isinstance(event, QFocusEvent) and event.type() == QEvent.Type.FocusOut:
                self._left(event.reason())
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """What the field has no use for ends here."""
        event.accept()

    def _left(self, reason: Qt.FocusReason) -> None:
        """The focus went elsewhere, where it stays."""
        inside = self.isAncestorOf(self.focusWidget()) if self.focusWidget() is not None else False
        if self.isVisible() and (not inside or reason != Qt.FocusReason.MouseFocusReason):
            self.hide()
            self.dismissed.emit()

    def _key(self, event: QKeyEvent) -> bool:
        key = event.key()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose()
        elif key == Qt.Key.Key_Escape:
            self.dismiss()
        elif key in _STEPS:
            self._step(_STEPS[Qt.Key(key)])
        else:
            return False
        return True

    def _step(self, by: int) -> None:
        """One row round and round; a page stops at the ends."""
        rows = self.list.model()
        if count := rows.rowCount():
            row = self.list.currentIndex().row() + by
            row = row % count if abs(by) == 1 else min(max(row, 0), count - 1)
            self.list.setCurrentIndex(rows.index(row, 0))
