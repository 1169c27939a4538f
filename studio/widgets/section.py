"""A part of a form that folds: a title to press, and what stands behind it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

from studio.theme import current_theme


class Section(QWidget):
    """``toggled`` tells the owner, who remembers the state under :attr:`key`."""

    toggled = Signal(bool)

    def __init__(
        self, title: str, key: str, *, expanded: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.key = key
        self.header = QToolButton()
        self.header.setProperty("role", "section")
        self.header.setText(title)
        self.header.setCheckable(True)
        self.header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.header.setIconSize(QSize(12, 12))
        self.header.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.header.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.header.setAccessibleName(title)
        self.body = QWidget()
        self.content = QVBoxLayout(self.body)
        self.content.setContentsMargins(0, 4, 0, 4)
        self.content.setSpacing(10)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addWidget(self.body)
        self.header.clicked.connect(self._clicked)
        self.set_expanded(expanded)

    @property
    def expanded(self) -> bool:
        """Whether its content is shown."""
        return self.header.isChecked()

    def set_expanded(self, expanded: bool) -> None:
        """Fold or unfold without telling anyone."""
        self.header.setChecked(expanded)
        self.header.setIcon(current_theme().icon("chevron_down" if expanded else "chevron_right"))
        self.body.setVisible(expanded)

    @Slot(bool)
    def _clicked(self, checked: bool) -> None:
        self.set_expanded(checked)
        self.toggled.emit(checked)
