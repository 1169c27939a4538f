"""Gestures for pen and touchpad: a command arms one, and the next drag with the left button is it."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, Signal

from studio.canvas.command import CanvasCommand
from studio.keys.gestures import GESTURE_TABLE, gesture_of
from studio.translate import tr

GROUP: Final = "Next drag"


class Arming(QObject):
    """``changed`` when another gesture is armed, or none any more."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.armed = ""
        """The gesture that the next press begins, or that its drag is changed by; empty for none."""

    @property
    def hint(self) -> str:
        """What to do now; empty if nothing is armed."""
        if not self.armed:
            return ""
        return tr("{hint} Esc leaves it.", hint=tr(gesture_of(self.armed).hint))

    def arm(self, gesture: str) -> None:
        """Wait for a gesture; the one that is armed already is left."""
        self._set("" if gesture == self.armed else gesture)

    def disarm(self) -> bool:
        """Wait for none; whether one was armed."""
        was = bool(self.armed)
        self._set("")
        return was

    def done(self, *, dragged: bool) -> None:
        """A press is over: it was what is armed, unless that takes a drag and this was a click."""
        if self.armed and (dragged or gesture_of(self.armed).by_click):
            self._set("")

    def _set(self, gesture: str) -> None:
        if gesture != self.armed:
            self.armed = gesture
            self.changed.emit()


def arming_commands(arming: Arming) -> tuple[CanvasCommand, ...]:
    """One command for each gesture of the table."""

    def make(gesture: str, title: str) -> CanvasCommand:
        return CanvasCommand(f"graph.arm_{gesture}", title, (), lambda: arming.arm(gesture), group=GROUP)

    return tuple(make(gesture.id, gesture.arm) for gesture in GESTURE_TABLE)
