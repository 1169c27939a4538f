"""Text of several lines that grows with what is typed. Undo belongs to the document, Ctrl+Enter to the
command."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QMimeData, QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QKeySequence, QTextCursor, QTextOption
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy, QWidget

LONG_WORD = 2_000
_OURS = (QKeySequence.StandardKey.Undo, QKeySequence.StandardKey.Redo)


class PromptEditor(QPlainTextEdit):
    """Between ``rows`` and ``max_rows`` lines high. Tab leaves the field (the form works from the keyboard
    alone)."""

    value_changed = Signal(object)

    def __init__(self, rows: int = 3, max_rows: int = 9, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows, self._max_rows = rows, max_rows
        self._showing = False
        self.setUndoRedoEnabled(False)
        self.setTabChangesFocus(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.textChanged.connect(self._edited)
        self.document().documentLayout().documentSizeChanged.connect(self._resize)
        self._resize()

    def value(self) -> str:
        """The text."""
        return self.toPlainText()

    def set_value(self, value: str) -> None:
        """Show a text without telling anyone; the cursor keeps its place if the text is the same up to
        there."""
        if value == self.toPlainText():
            return
        position = min(self.textCursor().position(), len(value))
        self._showing = True
        self.clear()
        self._choose_wrapping(value)
        self.setPlainText(value)
        self._showing = False
        cursor = QTextCursor(self.document())
        cursor.setPosition(position)
        self.setTextCursor(cursor)

    @Slot()
    def _edited(self) -> None:
        if not self._showing:
            text = self.toPlainText()
            self._choose_wrapping(text)
            self.value_changed.emit(text)

    def _choose_wrapping(self, text: str) -> None:
        """Breaking lines at words takes Qt a second for a word of 100,000 letters; then break anywhere."""
        long = len(text) > LONG_WORD and max(map(len, text.split()), default=0) > LONG_WORD
        mode = (
            QTextOption.WrapMode.WrapAnywhere if long else QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere
        )
        if mode != self.wordWrapMode():
            self.setWordWrapMode(mode)

    def _height(self, rows: int) -> int:
        margins = self.contentsMargins()
        extra = margins.top() + margins.bottom() + 2 * round(self.document().documentMargin()) + 10
        return rows * self.fontMetrics().lineSpacing() + extra

    @Slot()
    def _resize(self) -> None:
        # the layout of a plain text counts in lines
        lines = round(self.document().size().height())
        self.setFixedHeight(self._height(min(max(lines, self._rows), self._max_rows)))

    def sizeHint(self) -> QSize:
        return QSize(240, self._height(self._rows))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._resize()

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        # files and pictures are for the window: their graph opens, they don't become text
        return source.hasText() and not source.hasUrls() and not source.hasImage()

    def event(self, event: QEvent) -> bool:
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and (any(event.matches(key) for key in _OURS) or _is_generate(event))
        ):
            event.ignore()
            return False
        done = super().event(event)
        if event.type() == QEvent.Type.Polish:
            # only now the style's own margins are known
            self._resize()
        return done

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if _is_generate(event):
            event.ignore()
            return
        super().keyPressEvent(event)


def _is_generate(event: QKeyEvent) -> bool:
    return (
        event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        and event.modifiers() & Qt.KeyboardModifier.ControlModifier == Qt.KeyboardModifier.ControlModifier
    )
