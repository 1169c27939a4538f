"""Move: press a node to select it, drag to move what is selected, on the grid. One undo step."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt

from studio.canvas.interactions.base import Canvas, Interaction, Press
from studio.canvas.style import GRID


class Move(Interaction):
    """Select and move nodes. Alt leaves the grid."""

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        return press.button == Qt.MouseButton.LeftButton and press.node is not None

    def begin(self) -> None:
        node = self.press.node
        self._before = self.scene.selected_nodes()
        self._narrow = False
        self._start: dict[str, QPointF] = {}
        if node is None:
            return
        self._node = node.node
        if self.press.control:
            self.scene.select(set(self._before) ^ {self._node})
        elif self.press.shift:
            self.scene.select([self._node], add=True)
        elif self._node in self._before:
            self._narrow = len(self._before) > 1
        else:
            self.scene.select([self._node])
        if self._node in self.scene.selected_nodes():
            self._start = {key: self.scene.nodes[key].pos() for key in self.scene.selected_nodes()}

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        if not self._start:
            return
        by = at - self.press.at
        if not modifiers & Qt.KeyboardModifier.AltModifier:
            lead = self._start[self._node]
            goal = lead + by
            by = QPointF(round(goal.x() / GRID) * GRID, round(goal.y() / GRID) * GRID) - lead
        self.scene.show_moved({node: start + by for node, start in self._start.items()})

    def released(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        if not self.dragging:
            if self._narrow:
                self.scene.select([self._node])
            return
        places = self.scene.unwritten_positions()
        for node in self._start:
            if node in self.scene.nodes:
                at = self.scene.nodes[node].pos()
                places[node] = (at.x(), at.y())
        self.document.move_nodes(places)

    def cancel(self) -> None:
        self.scene.show_document_positions()
        self.scene.select(self._before)
