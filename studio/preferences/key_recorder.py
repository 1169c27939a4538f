"""A button that records keys by having them pressed."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QPushButton, QWidget

from studio.keys.gestures import MODIFIERS
from studio.keys.latin import by_place, readings, text_of
from studio.keys.words import modifier_name
from studio.translate import tr

_LAST_ASCII = 0x7F


def recorded_text(event: QKeyEvent) -> str:
    """What is kept of a key that was pressed: on a layout without Latin letters, the one of its place."""
    places = by_place(event) if _LAST_ASCII < event.key() < Qt.Key.Key_Escape.value else ()
    return text_of(next(iter(places or readings(event))))


class KeyRecorder(QPushButton):
    """``recorded`` carries keys in portable notation. A click starts it, Esc and leaving it end it."""

    recorded = Signal(str)

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        self._title = title
        self.recording = False
        self.setAutoDefault(False)
        self.setAccessibleName(title)
        self.setMinimumWidth(150)
        self.clicked.connect(self.start)

    @Slot()
    def start(self) -> None:
        """Wait for keys."""
        self.recording = True
        self.setText(tr("Press keys…"))
        self.setAccessibleDescription(tr("Press the keys to take, or Esc."))
        self.setFocus()

    @Slot()
    def stop(self) -> None:
        """Wait no longer."""
        self.recording = False
        self.setText(self._title)
        self.setAccessibleDescription("")

    def event(self, event: QEvent) -> bool:
        kinds = (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress, QEvent.Type.KeyRelease)
        if self.recording and isinstance(event, QKeyEvent) and event.type() in kinds:
            event.accept()
            if event.type() == QEvent.Type.KeyPress:
                self._pressed(event)
            return True
        return super().event(event)

    def _pressed(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            self.stop()
            return
        text = recorded_text(event)
        if text:
            self.stop()
            self.recorded.emit(text)
            return
        held = [modifier_name(name) for name, modifier in MODIFIERS.items() if event.modifiers() & modifier]
        self.setText("+".join([*held, "…"]) if held else tr("Press keys…"))

    def focusOutEvent(self, event: QFocusEvent) -> None:
        if self.recording:
            self.stop()
        super().focusOutEvent(event)
