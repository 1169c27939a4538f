"""Words edited where they stand: one field over the view, for titles of frames and groups, ports, notes."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QRectF, Qt, Slot
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QFrame, QGraphicsView, QLineEdit, QPlainTextEdit, QVBoxLayout

from studio.theme import current_theme

Done = Callable[[str], object]
POPUP = Qt.FocusReason.PopupFocusReason


class InlineEditor(QFrame):
    """Enter (with Ctrl in a text of several lines) or a click elsewhere takes the words, Esc leaves them."""

    def __init__(self, view: QGraphicsView) -> None:
        super().__init__(view.viewport())
        self._view = view
        self._done: Done | None = None
        self.line, self.text = QLineEdit(), QPlainTextEdit()
        self.text.setTabChangesFocus(True)
        self.text.setFrameShape(QFrame.Shape.NoFrame)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for field in (self.line, self.text):
            layout.addWidget(field)
            field.installEventFilter(self)
        self.hide()

    def edit(self, area: QRectF, words: str, name: str, done: Done, *, several: bool = False) -> None:
        """Open over an area of the scene.

        Args:
            area: in the scene.
            words: what stands there now.
            name: what the field is for, to a screen reader.
            done: called with the words, if they are taken.
            several: the words have several lines.
        """
        self.finish()
        self._done = done
        place = self._view.mapFromScene(area).boundingRect()
        theme = current_theme()
        least = theme.px(96 if several else 28)
        place.setWidth(max(place.width(), theme.px(160)))
        place.setHeight(max(place.height(), least) if several else least)
        self.setGeometry(place)
        self.line.setVisible(not several)
        self.text.setVisible(several)
        field: QLineEdit | QPlainTextEdit = self.text if several else self.line
        field.setAccessibleName(name)
        if several:
            self.text.setPlainText(words)
        else:
            self.line.setText(words)
        self.show()
        self.raise_()
        field.setFocus(Qt.FocusReason.OtherFocusReason)
        field.selectAll()

    def finish(self, *, take: bool = True) -> None:
        """Close; ``take``: with what was written."""
        done, self._done = self._done, None
        if done is None:
            return
        words = self.line.text() if self.line.isVisibleTo(self) else self.text.toPlainText()
        self.hide()
        if take:
            done(words)

    @Slot()
    def close_taking(self) -> None:
        """What it stands over is elsewhere now: close, and take the words."""
        self.finish()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()  # keys are for the field, whatever they mean elsewhere
            return True
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            entered = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
            control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            if event.key() == Qt.Key.Key_Escape or (entered and (watched is self.line or control)):
                self.finish(take=entered)
                self._view.setFocus(Qt.FocusReason.OtherFocusReason)
                return True
        if isinstance(event, QFocusEvent) and event.lostFocus() and event.reason() != POPUP:
            self.finish()
        return super().eventFilter(watched, event)
