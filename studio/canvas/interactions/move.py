"""Move: press a node to select it, drag to move what is selected. One undo step.

Nodes jump to guides, else to the grid; Ctrl suspends both. A loose node dropped on a wire goes into it,
unless Alt is pressed meanwhile. Alt held at the press, or a shake, takes the nodes out of their chain.
"""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt

from studio.canvas.dot_layer import Dot
from studio.canvas.guides import REACH, Guide, GuideItem, Guides
from studio.canvas.interactions.base import Canvas, Interaction, Press, begins
from studio.canvas.interactions.extract import Extraction, Shake
from studio.canvas.interactions.insert import InsertionHint
from studio.canvas.style import GRID
from studio.graph.annotations import Box
from studio.graph.rewiring import with_inserted
from studio.graph.waypoints import End, Points
from studio.keys.words import triggers_words
from studio.translate import tr


class Move(Interaction):
    """Select and move nodes, and the dots selected with them."""

    armed_as = "extract"

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        pressed = press.button == Qt.MouseButton.LeftButton or begins(view, press, "extract") is not None
        return pressed and press.node is not None

    def begin(self) -> None:
        node = self.press.node
        self._before = self.scene.selected_nodes()
        self._narrow = False
        self._start: dict[str, QPointF] = {}
        self._dots: list[Dot] = []
        self._boxes: list[Box] = []
        self._shown_boxes: list[Box] = []
        self._shown_dots: dict[End, Points] = {}
        self._guides: Guides | None = None
        self._lines: GuideItem | None = None
        self._hint: InsertionHint | None = None
        self._out: Extraction | None = None
        self._shake = Shake()
        if node is None:
            return
        self._node = node.node
        if self.toggles:
            self.scene.select(set(self._before) ^ {self._node})
        elif self.adds:
            self.scene.select([self._node], add=True)
        elif self._node in self._before:
            self._narrow = len(self._before) > 1
        else:
            self.scene.select([self._node])

    # --- dragging --------------------------------------------------------------------------------------

    def _begin_drag(self) -> None:
        if self._node not in self.scene.selected_nodes():  # Ctrl took it out of what is selected: drag it all
            self.scene.select(self._before)
        self._dots = self.scene.dots.selected
        self._boxes = [self.scene.boxes.items[key].box for key in self.scene.boxes.selected]
        self._start = {key: self.scene.nodes[key].pos() for key in self.scene.selected_nodes()}
        self._guides = Guides(self._still(), self._straight())
        self._lines = GuideItem(self.scene.style_, self.view.devicePixelRatioF())
        self.scene.addItem(self._lines)
        if begins(self.view, self.press, "extract") is not None:
            self._take_out()
        self._look_for_wires()

    def _still(self) -> list[tuple[float, float, float, float]]:
        """The nodes in view that don't move."""
        shown = self.view.shown_area()
        area = shown.left(), shown.top(), shown.right(), shown.bottom()
        return [item.area for item in self.scene.node_index.near(area) if item.node not in self._start]

    def _straight(self) -> list[Guide]:
        """Where the wires of the dragged node to those that stay would be straight."""
        guides = []
        top = self._start[self._node].y()
        for wire in self.scene.wires_of(self._node):
            stops = wire.stops()
            if wire.dots or not stops or (wire.source in self._start and wire.target in self._start):
                continue
            own, other = (stops[0], stops[1]) if wire.source == self._node else (stops[1], stops[0])
            guides.append(Guide(other.y() - (own.y() - top), other.y(), other.x(), other.x()))
        return guides

    def _take_out(self) -> None:
        out = Extraction(self.scene, list(self._start))
        self._out = out if out else None

    def _look_for_wires(self) -> None:
        if self._hint is not None:
            self._hint.clear()
        graph = self.document.graph
        if self._out is not None:
            graph = self._out.applied(graph)
        self._hint = InsertionHint(self.scene, graph, self._node) if len(self._start) == 1 else None

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        if not self._start:
            self._begin_drag()
        by = self._snapped(at - self.press.at, free=self.holds("free", modifiers))
        self.scene.show_moved({node: start + by for node, start in self._start.items()})
        self._shown_boxes = [box.at(box.rect[0] + by.x(), box.rect[1] + by.y()) for box in self._boxes]
        self.scene.boxes.show_boxes(self._shown_boxes)
        if self._dots:
            self._shown_dots = self.scene.dots.moved(self._dots, by)
            self.scene.dots.show(self._shown_dots)
        if self._shake.add(view_at) and self._out is None and self.view.gestures.shakes("extract"):
            self._take_out()
            self._look_for_wires()
        if self._hint is not None:
            if self.holds("no_insert", modifiers):
                self._hint.clear()
            else:
                self._hint.look(self.scene.nodes[self._node])
            leave = triggers_words(self.view.gestures.triggers("no_insert"))
            self.view.show_hint(view_at, self._hint.words(leave))

    def _snapped(self, by: QPointF, *, free: bool) -> QPointF:
        """How far to move: to guides that are near, else on the grid."""
        if free or self._guides is None or self._lines is None:
            if self._lines is not None:
                self._lines.show_lines(())
            return by
        start, (width, height) = self._start[self._node], self.scene.nodes[self._node].size
        goal = start + by
        rect = (goal.x(), goal.y(), goal.x() + width, goal.y() + height)
        snap = self._guides.snap(rect, REACH / self.view.zoom)
        self._lines.show_lines(snap.lines)
        x = goal.x() + snap.dx if snap.dx is not None else round(goal.x() / GRID) * GRID
        y = goal.y() + snap.dy if snap.dy is not None else round(goal.y() / GRID) * GRID
        return QPointF(x, y) - start

    # --- the end ---------------------------------------------------------------------------------------

    def released(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        if not self.dragging:
            if self._narrow:
                self.scene.select([self._node])
            return
        into = self._hint.found if self._hint is not None else None
        if self.holds("no_insert", modifiers):
            into = None
        out = self._out
        places = self.scene.unwritten_positions()
        for node in self._start:
            if node in self.scene.nodes:
                place = self.scene.nodes[node].pos()
                places[node] = (place.x(), place.y())
        self._clean()
        document = self.document
        if into is None and out is None:
            document.move_nodes(places, dots=self._shown_dots, moved=self._shown_boxes)
            return
        with document.macro(tr("Insert on a wire") if into is not None else tr("Take out of its chain")):
            if out is not None:
                document.replace(out.applied(document.graph), "")
            document.move_nodes(places, dots=self._shown_dots, moved=self._shown_boxes)
            if into is not None:
                document.replace(with_inserted(document.graph, self._node, *into), "")

    def cancel(self) -> None:
        self._clean()
        self.scene.show_document_positions()
        held = self.scene.boxes.selected
        self.scene.boxes.show_document()
        self.scene.select(self._before)
        self.scene.boxes.select(held)

    def _clean(self) -> None:
        if self._hint is not None:
            self._hint.clear()
            self.view.show_hint(QPoint(), "")
        if self._out is not None:
            self._out.remove()
        if self._lines is not None:
            self.scene.removeItem(self._lines)
            self._lines = None
        if self._dots:
            self.scene.dots.show_document()
