"""Putting a dragged node into the wire it is over: which wire that is, and showing it."""

from __future__ import annotations

from PySide6.QtCore import QPointF

from pipelines.graph.document import Graph
from studio.canvas.items import DraftWire, NodeItem, WireItem
from studio.canvas.scene import GraphScene
from studio.graph.edits import title_of
from studio.graph.rewiring import Insertion, insertion, is_loose
from studio.graph.waypoints import End
from studio.translate import tr

BELOW = 1.5
"""Over the nodes that stay, under the one that is dragged."""


class InsertionHint:
    """The wire that would take a node in lights up, led through the node as it would be.

    Args:
        scene: where the node is dragged.
        graph: what it is dragged in (a node that is taken out of its chain is loose there).
        node: the one that is dragged. One that something depends on goes into no wire, so that moving a node
            of a finished graph changes nothing.
    """

    def __init__(self, scene: GraphScene, graph: Graph, node: str) -> None:
        self._scene, self._graph, self._node = scene, graph, node
        self._loose = is_loose(graph, node)
        self._own = set(scene.wires_of(node))
        self._ports: dict[End, Insertion | None] = {}
        self._drafts: list[DraftWire] = []
        self.wire: WireItem | None = None

    def look(self, item: NodeItem) -> None:
        """The node was moved: light the wire it is over, if it fits."""
        found = self._under(item)
        if found is not self.wire:
            self.clear()
            self.wire = found
            if found is not None:
                found.set_look(lit=True)
                found.setVisible(False)
                self._drafts = [DraftWire(found.kind, self._scene.style_, lit=True) for _ in range(2)]
                for draft in self._drafts:
                    draft.setZValue(BELOW)
                    self._scene.addItem(draft)
        ports = self.found
        if found is not None and ports is not None:
            stops, (into, out) = found.stops(), ports[1]
            self._drafts[0].set_ends(stops[0], item.port_position(into, False))
            self._drafts[1].set_ends(item.port_position(out, True), stops[-1])

    def _under(self, item: NodeItem) -> WireItem | None:
        if not self._loose:
            return None
        body = item.body().translated(item.pos())
        middle: QPointF = body.center()
        over = [
            (wire.distance_to(middle), wire)
            for wire in self._scene.wire_index.near(body)
            if wire not in self._own
            and (wire is self.wire or wire.isVisible())
            and self._fits(wire)
            and wire.crosses(body)
        ]
        return min(over, key=lambda entry: entry[0])[1] if over else None

    def _fits(self, wire: WireItem) -> bool:
        if wire.key not in self._ports:
            registry = self._scene.document.registry
            self._ports[wire.key] = insertion(self._graph, registry, self._node, wire.key)
        return self._ports[wire.key] is not None

    def words(self, leave: str) -> str:
        """Where the node would go, for people; ``leave`` is what they hold to leave the wire alone."""
        if self.wire is None:
            return ""
        graph, registry = self._graph, self._scene.document.registry
        source, target = (title_of(graph, registry, node) for node in (self.wire.source, self.wire.target))
        text = tr("Goes between {source} and {target}.", source=source, target=target)
        return text + " " + tr("{key} leaves the wire alone.", key=leave) if leave else text

    @property
    def found(self) -> tuple[End, Insertion] | None:
        """The wire that is lit, and the ports by which the node goes into it."""
        ports = self._ports.get(self.wire.key) if self.wire is not None else None
        return (self.wire.key, ports) if self.wire is not None and ports is not None else None

    def clear(self) -> None:
        """No wire is lit."""
        if self.wire is not None:
            self.wire.set_look(lit=False)
            self.wire.setVisible(True)
        for draft in self._drafts:
            self._scene.removeItem(draft)
        self.wire, self._drafts = None, []
