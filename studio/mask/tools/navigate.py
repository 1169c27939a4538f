"""Moving the eye: pan with Space or the middle button, rotate with R."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt

from studio.mask.tools.base import Gesture, Sample

SNAP = 15.0
"""Degrees that Shift turns in."""


class Pan(Gesture):
    """Move the picture."""

    draws = False
    cursor = Qt.CursorShape.ClosedHandCursor

    def begin(self) -> None:
        self._centre = self.view.transform_.centre
        self._last = self.press.view_at

    def moved(self, sample: Sample) -> None:
        self.view.pan_by(sample.view_at - self._last)
        self._last = sample.view_at

    def cancel(self) -> None:
        self.view.transform_.centre = self._centre
        self.view.update()


class Rotate(Gesture):
    """Turn the picture about the middle of the view; with Shift in steps."""

    draws = False
    cursor = Qt.CursorShape.SizeHorCursor

    def begin(self) -> None:
        self._angle = self.view.transform_.angle
        self._from = self._towards(self.press)

    def _towards(self, sample: Sample) -> float:
        away = sample.view_at - self.view.transform_.middle
        return math.degrees(math.atan2(away.y(), away.x()))

    def moved(self, sample: Sample) -> None:
        angle = self._angle + self._towards(sample) - self._from
        self.view.rotate_to(round(angle / SNAP) * SNAP if sample.shift else angle)

    def cancel(self) -> None:
        self.view.rotate_to(self._angle)
