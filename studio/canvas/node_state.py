"""What is known of one node's last run, and which node a flattened id belongs to. Plain data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from PySide6.QtGui import QImage

from pipelines.engine.protocol import ErrorData, ValueRef

FRESH: Final = ("executed", "cached")
"""How a node ends whose results are there."""


@dataclass(slots=True)
class NodeState:
    """One node's run: ``status`` is empty, ``queued``, ``running`` or a status of the protocol."""

    status: str = ""
    step: int = 0
    total: int = 0
    phase: str = ""
    unit: str = "step"
    rate: float | None = None
    seconds_left: float | None = None
    seconds: float | None = None
    took: float | None = None
    """Seconds of the last time that it really ran: what a cached result once cost."""
    inside_seconds: float = 0.0
    """What the nodes inside a subgraph took in this run."""
    stored_bytes: int = 0
    """What its results take in memory."""
    item: int = 0
    items: int = 1
    """Which one of how many, while it runs once for each item of a list."""
    pictures: tuple[QImage, ...] = ()
    count: int = 0
    """How many pictures there are, shown or not."""
    text: str = ""
    outputs: dict[str, ValueRef] = field(default_factory=dict)
    errors: tuple[ErrorData, ...] = ()
    warnings: tuple[ErrorData, ...] = ()
    made_from: bytes = b""
    """The digest of what the result was made from."""
    stale: bool = False

    @property
    def failures(self) -> int:
        """How many errors are its own; a blocked node only repeats what failed before it."""
        return len(self.errors) if self.status == "failed" else 0

    @property
    def fraction(self) -> float:
        """Progress in 0..1, all items of a list together."""
        part = min(1.0, self.step / self.total) if self.total > 0 else 0.0
        return min(1.0, (self.item + part) / max(1, self.items))


def local(node: str, prefix: str) -> str:
    """The node, on the level that ``prefix`` leads to (``outer/``), that a flattened id belongs to; or
    nothing."""
    return outer(node[len(prefix) :]) if node.startswith(prefix) else ""


def outer(node: str) -> str:
    """The node of the document that a flattened id (``outer/inner``) belongs to."""
    return node.split("/", 1)[0]


def together(inside: Collection[str]) -> str:
    """How a group ended, from how the nodes inside did; empty if there are none."""
    for status in ("failed", "cancelled", "blocked", "executed", "cached"):
        if status in inside:
            return status
    return "skipped" if inside else ""
