"""Where the time and the memory of a graph go: each node's share, hottest first, on all nodes at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from studio.canvas.items.texts import seconds_text
from studio.canvas.run_state import NodeState
from studio.canvas.scene import GraphScene
from studio.engine.phases import memory_text
from studio.translate import tr

HeatKind = Literal["", "time", "memory"]
REFRESH_MS: Final = 120


@dataclass(frozen=True, slots=True)
class Heat:
    """One node's part. ``share`` is that of the hottest node, 0..1; ``rank`` counts from 1."""

    node: str
    amount: float
    share: float
    rank: int
    text: str


def hottest(states: Mapping[str, NodeState], kind: HeatKind) -> list[Heat]:
    """What nodes took (seconds of their last real execution, or bytes of their results), hottest first.

    Nodes of which nothing is known are left out.
    """
    amounts = {node: amount_of(state, kind) for node, state in states.items()}
    found = sorted(((amount, node) for node, amount in amounts.items() if amount > 0), reverse=True)
    most = found[0][0] if found else 1.0
    return [
        Heat(node, amount, amount / most, rank, amount_text(amount, kind))
        for rank, (amount, node) in enumerate(found, 1)
    ]


def amount_of(state: NodeState, kind: HeatKind) -> float:
    """Seconds or bytes of one node."""
    if kind == "time":
        return state.took or 0.0
    return float(state.stored_bytes) if kind == "memory" else 0.0


def amount_text(amount: float, kind: HeatKind) -> str:
    """``1.2 s``, ``4 ms``, ``12 MB``, ``3 kB``."""
    if kind == "memory":
        return (
            memory_text(round(amount)) if amount >= 500_000 else tr("{n} kB", n=max(1, round(amount / 1000)))
        )
    return seconds_text(amount) or tr("{n} ms", n=max(1, round(amount * 1000)))


class HeatOverlay(QObject):
    """Puts the heat on the nodes of a scene and keeps it there; ``changed`` when there is other heat."""

    changed = Signal()

    def __init__(self, scene: GraphScene, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._scene = scene
        self.kind: HeatKind = ""
        self.heats: list[Heat] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        scene.run.node_state_changed.connect(self._soon)
        scene.run.cleared.connect(self._soon)
        scene.document.changed.connect(self._soon)

    def toggle(self, kind: HeatKind) -> None:
        """Show this, or nothing if it is shown already."""
        self.kind = "" if self.kind == kind else kind
        self.refresh()

    @property
    def total(self) -> float:
        """All of it together, seconds or bytes."""
        return sum(heat.amount for heat in self.heats)

    def titles(self) -> dict[str, str]:
        """The nodes' names."""
        return {node: item.face.title for node, item in self._scene.nodes.items()}

    @Slot()
    def _soon(self) -> None:
        if self.kind and not self._timer.isActive():
            self._timer.start()

    @Slot()
    def refresh(self) -> None:
        """Measure again."""
        nodes = self._scene.nodes
        states = {node: item.state for node, item in nodes.items()} if self.kind else {}
        self.heats = hottest(states, self.kind)
        found = {heat.node: (heat.share, heat.text) for heat in self.heats}
        for node, item in nodes.items():
            item.set_marks(heat=found.get(node, (0.0, "")) if self.kind else None)
        self.changed.emit()
