"""Which keys an event stands for, whatever the layout makes of them.

With a Cyrillic or Greek layout the key that says C elsewhere arrives as another letter, and with Shift (or on
a French keyboard without it) a digit arrives as a sign. Where the letter itself means nothing, the place of
the key does: by scan code on X11 and Wayland (evdev codes, counted from 8), by virtual key on Windows and
macOS.
"""

from __future__ import annotations

import sys
from typing import Final

from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence

_EVDEV_ROWS: Final = {2: "1234567890-=", 16: "QWERTYUIOP[]", 30: "ASDFGHJKL;'`", 43: "\\ZXCVBNM,./"}
"""Codes of the first keys of rows, and what is on a row of an American keyboard."""
_X_FIRST: Final = 8
"""X11 and Wayland count evdev codes from here."""
_WINDOWS_SIGNS: Final = {
    0xBA: ";", 0xBB: "=", 0xBC: ",", 0xBD: "-", 0xBE: ".", 0xBF: "/", 0xC0: "`", 0xDB: "[", 0xDC: "\\",
    0xDD: "]", 0xDE: "'",
}  # fmt: skip
_MAC: Final = "ASDFHGZXCV BQWERYT123465=97-80]OU[IP LJ'K;\\,/NM.  `"
"""By virtual key code from 0; a blank is none of these keys."""
_FIRST_NOT_ASCII, _FIRST_SPECIAL = 0x80, 0x01000000
_SHIFT, _KEYPAD = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.KeypadModifier


def latin_key(event: QKeyEvent, platform: str = sys.platform) -> Qt.Key | None:
    """What an American keyboard has on the key that was pressed; ``None`` for keys without a letter, digit or
    sign and where the event doesn't say which key it was."""
    if platform == "darwin":
        code = event.nativeVirtualKey()
        known = event.nativeScanCode() or code or event.key() == Qt.Key.Key_A
        found = _MAC[code] if known and 0 <= code < len(_MAC) else " "
    elif platform == "win32":
        found = _windows(event.nativeVirtualKey())
    else:
        found = _evdev(event.nativeScanCode() - _X_FIRST)
    return Qt.Key(ord(found)) if found != " " else None


def _windows(virtual_key: int) -> str:
    plain = 0x30 <= virtual_key <= 0x39 or 0x41 <= virtual_key <= 0x5A
    return chr(virtual_key) if plain else _WINDOWS_SIGNS.get(virtual_key, " ")


def _evdev(code: int) -> str:
    for first, row in _EVDEV_ROWS.items():
        if first <= code < first + len(row):
            return row[code - first]
    return " "


def readings(event: QKeyEvent, platform: str = sys.platform) -> tuple[QKeyCombination, ...]:
    """The keys that an event may stand for, the likeliest first."""
    modifiers = event.modifiers() & ~_KEYPAD
    own, shift = Qt.Key(event.key()), bool(modifiers & _SHIFT)
    keypad = bool(event.modifiers() & _KEYPAD)
    found: list[QKeyCombination] = []
    place = None if keypad else latin_key(event, platform)
    digit = place is not None and Qt.Key.Key_0 <= place <= Qt.Key.Key_9
    if shift and digit and place is not None:
        found.append(QKeyCombination(modifiers, place))
    found.append(QKeyCombination(modifiers, own))
    if place is not None and (digit or _FIRST_NOT_ASCII <= event.key() < _FIRST_SPECIAL):
        found.append(QKeyCombination(modifiers, place))
    if shift and _is_sign(own):
        found.append(QKeyCombination(modifiers & ~_SHIFT, own))
    return tuple({one.toCombined(): one for one in found}.values())


def by_place(event: QKeyEvent, platform: str = sys.platform) -> tuple[QKeyCombination, ...]:
    """The readings that Qt itself doesn't try: those by the place of the key."""
    own = Qt.Key(event.key())
    return tuple(one for one in readings(event, platform) if one.key() != own)


def _is_sign(key: Qt.Key) -> bool:
    """Printable, but neither letter nor digit: a sign that some layouts have with Shift only."""
    return 0x21 <= key.value < _FIRST_NOT_ASCII and not chr(key.value).isalnum()


def text_of(keys: QKeyCombination) -> str:
    """Keys in Qt's portable notation; empty for a modifier alone and for what has no name."""
    held = (Qt.Key.Key_Shift, Qt.Key.Key_Control, Qt.Key.Key_Alt, Qt.Key.Key_Meta, Qt.Key.Key_AltGr)
    if keys.key() in held or keys.key().value in (0, Qt.Key.Key_unknown.value):
        return ""
    if keys.key() == Qt.Key.Key_Backtab:
        keys = QKeyCombination(keys.keyboardModifiers() | _SHIFT, Qt.Key.Key_Tab)
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.PortableText)


def normal(text: str) -> str:
    """A key text in Qt's portable notation, as it is compared; empty for what is none."""
    return QKeySequence(text).toString(QKeySequence.SequenceFormat.PortableText)
