"""Pan: drag with the middle button, or with Space held; on blank canvas as the gesture table says."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt

from studio.canvas.interactions.base import ARMED, Canvas, Interaction, Press, begins


class Pan(Interaction):
    """Move the view; the document has no part in it."""

    cursor = Qt.CursorShape.ClosedHandCursor
    pans_at_edge = False
    armed_as = "pan"

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        trigger = begins(view, press, "pan")
        if trigger is None or trigger is ARMED:
            return trigger is not None
        # the left button by itself takes hold of whatever there is
        return trigger.space or trigger.button != Qt.MouseButton.LeftButton

    def begin(self) -> None:
        self._last = self.press.view_at
        self._start = self.view.offset()

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        self.view.pan_by(view_at - self._last)
        self._last = view_at

    def cancel(self) -> None:
        self.view.set_offset(self._start)


class PanBlank(Pan):
    """By the left button on blank canvas, where the gesture table has that; a click selects nothing there."""

    armed_as = ""

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        return press.place == "blank" and begins(view, press, "pan") is not None

    def released(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        if not self.dragging and not (self.adds or self.toggles):
            self.scene.select([])
