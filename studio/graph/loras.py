"""The LoRAs between a model and what draws with it, as Create shows them: a list. Pure functions, no Qt.

Each takes a :class:`~pipelines.graph.document.Graph` and gives a new one, or an answer about one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import Registry
from studio.graph import model_changes
from studio.graph.model_changes import LORA, base_of, with_change, without_change

__all__ = ["LORA", "LoraNode", "base_of", "chain", "loras", "with_lora", "without_lora"]


@dataclass(frozen=True, slots=True)
class LoraNode:
    """One of the list. ``strength`` and ``blocks`` are None where another node gives them."""

    node: str
    lora: str
    strength: float | None
    on: bool
    blocks: str | None = ""


def chain(graph: Graph, model: str) -> tuple[str, ...] | None:
    """The LoRAs of a model in their order; None where it is used with and without some, so that they are no
    list.
    """
    nodes = model_changes.chain(graph, model)
    return nodes and tuple(node for node in nodes if graph.nodes[node].type == LORA)


def loras(graph: Graph, model: str) -> tuple[LoraNode, ...] | None:
    """What :func:`chain` found, with the values."""
    nodes = chain(graph, model)
    return None if nodes is None else tuple(_described(node, graph.nodes[node]) for node in nodes)


def _described(node: str, record: NodeRecord) -> LoraNode:
    strength: Any = record.params.get("strength", 1.0)
    known = isinstance(strength, int | float) and "strength" not in record.inputs
    return LoraNode(
        node, str(record.params.get("lora", "")), float(strength) if known else None,
        record.mode == "active", None if "blocks" in record.inputs else str(record.params.get("blocks", "")),
    )  # fmt: skip


def with_lora(graph: Graph, registry: Registry, model: str, params: Mapping[str, Any]) -> tuple[Graph, str]:
    """The graph with one more LoRA behind those of ``model``, before all that uses them; and its id.

    Raises:
        KeyError: there is no such node, or its LoRAs are no list.
    """
    return with_change(graph, registry, model, LORA, params)


def without_lora(graph: Graph, registry: Registry, node: str) -> Graph:
    """The graph without a LoRA: what used it uses what came into it."""
    return without_change(graph, registry, node)
