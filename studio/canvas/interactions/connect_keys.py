"""Connect without a pointer: arrows choose among the ports that fit, Enter connects, Esc leaves it."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt

from studio.canvas.face import PortFace
from studio.canvas.interactions.base import Canvas, Press
from studio.canvas.interactions.connect import Connect
from studio.canvas.scene import GraphScene


class ConnectByKeys(Connect):
    """The wire is drawn to the port that is chosen; nothing is written before :meth:`finish`."""

    pans_at_edge = False

    def __init__(self, view: Canvas, press: Press) -> None:
        super().__init__(view, press)
        self.choices: list[PortFace] = []
        """The ports that the wire could end in: those of its own type first, then those it is converted for;
        the nearest of each first."""
        self._index = 0

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        return False

    def begin(self) -> None:
        super().begin()
        self._refuse()
        start = port_at(self.scene, self.anchor)
        ports = [port for item in self.scene.nodes.values() for port in item.face.ports]
        fitting = [
            port
            for port in ports
            if port.is_output != self.anchor.is_output and self._key(port) not in self._refused
        ]

        def order(port: PortFace) -> tuple[bool, float]:
            return port.type.name != self.anchor.type.name, _far(port_at(self.scene, port) - start)

        self.choices = sorted(fitting, key=order)
        if self.choices:
            self.step(0)

    @property
    def chosen(self) -> PortFace:
        """The port that Enter connects with."""
        return self.choices[self._index]

    def step(self, by: int) -> None:
        """Choose the next port that fits, or the one before."""
        self._index = (self._index + by) % len(self.choices)
        at = port_at(self.scene, self.chosen)
        self.dragging = True
        self.drag(at, QPoint(), Qt.KeyboardModifier.NoModifier)
        self.view.show_hint(QPoint(), "")

    def moved(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        """The pointer has no part in it."""

    def finish(self) -> None:
        """Write the wire."""
        at = port_at(self.scene, self.chosen)
        self.released(at, QPoint(), Qt.KeyboardModifier.NoModifier)


def port_at(scene: GraphScene, port: PortFace) -> QPointF:
    """Where a port is in the scene."""
    return scene.nodes[port.node].port_position(port.name, port.is_output)


def _far(away: QPointF) -> float:
    return away.manhattanLength()
