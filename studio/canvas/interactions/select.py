"""Select: click on nothing to select nothing, drag a box. Shift adds, Ctrl toggles."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtWidgets import QGraphicsRectItem

from studio.canvas.interactions.base import Canvas, Interaction, Press


class BoxSelect(Interaction):
    """A box over blank canvas: every node it touches."""

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        return press.button == Qt.MouseButton.LeftButton and press.node is None

    def begin(self) -> None:
        self._before = self.scene.selected_nodes()
        self._box: QGraphicsRectItem | None = None
        self.scene.select_wire(None)

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        area = QRectF(self.press.at, at).normalized()
        if self._box is None:
            style = self.scene.style_
            self._box = QGraphicsRectItem()
            self._box.setPen(style.hairline(style.colour("brass")))
            self._box.setBrush(style.colour("brass", 0.12))
            self._box.setZValue(5)
            self.scene.addItem(self._box)
        self._box.setRect(area)
        touched = [
            node
            for node, item in self.scene.nodes.items()
            if item.body().translated(item.pos()).intersects(area)
        ]
        self._select(touched)

    def _select(self, nodes: list[str]) -> None:
        before = set(self._before)
        if self.press.control:
            self.scene.select(before ^ set(nodes))
        elif self.press.shift:
            self.scene.select(before | set(nodes))
        else:
            self.scene.select(nodes)

    def released(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        self._remove_box()
        if not self.dragging:
            self._select([])

    def cancel(self) -> None:
        self._remove_box()
        self.scene.select(self._before)

    def _remove_box(self) -> None:
        if self._box is not None:
            self.scene.removeItem(self._box)
            self._box = None
