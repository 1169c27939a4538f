"""What the canvas shows while it is empty: what it is for, and ways to begin."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from studio.theme import current_theme
from studio.translate import tr

ICON = 56
WIDTH = 420


class EmptyPage(QWidget):
    """``open_requested``, ``last_requested`` (the picture last made), ``blank_requested``: by its buttons."""

    open_requested = Signal()
    last_requested = Signal()
    blank_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "stage")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._icon = QLabel()
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        heading = self._label(tr("Put a picture on the canvas"), "title")
        text = self._label(
            tr("Paint over what should change, say what you want there, and everything else stays as it is."),
            "body2",
        )
        self.open_button = QPushButton(tr("Open a picture…"))
        self.open_button.setProperty("role", "primary")
        self.last_button = self._link(tr("Take the picture you made last"))
        self.blank_button = self._link(tr("Start with an empty sheet"))
        self.open_button.clicked.connect(self.open_requested)
        self.last_button.clicked.connect(self.last_requested)
        self.blank_button.clicked.connect(self.blank_requested)
        hint = self._label(tr("Or drop a picture here, or paste one."), "hint")
        middle = QWidget()
        middle.setFixedWidth(current_theme().px(WIDTH))
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        for widget in (self._icon, heading, text):
            column.addWidget(widget)
        column.addSpacing(8)
        for button in (self.open_button, self.last_button, self.blank_button):
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(hint)
        whole = QVBoxLayout(self)
        whole.addStretch(2)
        whole.addWidget(middle, 0, Qt.AlignmentFlag.AlignHCenter)
        whole.addStretch(3)
        self.setFocusProxy(self.open_button)
        current_theme().changed.connect(self._recolour)
        self._recolour()

    @staticmethod
    def _label(text: str, role: str) -> QLabel:
        label = QLabel(text)
        label.setProperty("role", role)
        label.setWordWrap(True)
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        return label

    @staticmethod
    def _link(text: str) -> QPushButton:
        button = QPushButton(text)
        button.setProperty("role", "link")
        return button

    @Slot()
    def _recolour(self) -> None:
        self._icon.setPixmap(current_theme().pixmap("canvas", ICON, "text3", self.devicePixelRatioF()))

    def set_has_last(self, there: bool) -> None:
        """Whether a picture was made that could be taken."""
        self.last_button.setVisible(there)
