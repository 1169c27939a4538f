"""Taking nodes out of their chain while they are dragged: what Alt at the press, or a shake, does."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection

from PySide6.QtCore import QPoint

from pipelines.graph.document import Graph
from studio.canvas.items import DraftWire, WireItem
from studio.canvas.scene import GraphScene
from studio.graph.rewiring import healed, taken_out
from studio.graph.subgraph_edits import INPUTS, OUTPUTS

TURNS = 3
"""Turns to and fro that make a shake."""
SWING = 20
"""Pixels of the view between two turns, at least."""
SHAKE_SECONDS = 0.9


class Extraction:
    """Shows a graph without the wires of some nodes and with their chain healed, before that is written."""

    def __init__(self, scene: GraphScene, nodes: Collection[str]) -> None:
        self._scene = scene
        self.nodes = [node for node in nodes if node not in (INPUTS, OUTPUTS)]
        document, chosen = scene.document, set(self.nodes)
        self._hidden: list[WireItem] = []
        self._drafts: list[DraftWire] = []
        for node in self.nodes:
            for wire in scene.wires_of(node):
                if (wire.source in chosen) != (wire.target in chosen):
                    wire.setVisible(False)
                    self._hidden.append(wire)
        for (node, name), link in healed(document.graph, document.registry, self.nodes).items():
            if link is not None and link.node in scene.nodes and node in scene.nodes:
                draft = DraftWire(scene.wires[node, name].kind, scene.style_)
                start = scene.nodes[link.node].port_position(link.output, True)
                draft.set_ends(start, scene.nodes[node].port_position(name, False))
                scene.addItem(draft)
                self._drafts.append(draft)

    def __bool__(self) -> bool:
        """Whether there is anything to take the nodes out of."""
        return bool(self._hidden)

    def applied(self, graph: Graph) -> Graph:
        """The graph as it is shown."""
        return taken_out(graph, self._scene.document.registry, self.nodes)

    def remove(self) -> None:
        """Show the wires of the document again."""
        for wire in self._hidden:
            wire.setVisible(True)
        for draft in self._drafts:
            self._scene.removeItem(draft)
        self._hidden, self._drafts = [], []


class Shake:
    """Tells a shake (quickly to and fro) from a drag."""

    def __init__(self) -> None:
        self._turned: QPoint | None = None
        self._furthest: QPoint | None = None
        self._turns: deque[float] = deque(maxlen=TURNS)

    def add(self, at: QPoint) -> bool:
        """The pointer is there now (in the view); whether it was shaken."""
        if self._turned is None or self._furthest is None:
            self._turned = self._furthest = at
            return False
        swing, back = self._furthest.x() - self._turned.x(), at.x() - self._furthest.x()
        if back * swing >= 0 and abs(at.x() - self._turned.x()) >= abs(swing):
            self._furthest = at
        elif back * swing < 0 and abs(back) >= SWING and abs(swing) >= SWING:
            self._turned, self._furthest = self._furthest, at
            self._turns.append(time.monotonic())
            if len(self._turns) == TURNS and self._turns[-1] - self._turns[0] <= SHAKE_SECONDS:
                self._turns.clear()
                return True
        return False
