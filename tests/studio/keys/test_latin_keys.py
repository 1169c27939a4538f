"""Which keys an event stands for, on every layout and system."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QKeyCombination, Qt
from PySide6.QtGui import QKeyEvent

from studio.keys.latin import latin_key, normal, readings, text_of

NO, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
CYRILLIC_ES = Qt.Key(0x0421)
"""What the key that says C elsewhere gives on a Russian layout."""


def event(
    key: Qt.Key, modifiers: Qt.KeyboardModifier = NO, scan: int = 0, virtual: int = 0, text: str = ""
) -> QKeyEvent:
    return QKeyEvent(QEvent.Type.KeyPress, key, modifiers, scan, virtual, 0, text)


@pytest.mark.parametrize(
    ("platform", "scan", "virtual", "letter"),
    [
        ("linux", 54, 0x6D3, "C"),
        ("linux", 24, 0, "Q"),
        ("linux", 61, 0, "/"),
        ("linux", 10, 0, "1"),
        ("linux", 49, 0, "`"),
        ("win32", 46, 0x43, "C"),
        ("win32", 0, 0xDB, "["),
        ("darwin", 0, 8, "C"),
        ("darwin", 0, 37, "L"),
        ("darwin", 0, 23, "5"),
        ("darwin", 0, 47, "."),
    ],
)
def test_the_place_of_a_key_says_its_latin_letter(
    platform: str, scan: int, virtual: int, letter: str
) -> None:
    assert latin_key(event(CYRILLIC_ES, scan=scan, virtual=virtual), platform) == Qt.Key(ord(letter))


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
def test_an_event_that_says_nothing_of_its_place_stands_for_itself(platform: str) -> None:
    assert latin_key(event(CYRILLIC_ES), platform) is None
    assert [keys.key() for keys in readings(event(CYRILLIC_ES), platform)] == [CYRILLIC_ES]


def test_a_cyrillic_letter_is_tried_first_and_its_place_after() -> None:
    found = readings(event(CYRILLIC_ES, CONTROL, scan=54), "linux")
    assert found == (QKeyCombination(CONTROL, CYRILLIC_ES), QKeyCombination(CONTROL, Qt.Key.Key_C))


def test_a_latin_letter_is_itself_wherever_it_is() -> None:
    """Dvorak and French layouts have letters of their own places: those count."""
    assert readings(event(Qt.Key.Key_J, scan=54), "linux") == (QKeyCombination(Qt.Key.Key_J),)


@pytest.mark.parametrize(
    ("key", "modifiers", "scan", "texts"),
    [
        (Qt.Key.Key_Exclam, SHIFT, 10, ["Shift+1", "Shift+!", "!"]),
        (Qt.Key.Key_Ampersand, NO, 10, ["&", "1"]),
        (Qt.Key.Key_1, SHIFT, 10, ["Shift+1"]),
        (Qt.Key.Key_1, Qt.KeyboardModifier.KeypadModifier, 87, ["1"]),
        (Qt.Key.Key_Plus, CONTROL | SHIFT, 21, ["Ctrl+Shift++", "Ctrl++"]),
    ],
)
def test_digits_and_signs(key: Qt.Key, modifiers: Qt.KeyboardModifier, scan: int, texts: list[str]) -> None:
    assert [text_of(keys) for keys in readings(event(key, modifiers, scan), "linux")] == texts


def test_modifiers_alone_have_no_text_and_texts_are_normal() -> None:
    assert text_of(QKeyCombination(SHIFT, Qt.Key.Key_Shift)) == ""
    assert normal("Delete") == normal("Del") == "Del"
    assert normal("ctrl+shift+a") == "Ctrl+Shift+A"
