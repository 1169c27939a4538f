"""Move all wires of an output: Ctrl-drag it to another output. One undo step."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt

from pipelines.graph.document import Graph, Link
from pipelines.graph.types import PortType, connects
from studio.canvas.face import PortFace
from studio.canvas.interactions.base import Canvas, Press, begins
from studio.canvas.interactions.connect import Connect
from studio.canvas.items import DraftWire, WireItem
from studio.graph.edits import downstream
from studio.graph.rewiring import refused_ends, with_links, with_source
from studio.graph.subgraph_scope import NEW
from studio.translate import tr


class MoveWires(Connect):
    """Every wire of the port is held by its source. On blank canvas they go back to where they were."""

    armed_as = "move_wires"

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        port = press.port
        return (
            begins(view, press, "move_wires") is not None
            and port is not None
            and port.is_output
            and bool(_wires(view, port))
        )

    def begin(self) -> None:
        port = self.press.port
        if port is None:
            return
        self._source = Link(port.node, port.name)
        self._wires = _wires(self.view, port)
        self._drafts: list[DraftWire] = []
        self._stops = [wire.stops()[-1] for wire in self._wires]
        kinds = [self._kind(wire) for wire in self._wires]
        self._kinds: list[PortType] = [kind for kind in kinds if kind is not None]
        first = self._wires[0]
        at = self._stops[0] - self.scene.nodes[first.target].pos()
        self._begin_at(PortFace(first.target, first.input, first.input, port.type, False, at))

    def _kind(self, wire: WireItem) -> PortType | None:
        port = self.scene.nodes[wire.target].face.port(wire.input, False)
        return port.type if port is not None else None

    def graph(self) -> Graph:
        return with_links(self.document.graph, dict.fromkeys(wire.key for wire in self._wires))

    def circle(self) -> set[str]:
        return downstream(self.graph(), {wire.target for wire in self._wires})

    def fits(self, port: PortFace) -> bool:
        return port.name != NEW and all(connects(port.type, kind) for kind in self._kinds)

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        for wire in self._wires:
            wire.setVisible(False)
        super().drag(at, view_at, modifiers)
        if not self._drafts:
            self._drafts = [DraftWire(self.anchor.type, self.scene.style_) for _ in self._wires[1:]]
            for draft in self._drafts:
                self.scene.addItem(draft)
        for draft, end in zip(self._drafts, self._stops[1:], strict=True):
            draft.set_ends(self.loose_end, end)

    def reason(self, port: PortFace) -> str:
        ends = [wire.key for wire in self._wires]
        why = refused_ends(self.graph(), self.document.registry, ends, Link(port.node, port.name))
        return why.info().text(tr) if why is not None else ""

    def connect_to(self, port: PortFace) -> None:
        source, ends = Link(port.node, port.name), [wire.key for wire in self._wires]
        if source == self._source:
            return
        why = refused_ends(self.graph(), self.document.registry, ends, source)
        if why is not None:
            raise why
        self.document.replace(with_source(self.document.graph, ends, source), tr("Move wires"))

    def dropped_on_canvas(self, at: QPointF, view_at: QPoint) -> None:
        """Nothing: too much would be lost by a slip."""

    def _clean(self) -> None:
        for wire in self._wires:
            wire.setVisible(True)
        for draft in self._drafts:
            self.scene.removeItem(draft)
        self._drafts = []
        super()._clean()


def _wires(view: Canvas, port: PortFace) -> list[WireItem]:
    wires = view.graph_scene.wires_of(port.node)
    return [wire for wire in wires if (wire.source, wire.output) == (port.node, port.name)]
