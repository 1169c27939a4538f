"""The LoRAs between a model and what draws with it, as Create shows them: a list. Pure functions, no Qt.

Each takes a :class:`~pipelines.graph.document.Graph` and gives a new one, or an answer about one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import Registry
from studio.graph.edits import with_positions, without_nodes
from studio.graph.rewiring import Insertion, healed, with_inserted, with_links

LORA: Final = "model.lora"
_IN = _OUT = "model"
_STEP: Final = 170.0
"""Height of a place on the canvas for one of them, in the units of the canvas."""
_WIDTH: Final = 220.0


@dataclass(frozen=True, slots=True)
class LoraNode:
    """One of the list. ``strength`` is None where another node gives it."""

    node: str
    lora: str
    strength: float | None
    on: bool


def base_of(graph: Graph, node: str) -> str:
    """The node that a model comes from, past the LoRAs that change it."""
    seen: set[str] = set()
    while node in graph.nodes and graph.nodes[node].type == LORA and node not in seen:
        seen.add(node)
        link = graph.nodes[node].inputs.get(_IN)
        if link is None:
            break
        node = link.node
    return node


def chain(graph: Graph, model: str) -> tuple[str, ...] | None:
    """The LoRAs of a model in their order; None where it is used with and without some, so that they are no
    list.
    """
    found: list[str] = []
    last = model
    while True:
        users = [node for node, _, link in graph.links() if link.node == last]
        following = [node for node in users if graph.nodes[node].type == LORA]
        if not following:
            return tuple(found)
        if len(users) > 1 or following[0] in found:
            return None
        last = following[0]
        found.append(last)


def loras(graph: Graph, model: str) -> tuple[LoraNode, ...] | None:
    """What :func:`chain` found, with the values."""
    nodes = chain(graph, model)
    return None if nodes is None else tuple(_described(node, graph.nodes[node]) for node in nodes)


def _described(node: str, record: NodeRecord) -> LoraNode:
    strength: Any = record.params.get("strength", 1.0)
    known = isinstance(strength, int | float) and "strength" not in record.inputs
    return LoraNode(
        node, str(record.params.get("lora", "")), float(strength) if known else None, record.mode == "active"
    )


def with_lora(graph: Graph, registry: Registry, model: str, params: Mapping[str, Any]) -> tuple[Graph, str]:
    """The graph with one more LoRA behind those of ``model``, before all that uses them; and its id.

    Raises:
        KeyError: there is no such node, or its LoRAs are no list.
    """
    found = chain(graph, model)
    if found is None or model not in graph.nodes:
        raise KeyError(model)
    last = found[-1] if found else model
    users = [(node, port) for node, port, link in graph.links() if link.node == last]
    node = graph.free_id(LORA)
    record = NodeRecord.new(LORA, registry[LORA].node.version, params=params)
    place = _free_place(graph, last)
    graph = with_positions(graph.with_node(node, record), {node: place} if place else {})
    if not users:
        return graph.with_link(node, _IN, (last, _OUT)), node
    graph = with_inserted(graph, node, users[0], Insertion(_IN, _OUT))
    for end in users[1:]:
        graph = graph.with_link(*end, (node, _OUT))
    return graph, node


def without_lora(graph: Graph, registry: Registry, node: str) -> Graph:
    """The graph without a LoRA: what used it uses what came into it."""
    return without_nodes(with_links(graph, healed(graph, registry, {node})), {node})


def _free_place(graph: Graph, beside: str) -> tuple[float, float] | None:
    """The first place below a node where none stands; None if it has none itself."""
    start = graph.position(beside)
    if start is None:
        return None
    taken = [place for node in graph.nodes if (place := graph.position(node)) is not None]
    x, y = start[0], start[1] + _STEP
    while any(abs(x - left) < _WIDTH and abs(y - top) < _STEP for left, top in taken):
        y += _STEP / 2
    return x, y
