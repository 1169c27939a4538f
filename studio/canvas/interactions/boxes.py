"""Frames and notes: a frame is dragged by its title, with what is in it (Alt: alone); edges resize either."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt

from studio.canvas.interactions.base import Canvas, Interaction, Press
from studio.canvas.style import GRID
from studio.graph.annotations import LEAST, Box, boxes
from studio.translate import tr

CONTROL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier


def _snapped(value: float, modifiers: Qt.KeyboardModifier) -> float:
    """On the grid, unless Ctrl is held."""
    return value if modifiers & CONTROL else round(value / GRID) * GRID


class MoveBox(Interaction):
    """Select a frame or note and move it. A frame takes along what lies in it; Alt moves the frame alone."""

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        return press.button == Qt.MouseButton.LeftButton and press.box is not None

    def begin(self) -> None:
        item = self.press.box
        if item is None:
            return
        layer = self.scene.boxes
        self._before = (self.scene.selected_nodes(), layer.selected)
        key = item.key
        self._narrow = key in layer.selected and not (self.press.control or self.press.shift)
        if self.press.control:
            layer.select(
                [*(other for other in layer.selected if other != key)]
                if item.selected
                else [*layer.selected, key]
            )
        elif self.press.shift:
            layer.select([*layer.selected, key])
        elif not self._narrow:
            self.scene.select([])
            layer.select([key])
        self._lead = item.box
        self._alone: bool | None = None
        self._boxes: list[Box] = []
        self._nodes: dict[str, QPointF] = {}

    def _take(self, alone: bool) -> None:
        """What moves: everything selected, and what lies in the frames among it."""
        if alone == self._alone:
            return
        self._forget()
        self._alone = alone
        known = boxes(self.document.graph)
        chosen = {key: known[key] for key in [*self.scene.boxes.selected, self._lead.key] if key in known}
        nodes = set(self.scene.selected_nodes())
        if alone:
            chosen, nodes = {self._lead.key: known[self._lead.key]}, set()
        for frame in [box for box in chosen.values() if box.kind == "frames" and not alone]:
            chosen |= {
                box.key: box for box in known.values() if box.key != frame.key and frame.holds(box.rect)
            }
            nodes |= {
                node
                for node, item in self.scene.nodes.items()
                if frame.holds((item.pos().x(), item.pos().y(), *item.size))
            }
        self._boxes = list(chosen.values())
        self._nodes = {node: self.scene.nodes[node].pos() for node in nodes}

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        self._take(bool(modifiers & ALT))
        x, y = self._lead.rect[:2]
        away = at - self.press.at
        by = QPointF(_snapped(x + away.x(), modifiers) - x, _snapped(y + away.y(), modifiers) - y)
        self._by = by
        self.scene.boxes.show_boxes(self._moved())
        if self._nodes:
            self.scene.show_moved({node: start + by for node, start in self._nodes.items()})

    def _moved(self) -> list[Box]:
        return [box.at(box.rect[0] + self._by.x(), box.rect[1] + self._by.y()) for box in self._boxes]

    def released(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        if not self.dragging:
            if self._narrow:
                self.scene.select([])
                self.scene.boxes.select([self._lead.key])
            return
        places = self.scene.unwritten_positions() if self._nodes else {}
        for node, start in self._nodes.items():
            places[node] = ((start + self._by).x(), (start + self._by).y())
        self.document.move_nodes(places, moved=self._moved())

    def _forget(self) -> None:
        if self._alone is not None:
            self.scene.boxes.show_document()
            self.scene.show_document_positions()

    def cancel(self) -> None:
        self._forget()
        nodes, held = self._before
        self.scene.select(nodes)
        self.scene.boxes.select(held)


class ResizeBox(Interaction):
    """Drag an edge or a corner of a frame or note."""

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        item = press.box
        return (
            press.button == Qt.MouseButton.LeftButton
            and item is not None
            and bool(item.edges_at(press.at, view.zoom))
        )

    def begin(self) -> None:
        item = self.press.box
        if item is not None:
            self._box = self._shown = item.box
            self._edges = item.edges_at(self.press.at, self.view.zoom)
            self.scene.select([])
            self.scene.boxes.select([item.key])

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        x, y, width, height = self._box.rect
        left, top, right, bottom = x, y, x + width, y + height
        away = at - self.press.at
        least = LEAST[self._box.kind]
        if "l" in self._edges:
            left = min(_snapped(left + away.x(), modifiers), right - least[0])
        if "r" in self._edges:
            right = max(_snapped(right + away.x(), modifiers), left + least[0])
        if "t" in self._edges:
            top = min(_snapped(top + away.y(), modifiers), bottom - least[1])
        if "b" in self._edges:
            bottom = max(_snapped(bottom + away.y(), modifiers), top + least[1])
        box = self._box
        self._shown = Box(box.kind, box.id, (left, top, right - left, bottom - top), box.text, box.colour)
        self.scene.boxes.show_boxes([self._shown])

    def released(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        if self.dragging:
            self.document.set_boxes([self._shown], tr("Resize"))

    def cancel(self) -> None:
        self.scene.boxes.show_document()
