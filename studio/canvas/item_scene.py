"""The items of a scene: which there are, what is where, and what is selected. No document here."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from PySide6.QtCore import QObject, QPointF, QRectF, Signal
from PySide6.QtWidgets import QGraphicsScene

from studio.canvas.face import PortFace
from studio.canvas.items import NodeItem, WireItem
from studio.canvas.node_index import Area, NodeIndex, round_about
from studio.canvas.wire_index import WireIndex

EXTENT = 60_000.0
"""Half the side of the scene."""
ROOM = 240.0
"""How far below a node another one can be in the way of what is shown under its rows."""


class ItemScene(QGraphicsScene):
    """Items for nodes and wires. ``selected_nodes_changed`` also comes when a selected node goes.

    Qt keeps no index: its tree costs more than it saves as long as Qt itself paints every item, or paints it
    from a cache. What asks from Python asks :attr:`node_index` and :attr:`wire_index`.
    """

    selected_nodes_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.nodes: dict[str, NodeItem] = {}
        self.wires: dict[tuple[str, str], WireItem] = {}
        self.node_index: NodeIndex[NodeItem] = NodeIndex()
        self.wire_index: WireIndex[WireItem] = WireIndex()
        self._touching: dict[str, list[WireItem]] = {}
        self._chosen_wire: WireItem | None = None
        self.setSceneRect(QRectF(-EXTENT, -EXTENT, 2 * EXTENT, 2 * EXTENT))
        self.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.selectionChanged.connect(self.selected_nodes_changed)

    # --- items -----------------------------------------------------------------------------------------

    def put_node(self, item: NodeItem) -> None:
        """Add the item of a node."""
        self.nodes[item.node] = item
        item.follow(self.node_index)
        self.addItem(item)

    def take_node(self, node: str) -> NodeItem:
        """Remove the item of a node; says nothing about the selection."""
        item = self.nodes.pop(node)
        item.follow(None)
        self.node_index.remove(item)
        blocked = self.blockSignals(True)
        self.removeItem(item)
        self.blockSignals(blocked)
        return item

    def put_wire(self, wire: WireItem) -> None:
        """Add a wire; :meth:`note_ends` says where it leads."""
        self.wires[wire.key] = wire
        wire.index = self.wire_index
        self.addItem(wire)

    def take_wire(self, key: tuple[str, str]) -> None:
        """Remove a wire."""
        wire = self.wires.pop(key)
        wire.index = None
        self.wire_index.remove(wire)
        self._forget_ends(wire)
        self.removeItem(wire)
        if wire is self._chosen_wire:
            self._chosen_wire = None

    def note_ends(self, wire: WireItem, source: str, output: str) -> None:
        """Say where a wire starts."""
        if (source, output) == (wire.source, wire.output):
            return
        self._forget_ends(wire)
        wire.source, wire.output = source, output
        for node in {source, wire.target}:
            self._touching.setdefault(node, []).append(wire)

    def _forget_ends(self, wire: WireItem) -> None:
        for node in {wire.source, wire.target}:
            if wire in self._touching.get(node, ()):
                self._touching[node].remove(wire)

    def clear_items(self) -> None:
        """Remove every node and wire."""
        blocked = self.blockSignals(True)
        self.clearSelection()
        for item in self.nodes.values():
            item.follow(None)
            self.removeItem(item)
        for wire in self.wires.values():
            wire.index = None
            self.removeItem(wire)
        self.nodes, self.wires, self._touching, self._chosen_wire = {}, {}, {}, None
        self.node_index, self.wire_index = NodeIndex(), WireIndex()
        self.blockSignals(blocked)

    def wires_of(self, node: str) -> list[WireItem]:
        """The wires that end or start at a node."""
        return list(self._touching.get(node, ()))

    def wires_at(self, nodes: Iterable[str]) -> list[WireItem]:
        """The wires that end or start at some nodes, each once."""
        return list(dict.fromkeys(wire for node in nodes for wire in self._touching.get(node, ())))

    # --- asking ----------------------------------------------------------------------------------------

    def node_at(self, at: QPointF) -> NodeItem | None:
        """The topmost node whose body is under a point."""
        found = self.node_index.near(round_about(at, 0))
        return max(found, key=lambda item: (item.zValue(), item.isSelected())) if found else None

    def port_near(self, at: QPointF, reach: float) -> PortFace | None:
        """The port under a point, or within ``reach`` of it."""
        found = [
            (port, (item.pos() + port.at - at).manhattanLength())
            for item in self.node_index.near(round_about(at, reach))
            if (port := item.port_at(at, reach))
        ]
        return min(found, key=lambda entry: entry[1])[0] if found else None

    def wire_at(self, at: QPointF, reach: float = 7.0) -> WireItem | None:
        """The wire nearest to a point, within ``reach``."""
        left, top, right, bottom = round_about(at, reach)
        found = [
            (wire.distance_to(at), wire)
            for wire in self.wire_index.near(QRectF(left, top, right - left, bottom - top))
            if _meet(wire.area, (left, top, right, bottom)) and wire.isVisible()
        ]
        best = min(found, key=lambda entry: entry[0], default=None)
        return best[1] if best is not None and best[0] <= reach else None

    def room_below(self, item: NodeItem) -> float:
        """How far the next node below is from an item's rows, if it is in the way at all; else infinity."""
        left, top, right, _ = item.area
        return self.node_index.room_below((left, top, right, top + item.face.height), ROOM)

    # --- the selection ---------------------------------------------------------------------------------

    def selected_nodes(self) -> list[str]:
        """Ids of the selected nodes, in document order."""
        found = {item.node for item in self.selectedItems() if isinstance(item, NodeItem)}
        return [node for node in self.nodes if node in found] if len(found) > 1 else list(found)

    def select_nodes(self, nodes: Collection[str], *, add: bool = False) -> None:
        """Select these nodes, and no other unless ``add``."""
        before, wanted = set(self.selected_nodes()), set(nodes) & self.nodes.keys()
        blocked = self.blockSignals(True)
        for node in wanted - before:
            self.nodes[node].choose(True)
        for node in before - wanted if not add else ():
            self.nodes[node].choose(False)
        self.blockSignals(blocked)
        self.selected_nodes_changed.emit()

    def select_wire(self, wire: WireItem | None) -> None:
        """Select this wire, and no other."""
        if self._chosen_wire is not None and self._chosen_wire is not wire:
            self._chosen_wire.set_look(selected=False)
        self._chosen_wire = wire
        if wire is not None:
            wire.set_look(selected=True)

    def selected_wire(self) -> WireItem | None:
        return self._chosen_wire


def _meet(a: Area, b: Area) -> bool:
    return a[0] <= b[2] and a[2] >= b[0] and a[1] <= b[3] and a[3] >= b[1]
