"""The scene: a projection of the document and its run state. It never writes; gestures do that.

An edit costs what it changes: positions, links and dots are compared with those shown before, by identity.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from PySide6.QtCore import QObject, QPointF, QRectF, Signal, Slot

from pipelines.graph import types as port_types
from pipelines.graph.document import Graph
from pipelines.graph.subgraph_file import SUBGRAPH
from pipelines.graph.types import PortType, connects, conversion
from studio.canvas.box_layer import BoxLayer
from studio.canvas.dot_layer import DotLayer
from studio.canvas.face import PortFace, build_face
from studio.canvas.item_scene import ROOM, ItemScene
from studio.canvas.items import NodeItem, WireItem
from studio.canvas.layout import GAP_Y, layered
from studio.canvas.node_index import Area
from studio.canvas.problem_marks import ProblemMarks
from studio.canvas.run_state import NodeState, RunState
from studio.canvas.style import GRID, CanvasStyle
from studio.documents.document import GraphDocument
from studio.graph.previews import KEY as PREVIEWS
from studio.graph.waypoints import End, Points

_NOTHING: Mapping[str, Any] = {}


class GraphScene(ItemScene):
    """Items for every node and link of the document. ``restyled``: theme or size of text are others."""

    restyled = Signal()

    def __init__(
        self, document: GraphDocument, run: RunState, style: CanvasStyle, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.document, self.run, self.style_ = document, run, style
        self._used: dict[str, frozenset[str]] = {}
        self._flow = 0.0
        self._selection_lost = False
        self._previews: object = None
        self._positions: Mapping[str, Any] = _NOTHING
        """The places that are shown, as the document has them."""
        self._elsewhere: set[str] = set()
        """Nodes that a gesture shows elsewhere."""
        self._unplaced: set[str] = set()
        """New nodes that the document has no place for."""
        self._left: list[Area] = []
        """Where nodes were that are gone."""
        self._dotted: Mapping[End, Points] = {}
        self._laid_out: dict[str, tuple[float, float]] = {}
        self._stated: set[str] = set()
        """Nodes that show something of a run."""
        self.boxes = BoxLayer(document, style, self)
        """Frames and notes."""
        self.dots = DotLayer(document, self, self.place_wire)
        """Reroute dots on wires."""
        self.problems = ProblemMarks(self, run)
        self._groups: object = None
        document.node_added.connect(self._add)
        document.node_removed.connect(self._remove)
        document.node_changed.connect(self._change)
        document.links_changed.connect(self._sync_wires)
        document.view_changed.connect(self._sync_previews)
        document.view_changed.connect(self._sync_positions)
        document.replaced.connect(self.rebuild)
        document.changed.connect(self._finish)
        document.types_changed.connect(self._show_types)
        run.node_state_changed.connect(self._show_state)
        run.cleared.connect(self._show_states)
        self.rebuild()

    # --- projection ------------------------------------------------------------------------------------

    @Slot()
    def rebuild(self) -> None:
        """Start over from the document."""
        with _no_collection():
            self.clear_items()
            self._laid_out, self._positions = {}, _NOTHING
            self.problems.forget()
            self._dotted, self._stated, self._left = {}, set(), []
            self._elsewhere, self._unplaced = set(), set()
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
        self.update()
        self.restyled.emit()

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
        state = self.run.state(node)
        if _says_something(state):
            self._stated.add(node)
            item.set_state(state)
        if self.document.graph.position(node) is None:
            self._unplaced.add(node)
        self.put_node(item)

    def _reface(self, node: str) -> bool:
        """Show a node as the document has it; whether that is another face than before."""
        item = self.nodes[node]
        used = self._used.get(node, frozenset())
        document = self.document
        face = build_face(document.graph, node, document.registry, self.style_.metrics, used)
        changed = face != item.face
        if changed or item.style is not self.style_:
            item.set_face(face, self.style_)
        return changed

    def show_as(self, graph: Graph, node: str) -> None:
        """Show a node as another graph has it, without writing that (a gesture that isn't done yet)."""
        used = self._used.get(node, frozenset())
        face = build_face(graph, node, self.document.registry, self.style_.metrics, used)
        self.nodes[node].set_face(face, self.style_)
        for wire in self.wires_of(node):
            self.place_wire(wire)

    @Slot()
    def _sync_previews(self) -> None:
        """Thumbnails may have another size, or be off."""
        previews = self.document.graph.view.get(PREVIEWS)
        if previews is not self._previews:
            self._previews = previews
            for wire in self.wires_at([node for node in self.nodes if self._reface(node)]):
                self.place_wire(wire)

    @Slot(str)
    def _add(self, node: str) -> None:
        self._make(node)
        at = self.document.graph.position(node)
        if at is not None:
            self.nodes[node].place(*at)

    @Slot(str)
    def _remove(self, node: str) -> None:
        item = self.take_node(node)
        self._selection_lost |= item.isSelected()
        self._left.append(item.area)
        for nodes in (self._elsewhere, self._unplaced, self._stated):
            nodes.discard(node)

    @Slot()
    def _finish(self) -> None:
        """The end of an edit: what only has to be done once."""
        if self._unplaced:
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
        for wire in self.wires_at(groups):
            self._sync_wire(wire)

    @Slot()
    def _show_types(self) -> None:
        """Node types from outside came or went."""
        for node in self.nodes:
            self._reface(node)
        for wire in self.wires.values():
            self._sync_wire(wire)

    @Slot(str)
    def _change(self, node: str) -> None:
        self._reface(node)
        for wire in self.wires_of(node):
            self._sync_wire(wire)

    @Slot()
    def _sync_positions(self) -> None:
        """Put nodes and dots where the document has them: those that it has elsewhere than before, and those
        that are shown elsewhere."""
        graph = self.document.graph
        found = graph.view.get("positions")
        places = found if isinstance(found, Mapping) else _NOTHING
        before, self._positions = self._positions, places
        moved = {node for node in self.nodes if places.get(node) is not before.get(node)}
        moved |= self._elsewhere | self._unplaced
        crowded, self._left = self._left, []
        self._elsewhere, self._unplaced = set(), set()
        crowded += [self.nodes[node].area for node in moved]
        unplaced = []
        for node in moved:
            at = graph.position(node)
            if at is None:
                unplaced.append(node)
            else:
                self.nodes[node].place(*at)
        if unplaced:
            self._lay_out([node for node in self.nodes if node in set(unplaced)])
        crowded += [self.nodes[node].area for node in moved]
        for item in self._crowded(crowded):
            item.set_room(self._room_below(item))
        for wire in dict.fromkeys((*self.wires_at(moved), *self._led_elsewhere())):
            self.place_wire(wire)

    def _led_elsewhere(self) -> list[WireItem]:
        """The wires whose dots the document has elsewhere than before."""
        before, now = self._dotted, self.dots.known()
        self._dotted = now
        ends = (end for end in {**before, **now} if before.get(end) != now.get(end))
        return [self.wires[end] for end in ends if end in self.wires]

    def _crowded(self, areas: Collection[Area]) -> list[NodeItem]:
        """The nodes with something under their rows that may have another room when others come or go."""
        if not self._stated:
            return []
        if len(areas) > len(self._stated):
            near: Iterable[NodeItem] = [self.nodes[node] for node in self._stated]
        else:
            near = dict.fromkeys(
                item
                for left, top, right, bottom in areas
                for item in self.node_index.near((left, top - ROOM, right, bottom))
            )
        return [item for item in near if item.has_extra]

    def _room_below(self, item: NodeItem) -> float:
        """How far the next node below is from an item's rows, less a gap."""
        return self.room_below(item) - GRID / 2

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
        """Make, remove and lead the wires whose links are others than before."""
        used = self._outputs_used()
        changed = {node for node in {*used, *self._used} if used.get(node) != self._used.get(node)}
        self._used = used
        for node in changed & self.nodes.keys():
            self._reface(node)
        wanted = {
            (node, port): link for node, port, link in self.document.graph.links() if link.node in self.nodes
        }
        for key in [key for key in self.wires if key not in wanted]:
            self.take_wire(key)
        other = self.wires_at(changed)
        for key, link in wanted.items():
            wire = self.wires.get(key)
            if wire is None:
                wire = WireItem(*key, self.style_)
                self.put_wire(wire)
                other.append(wire)
            elif (wire.source, wire.output) != link:
                other.append(wire)
        for wire in dict.fromkeys(other):
            self._sync_wire(wire)

    def _sync_wire(self, wire: WireItem) -> None:
        record = self.document.graph.nodes.get(wire.target)
        link = record.inputs.get(wire.input) if record else None
        if link is None or link.node not in self.nodes:
            return
        self.note_ends(wire, *link)
        out, into = self._port_type(*link, True), self._port_type(wire.target, wire.input, False)
        wire.kind = out
        wire.set_conversion(conversion(out, into))
        wire.set_look(wrong=not connects(out, into), **self._run_look(wire))
        wire.refresh()
        self.place_wire(wire)

    def _port_type(self, node: str, name: str, is_output: bool) -> PortType:
        """The type of a port; one that nobody knows takes and gives anything."""
        port = self.nodes[node].face.port(name, is_output)
        return port.type if port is not None else port_types.Any

    def place_wire(self, wire: WireItem) -> None:
        """Lead a wire from port to port, through its dots."""
        source, target = self.nodes.get(wire.source), self.nodes.get(wire.target)
        if source is not None and target is not None:
            start, end = source.port_position(wire.output, True), target.port_position(wire.input, False)
            wire.set_route(start, end, self.dots.via(wire))

    # --- run state -------------------------------------------------------------------------------------

    def _run_look(self, wire: WireItem) -> dict[str, bool]:
        flowing = wire.target in self._stated and self.run.state(wire.target).status == "running"
        stale = wire.source in self._stated and self.run.state(wire.source).stale
        return {"stale": stale, "flowing": flowing}

    @Slot(str)
    def _show_state(self, node: str) -> None:
        item = self.nodes.get(node)
        if item is None:
            return
        self._stated.add(node)
        item.set_room(self._room_below(item))
        item.set_state(self.run.state(node))
        for wire in self.wires_of(node):
            wire.set_look(**self._run_look(wire))

    @Slot()
    def _show_states(self) -> None:
        for node in [*self._stated]:
            self._show_state(node)
        self._stated = {node for node in self._stated if _says_something(self.run.state(node))}

    def advance_flow(self, distance: float) -> bool:
        """Move the dashes of wires that data flows through; whether there are any."""
        self._flow = (self._flow + distance) % 12
        flowing = [wire for wire in self.wires.values() if wire.flowing]
        for wire in flowing:
            wire.advance_flow(self._flow)
        return bool(flowing)

    # --- asking ----------------------------------------------------------------------------------------

    def port_at(self, at: QPointF, reach: float | None = None) -> PortFace | None:
        """The port under a point, or within ``reach`` of it."""
        return self.port_near(at, self.style_.metrics.reach if reach is None else reach)

    def select(self, nodes: Collection[str], *, add: bool = False) -> None:
        """Select nodes (and no wire)."""
        self.select_wire(None)
        if not add:
            self.boxes.select(())
            self.dots.select(())
        self.select_nodes(nodes, add=add)

    def bounds(self, nodes: Collection[str] | None = None) -> QRectF:
        """The rectangle of some nodes, of all by default; null if there are none."""
        chosen = self.nodes.values() if nodes is None else (self.nodes[n] for n in nodes if n in self.nodes)
        areas = [item.area for item in chosen]
        result = QRectF()
        if areas:
            lefts, tops, rights, bottoms = zip(*areas, strict=True)
            result.setCoords(min(lefts), min(tops), max(rights), max(bottoms))
        for box in self.boxes.items.values() if nodes is None else ():
            result = result.united(box.area)
        return result

    # --- what gestures show before they are done -------------------------------------------------------

    def show_moved(self, positions: Mapping[str, QPointF]) -> None:
        """Show nodes elsewhere, without writing it."""
        moved = [node for node in positions if node in self.nodes]
        self._elsewhere.update(moved)
        for node in moved:
            at = positions[node]
            self.nodes[node].place(at.x(), at.y())
        for wire in self.wires_at(moved):
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


def _says_something(state: NodeState) -> bool:
    """Whether anything is known of a node's last run."""
    return bool(
        state.status or state.errors or state.warnings or state.pictures or state.text or state.made_from
    )


@contextmanager
def _no_collection() -> Iterator[None]:
    """Looking for objects that could go, while very many are made that stay, takes much of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
