"""What a dropped picture becomes: asked where it was dropped, answered with one key or one click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QGraphicsDropShadowEffect,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from studio.theme import current_theme
from studio.translate import tr

ICON: Final = 20
_STEPS: Final = {
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Tab: 1,
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Backtab: -1,
}


@dataclass(frozen=True, slots=True)
class Use:
    """One thing a picture can become."""

    name: str
    title: str
    text: str
    icon: str


USES: Final = (
    Use("canvas", "Canvas", "Replaces the picture that is there", "image"),
    Use("layer", "New layer", "Lies on top of the picture", "layers"),
    Use("control", "Control", "Guides the shapes of the drawing, as a control layer", "control"),
    Use("mask", "Mask", "Selects what is bright or opaque in it", "mask"),
    Use("reference", "Reference", "Leads the look of the drawing, as a reference layer", "reference"),
)


class DropDialog(QFrame):
    """Floats over the canvas. ``chosen(name of a use)`` or ``dismissed``; both hide it.

    Keys: 1 to 5, arrows and Tab, Enter, Esc. A click elsewhere dismisses it.
    """

    chosen = Signal(str)
    dismissed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._owner = parent
        self.setProperty("role", "floating")
        self.setAccessibleName(tr("Use the picture as"))
        heading = QLabel(tr("Use the picture as"))
        heading.setProperty("role", "label")
        heading.setContentsMargins(4, 0, 4, 2)
        self.buttons = {use.name: _UseButton(use, number) for number, use in enumerate(USES, 1)}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(4)
        layout.addWidget(heading)
        for button in self.buttons.values():
            layout.addWidget(button)
            button.clicked.connect(self._clicked)
            button.installEventFilter(self)
        self._shadow = QGraphicsDropShadowEffect(self)
        self._shadow.setBlurRadius(28)
        self._shadow.setOffset(0, 6)
        self.setGraphicsEffect(self._shadow)
        self._recolour()
        current_theme().changed.connect(self._recolour)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._focus_moved)
        self.hide()

    def open_at(self, at: QPoint, first: str = "layer") -> None:
        """Ask beside a point of the parent; ``first`` is what Enter chooses."""
        self.adjustSize()
        room = self._owner.rect().adjusted(8, 8, -8, -8)
        self.move(
            max(min(at.x() + 8, room.right() - self.width()), room.left()),
            max(min(at.y() + 8, room.bottom() - self.height()), room.top()),
        )
        self.show()
        self.raise_()
        self.buttons[first].setFocus(Qt.FocusReason.PopupFocusReason)

    def dismiss(self) -> None:
        """Close without choosing."""
        if self.isVisible():
            self.hide()
            self.dismissed.emit()

    def choose(self, name: str) -> None:
        """Answer with one of :data:`USES`."""
        if self.isVisible():
            self.hide()
            self.chosen.emit(name)

    @Slot()
    def _clicked(self) -> None:
        button = self.sender()
        if isinstance(button, _UseButton):
            self.choose(button.use.name)

    @Slot(QWidget, QWidget)
    def _focus_moved(self, old: QWidget | None, new: QWidget | None) -> None:
        if new is not None and self.isVisible() and not self.isAncestorOf(new):
            self.dismiss()

    @Slot()
    def _recolour(self) -> None:
        color = current_theme().color("shadow")
        color.setAlphaF(0.4)
        self._shadow.setColor(color)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(watched, _UseButton) and isinstance(event, QKeyEvent):
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()  # the digits choose here, whatever they mean on the canvas
                return True
            if event.type() == QEvent.Type.KeyPress:
                return self._key(watched, event)
        return super().eventFilter(watched, event)

    def _key(self, button: _UseButton, event: QKeyEvent) -> bool:
        names = list(self.buttons)
        key = Qt.Key(event.key())
        number = key - Qt.Key.Key_1
        if key in _STEPS:
            by = -_STEPS[key] if self._is_mirrored(key) else _STEPS[key]
            name = names[(names.index(button.use.name) + by) % len(names)]
            self.buttons[name].setFocus(Qt.FocusReason.TabFocusReason)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.choose(button.use.name)
        elif key == Qt.Key.Key_Escape:
            self.dismiss()
        elif 0 <= number < len(names):
            self.choose(names[number])
        else:
            return False
        return True

    def _is_mirrored(self, key: Qt.Key) -> bool:
        return key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and self.isRightToLeft()


class _UseButton(QPushButton):
    """A use: icon, title, what it does, and its key."""

    def __init__(self, use: Use, number: int) -> None:
        super().__init__()
        self.use = use
        self.setProperty("role", "tile")
        self.setAccessibleName(tr(use.title))
        self.setAccessibleDescription(tr(use.text))
        self._icon = QLabel()
        self._icon.setFixedWidth(ICON)
        title, text, key = QLabel(tr(use.title)), QLabel(tr(use.text)), QLabel(str(number))
        text.setProperty("role", "hint")
        key.setProperty("role", "hint")
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(title)
        words.addWidget(text)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 7, 12, 7)
        row.setSpacing(12)
        row.addWidget(self._icon)
        row.addLayout(words, 1)
        row.addSpacing(12)
        row.addWidget(key)
        for label in (self._icon, title, text, key):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._recolour()
        current_theme().changed.connect(self._recolour)

    def sizeHint(self) -> QSize:
        layout = self.layout()
        return layout.sizeHint() if layout is not None else super().sizeHint()

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    @Slot()
    def _recolour(self) -> None:
        ratio = self.devicePixelRatioF()
        self._icon.setPixmap(current_theme().pixmap(self.use.icon, ICON, "ember", ratio))
