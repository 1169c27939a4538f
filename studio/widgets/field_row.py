"""A labelled field: label, origin ("from the model"), lock, reset to default, and a line for a hint or an
error."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.elided_label import ElidedLabel

NOTICE_MS = 8000


class FieldRow(QWidget):
    """``reset_requested`` when the small arrow is pressed, ``lock_toggled`` when the lock is.

    The tooltip is one plain sentence; while the field is disabled it is the reason.
    """

    reset_requested = Signal()
    lock_toggled = Signal(bool)

    def __init__(
        self,
        label: str,
        field: QWidget,
        sentence: str = "",
        *,
        lockable: bool = False,
        show_label: bool = True,
    ) -> None:
        super().__init__()
        self.field, self._sentence, self._reason = field, sentence, ""
        self.label = ElidedLabel(label)
        self.label.setProperty("role", "label")
        self.label.setBuddy(field)
        self.origin = QLabel()
        self.origin.setProperty("role", "hint")
        self.reset = self._button("reset", tr("Back to the default"))
        self.lock = self._button("unlock", tr("Keep this value when another model is chosen"))
        self.lock.setCheckable(True)
        self.lock.setVisible(lockable)
        self.message = QLabel()
        self.message.setProperty("role", "hint")
        self.message.setWordWrap(True)
        self.message.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.message.hide()
        self._icon = QLabel()
        self._icon.hide()
        self._lay_out(show_label)
        self._fade = QTimer(self)
        self._fade.setSingleShot(True)
        self._fade.timeout.connect(self.clear_message)
        self.reset.clicked.connect(self.reset_requested)
        self.lock.clicked.connect(self._lock_clicked)
        if not field.accessibleName():
            field.setAccessibleName(label)
        field.setAccessibleDescription(sentence)
        self.set_resettable(False)
        self._show_tip()

    def _button(self, icon: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setIcon(current_theme().icon(icon, "text2", "brass"))
        button.setIconSize(QSize(14, 14))
        button.setFixedSize(20, 18)
        button.setStyleSheet("padding: 0;")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        return button

    def _lay_out(self, show_label: bool) -> None:
        top = self._head = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.setSpacing(4)
        top.addWidget(self.label, 1)
        top.addWidget(self.origin)
        top.addWidget(self.reset)
        top.addWidget(self.lock)
        # the room of the small buttons is kept, so that nothing jumps when one of them appears
        policy = self.reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.reset.setSizePolicy(policy)
        bottom = QHBoxLayout()
        bottom.setContentsMargins(0, 0, 0, 0)
        bottom.setSpacing(5)
        bottom.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        bottom.addWidget(self.message, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        if show_label:
            layout.addLayout(top)
        else:
            for widget in (self.label, self.origin, self.reset):
                widget.setParent(self)
                widget.hide()
        layout.addWidget(self.field)
        layout.addLayout(bottom)

    def head_button(self, icon: str, tip: str) -> QToolButton:
        """One more small button at the end of the label's line."""
        button = self._button(icon, tip)
        self._head.addWidget(button)
        return button

    # --- state -----------------------------------------------------------------------------------------

    def set_origin(self, text: str) -> None:
        """Where the value comes from, in a few words (“from the model”)."""
        self.origin.setText(text)

    def set_resettable(self, possible: bool, tip: str = "") -> None:
        """Whether the value differs from its default; ``tip`` names the default."""
        self.reset.setVisible(possible)
        if tip:
            self.reset.setToolTip(tip)
            self.reset.setAccessibleName(tip)

    def set_locked(self, locked: bool) -> None:
        """Show the lock's state."""
        self.lock.setChecked(locked)
        self.lock.setIcon(current_theme().icon("lock" if locked else "unlock", "text2", "brass"))

    def set_disabled_because(self, reason: str) -> None:
        """Disable the field with a reason, or enable it with none."""
        self._reason = reason
        self.field.setEnabled(not reason)
        self.label.setEnabled(not reason)
        self._show_tip()

    @property
    def disabled_reason(self) -> str:
        """Why the field can't be used; empty if it can."""
        return self._reason

    def _show_tip(self) -> None:
        text = self._reason or self._sentence
        for widget in (self, self.label, self.field):
            widget.setToolTip(text)

    def show_message(self, text: str, severity: str = "error", *, lasting: bool = True) -> None:
        """A line below the field: ``error``, ``warning`` or ``info``; gone after a while unless
        ``lasting``."""
        icons = {"error": ("error", "bad"), "warning": ("warning", "warn"), "info": ("info", "text2")}
        name, role = icons[severity]
        self._icon.setPixmap(current_theme().pixmap(name, 14, role, self.devicePixelRatioF()))
        self._icon.show()
        self.message.setText(text)
        self.message.show()
        self.field.setProperty("invalid", severity == "error")
        self._repolish()
        self._fade.stop()
        if not lasting:
            self._fade.start(NOTICE_MS)

    @Slot()
    def clear_message(self) -> None:
        """Take the line away."""
        self._fade.stop()
        self.message.clear()
        self.message.hide()
        self._icon.hide()
        if self.field.property("invalid"):
            self.field.setProperty("invalid", False)
            self._repolish()

    def _repolish(self) -> None:
        self.field.style().unpolish(self.field)
        self.field.style().polish(self.field)

    @Slot(str)
    def notice(self, text: str) -> None:
        """A short explanation that goes away by itself."""
        self.show_message(text, "info", lasting=False)

    @Slot(bool)
    def _lock_clicked(self, checked: bool) -> None:
        self.set_locked(checked)
        self.lock_toggled.emit(checked)
