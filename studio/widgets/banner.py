"""A message in its place: what happened, why, what to do; actions, details and diagnostics one click away."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from pipelines.errors import ErrorInfo
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.layouts import empty

_ICONS = {
    "error": ("error", "bad"),
    "warning": ("warning", "warn"),
    "info": ("info", "brass"),
    "good": ("good", "good"),
}


class Banner(QFrame):
    """One message. ``diagnostics_requested`` carries the details; ``closed`` is sent when the user closes
    it."""

    diagnostics_requested = Signal(str)
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "banner")
        self.severity = "info"
        self.icon = QLabel()
        self.heading = self._text("")
        self.heading.setStyleSheet("font-weight: 600;")
        self.body = self._text("body2")
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setMaximumHeight(180)
        self.details.setFont(current_theme().font("mono"))
        self.details.setAccessibleName(tr("Details"))
        self.details.hide()
        self.close_button = QToolButton()
        self.close_button.setIcon(current_theme().icon("close"))
        self.close_button.setIconSize(QSize(14, 14))
        self.close_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.close_button.setToolTip(tr("Close"))
        self.close_button.setAccessibleName(tr("Close"))
        self.close_button.clicked.connect(self._close)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(8)
        self._details_text = ""
        self._lay_out()
        self.hide()
        current_theme().changed.connect(self._recolour)

    def _text(self, role: str) -> QLabel:
        label = QLabel()
        label.setProperty("role", role)
        label.setWordWrap(True)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        return label

    def _lay_out(self) -> None:
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addWidget(self.heading)
        column.addWidget(self.body)
        column.addLayout(self._buttons)
        column.addWidget(self.details)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 10, 8, 10)
        row.setSpacing(10)
        row.addWidget(self.icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(column, 1)
        row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)

    def show_error(
        self, error: ErrorInfo, actions: tuple[tuple[str, Callable[[], object]], ...] = ()
    ) -> None:
        """An error of ours; its traceback stands behind “Details”, with “Copy diagnostics” beside it."""
        what, why, remedy = error.sentences(tr)
        severity = error.severity if error.severity in _ICONS else "error"
        self.show_text(what, " ".join(part for part in (why, remedy) if part), severity, actions)
        self._details_text = error.details
        if error.details:
            self._add(tr("Details"), self._toggle_details)
        self._add(tr("Copy diagnostics"), self._copy)

    def show_text(
        self,
        heading: str,
        body: str = "",
        severity: str = "info",
        actions: tuple[tuple[str, Callable[[], object]], ...] = (),
    ) -> None:
        """A message with buttons ``(text, callback)``."""
        self.severity = severity
        self.setProperty("severity", severity)
        self.heading.setText(heading)
        self.body.setText(body)
        self.body.setVisible(bool(body))
        self._details_text = ""
        self.details.hide()
        empty(self._buttons)
        for text, callback in actions:
            self._add(text, callback)
        self._buttons.addStretch(1)
        self._recolour()
        self.style().unpolish(self)
        self.style().polish(self)
        self.setAccessibleName(f"{heading} {body}".strip())
        self.show()

    def _add(self, text: str, callback: Callable[[], object]) -> None:
        button = QPushButton(text)
        button.clicked.connect(lambda: callback())
        last = self._buttons.itemAt(self._buttons.count() - 1)
        at = self._buttons.count() - (1 if last is not None and last.spacerItem() is not None else 0)
        self._buttons.insertWidget(at, button)

    def buttons(self) -> list[QPushButton]:
        """The action buttons, in order."""
        found = (self._buttons.itemAt(index) for index in range(self._buttons.count()))
        widgets = (item.widget() for item in found if item is not None)
        return [widget for widget in widgets if isinstance(widget, QPushButton)]

    @Slot()
    def _recolour(self) -> None:
        name, role = _ICONS.get(self.severity, _ICONS["info"])
        self.icon.setPixmap(current_theme().pixmap(name, 20, role, self.devicePixelRatioF()))

    def _toggle_details(self) -> None:
        self.details.setPlainText(self._details_text)
        self.details.setVisible(not self.details.isVisible())

    def _copy(self) -> None:
        text = f"{self.heading.text()}\n{self.body.text()}\n\n{self._details_text}".strip()
        self.diagnostics_requested.emit(text)

    @Slot()
    def _close(self) -> None:
        self.hide()
        self.closed.emit()
