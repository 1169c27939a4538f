"""Pan: drag with the middle button, or with Space held."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt

from studio.canvas.interactions.base import Canvas, Interaction, Press


class Pan(Interaction):
    """Move the view; the document has no part in it."""

    cursor = Qt.CursorShape.ClosedHandCursor
    pans_at_edge = False

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        if press.button == Qt.MouseButton.MiddleButton:
            return True
        return press.panning and press.button == Qt.MouseButton.LeftButton

    def begin(self) -> None:
        self._last = self.press.view_at
        self._start = self.view.offset()

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        self.view.pan_by(view_at - self._last)
        self._last = view_at

    def cancel(self) -> None:
        self.view.set_offset(self._start)
