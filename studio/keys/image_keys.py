"""The keys of the image canvas, which it reads from the keymap. Plain data: the canvas itself comes later."""

from __future__ import annotations

from typing import Final

from studio.keys.keymap import Entry, Scope

MENU: Final = "Canvas"
TOOL, LAYER = "canvas.tool.", "canvas.layer."


def _entry(id: str, title: str, *keys: str) -> Entry:
    return Entry(id, title, MENU, Scope.CANVAS, keys)


TOOL_KEYS: Final = (
    _entry(f"{TOOL}move", "Move", "V"),
    _entry(f"{TOOL}transform", "Transform", "T"),
    _entry(f"{TOOL}brush", "Brush", "B"),
    _entry(f"{TOOL}eraser", "Eraser", "E"),
    _entry(f"{TOOL}smudge", "Smudge", "S"),
    _entry(f"{TOOL}rectangle", "Rectangle", "M"),
    _entry(f"{TOOL}ellipse", "Ellipse", "O"),
    _entry(f"{TOOL}lasso", "Lasso", "L"),
    _entry(f"{TOOL}polygon", "Polygon", "P"),
    _entry(f"{TOOL}gradient", "Gradient", "G"),
    _entry(f"{TOOL}fill", "Fill", "F"),
    _entry(f"{TOOL}colour_range", "Colour range", "W"),
    _entry(f"{TOOL}object", "Select an object", "A"),
    _entry(f"{TOOL}eyedropper", "Eyedropper", "I"),
)
VIEW_KEYS: Final = (
    _entry("canvas.swap", "Swap brush and eraser", "X"),
    _entry("canvas.smaller", "Smaller brush", "["),
    _entry("canvas.larger", "Larger brush", "]"),
    _entry("canvas.softer", "Softer brush", "{", "Shift+["),
    _entry("canvas.harder", "Harder brush", "}", "Shift+]"),
    _entry("canvas.before", "Show the picture before, while held", "\\"),
    _entry("canvas.turn", "Turn by dragging, while held", "R"),
    _entry("canvas.turn_left", "Turn to the left", "4"),
    _entry("canvas.unturn", "Upright again", "5"),
    _entry("canvas.turn_right", "Turn to the right", "6"),
    _entry("canvas.zoom_in", "Zoom in", "+", "=", "Shift++"),
    _entry("canvas.zoom_out", "Zoom out", "-"),
    _entry("canvas.fit", "Fit into the view", "0"),
    _entry("canvas.actual", "100 %", "1"),
    _entry("canvas.pan_left", "Look to the left", "Left"),
    _entry("canvas.pan_right", "Look to the right", "Right"),
    _entry("canvas.pan_up", "Look up", "Up"),
    _entry("canvas.pan_down", "Look down", "Down"),
)
LAYER_KEYS: Final = (
    _entry(f"{LAYER}duplicate", "Layer: duplicate", "Ctrl+J"),
    _entry(f"{LAYER}delete", "Layer: delete"),
    _entry(f"{LAYER}up", "Layer: move up", "Ctrl+]"),
    _entry(f"{LAYER}down", "Layer: move down", "Ctrl+["),
    _entry(f"{LAYER}merge_down", "Layer: merge down", "Ctrl+Alt+E"),
    _entry(f"{LAYER}flatten", "Layer: flatten the picture"),
    _entry(f"{LAYER}mask", "Layer: use as mask"),
    _entry(f"{LAYER}mask_alpha", "Layer: mask from its transparency"),
    _entry(f"{LAYER}mask_luminance", "Layer: mask from its brightness"),
    _entry(f"{LAYER}flip_horizontal", "Layer: flip horizontally"),
    _entry(f"{LAYER}flip_vertical", "Layer: flip vertically"),
    _entry(f"{LAYER}rotate_right", "Layer: turn right by 90°"),
    _entry(f"{LAYER}rotate_left", "Layer: turn left by 90°"),
    _entry(f"{LAYER}rename", "Layer: rename", "F2"),
)
IMAGE_KEYS: Final = (*TOOL_KEYS, *VIEW_KEYS, *LAYER_KEYS)
