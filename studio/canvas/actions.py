"""What can be done on the canvas beside gestures: one small method each, for commands, keys and the menu."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QPointF
from PySide6.QtGui import QGuiApplication

from pipelines.errors import DiptychError, ErrorInfo
from studio.canvas.arranging import Arranging
from studio.canvas.box_layer import Key
from studio.canvas.items import WireItem
from studio.canvas.layout import layered
from studio.canvas.nudging import Nudging
from studio.canvas.port_cursor import PortCursor
from studio.canvas.scene import GraphScene
from studio.canvas.spoken import wires_of
from studio.canvas.style import GRID
from studio.canvas.view import GraphView
from studio.documents.document import GraphDocument
from studio.graph.edits import downstream, upstream
from studio.graph.rewiring import healed, taken_out, with_links
from studio.graph.subgraph_edits import INPUTS, OUTPUTS
from studio.graph.waypoints import End, Points, inserted_at, waypoints_of, with_waypoints
from studio.translate import tr

NEAR = 40.0
"""Pixels of the view from the pointer to a wire that it is meant for."""


class CanvasActions(QObject):
    """Edits of the selection. Errors go to ``notice``."""

    def __init__(
        self,
        document: GraphDocument,
        scene: GraphScene,
        view: GraphView,
        notice: Callable[[ErrorInfo], object],
    ) -> None:
        super().__init__(view)
        self._document, self._scene, self._view, self._notice = document, scene, view, notice
        self.arranging = Arranging(document, scene)
        self.ports = PortCursor(document, scene, view)
        self.nudging = Nudging(document, scene, view)

    @property
    def chosen(self) -> list[str]:
        """The selected nodes."""
        return self._scene.selected_nodes()

    @property
    def held(self) -> list[Key]:
        """The selected frames and notes."""
        return self._scene.boxes.selected

    def delete(self) -> None:
        """Delete the selected nodes, frames, notes and reroute dots, or the selected wire; on a port, its
        wires."""
        if self.ports.remove_wires():
            return
        wire = self._scene.selected_wire()
        dots = self._scene.dots.without(self._scene.dots.selected)
        if self.chosen or self.held or dots:
            with self._document.macro(tr("Delete")):
                self._document.move_nodes({}, dots=dots)
                self._document.remove_nodes(self.chosen, self.held)
        elif wire is not None:
            self._document.disconnect_port(wire.target, wire.input)

    def add_dot(self) -> None:
        """Put a reroute dot on the wire: at the pointer if that is near, else in the middle."""
        wire = self.wire()
        stops = wire.stops() if wire is not None else []
        if wire is None or not stops:
            return
        pointer, middle = self._view.pointer(), (stops[0] + stops[-1]) / 2
        near = wire.distance_to(pointer) * self._view.zoom <= NEAR
        at = wire.nearest(pointer if near else middle)
        route = tuple((stop.x(), stop.y()) for stop in stops)
        index = inserted_at(route, (at.x(), at.y()))
        before = waypoints_of(self._document.graph, wire.key)
        points = (*before[:index], (float(round(at.x())), float(round(at.y()))), *before[index:])
        graph = with_waypoints(self._document.graph, {wire.key: points})
        self._document.replace(graph, tr("Add a reroute dot"))
        self._scene.select([])
        self._scene.dots.select([(*wire.key, index)])

    def delete_and_heal(self) -> None:
        """Delete the selected nodes and lead the wires past them, as a bypass would."""
        document = self._document
        real = [node for node in self.chosen if node not in (INPUTS, OUTPUTS)]
        with document.macro(tr("Delete and heal")):
            links = healed(document.graph, document.registry, real)
            document.replace(with_links(document.graph, links), tr("Delete and heal"))
            document.remove_nodes(self.chosen, self.held)

    def take_out(self) -> None:
        """Take the selected nodes out of their chain and lead the wires past them; the nodes stay."""
        document = self._document
        nodes = [node for node in self.chosen if node not in (INPUTS, OUTPUTS)]
        document.replace(taken_out(document.graph, document.registry, nodes), tr("Take out of its chain"))

    def wire(self) -> WireItem | None:
        """The selected wire, or the one at the port that the keys are for."""
        port = self.ports.port
        found = wires_of(self._scene, port) if port is not None else []
        return self._scene.selected_wire() or next(iter(found), None)

    def copy(self) -> None:
        """Put the selected nodes, frames and notes on the clipboard, as JSON text."""
        if self.chosen or self.held:
            QGuiApplication.clipboard().setText(self._document.copy(self.chosen, self.held))

    def cut(self) -> None:
        """Copy and delete."""
        if self.chosen or self.held:
            self.copy()
            self._document.remove_nodes(self.chosen, self.held)

    def can_paste(self) -> bool:
        """Whether there may be nodes on the clipboard: a picture there is the window's."""
        return QGuiApplication.clipboard().text().lstrip().startswith("{")

    def paste_linked(self) -> None:
        """Paste, and let what fed the nodes where they were copied feed them here, where it is here."""
        self.paste(linked=True)

    def paste(self, *, linked: bool = False) -> bool:
        """Add the nodes on the clipboard at the pointer; whether there were any."""
        text = QGuiApplication.clipboard().text()
        if not text.lstrip().startswith("{"):
            return False
        try:
            at = self.snapped(self._view.pointer())
            before = set(self._scene.boxes.items)
            self._scene.select(self._document.paste(text, (at.x(), at.y()), linked=linked))
            self._scene.boxes.select(set(self._scene.boxes.items) - before)
        except DiptychError as error:
            self._notice(error.info())
            return False
        return True

    def duplicate(self, *, linked: bool = False) -> None:
        """Copy what is selected beside itself, with the links among the copies."""
        nodes, held = self.chosen, self.held
        if nodes or held:
            by = (2.0 * GRID, 2.0 * GRID)
            before = set(self._scene.boxes.items)
            with self._document.macro(tr("Duplicate")):
                self._write_places()
                made = self._document.duplicate(nodes, by, linked=linked, held=held)
            self._scene.select(made)
            self._scene.boxes.select(set(self._scene.boxes.items) - before)

    def duplicate_linked(self) -> None:
        """Copy what is selected; what feeds it feeds the copies too."""
        self.duplicate(linked=True)

    def select_all(self) -> None:
        self._scene.select(list(self._scene.nodes))
        self._scene.boxes.select(list(self._scene.boxes.items))

    def select_upstream(self) -> None:
        """Select also all that the selected nodes need."""
        graph = self._document.graph
        self._scene.select({other for node in self.chosen for other in upstream(graph, node)}, add=True)

    def select_downstream(self) -> None:
        """Select also all that needs the selected nodes."""
        self._scene.select(downstream(self._document.graph, self.chosen), add=True)

    def toggle_mode(self, mode: str) -> None:
        """Bypass or mute the selected nodes; if all of them are already, make them active again."""
        if self.chosen:
            nodes = self._document.graph.nodes
            everywhere = all(nodes[node].mode == mode for node in self.chosen)
            self._document.set_mode(self.chosen, "active" if everywhere else mode)

    def bypass(self) -> None:
        self.toggle_mode("bypassed")

    def mute(self) -> None:
        self.toggle_mode("muted")

    def frame_selection(self) -> None:
        """Show the selected nodes, or all."""
        self._view.frame(self.chosen or None)

    def frame_all(self) -> None:
        self._view.frame()

    def zoom_in(self) -> None:
        self._view.set_zoom(self._view.zoom * 1.25)

    def zoom_out(self) -> None:
        self._view.set_zoom(self._view.zoom / 1.25)

    def actual_size(self) -> None:
        self._view.set_zoom(1.0)

    def walk(self, dx: int, dy: int) -> Callable[[], None]:
        """A callback that goes to the next node or port in a direction."""
        return lambda: self.ports.walk(dx, dy)

    def arrange(self) -> None:
        """Lay out the selected nodes (two or more), or all, in layers from left to right."""
        nodes = self.chosen if len(self.chosen) > 1 else list(self._scene.nodes)
        if not nodes:
            return
        corner = self._scene.bounds(nodes).topLeft()
        sizes = {node: self._scene.nodes[node].size for node in nodes}
        places = layered(self._document.graph, sizes, nodes, (corner.x(), corner.y()))
        with self._document.macro(tr("Arrange")):
            self._document.move_nodes(
                {**self._scene.unwritten_positions(), **places}, dots=self._dots_among(set(nodes))
            )
        if len(nodes) == len(self._scene.nodes):
            self._view.frame()

    def _dots_among(self, nodes: set[str]) -> dict[End, Points]:
        """No dots for the wires among nodes that are laid out anew."""
        graph = self._document.graph
        ends = [end for end in self._scene.dots.known() if end[0] in nodes]
        return {(node, name): () for node, name in ends if graph.nodes[node].inputs[name].node in nodes}

    def _write_places(self) -> None:
        """Places that are only shown become part of the document before something is put beside them."""
        places = self._scene.unwritten_positions()
        if places:
            self._document.move_nodes(places)

    @staticmethod
    def snapped(at: QPointF) -> QPointF:
        """The nearest point of the grid."""
        return QPointF(round(at.x() / GRID) * GRID, round(at.y() / GRID) * GRID)
