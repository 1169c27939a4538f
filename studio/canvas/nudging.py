"""Moving things and the view by keys: nodes, dots, frames and notes step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QPoint, QPointF

from studio.canvas.interactions.boxes import carried
from studio.canvas.scene import GraphScene
from studio.canvas.style import GRID
from studio.canvas.view import GraphView
from studio.documents.document import GraphDocument
from studio.graph.annotations import LEAST, boxes
from studio.translate import tr

PAN = 80
"""Pixels of the view that a key moves it."""


class Nudging:
    """Steps of one kind, one after the other, are one step of undo."""

    def __init__(self, document: GraphDocument, scene: GraphScene, view: GraphView) -> None:
        self._document, self._scene, self._view = document, scene, view

    def can_nudge(self) -> bool:
        """Whether something is selected that has a place."""
        scene = self._scene
        return bool(scene.selected_nodes() or scene.boxes.selected or scene.dots.selected)

    def nudge(self, dx: int, dy: int) -> Callable[[], None]:
        """A callback that moves what is selected by one step of the grid; frames take along what is in
        them."""

        def move() -> None:
            scene, by = self._scene, QPointF(dx * GRID, dy * GRID)
            held, nodes = carried(scene, scene.boxes.selected, scene.selected_nodes())
            dots = scene.dots.selected
            if not (held or nodes or dots):
                return
            places = scene.unwritten_positions()
            for node in nodes:
                at = scene.nodes[node].pos() + by
                places[node] = (at.x(), at.y())
            moved = [box.at(box.rect[0] + by.x(), box.rect[1] + by.y()) for box in held]
            names = [*sorted(nodes), *(box.id for box in held), *map(str, dots)]
            self._document.move_nodes(
                places, dots=scene.dots.moved(dots, by), moved=moved, merge="nudge " + " ".join(names)
            )

        return move

    def resize(self, dx: int, dy: int) -> Callable[[], None]:
        """A callback that makes the selected frames and notes wider, narrower, higher or lower."""

        def change() -> None:
            known, changed = boxes(self._document.graph), []
            for key in self._scene.boxes.selected:
                x, y, width, height = known[key].rect
                least = LEAST[known[key].kind]
                size = (max(least[0], width + dx * GRID), max(least[1], height + dy * GRID))
                changed.append(replace(known[key], rect=(x, y, *size)))
            if changed:
                self._document.set_boxes(changed, tr("Resize"))

        return change

    def has_boxes(self) -> bool:
        return bool(self._scene.boxes.items)

    def has_box(self) -> bool:
        return bool(self._scene.boxes.selected)

    def next_box(self, by: int) -> Callable[[], None]:
        """A callback that selects the next frame or note, or the one before, in the order they are read."""

        def go() -> None:
            layer = self._scene.boxes
            keys = sorted(layer.items, key=lambda key: (layer.items[key].area.y(), layer.items[key].area.x()))
            if not keys:
                return
            chosen = [keys.index(key) for key in layer.selected]
            start = chosen[-1] + by if chosen else 0 if by > 0 else -1
            key = keys[start % len(keys)]
            self._scene.select([])
            layer.select([key])
            self._view.ensureVisible(layer.items[key].area, 40, 40)

        return go

    def pan(self, dx: int, dy: int) -> Callable[[], None]:
        """A callback that looks further in a direction."""
        return lambda: self._view.pan_by(QPoint(-dx * PAN, -dy * PAN))
