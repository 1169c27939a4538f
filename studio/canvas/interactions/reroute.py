"""Reroute: Alt+click on a wire puts a dot there that the wire leads through; dots are dragged about."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt

from studio.canvas.dot_layer import Dot
from studio.canvas.interactions.base import Canvas, Interaction, Press, begins
from studio.canvas.style import GRID
from studio.graph.waypoints import Points, inserted_at, waypoints_of, with_waypoints
from studio.translate import tr

LEVEL = 7.0
"""How near (in pixels of the view) a dot must be to the height of its neighbour on the wire to jump to it."""


def placed(at: QPointF, neighbours: list[QPointF], zoom: float, *, free: bool) -> QPointF:
    """Where a dragged dot goes: level with a neighbour on its wire, else on the grid, unless it is free."""
    if free:
        return QPointF(round(at.x()), round(at.y()))
    level = min((other.y() for other in neighbours), key=lambda y: abs(y - at.y()), default=at.y() + 1e6)
    plumb = min((other.x() for other in neighbours), key=lambda x: abs(x - at.x()), default=at.x() + 1e6)
    x = plumb if abs(plumb - at.x()) * zoom <= LEVEL else round(at.x() / GRID) * GRID
    y = level if abs(level - at.y()) * zoom <= LEVEL else round(at.y() / GRID) * GRID
    return QPointF(x, y)


class AddDot(Interaction):
    """Put a dot on a wire; dragged on, it goes along. One undo step."""

    armed_as = "dot"

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        return begins(view, press, "dot") is not None and press.wire is not None and press.dot is None

    def begin(self) -> None:
        wire = self.press.wire
        if wire is None:
            return
        self._end = wire.key
        self._stops = wire.stops()
        route = tuple((stop.x(), stop.y()) for stop in self._stops)
        at = wire.nearest(self.press.at)
        self._index = inserted_at(route, (at.x(), at.y()))
        self._show(at)

    def _show(self, at: QPointF) -> None:
        before = waypoints_of(self.document.graph, self._end)
        new = ((float(round(at.x())), float(round(at.y()))),)
        self._points: Points = (*before[: self._index], *new, *before[self._index :])
        self.scene.dots.show({self._end: self._points})

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        neighbours = self._stops[self._index : self._index + 2]
        self._show(placed(at, neighbours, self.view.zoom, free=self.holds("free", modifiers)))

    def released(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        graph = with_waypoints(self.document.graph, {self._end: self._points})
        self.scene.dots.show_document()
        self.document.replace(graph, tr("Add a reroute dot"))
        self.scene.select([])
        self.scene.dots.select([(*self._end, self._index)])

    def cancel(self) -> None:
        self.scene.dots.show_document()


class MoveDots(Interaction):
    """Select dots and move them. Shift adds, Ctrl toggles; Ctrl during the drag leaves the grid."""

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        return press.button == Qt.MouseButton.LeftButton and press.dot is not None

    def begin(self) -> None:
        layer = self.scene.dots
        self._before = (self.scene.selected_nodes(), layer.selected)
        self._by = QPointF()
        self._dots: list[Dot] = []
        if self.press.dot is None:
            return
        self._dot = dot = self.press.dot
        if self.toggles:
            layer.select([*(set(layer.selected) ^ {dot})])
        elif self.adds:
            layer.select([*layer.selected, dot])
        elif dot not in layer.selected:
            self.scene.select([])
            layer.select([dot])
        self._dots = layer.selected
        self._start = layer.places()[dot]

    def _neighbours(self) -> list[QPointF]:
        """The wire's stops beside the dot, as far as they stay where they are."""
        node, name, index = self._dot
        stops = self.scene.wires[node, name].stops()
        beside = ((index - 1, stops[index]), (index + 1, stops[index + 2]))
        return [stop for other, stop in beside if (node, name, other) not in self._dots]

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        if self._dot in self._dots:
            goal = self._start + at - self.press.at
            free = self.holds("free", modifiers)
            self._by = placed(goal, self._neighbours(), self.view.zoom, free=free) - self._start
            self.scene.dots.show(self.scene.dots.moved(self._dots, self._by))

    def released(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        if not self.dragging:
            if not (self.toggles or self.adds):
                self.scene.select([])
                self.scene.dots.select([self._dot])
            return
        points = self.scene.dots.moved(self._dots, self._by)
        self.scene.dots.show_document()
        self.document.move_nodes({}, dots=points)

    def cancel(self) -> None:
        nodes, dots = self._before
        self.scene.dots.show_document()
        self.scene.select(nodes)
        self.scene.dots.select(dots)
