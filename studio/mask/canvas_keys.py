"""What keys do on the canvas, in one place: to a result that is shown, to the tool in hand, to the view."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QKeyCombination, QPointF, Qt
from PySide6.QtGui import QKeyEvent

from studio.keys import Scope
from studio.keys.image_keys import TOOL
from studio.mask.preview import CompareMode
from studio.mask.split_handle import FAR_STEP, STEP
from studio.mask.tools import TOOLS

if TYPE_CHECKING:
    from studio.mask.canvas_hand import CanvasHand

Action = Callable[[], object]
TURN: Final = 15.0
"""Degrees that a key turns the picture."""
PAN: Final = 60.0
"""Pixels of the view that a key moves it."""
_SIGNS: Final = "[]{}\\+-="
_SHIFT = Qt.KeyboardModifier.ShiftModifier
_GESTURES = {tool.id: tool.gesture for tool in TOOLS}


def action_for(view: CanvasHand, event: QKeyEvent) -> Action | None:
    """What a key does now; ``None`` for keys that mean nothing here."""
    if not event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier):
        for find in (_for_result, _for_edges, _for_tool):
            found = find(view, event)
            if found is not None:
                return found
    return _from_table(view, command_of(view, event))


def command_of(view: CanvasHand, event: QKeyEvent) -> str:
    """The command of :data:`~studio.keys.image_keys.IMAGE_KEYS` that a key is, on any layout; empty for
    none."""
    found = view.keymap.command_for(Scope.CANVAS, event)
    if not found and len(event.text()) == 1 and event.text() in _SIGNS:
        # where the layout has the sign on another key, with a modifier
        found = view.keymap.find(Scope.CANVAS, QKeyCombination(Qt.Key(ord(event.text()))))
    return found


def _for_result(view: CanvasHand, event: QKeyEvent) -> Action | None:
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


def _for_edges(view: CanvasHand, event: QKeyEvent) -> Action | None:
    grown = view.expansion_enabled and not view.expansion.isNull()
    return view.reset_expansion if grown and event.key() == Qt.Key.Key_Escape else None


def _for_tool(view: CanvasHand, event: QKeyEvent) -> Action | None:
    """Keys of the tool in hand itself."""
    return _GESTURES[view.settings.tool].key_action(view, event)


def _from_table(view: CanvasHand, command: str) -> Action | None:
    if command.startswith(TOOL):
        return lambda: view.settings.change(tool=command.removeprefix(TOOL))
    settings = view.settings
    actions: dict[str, Action] = {
        "canvas.swap": settings.swap_eraser,
        "canvas.smaller": lambda: settings.resize_brush(-1),
        "canvas.larger": lambda: settings.resize_brush(1),
        "canvas.softer": lambda: settings.harden_brush(-1),
        "canvas.harder": lambda: settings.harden_brush(1),
        "canvas.zoom_in": view.zoom_in,
        "canvas.zoom_out": view.zoom_out,
        "canvas.fit": view.fit,
        "canvas.actual": view.actual_size,
        "canvas.turn_left": lambda: view.rotate_by(-TURN),
        "canvas.unturn": view.reset_rotation,
        "canvas.turn_right": lambda: view.rotate_by(TURN),
        "canvas.pan_left": lambda: view.pan_by(QPointF(PAN, 0)),
        "canvas.pan_right": lambda: view.pan_by(QPointF(-PAN, 0)),
        "canvas.pan_up": lambda: view.pan_by(QPointF(0, PAN)),
        "canvas.pan_down": lambda: view.pan_by(QPointF(0, -PAN)),
    }
    return actions.get(command)
