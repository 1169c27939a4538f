"""Resize: drag the lower right corner of a node with a thumbnail. One undo step."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPoint, QPointF, Qt

from studio.canvas.interactions.base import Canvas, Interaction, Press
from studio.canvas.items.paint import extra_area
from studio.graph.previews import LEAST, MOST, Preview, preview_of, with_previews


class ResizePreview(Interaction):
    """The node gets as wide, the thumbnail as high as the corner says. Shift keeps the picture's shape."""

    cursor = Qt.CursorShape.SizeFDiagCursor

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        return (
            press.button == Qt.MouseButton.LeftButton
            and press.node is not None
            and press.node.grip_at(press.at)
        )

    def begin(self) -> None:
        item = self.press.node
        if item is None:
            return
        self._node = item.node
        self._start = extra_area(item.face, item.style, item.size[1]).size()
        self._sides = item.face.width - self._start.width()
        self._before = preview_of(self.document.graph, self._node)
        self._preview = self._before
        picture = item.state.pictures[0]
        self._shape = picture.height() / max(1, picture.width())

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        by = at - self.press.at
        width = self._start.width() + by.x()
        height = self._start.height() + by.y()
        if self.holds("keep_shape", modifiers):
            width = max(width, height / self._shape)
            height = width * self._shape
        self._preview = replace(self._before, width=_within(width + self._sides), height=_within(height))
        self._show(self._preview)

    def _show(self, preview: Preview) -> None:
        graph = with_previews(self.document.graph, {self._node: preview})
        self.scene.show_as(graph, self._node)

    def released(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        if self.dragging:
            self.document.set_previews({self._node: self._preview})

    def cancel(self) -> None:
        self._show(self._before)


def _within(length: float) -> int:
    return round(min(max(length, LEAST), MOST))
