"""What all our dialogs have in common: a title, content, buttons at the bottom, Esc closes."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from studio.translate import tr


class Dialog(QDialog):
    """Window-modal, deleted when closed. :attr:`content` is filled by subclasses."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setModal(True)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        heading = QLabel(title)
        heading.setProperty("role", "heading")
        self.content = QVBoxLayout()
        self.content.setSpacing(12)
        self.buttons = QHBoxLayout()
        self.buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 20, 24, 20)
        layout.setSpacing(16)
        layout.addWidget(heading)
        layout.addLayout(self.content, 1)
        layout.addLayout(self.buttons)

    def add_close(self, text: str = "") -> QPushButton:
        """The button that closes it."""
        button = QPushButton(text or tr("Close"))
        button.setDefault(True)
        button.clicked.connect(self.accept)
        self.buttons.addWidget(button)
        return button


def ask(parent: QWidget, title: str, text: str, act: str, keep: str) -> bool:
    """Ask before something undo can't reach. Keeping things as they are is the default."""
    dialog = Dialog(title, parent)
    words = QLabel(text)
    words.setWordWrap(True)
    words.setMinimumWidth(360)
    dialog.content.addWidget(words)
    yes, no = QPushButton(act), QPushButton(keep)
    no.setDefault(True)
    yes.setAutoDefault(False)
    yes.clicked.connect(dialog.accept)
    no.clicked.connect(dialog.reject)
    dialog.buttons.addWidget(yes)
    dialog.buttons.addWidget(no)
    no.setFocus()
    return dialog.exec() == QDialog.DialogCode.Accepted
