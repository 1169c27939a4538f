"""A node as a plan has it: what the checks fill in, and what keys, calls and the executor read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.errors import ErrorInfo
from pipelines.graph.document import Link, NodeRecord
from pipelines.graph.node import Input, Output
from pipelines.graph.registry import NodeSchema


@dataclass(slots=True)
class PlannedNode:
    """A node ready to be keyed and run: its schema, literals, and where each linked name comes from."""

    id: str
    record: NodeRecord
    schema: NodeSchema | None
    literals: Mapping[str, Any] = field(default_factory=dict)
    """Params and input literals as written, completed with defaults; linked names are absent."""
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    links: dict[str, Link] = field(default_factory=dict)
    ports: dict[str, Input] = field(default_factory=dict)
    """The input port of each linked name, be it a declared input or a linkable param."""
    problems: list[ErrorInfo] = field(default_factory=list)

    @property
    def title(self) -> str:
        return self.record.title or (self.schema.title if self.schema else self.record.type)

    @property
    def muted(self) -> bool:
        return self.record.mode == "muted"

    @property
    def idle(self) -> bool:
        """Muted or bypassed: it never runs, and what is wrong with it keeps nothing from running."""
        return self.record.mode != "active"

    @property
    def linked_params(self) -> list[str]:
        """Linked names that are params: what is wanted, or read, may depend on their values."""
        known = self.schema.params_by_name if self.schema else {}
        return [name for name in self.links if name in known]
