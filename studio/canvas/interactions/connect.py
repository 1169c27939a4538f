"""Connect: drag from a port, either end, to another. Rewire: drag a wire's nearer end, or a linked input."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt

from pipelines.errors import DiptychError
from pipelines.graph.document import Graph
from pipelines.graph.types import connects, conversion
from studio.canvas.face import PortFace
from studio.canvas.interactions.base import Canvas, Interaction, Press
from studio.canvas.items import DraftWire, WireItem
from studio.canvas.node_index import round_about
from studio.graph.edits import downstream, refusal, upstream
from studio.translate import tr

SNAP = 22.0
"""How near (in pixels of the view) the pointer must be to a port for the wire to jump to it."""


class Connect(Interaction):
    """Draw a new wire. On blank canvas it ends in the search palette, filtered to what fits."""

    cursor = Qt.CursorShape.CrossCursor

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        return press.button == Qt.MouseButton.LeftButton and press.port is not None

    def begin(self) -> None:
        if self.press.port is not None:
            self._begin_at(self.press.port)

    def _begin_at(self, port: PortFace) -> None:
        self.anchor = port
        """The end that stays."""
        self._goal: PortFace | None = None
        self._draft: DraftWire | None = None
        self._refused: set[tuple[str, bool, str]] = set()
        self.loose_end = QPointF()

    def graph(self) -> Graph:
        """The graph that the new wire is checked against."""
        return self.document.graph

    # --- dragging --------------------------------------------------------------------------------------

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        if self._draft is None:
            self._draft = DraftWire(self.anchor.type, self.scene.style_)
            self.scene.addItem(self._draft)
            self._refuse()
        port = self._port_near(at)
        allowed = port is not None and self._key(port) not in self._refused
        self._light(port if allowed else None)
        end = at
        if port is not None and allowed:
            end = self.scene.nodes[port.node].port_position(port.name, port.is_output)
        fixed = self.scene.nodes[self.anchor.node].port_position(self.anchor.name, self.anchor.is_output)
        self.loose_end = end
        self._draft.set_ends(*((fixed, end) if self.anchor.is_output else (end, fixed)))
        hint = "" if port is None else self.conversion_to(port) if allowed else self.reason(port)
        self.view.show_hint(view_at, hint)

    def conversion_to(self, port: PortFace) -> str:
        """What would happen to the value at the input's port; empty if nothing does."""
        out, into = (self.anchor, port) if self.anchor.is_output else (port, self.anchor)
        words = conversion(out.type, into.type)
        return tr("Converted on the way: {words}.", words=tr(words)) if words else ""

    def _port_near(self, at: QPointF) -> PortFace | None:
        """The port to end in: one within reach, else the first that fits on the node under the pointer."""
        reach = SNAP / self.view.zoom
        wanted = not self.anchor.is_output
        ports = [
            (port, (item.pos() + port.at - at).manhattanLength())
            for item in self.scene.node_index.near(round_about(at, reach))
            for port in item.face.ports
            if port.is_output == wanted
        ]
        port, away = min(ports, key=lambda entry: entry[1], default=(None, 0.0))
        if port is not None and away <= reach:
            return port
        node = self.scene.node_at(at)
        if node is None:
            return None
        fitting = [
            port
            for port in node.face.ports
            if port.is_output == wanted and self._key(port) not in self._refused
        ]
        same = [port for port in fitting if port.type.name == self.anchor.type.name]
        return next(iter([port for port in same if not port.linked] or same or fitting), None)

    @staticmethod
    def _key(port: PortFace) -> tuple[str, bool, str]:
        return port.node, port.is_output, port.name

    def _refuse(self) -> None:
        """Dim the ports that can't take this wire."""
        anchor, circle = self.anchor, self.circle()
        for node, item in self.scene.nodes.items():
            refused = set()
            for port in item.face.ports:
                if port.is_output == anchor.is_output:
                    fits = port == anchor
                else:
                    fits = node not in circle and self.fits(port)
                if not fits:
                    refused.add((port.is_output, port.name))
                    self._refused.add(self._key(port))
            item.set_marks(refused=frozenset(refused), drawing=True)

    def circle(self) -> set[str]:
        """The nodes that a wire to would close a circle."""
        graph, anchor = self.graph(), self.anchor
        found = upstream(graph, anchor.node) if anchor.is_output else downstream(graph, (anchor.node,))
        return found | {anchor.node}

    def fits(self, port: PortFace) -> bool:
        """Whether the types of the wire's ends would fit."""
        if self.anchor.is_output:
            return connects(self.anchor.type, port.type)
        return connects(port.type, self.anchor.type)

    def _ends(self, port: PortFace) -> tuple[str, str, str, str]:
        """Source node, output, target node, input, if the wire ended in ``port``."""
        out, into = (self.anchor, port) if self.anchor.is_output else (port, self.anchor)
        return out.node, out.name, into.node, into.name

    def reason(self, port: PortFace) -> str:
        why = refusal(self.graph(), self.document.registry, *self._ends(port))
        return why.info().text(tr) if why is not None else ""

    def _light(self, port: PortFace | None) -> None:
        if self._goal is not None and self._goal != port and self._goal.node in self.scene.nodes:
            self.scene.nodes[self._goal.node].set_marks(lit_port=None)
        self._goal = port
        if port is not None:
            self.scene.nodes[port.node].set_marks(lit_port=(port.is_output, port.name))

    # --- the end ---------------------------------------------------------------------------------------

    def released(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        dragged, port = self.dragging, self._port_near(at) if self.dragging else None
        refused = port is not None and self._key(port) in self._refused
        self._clean()
        if not dragged:
            return
        if port is None:
            if self.scene.node_at(at) is None:
                self.dropped_on_canvas(at, view_at)
        elif not refused or (port != self.anchor and port.node != self.anchor.node):
            self._try(port)

    def _try(self, port: PortFace) -> None:
        try:
            self.connect_to(port)
        except DiptychError as error:
            self.view.noticed.emit(error.info())

    def connect_to(self, port: PortFace) -> None:
        """Write the link."""
        self.document.connect_ports(*self._ends(port))

    def dropped_on_canvas(self, at: QPointF, view_at: QPoint) -> None:
        """Ask for a node that fits, and connect it."""
        self.view.palette_requested.emit(at, self.anchor)

    def cancel(self) -> None:
        self._clean()

    def _clean(self) -> None:
        self._light(None)
        if self._draft is not None:
            self.scene.removeItem(self._draft)
            self._draft = None
        for item in self.scene.nodes.values():
            item.set_marks(refused=frozenset(), drawing=False)
        self.view.show_hint(QPoint(), "")


class Rewire(Connect):
    """Take a linked input's wire off it, and put it elsewhere; on blank canvas the link is removed."""

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        port = press.port
        return (
            press.button == Qt.MouseButton.LeftButton
            and port is not None
            and not port.is_output
            and (port.node, port.name) in view.graph_scene.wires
        )

    def begin(self) -> None:
        if self.press.port is not None:
            self.take(self.scene.wires[self.press.port.node, self.press.port.name], at_source=False)

    def take(self, wire: WireItem, *, at_source: bool) -> None:
        """Hold ``wire`` by one end."""
        self.wire = wire
        node = self.scene.nodes[wire.target if at_source else wire.source]
        name = wire.input if at_source else wire.output
        port = node.face.port(name, not at_source)
        if port is None:
            at = node.port_position(name, not at_source) - node.pos()
            port = PortFace(node.node, name, name, wire.kind, not at_source, at)
        self._begin_at(port)

    def graph(self) -> Graph:
        return self.document.graph.without_link(self.wire.target, self.wire.input)

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        self.wire.setVisible(False)
        super().drag(at, view_at, modifiers)

    def connect_to(self, port: PortFace) -> None:
        source, output, target, name = self._ends(port)
        if (target, name) == self.wire.key and (source, output) == (self.wire.source, self.wire.output):
            return
        with self.document.macro(tr("Connect elsewhere")):
            self.document.disconnect_port(self.wire.target, self.wire.input)
            self.document.connect_ports(source, output, target, name)

    def dropped_on_canvas(self, at: QPointF, view_at: QPoint) -> None:
        self.document.disconnect_port(self.wire.target, self.wire.input)

    def _clean(self) -> None:
        self.wire.setVisible(True)
        super()._clean()


class GrabWire(Rewire):
    """Press a wire to select it; drag it to take its nearer end along."""

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        return press.button == Qt.MouseButton.LeftButton and press.wire is not None

    def begin(self) -> None:
        wire = self.press.wire
        if wire is not None:
            self.scene.select([])
            self.scene.select_wire(wire)
            self.take(wire, at_source=wire.nearer_end_is_source(self.press.at))
