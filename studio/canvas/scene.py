"""The scene: a projection of the document and its run state. It never writes; gestures do that."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

from PySide6.QtCore import QObject, QPointF, QRectF, Signal, Slot
from PySide6.QtWidgets import QGraphicsScene

from pipelines.errors import ErrorInfo
from pipelines.graph import types as port_types
from pipelines.graph.document import Graph
from pipelines.graph.subgraph_file import SUBGRAPH
from pipelines.graph.types import PortType, connects, conversion
from studio.canvas.box_layer import BoxLayer
from studio.canvas.dot_layer import DotLayer
from studio.canvas.face import PortFace, build_face
from studio.canvas.items import NodeItem, WireItem
from studio.canvas.layout import GAP_Y, layered
from studio.canvas.run_state import RunState, local
from studio.canvas.style import GRID, CanvasStyle
from studio.document import GraphDocument
from studio.graph.edits import input_port, output_port
from studio.graph.previews import KEY as PREVIEWS
from studio.translate import tr

EXTENT = 60_000.0
"""Half the side of the scene."""


class GraphScene(QGraphicsScene):
    """Items for every node and link. ``selected_nodes_changed`` also comes when a selected node goes."""

    selected_nodes_changed = Signal()

    def __init__(
        self, document: GraphDocument, run: RunState, style: CanvasStyle, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.document, self.run, self.style_ = document, run, style
        self.nodes: dict[str, NodeItem] = {}
        self.wires: dict[tuple[str, str], WireItem] = {}
        self._used: dict[str, frozenset[str]] = {}
        self._problems: dict[str, list[ErrorInfo]] = {}
        self._flow = 0.0
        self._unplaced = self._selection_lost = False
        self._previews: object = None
        self._laid_out: dict[str, tuple[float, float]] = {}
        self.setSceneRect(QRectF(-EXTENT, -EXTENT, 2 * EXTENT, 2 * EXTENT))
        self.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.boxes = BoxLayer(document, style, self)
        """Frames and notes."""
        self.dots = DotLayer(self)
        """Reroute dots on wires."""
        self._touching: dict[str, list[WireItem]] = {}
        self._groups: object = None
        document.node_added.connect(self._add)
        document.node_removed.connect(self._remove)
        document.node_changed.connect(self._change)
        document.links_changed.connect(self._sync_wires)
        document.view_changed.connect(self._sync_previews)
        document.view_changed.connect(self._sync_positions)
        document.replaced.connect(self.rebuild)
        document.changed.connect(self._finish)
        run.node_state_changed.connect(self._show_state)
        run.cleared.connect(self._show_states)
        self.selectionChanged.connect(self.selected_nodes_changed)
        self.rebuild()

    # --- projection ------------------------------------------------------------------------------------

    @Slot()
    def rebuild(self) -> None:
        """Start over from the document."""
        self.blockSignals(True)
        self.clearSelection()
        for item in [*self.nodes.values(), *self.wires.values()]:
            self.removeItem(item)
        self.nodes, self.wires, self._laid_out, self._problems = {}, {}, {}, {}
        self.blockSignals(False)
        self._used, self._groups = self._outputs_used(), self._group_state()
        for node in self.document.graph.nodes:
            self._make(node)
        self._sync_positions()
        self._sync_wires()
        self.selected_nodes_changed.emit()

    def restyle(self, style: CanvasStyle) -> None:
        """Another theme: every item is painted anew."""
        self.style_ = style
        self.boxes.restyle(style)
        for node in self.nodes:
            self._reface(node)
        for wire in self.wires.values():
            wire.set_style(style)
            self.place_wire(wire)
        self.update()

    def _outputs_used(self) -> dict[str, frozenset[str]]:
        used: dict[str, set[str]] = {}
        for _, _, link in self.document.graph.links():
            used.setdefault(link.node, set()).add(link.output)
        return {node: frozenset(names) for node, names in used.items()}

    def _make(self, node: str) -> None:
        face = build_face(
            self.document.graph, node, self.document.registry, self.style_.metrics,
            self._used.get(node, frozenset()),
        )  # fmt: skip
        item = NodeItem(face, self.style_)
        item.set_state(self.run.state(node))
        self.nodes[node] = item
        self.addItem(item)

    def _reface(self, node: str) -> None:
        item = self.nodes[node]
        used = self._used.get(node, frozenset())
        document = self.document
        face = build_face(document.graph, node, document.registry, self.style_.metrics, used)
        if face != item.face or item.style is not self.style_:
            item.set_face(face, self.style_)

    def show_as(self, graph: Graph, node: str) -> None:
        """Show a node as another graph has it, without writing that (a gesture that isn't done yet)."""
        used = self._used.get(node, frozenset())
        face = build_face(graph, node, self.document.registry, self.style_.metrics, used)
        self.nodes[node].set_face(face, self.style_)
        for wire in self._touching.get(node, ()):
            self.place_wire(wire)

    @Slot()
    def _sync_previews(self) -> None:
        """Thumbnails may have another size, or be off."""
        previews = self.document.graph.view.get(PREVIEWS)
        if previews is not self._previews:
            self._previews = previews
            for node in self.nodes:
                self._reface(node)

    @Slot(str)
    def _add(self, node: str) -> None:
        self._make(node)
        at = self.document.graph.position(node)
        if at is not None:
            self.nodes[node].place(*at)
        else:
            self._unplaced = True

    @Slot(str)
    def _remove(self, node: str) -> None:
        item = self.nodes.pop(node)
        self._selection_lost |= item.isSelected()
        blocked = self.blockSignals(True)
        self.removeItem(item)
        self.blockSignals(blocked)

    @Slot()
    def _finish(self) -> None:
        """The end of an edit: what only has to be done once."""
        if self._unplaced:
            self._unplaced = False
            self._sync_positions()
        self._sync_groups()
        if self._selection_lost:
            self._selection_lost = False
            self.selected_nodes_changed.emit()

    def _group_state(self) -> tuple[object, list[str]]:
        """What the faces of groups are made from: the subgraphs, and the nodes that stand for them."""
        graph = self.document.graph
        groups = [node for node, record in graph.nodes.items() if record.type == SUBGRAPH]
        return (graph.fields.get("subgraphs") if groups else None), groups

    def _sync_groups(self) -> None:
        """Nodes that stand for a subgraph show its ports, and whether it is linked."""
        state = self._group_state()
        if state == self._groups:
            return
        self._groups, groups = state, state[1]
        for node in groups:
            self._reface(node)
        for wire in self.wires.values():
            if wire.target in groups or wire.source in groups:
                self._sync_wire(wire)

    @Slot(str)
    def _change(self, node: str) -> None:
        self._reface(node)
        for wire in self.wires.values():
            if node in (wire.target, wire.source):
                self._sync_wire(wire)

    @Slot()
    def _sync_positions(self) -> None:
        graph = self.document.graph
        unplaced = []
        for node, item in self.nodes.items():
            at = graph.position(node)
            if at is None:
                unplaced.append(node)
            elif item.pos() != QPointF(*at):
                item.place(*at)
        if unplaced:
            self._lay_out(unplaced)
        for item in self.nodes.values():
            if item.has_extra:
                item.set_room(self._room_below(item))
        for wire in self.wires.values():
            self.place_wire(wire)

    def _room_below(self, item: NodeItem) -> float:
        """How far the next node below is from an item's rows, less a gap."""
        left, top, right, _ = item.area
        rows = top + item.face.height
        tops = [
            other.area[1]
            for other in self.nodes.values()
            if other.area[1] > top and other.area[0] < right and other.area[2] > left
        ]
        return min(tops) - rows - GRID / 2 if tops else math.inf

    def _lay_out(self, unplaced: list[str]) -> None:
        """Places for nodes the document has none for: only shown, not written (a move writes them)."""
        new = [node for node in unplaced if node not in self._laid_out]
        if new:
            placed = [item for node, item in self.nodes.items() if node not in new]
            bottom = max((item.pos().y() + item.size[1] + GAP_Y for item in placed), default=0.0)
            left = min((item.pos().x() for item in placed), default=0.0)
            sizes = {node: self.nodes[node].size for node in new}
            self._laid_out.update(layered(self.document.graph, sizes, new, (left, bottom)))
        for node in unplaced:
            self.nodes[node].place(*self._laid_out[node])

    @Slot()
    def _sync_wires(self) -> None:
        graph = self.document.graph
        used = self._outputs_used()
        changed = {node for node in {*used, *self._used} if used.get(node) != self._used.get(node)}
        self._used = used
        for node in changed & set(self.nodes):
            self._reface(node)
        wanted = {(node, port): link for node, port, link in graph.links() if link.node in self.nodes}
        for key in [key for key in self.wires if key not in wanted]:
            self.removeItem(self.wires.pop(key))
        for key in wanted:
            wire = self.wires.get(key)
            if wire is None:
                wire = self.wires[key] = WireItem(*key, self.style_)
                self.addItem(wire)
            self._sync_wire(wire)
        self._touching = {}
        for wire in self.wires.values():
            for node in {wire.source, wire.target}:
                self._touching.setdefault(node, []).append(wire)

    def wires_of(self, node: str) -> list[WireItem]:
        """The wires that end or start at a node."""
        return list(self._touching.get(node, ()))

    def _sync_wire(self, wire: WireItem) -> None:
        record = self.document.graph.nodes.get(wire.target)
        link = record.inputs.get(wire.input) if record else None
        if link is None or link.node not in self.nodes:
            return
        wire.source, wire.output = link
        out, into = self._port_type(*link, True), self._port_type(wire.target, wire.input, False)
        wire.kind = out or port_types.Any
        wire.set_conversion(conversion(out, into) if out and into else None)
        wrong = bool(out and into and not connects(out, into))
        wire.set_look(wrong=wrong, **self._run_look(wire))
        wire.refresh()
        self.place_wire(wire)

    def _port_type(self, node: str, name: str, is_output: bool) -> PortType | None:
        """The type of a port, if the node has one of that name. Of groups, what the face has is asked."""
        graph, registry = self.document.graph, self.document.registry
        if graph.nodes[node].type == SUBGRAPH:
            face = self.nodes[node].face.port(name, is_output)
            return face.type if face is not None else None
        port = (output_port if is_output else input_port)(graph, registry, node, name)
        return port.type if port is not None else None

    def place_wire(self, wire: WireItem) -> None:
        """Lead a wire from port to port, through its dots."""
        source, target = self.nodes.get(wire.source), self.nodes.get(wire.target)
        if source is not None and target is not None:
            start, end = source.port_position(wire.output, True), target.port_position(wire.input, False)
            wire.set_route(start, end, self.dots.via(wire))

    # --- run state -------------------------------------------------------------------------------------

    def _run_look(self, wire: WireItem) -> dict[str, bool]:
        flowing = self.run.state(wire.target).status == "running"
        return {"stale": self.run.state(wire.source).stale, "flowing": flowing}

    @Slot(str)
    def _show_state(self, node: str) -> None:
        item = self.nodes.get(node)
        if item is None:
            return
        item.set_room(self._room_below(item))
        item.set_state(self.run.state(node))
        for wire in self.wires.values():
            if node in (wire.source, wire.target):
                wire.set_look(**self._run_look(wire))

    @Slot()
    def _show_states(self) -> None:
        for node in self.nodes:
            self._show_state(node)

    def advance_flow(self, distance: float) -> bool:
        """Move the dashes of wires that data flows through; whether there are any."""
        self._flow = (self._flow + distance) % 12
        flowing = [wire for wire in self.wires.values() if wire.flowing]
        for wire in flowing:
            wire.advance_flow(self._flow)
        return bool(flowing)

    # --- problems --------------------------------------------------------------------------------------

    def show_problems(self, problems: Iterable[ErrorInfo]) -> None:
        """Badges and red fields for what validation found."""
        found: dict[str, list[ErrorInfo]] = {}
        for problem in problems:
            if problem.node is not None and problem.severity == "error":
                found.setdefault(local(problem.node, self.run.prefix), []).append(problem)
        self._problems = found
        for node, item in self.nodes.items():
            mine = found.get(node, [])
            texts = {problem.port or "": problem.text(tr) for problem in mine}
            item.set_marks(problems=texts, problem_count=len(mine))

    def problems_of(self, node: str) -> list[ErrorInfo]:
        return self._problems.get(node, [])

    # --- asking ----------------------------------------------------------------------------------------

    def node_at(self, at: QPointF) -> NodeItem | None:
        """The topmost node whose body is under a point."""
        x, y = at.x(), at.y()
        found = [item for item in self.nodes.values() if _holds(item.area, x, y, 0)]
        return max(found, key=lambda item: (item.zValue(), item.isSelected())) if found else None

    def port_at(self, at: QPointF, reach: float | None = None) -> PortFace | None:
        """The port under a point, or within ``reach`` of it."""
        reach = self.style_.metrics.reach if reach is None else reach
        x, y = at.x(), at.y()
        found = [
            (port, (item.pos() + port.at - at).manhattanLength())
            for item in self.nodes.values()
            if _holds(item.area, x, y, reach) and (port := item.port_at(at, reach))
        ]
        return min(found, key=lambda entry: entry[1])[0] if found else None

    def wire_at(self, at: QPointF, reach: float = 7.0) -> WireItem | None:
        """The wire nearest to a point, within ``reach``."""
        x, y = at.x(), at.y()
        found = [
            (wire.distance_to(at), wire)
            for wire in self.wires.values()
            if _holds(wire.area, x, y, reach) and wire.isVisible()
        ]
        best = min(found, key=lambda entry: entry[0], default=None)
        return best[1] if best is not None and best[0] <= reach else None

    def selected_nodes(self) -> list[str]:
        """Ids of the selected nodes, in document order."""
        return [node for node, item in self.nodes.items() if item.isSelected()]

    def select(self, nodes: Collection[str], *, add: bool = False) -> None:
        """Select nodes (and no wire)."""
        self.select_wire(None)
        if not add:
            self.boxes.select(())
            self.dots.select(())
        self.blockSignals(True)
        for node, item in self.nodes.items():
            item.setSelected(node in nodes or (add and item.isSelected()))
        self.blockSignals(False)
        self.selected_nodes_changed.emit()

    def select_wire(self, wire: WireItem | None) -> None:
        for other in self.wires.values():
            other.set_look(selected=other is wire)

    def selected_wire(self) -> WireItem | None:
        return next((wire for wire in self.wires.values() if wire.selected), None)

    def bounds(self, nodes: Collection[str] | None = None) -> QRectF:
        """The rectangle of some nodes, of all by default; null if there are none."""
        result = QRectF()
        for node, item in self.nodes.items():
            if nodes is None or node in nodes:
                result = result.united(item.body().translated(item.pos()))
        for box in self.boxes.items.values() if nodes is None else ():
            result = result.united(box.area)
        return result

    # --- what gestures show before they are done -------------------------------------------------------

    def show_moved(self, positions: Mapping[str, QPointF]) -> None:
        """Show nodes elsewhere, without writing it."""
        for node, at in positions.items():
            if node in self.nodes:
                self.nodes[node].place(at.x(), at.y())
        for wire in {id(wire): wire for node in positions for wire in self._touching.get(node, ())}.values():
            self.place_wire(wire)

    def show_document_positions(self) -> None:
        """Forget what :meth:`show_moved` showed."""
        self._sync_positions()

    def unwritten_positions(self) -> dict[str, tuple[float, float]]:
        """Places that are shown but not in the document: the first move writes them too."""
        graph = self.document.graph
        return {
            node: (item.pos().x(), item.pos().y())
            for node, item in self.nodes.items()
            if graph.position(node) is None
        }


def _holds(area: tuple[float, float, float, float], x: float, y: float, reach: float) -> bool:
    """Whether a point is in an area (left, top, right, bottom) or within ``reach`` of it."""
    return area[0] - reach <= x <= area[2] + reach and area[1] - reach <= y <= area[3] + reach
