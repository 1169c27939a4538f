"""What the user writes of a model: notes, tags, trigger words. Kept when a field is left, by its content."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Signal, Slot
from PySide6.QtWidgets import QLabel, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from pipelines.engine.protocol import ModelInfo
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.field_row import FieldRow

MAX_TEXT = 20_000
ROWS = 4


def words_of(text: str) -> tuple[str, ...]:
    """Words with commas between them, each once."""
    return tuple(dict.fromkeys(word for part in text.split(",") if (word := " ".join(part.split()))))


class NotesEditor(QWidget):
    """``noted`` carries the path of the model and what changed, by the names of ``NoteModel``."""

    noted = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._info: ModelInfo | None = None
        self.text = QPlainTextEdit()
        self.text.setPlaceholderText(tr("What you want to remember of it"))
        self.text.setTabChangesFocus(True)
        self.tags, self.words = QLineEdit(), QLineEdit()
        for field in (self.tags, self.words):
            field.setMaxLength(2_000)
            field.editingFinished.connect(self.keep)
        self.tags.setPlaceholderText(tr("portrait, soft, mine"))
        self.words.setPlaceholderText(tr("None"))
        self.hint = QLabel(tr("Its hash is made first, so that the notes stay with it wherever it is moved."))
        self.hint.setProperty("role", "hint")
        self.hint.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(
            FieldRow(tr("Notes"), self.text, tr("Yours alone; they are never written into a file."))
        )
        column.addWidget(
            FieldRow(tr("Your tags"), self.tags, tr("Words to find it by, with commas between."))
        )
        sentence = tr("What a prompt must say for it to work, with commas between the words.")
        column.addWidget(FieldRow(tr("Trigger words"), self.words, sentence))
        column.addWidget(self.hint)
        self.text.installEventFilter(self)
        current_theme().changed.connect(self._restyle)
        self._restyle()

    @Slot()
    def _restyle(self) -> None:
        self.text.setFixedHeight(self.text.fontMetrics().lineSpacing() * ROWS + 18)

    def show_model(self, info: ModelInfo | None) -> None:
        """Show a model's notes; what was written of the one before is kept first. A field that is being
        written in stays as it is."""
        before = self._info
        if before is not None and (info is None or info.path != before.path):
            self.keep()
        same = before is not None and info is not None and info.path == before.path
        self._info = info
        if info is None:
            return
        self.hint.setVisible(not info.sha256)
        if not (same and self.text.hasFocus()):
            self._put_text(info.notes)
        for field, words in ((self.tags, info.user_tags), (self.words, info.trigger_words)):
            if not (same and field.hasFocus()):
                field.setText(", ".join(words))

    def _put_text(self, text: str) -> None:
        if text != self.text.toPlainText():
            self.text.setPlainText(text)

    @Slot()
    def keep(self) -> None:
        """Keep what differs from what is known."""
        info = self._info
        if info is None:
            return
        values = {
            "text": (self.text.toPlainText()[:MAX_TEXT], info.notes),
            "tags": (words_of(self.tags.text()), info.user_tags),
            "trigger_words": (words_of(self.words.text()), info.trigger_words),
        }
        changed = {name: value for name, (value, known) in values.items() if value != known}
        if changed:
            update = {{"text": "notes", "tags": "user_tags"}.get(name, name): value
                      for name, value in changed.items()}  # fmt: skip
            self._info = info.model_copy(update=update)  # it isn't asked for twice
            self.noted.emit(info.path, changed)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.text and event.type() == QEvent.Type.FocusOut:
            self.keep()
        return super().eventFilter(watched, event)
