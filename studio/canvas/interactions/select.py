"""Select: click on nothing to select nothing, drag a box or draw a lasso. Shift adds, Ctrl toggles."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QPainterPath, QPolygonF
from PySide6.QtWidgets import QGraphicsPathItem

from studio.canvas.box_layer import Key
from studio.canvas.dot_layer import Dot
from studio.canvas.interactions.base import Canvas, Interaction, Press, begins


class AreaSelect(Interaction):
    """Selects the nodes and dots in an area that is drawn on blank canvas. Modifiers that are part of how it
    was begun don't toggle as well."""

    def begin(self) -> None:
        self._before = self.scene.selected_nodes()
        self._before_dots = self.scene.dots.selected
        self._before_boxes = self.scene.boxes.selected
        self._area: QGraphicsPathItem | None = None
        self.scene.select_wire(None)

    def show_area(self, path: QPainterPath) -> None:
        """Draw the area."""
        if self._area is None:
            style = self.scene.style_
            self._area = QGraphicsPathItem()
            self._area.setPen(style.hairline(style.colour("brass")))
            self._area.setBrush(style.colour("brass", 0.12))
            self._area.setZValue(5)
            self.scene.addItem(self._area)
        self._area.setPath(path)

    @property
    def toggles(self) -> bool:
        trigger = begins(self.view, self.press, self.armed_as)
        used = trigger.modifiers if trigger is not None else Qt.KeyboardModifier.NoModifier
        return not self.adds and self.holds("toggle", self.press.modifiers & ~used)

    def choose(self, nodes: Collection[str], dots: Collection[Dot]) -> None:
        """Select what is in the area, by the keys held at the press."""
        chosen, points = set(nodes), set(dots)
        if self.toggles:
            chosen, points = set(self._before) ^ chosen, set(self._before_dots) ^ points
        elif self.adds:
            chosen, points = set(self._before) | chosen, set(self._before_dots) | points
        held = self._held()
        self.scene.select(chosen)
        self.scene.dots.select(points)
        self.scene.boxes.select(held)

    def _held(self) -> set[Key]:
        """Frames and notes that lie in the area as a whole, by the keys held at the press."""
        path = self._area.path() if self._area is not None else QPainterPath()
        found = {key for key, item in self.scene.boxes.items.items() if path.contains(item.area)}
        if self.toggles:
            return set(self._before_boxes) ^ found
        return set(self._before_boxes) | found if self.adds else found

    def released(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        self._remove_area()
        if not self.dragging:
            self.choose([], [])

    def cancel(self) -> None:
        self._remove_area()
        self.scene.select(self._before)
        self.scene.dots.select(self._before_dots)
        self.scene.boxes.select(self._before_boxes)

    def _remove_area(self) -> None:
        if self._area is not None:
            self.scene.removeItem(self._area)
            self._area = None


class BoxSelect(AreaSelect):
    """A box over blank canvas: every node and dot it touches."""

    armed_as = "box"

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        return begins(view, press, "box") is not None

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        area = QRectF(self.press.at, at).normalized()
        path = QPainterPath()
        path.addRect(area)
        self.show_area(path)
        nodes = [
            node
            for node, item in self.scene.nodes.items()
            if item.body().translated(item.pos()).intersects(area)
        ]
        self.choose(nodes, [dot for dot, place in self.scene.dots.places().items() if area.contains(place)])


class LassoSelect(AreaSelect):
    """A line drawn freely, with Alt or with Ctrl+Shift, round the middles of nodes and round dots.

    With Alt, Shift adds and Ctrl toggles; Ctrl+Shift alone adds.
    """

    cursor = Qt.CursorShape.CrossCursor
    armed_as = "lasso"

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        return begins(view, press, "lasso") is not None

    def begin(self) -> None:
        super().begin()
        self._points = QPolygonF([self.press.at])

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        self._points.append(at)
        path = QPainterPath()
        path.addPolygon(self._points)
        path.closeSubpath()
        self.show_area(path)
        fill = Qt.FillRule.OddEvenFill
        nodes = [
            node for node, item in self.scene.nodes.items() if self._points.containsPoint(item.centre, fill)
        ]
        places = self.scene.dots.places()
        self.choose(nodes, [dot for dot, place in places.items() if self._points.containsPoint(place, fill)])
