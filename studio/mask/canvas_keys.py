"""What keys do on the canvas, in one place: to a result that is shown, to the tool in hand, to the view."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent

from studio.mask.preview import CompareMode
from studio.mask.split_handle import FAR_STEP, STEP
from studio.mask.tools import TOOLS

if TYPE_CHECKING:
    from studio.mask.canvas_view import CanvasView

Action = Callable[[], object]
TURN: Final = 15.0
"""Degrees that a key turns the picture."""
PAN: Final = 60.0
"""Pixels of the view that a key moves it."""
_PLAIN = Qt.KeyboardModifier.NoModifier
_SHIFT = Qt.KeyboardModifier.ShiftModifier
_TOOL_KEYS = {getattr(Qt.Key, f"Key_{tool.key}"): tool.id for tool in TOOLS}
_GESTURES = {tool.id: tool.gesture for tool in TOOLS}


def action_for(view: CanvasView, event: QKeyEvent) -> Action | None:
    """What a key does now; ``None`` for keys that mean nothing here."""
    if event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier):
        return None
    for find in (_for_result, _for_edges, _for_tool, _for_brush):
        found = find(view, event)
        if found is not None:
            return found
    if event.modifiers() not in (_PLAIN, Qt.KeyboardModifier.KeypadModifier):
        return view.zoom_in if event.text() == "+" else None
    return _for_view(view, Qt.Key(event.key()))


def is_backslash(event: QKeyEvent) -> bool:
    """Also where the key has another place and a modifier."""
    return event.key() == Qt.Key.Key_Backslash or event.text() == "\\"


def _for_result(view: CanvasView, event: QKeyEvent) -> Action | None:
    if view.preview is None:
        return None
    key, far = Qt.Key(event.key()), bool(event.modifiers() & _SHIFT)
    if view.compare_mode in (CompareMode.SLIDER, CompareMode.FLICKER):
        step = FAR_STEP if far else STEP
        if key in (Qt.Key.Key_Comma, Qt.Key.Key_Less):
            return lambda: view.step_split(-step)
        if key in (Qt.Key.Key_Period, Qt.Key.Key_Greater):
            return lambda: view.step_split(step)
    if far or not view.candidates:
        return None
    if view.candidates > 1 and key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
        back = (key == Qt.Key.Key_Left) is not view.isRightToLeft()
        return lambda: view.candidate_stepped.emit(-1 if back else 1)
    return {
        Qt.Key.Key_Return: view.result_applied.emit,
        Qt.Key.Key_Enter: view.result_applied.emit,
        Qt.Key.Key_Escape: view.result_discarded.emit,
    }.get(key)


def _for_edges(view: CanvasView, event: QKeyEvent) -> Action | None:
    grown = view.expansion_enabled and not view.expansion.isNull()
    return view.reset_expansion if grown and event.key() == Qt.Key.Key_Escape else None


def _for_tool(view: CanvasView, event: QKeyEvent) -> Action | None:
    """Keys of the tool in hand itself."""
    return _GESTURES[view.settings.tool].key_action(view, event)


def _for_brush(view: CanvasView, event: QKeyEvent) -> Action | None:
    settings = view.settings
    text = {Qt.Key.Key_BracketLeft: "[", Qt.Key.Key_BracketRight: "]"}.get(Qt.Key(event.key()), event.text())
    if event.text() in ("{", "}"):
        text = event.text()
    elif event.modifiers() & _SHIFT:
        text = {"[": "{", "]": "}"}.get(text, text)
    actions: dict[str, Action] = {
        "[": lambda: settings.resize_brush(-1),
        "]": lambda: settings.resize_brush(1),
        "{": lambda: settings.harden_brush(-1),
        "}": lambda: settings.harden_brush(1),
    }
    return actions.get(text)


def _for_view(view: CanvasView, key: Qt.Key) -> Action | None:
    if key in _TOOL_KEYS:
        return lambda: view.settings.change(tool=_TOOL_KEYS[key])
    actions: dict[Qt.Key, Action] = {
        Qt.Key.Key_X: view.settings.swap_eraser,
        Qt.Key.Key_Plus: view.zoom_in,
        Qt.Key.Key_Equal: view.zoom_in,
        Qt.Key.Key_Minus: view.zoom_out,
        Qt.Key.Key_0: view.fit,
        Qt.Key.Key_1: view.actual_size,
        Qt.Key.Key_4: lambda: view.rotate_by(-TURN),
        Qt.Key.Key_5: view.reset_rotation,
        Qt.Key.Key_6: lambda: view.rotate_by(TURN),
        Qt.Key.Key_Left: lambda: view.pan_by(QPointF(PAN, 0)),
        Qt.Key.Key_Right: lambda: view.pan_by(QPointF(-PAN, 0)),
        Qt.Key.Key_Up: lambda: view.pan_by(QPointF(0, PAN)),
        Qt.Key.Key_Down: lambda: view.pan_by(QPointF(0, -PAN)),
    }
    return actions.get(key)
