"""Shortcuts of the window on layouts without Latin letters: by the place of a key."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QKeyCombination, QObject
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QWidget

from studio.keys.latin import by_place


class OtherLayouts(QObject):
    """Hears the keys that reached the window: no shortcut had them, and no widget (a text field, say) took
    them."""

    def __init__(self, window: QWidget, find: Callable[[QKeyCombination], QAction | None]) -> None:
        super().__init__(window)
        self._window, self._find = window, find
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._window and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            for keys in by_place(event):
                action = self._find(keys)
                if action is not None and action.isEnabled():
                    if not event.isAutoRepeat() or action.autoRepeat():
                        action.trigger()
                    event.accept()
                    return True
        return super().eventFilter(watched, event)
