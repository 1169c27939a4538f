"""Key sets to choose from: each is what differs from the keys that commands and gestures have of themselves.

What the user changed goes on top of the set. A key that a set gives to one command is taken from whichever
other has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class KeySet:
    """``keys`` by command, ``gestures`` by gesture, in the notation of the keymap. ``title`` is a name,
    ``words`` a source text."""

    id: str
    title: str
    words: str
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gestures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


DIPTYCH: Final = KeySet("diptych", "Diptych", "The keys of Diptych itself.")
COMFYUI: Final = KeySet(
    "comfyui",
    "ComfyUI",
    "What ComfyUI's node editor has, where Diptych has the like of it.",
    {
        "run.cancel": ("Ctrl+Alt+Return", "Ctrl+Alt+Enter", "Ctrl+."),
        "run.rescan_models": ("F5", "R"),
        "view.log": ("Ctrl+`", "Ctrl+Shift+J"),
        "help.keyboard": ("F1", "Ctrl+Shift+K"),
        "canvas.open": ("Ctrl+Alt+O",),
        "canvas.apply": ("Ctrl+Alt+A",),
        "graph.run_to": ("Ctrl+Alt+R",),
        "graph.add": ("Tab", "Shift+A", "Space", "N"),
        "graph.frame": ("Ctrl+G",),
        "graph.group": ("Ctrl+Shift+E",),
        "graph.note": ("Shift+N",),
        "graph.bypass": ("Ctrl+B",),
        "graph.zoom_in": ("Alt+=", "Alt++", "Ctrl++", "Ctrl+="),
        "graph.zoom_out": ("Alt+-", "Ctrl+-"),
        "graph.frame_selection": (".", "F"),
        "graph.minimap": ("Alt+M",),
        "graph.delete": ("Delete", "Backspace"),
    },
    {
        "pan": ("MiddleButton", "Space+LeftButton", "LeftButton"),
        "box": ("Ctrl+LeftButton",),
        "move_wires": ("Shift+LeftButton",),
        "lasso": ("Alt+LeftButton",),
    },
)
"""Facts after the documentation of ComfyUI's interface and its frontend's table of default keybindings."""

KEY_SETS: Final = (DIPTYCH, COMFYUI)


def key_set(id: str) -> KeySet:
    """A set by its id; Diptych's own for one that isn't known here."""
    return next((one for one in KEY_SETS if one.id == id), DIPTYCH)
