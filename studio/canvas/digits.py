"""Which digit was pressed, whatever Shift makes of it: mostly Shift+1 arrives as an exclamation mark."""

from __future__ import annotations

import sys
from typing import Final

from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QKeyEvent

_MAC: Final = {18: 1, 19: 2, 20: 3, 21: 4, 23: 5, 22: 6, 26: 7, 28: 8, 25: 9}
"""Virtual key codes of the digit row."""
_FIRST: Final = 2 if sys.platform == "win32" else 10
"""Scan code of the key 1: Windows set 1; X11 and Wayland count from 8."""


def pressed(event: QKeyEvent) -> QKeyCombination:
    """The keys of an event; with Shift, the digit row counts as digits."""
    modifiers = event.modifiers()
    plain = Qt.Key.Key_0 <= event.key() <= Qt.Key.Key_9
    keypad = bool(modifiers & Qt.KeyboardModifier.KeypadModifier)
    if not modifiers & Qt.KeyboardModifier.ShiftModifier or plain or keypad:
        return event.keyCombination()
    digit = digit_of(event.nativeScanCode(), event.nativeVirtualKey())
    if digit is None:
        return event.keyCombination()
    return QKeyCombination(modifiers, Qt.Key(Qt.Key.Key_0.value + digit))


def digit_of(scan_code: int, virtual_key: int) -> int | None:
    """1 to 9 for a key of the digit row, by where it is on the keyboard."""
    if sys.platform == "darwin":
        return _MAC.get(virtual_key)
    digit = scan_code - _FIRST + 1
    return digit if scan_code and 1 <= digit <= 9 else None
