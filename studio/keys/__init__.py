"""Keys and gestures as data: what is pressed for what, sets to choose from, the user's own changes on top.

Commands, the node editor and the image canvas ask a :class:`~studio.keys.keymap.Keymap`; nothing else knows
a key.
"""

from studio.keys.gestures import GESTURE_TABLE, Bindings, Gesture, Trigger
from studio.keys.keymap import Entry, Keymap, Scope
from studio.keys.sets import KEY_SETS, KeySet

__all__ = [
    "GESTURE_TABLE",
    "KEY_SETS",
    "Bindings",
    "Entry",
    "Gesture",
    "KeySet",
    "Keymap",
    "Scope",
    "Trigger",
]
