"""The reroute dots of the scene: where each wire leads through, and which dots are selected."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from PySide6.QtCore import QPointF

from pipelines.graph.document import Graph
from studio.canvas.item_scene import ItemScene
from studio.canvas.items import WireItem
from studio.documents.document import GraphDocument
from studio.graph.waypoints import End, Points, all_waypoints

Dot = tuple[str, str, int]
"""A dot by its wire's end (node and input) and its place among the wire's dots."""


class DotLayer:
    """Dots are the document's, or a gesture's until it is done. It never writes. ``place`` leads a wire."""

    def __init__(self, document: GraphDocument, scene: ItemScene, place: Callable[[WireItem], None]) -> None:
        self._document, self._scene, self._place = document, scene, place
        self._graph: Graph | None = None
        self._known: dict[End, Points] = {}
        self._shown: dict[End, Points] = {}

    def known(self) -> Mapping[End, Points]:
        """The dots of the document, by wire."""
        graph = self._document.graph
        if graph is not self._graph:
            self._graph, self._known = graph, all_waypoints(graph) if "waypoints" in graph.view else {}
        return self._known

    def via(self, wire: WireItem) -> list[QPointF]:
        """Where a wire leads through now. If both its ends are shown elsewhere alike, so are its dots."""
        shown = self._shown.get(wire.key)
        if shown is not None:
            return [QPointF(*point) for point in shown]
        points = self.known().get(wire.key, ())
        if not points:
            return []
        by, other = (self._away(node) for node in (wire.source, wire.target))
        shift = by if by is not None and by == other else QPointF()
        return [QPointF(*point) + shift for point in points]

    def _away(self, node: str) -> QPointF | None:
        """How far from its place in the document a node is shown."""
        at, item = self._document.graph.position(node), self._scene.nodes.get(node)
        return item.pos() - QPointF(*at) if at is not None and item is not None else None

    def show(self, points: Mapping[End, Points]) -> None:
        """Show dots elsewhere (or others), without writing it."""
        before, self._shown = self._shown, dict(points)
        for end in {*before, *points}:
            wire = self._scene.wires.get(end)
            if wire is not None:
                self._place(wire)

    def show_document(self) -> None:
        """Forget what :meth:`show` showed."""
        self.show({})

    # --- asking and selecting --------------------------------------------------------------------------

    def at(self, at: QPointF, reach: float) -> Dot | None:
        """The dot nearest to a point of the scene, within ``reach``."""
        best: tuple[float, Dot] | None = None
        for end in self.known():
            wire = self._scene.wires.get(end)
            for index, dot in enumerate(wire.dots if wire is not None else ()):
                away = (dot.scenePos() - at).manhattanLength()
                if away <= reach and (best is None or away < best[0]):
                    best = away, (*end, index)
        return best[1] if best is not None else None

    def places(self) -> dict[Dot, QPointF]:
        """Where every dot is."""
        return {
            (*end, index): dot.scenePos()
            for end in self.known()
            if (wire := self._scene.wires.get(end)) is not None
            for index, dot in enumerate(wire.dots)
        }

    @property
    def selected(self) -> list[Dot]:
        return [
            (*end, index)
            for end in self.known()
            if (wire := self._scene.wires.get(end)) is not None
            for index, dot in enumerate(wire.dots)
            if dot.selected
        ]

    def select(self, dots: Collection[Dot]) -> None:
        """Select these dots, and no other."""
        for end in self.known():
            wire = self._scene.wires.get(end)
            changed = False
            for index, dot in enumerate(wire.dots if wire is not None else ()):
                changed |= dot.selected != ((*end, index) in dots)
                dot.selected = (*end, index) in dots
            if wire is not None and changed:
                wire.refresh()

    def moved(self, dots: Collection[Dot], by: QPointF) -> dict[End, Points]:
        """The points of the wires of ``dots`` with those dots elsewhere, from where the document has them."""
        result: dict[End, Points] = {}
        for end in dict.fromkeys(dot[:2] for dot in dots):
            result[end] = tuple(
                (x + by.x(), y + by.y()) if (*end, index) in dots else (x, y)
                for index, (x, y) in enumerate(self.known().get(end, ()))
            )
        return result

    def without(self, dots: Collection[Dot]) -> dict[End, Points]:
        """The points of the wires of ``dots`` without those dots."""
        return {
            end: tuple(point for index, point in enumerate(points) if (*end, index) not in dots)
            for end, points in self.known().items()
            if end in {dot[:2] for dot in dots}
        }
