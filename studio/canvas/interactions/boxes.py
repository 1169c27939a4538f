"""Frames and notes: a frame is dragged by its title, with what is in it (Alt: alone); edges resize either."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QPoint, QPointF, Qt

from studio.canvas.box_layer import Key
from studio.canvas.interactions.base import Canvas, Interaction, Press
from studio.canvas.scene import GraphScene
from studio.canvas.style import GRID
from studio.graph.annotations import LEAST, Box, boxes
from studio.translate import tr


def _snapped(value: float, *, free: bool) -> float:
    """On the grid, unless it is left."""
    return value if free else round(value / GRID) * GRID


def carried(scene: GraphScene, keys: Collection[Key], chosen: Collection[str]) -> tuple[list[Box], set[str]]:
    """What moves with some frames, notes and nodes: all of them, and what lies in the frames."""
    known, nodes = boxes(scene.document.graph), set(chosen)
    held = {key: known[key] for key in keys if key in known}
    for frame in [box for box in held.values() if box.kind == "frames"]:
        held |= {box.key: box for box in known.values() if box.key != frame.key and frame.holds(box.rect)}
        nodes |= {
            node
            for node, item in scene.nodes.items()
            if frame.holds((item.pos().x(), item.pos().y(), *item.size))
        }
    return list(held.values()), nodes


class MoveBox(Interaction):
    """Select a frame or note and move it. A frame takes along what lies in it; Alt moves the frame alone."""

    armed_as = "frame_alone"

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
        self._narrow = key in layer.selected and not (self.toggles or self.adds)
        if self.toggles:
            layer.select(
                [*(other for other in layer.selected if other != key)]
                if item.selected
                else [*layer.selected, key]
            )
        elif self.adds:
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
        if alone:
            self._boxes, nodes = [boxes(self.document.graph)[self._lead.key]], set[str]()
        else:
            keys = [*self.scene.boxes.selected, self._lead.key]
            self._boxes, nodes = carried(self.scene, keys, self.scene.selected_nodes())
        self._nodes = {node: self.scene.nodes[node].pos() for node in nodes}

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        self._take(self.holds("frame_alone", modifiers))
        free = self.holds("free", modifiers)
        x, y = self._lead.rect[:2]
        away = at - self.press.at
        by = QPointF(_snapped(x + away.x(), free=free) - x, _snapped(y + away.y(), free=free) - y)
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
        least, free = LEAST[self._box.kind], self.holds("free", modifiers)
        if "l" in self._edges:
            left = min(_snapped(left + away.x(), free=free), right - least[0])
        if "r" in self._edges:
            right = max(_snapped(right + away.x(), free=free), left + least[0])
        if "t" in self._edges:
            top = min(_snapped(top + away.y(), free=free), bottom - least[1])
        if "b" in self._edges:
            bottom = max(_snapped(bottom + away.y(), free=free), top + least[1])
        box = self._box
        self._shown = Box(box.kind, box.id, (left, top, right - left, bottom - top), box.text, box.colour)
        self.scene.boxes.show_boxes([self._shown])

    def released(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        if self.dragging:
            self.document.set_boxes([self._shown], tr("Resize"))

    def cancel(self) -> None:
        self.scene.boxes.show_document()
