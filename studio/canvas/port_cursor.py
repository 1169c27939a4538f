"""Ports from the keyboard: onto those of a node, from one to the next, wires by Enter and Delete."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtWidgets import QGraphicsEllipseItem

from studio.canvas.face import PortFace
from studio.canvas.interactions import Press
from studio.canvas.interactions.connect_keys import ConnectByKeys, port_at
from studio.canvas.scene import GraphScene
from studio.canvas.spoken import port_words, wires_of
from studio.canvas.view import GraphView
from studio.documents.document import GraphDocument
from studio.graph.rewiring import with_links
from studio.theme.tokens import FOCUS
from studio.translate import tr

RADIUS = 9.0
ABOVE = 6.0


class PortCursor(QObject):
    """Which port the keys are for; ``None`` while they are for nodes. ``changed`` when that is another."""

    changed = Signal()

    def __init__(self, document: GraphDocument, scene: GraphScene, view: GraphView) -> None:
        super().__init__(view)
        self._document, self._scene, self._view = document, scene, view
        self._at: tuple[str, bool, str] | None = None
        self._ring: QGraphicsEllipseItem | None = None
        scene.selected_nodes_changed.connect(self._selection_changed)
        document.changed.connect(self._follow)
        document.replaced.connect(self.leave)

    # --- where it is -----------------------------------------------------------------------------------

    @property
    def port(self) -> PortFace | None:
        """The port as it is now."""
        if self._at is None or self._at[0] not in self._scene.nodes:
            return None
        node, is_output, name = self._at
        return self._scene.nodes[node].face.port(name, is_output)

    @property
    def connecting(self) -> ConnectByKeys | None:
        """The wire that is being led somewhere, if one is."""
        gesture = self._view.interaction
        return gesture if isinstance(gesture, ConnectByKeys) else None

    def enter(self, *, outputs: bool) -> Callable[[], None]:
        """A callback that goes onto the ports of the selected node, on the side that is wanted if it has
        some."""

        def go() -> None:
            for node in self._scene.selected_nodes()[-1:]:
                ports = self._side(node, is_output=outputs) or self._side(node, is_output=not outputs)
                if ports:
                    free = [port for port in ports if port.required and not port.linked]
                    self.go(next(iter(free or ports)))

        return go

    def _side(self, node: str, *, is_output: bool) -> list[PortFace]:
        """The ports on one side of a node, from top to bottom."""
        return [port for port in self._scene.nodes[node].face.ports if port.is_output == is_output]

    def go(self, port: PortFace) -> None:
        """The keys are for this port."""
        at = (port.node, port.is_output, port.name)
        if self._scene.selected_nodes() != [port.node]:
            self._at = None
            self._scene.select([port.node])
        self._at = at
        self._view.reveal(port.node)
        self._place()
        self.changed.emit()

    @Slot()
    def leave(self) -> bool:
        """Back to the node; whether it was on a port."""
        was = self._at is not None
        if was:
            self._at = None
            self._place()
            self.changed.emit()
        return was

    @Slot()
    def _selection_changed(self) -> None:
        if self._at is not None and self._scene.selected_nodes() != [self._at[0]]:
            self.leave()

    @Slot()
    def _follow(self) -> None:
        if self._at is None:
            return
        if self.port is None:
            self.leave()
        else:
            self._place()

    def _place(self) -> None:
        """The ring round the port."""
        port = self.port
        if self._ring is not None and (port is None or self._ring.scene() is None):
            if self._ring.scene() is not None:
                self._scene.removeItem(self._ring)
            self._ring = None
        if port is None:
            return
        if self._ring is None:
            style = self._scene.style_
            self._ring = QGraphicsEllipseItem()
            self._ring.setPen(style.hairline(style.colour("brass"), FOCUS * self._view.devicePixelRatioF()))
            self._ring.setZValue(ABOVE)
            self._scene.addItem(self._ring)
        at = port_at(self._scene, port)
        self._ring.setRect(QRectF(at.x() - RADIUS, at.y() - RADIUS, 2 * RADIUS, 2 * RADIUS))

    def hint(self, keys_text: Callable[[str], str]) -> str:
        """What keys do now, for the status line; ``keys_text`` has the first key of a command."""
        wire, port = self.connecting, self.port
        enter, delete = keys_text("graph.edit"), keys_text("graph.delete")
        if wire is not None:
            chosen = wire.chosen
            words = {
                "port": port_words(self._scene, chosen),
                "node": self._scene.nodes[chosen.node].face.title,
            }
            return tr("To {node}: {port}. {enter} connects, arrows choose another.", enter=enter, **words)
        if port is None:
            return ""
        words = {"port": port_words(self._scene, port), "enter": enter}
        if port.linked:
            return tr("{port}. {enter} connects, {delete} takes its wires off.", delete=delete, **words)
        return tr("{port}. {enter} connects.", **words)

    # --- walking ---------------------------------------------------------------------------------------

    def walk(self, dx: int, dy: int) -> None:
        """An arrow: to the next port that fits, from port to port, or from node to node."""
        wire, port = self.connecting, self.port
        if wire is not None:
            wire.step(dx + dy)
            self._show_chosen(wire)
        elif port is None:
            self._view.walk(dx, dy)
        else:
            found = self._beside(port, dy) if dy else self._across(port, dx)
            if found is not None:
                self.go(found)

    def _beside(self, port: PortFace, by: int) -> PortFace | None:
        """The port above or below."""
        ports = self._side(port.node, is_output=port.is_output)
        index = ports.index(port) + by
        return ports[index] if 0 <= index < len(ports) else None

    def _across(self, port: PortFace, by: int) -> PortFace | None:
        """Through the node to its other side, or away from it: along the wire, else to the next node."""
        inward = (by > 0) is not port.is_output
        if inward:
            return self._nearest(self._side(port.node, is_output=not port.is_output), port)
        ends = [
            end
            for wire in wires_of(self._scene, port)
            for end in self._side(
                wire.target if port.is_output else wire.source, is_output=not port.is_output
            )
            if end.name == (wire.input if port.is_output else wire.output)
        ]
        if ends:
            return self._nearest(ends, port)
        ahead = [
            end
            for node, item in self._scene.nodes.items()
            if node != port.node and (item.centre.x() - port_at(self._scene, port).x()) * by > 0
            for end in self._side(node, is_output=not port.is_output)
        ]
        return self._nearest(ahead, port)

    def _nearest(self, ports: list[PortFace], port: PortFace) -> PortFace | None:
        start = port_at(self._scene, port)

        def far(other: PortFace) -> float:
            away: QPointF = port_at(self._scene, other) - start
            return math.hypot(away.x(), away.y())

        return min(ports, key=far, default=None)

    # --- wires -----------------------------------------------------------------------------------------

    def press(self) -> bool:
        """Enter: lead a wire from the port, or connect it where it is led to; whether it was for a port."""
        wire, port = self.connecting, self.port
        if wire is not None:
            self._end(wire)
            wire.finish()
            self.changed.emit()
        elif port is not None:
            self._connect(port)
        return wire is not None or port is not None

    def _connect(self, port: PortFace) -> None:
        at = port_at(self._scene, port)
        press = Press(
            at,
            self._view.mapFromScene(at),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            False,
            port,
        )
        wire = ConnectByKeys(self._view, press)
        self._view.begin_gesture(wire)
        if wire.choices:
            self._view.viewport().installEventFilter(self)
            self._show_chosen(wire)
        else:
            self.ask_for_node()

    def _show_chosen(self, wire: ConnectByKeys) -> None:
        self._view.reveal(wire.chosen.node)
        self.changed.emit()

    def ask_for_node(self) -> bool:
        """Lead the wire to a node that isn't there yet; whether there is such a wire."""
        wire = self.connecting
        if wire is None:
            return False
        anchor = wire.anchor
        self._view.cancel_gesture()
        away = QPointF(60.0 if anchor.is_output else -60.0, 0.0)
        self._view.palette_requested.emit(port_at(self._scene, anchor) + away, anchor)
        self.changed.emit()
        return True

    def _end(self, wire: ConnectByKeys) -> None:
        self._view.viewport().removeEventFilter(self)
        if self._view.interaction is wire:
            self._view.end_gesture()

    def escape(self) -> bool:
        """Esc: leave the wire alone, else go back to the node; whether there was something to leave."""
        wire = self.connecting
        if wire is not None:
            self._view.cancel_gesture()
            self._view.viewport().removeEventFilter(self)
            self.changed.emit()
            return True
        return self._view.interaction is None and self.leave()

    def remove_wires(self) -> bool:
        """Delete: take the wires off the port; whether the keys are for a port."""
        port = self.port
        if port is None:
            return False
        ends = [wire.key for wire in wires_of(self._scene, port)]
        if ends:
            graph = with_links(self._document.graph, dict.fromkeys(ends))
            self._document.replace(graph, tr("Take wires off"))
        self.changed.emit()
        return True

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """While a wire is led by keys, a click means that one goes on by mouse."""
        if event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick):
            self.escape()
        return False
