"""Keys and gestures as people read them, in the words of the system."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence

from studio.keys.gestures import MODIFIERS, Gesture, Trigger
from studio.keys.keymap import Scope
from studio.translate import tr

_BUTTONS: Final = {
    Qt.MouseButton.LeftButton: "left button",
    Qt.MouseButton.MiddleButton: "middle button",
    Qt.MouseButton.RightButton: "right button",
}
_SCOPES: Final = {
    Scope.WINDOW: "Whole window",
    Scope.GRAPH: "Node editor",
    Scope.CANVAS: "Image canvas",
}


def native(key: str) -> str:
    """A key in portable notation as this system writes it."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)


def modifier_name(name: str) -> str:
    """What this system calls a modifier."""
    return native(f"{name}+A").removesuffix("A").rstrip("+")


def trigger_words(trigger: Trigger) -> str:
    """``Ctrl + right button``, ``Alt``, ``Space + left button``, ``a shake``."""
    if trigger.shake:
        return tr("a shake")
    parts = [modifier_name(name) for name, modifier in MODIFIERS.items() if trigger.modifiers & modifier]
    parts += [tr("Space")] if trigger.space else []
    parts += [tr(_BUTTONS[trigger.button])] if trigger.button in _BUTTONS else []
    return " + ".join(parts)


def triggers_words(triggers: Iterable[Trigger]) -> str:
    """All of them, one after the other."""
    return ", ".join(map(trigger_words, triggers))


def scope_words(scope: Scope) -> str:
    """Where keys count."""
    return tr(_SCOPES[scope])


def gesture_words(gesture: Gesture) -> str:
    """What a gesture does, and where."""
    return f"{tr(gesture.title)} — {tr(gesture.where)}"
