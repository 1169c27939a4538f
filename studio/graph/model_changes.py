"""What lies between a model and what draws with it: nodes that take a model and give it changed. Pure
functions, no Qt.

LoRAs, embeddings, another VAE, options of speed: each is such a node, and they stand in one chain. Each
function takes a :class:`~pipelines.graph.document.Graph` and gives a new one, or an answer about one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.graph.document import Graph, Link, NodeRecord
from pipelines.graph.registry import Registry
from studio.graph.edits import output_port, with_positions, without_nodes
from studio.graph.rewiring import Insertion, healed, with_inserted, with_links

LORA: Final = "model.lora"
EMBEDDING: Final = "model.embedding"
VAE: Final = "model.vae"
TEXT_ENCODER: Final = "model.text_encoder"
SPEED: Final = "model.speed"
CHANGES: Final = frozenset({LORA, EMBEDDING, VAE, TEXT_ENCODER, SPEED})
"""Types of nodes that take a model by the port ``model`` and give it by the port ``model``."""
_IN = _OUT = "model"
_STEP: Final = 170.0
"""Height of a place on the canvas for one of them, in the units of the canvas."""
_WIDTH: Final = 220.0


@dataclass(frozen=True, slots=True)
class ModelChange:
    """One of the chain. ``linked`` are the params that other nodes give; ``on``: it isn't bypassed or
    muted."""

    node: str
    type: str
    params: Mapping[str, Any]
    linked: frozenset[str]
    on: bool


def chooser(registry: Registry, kind: str) -> str:
    """The param of a node type that names a file or model of the catalogue; empty if it has none."""
    known = registry.get(kind)
    params = known.params if known is not None else ()
    return next((param.name for param in params if param.dynamic_choices.startswith("models:")), "")


def base_of(graph: Graph, node: str) -> str:
    """The node that a model comes from, past all that changes it."""
    seen: set[str] = set()
    while node in graph.nodes and graph.nodes[node].type in CHANGES and node not in seen:
        seen.add(node)
        link = graph.nodes[node].inputs.get(_IN)
        if link is None:
            break
        node = link.node
    return node


def chain(graph: Graph, model: str) -> tuple[str, ...] | None:
    """What changes a model, in order; None where it is used with and without some of it, so that it is no
    chain."""
    found: list[str] = []
    last = model
    while True:
        users = [node for node, _, link in graph.links() if link.node == last]
        following = [node for node in users if graph.nodes[node].type in CHANGES]
        if not following:
            return tuple(found)
        if len(users) > 1 or following[0] in found:
            return None
        last = following[0]
        found.append(last)


def is_source(graph: Graph, registry: Registry, node: str) -> bool:
    """Whether a node gives a model by the port that changes of it are put behind."""
    return node in graph.nodes and output_port(graph, registry, node, _OUT) is not None


def changes(graph: Graph, model: str) -> tuple[ModelChange, ...] | None:
    """What :func:`chain` found, with the values."""
    nodes = chain(graph, model)
    return None if nodes is None else tuple(_described(node, graph.nodes[node]) for node in nodes)


def _described(node: str, record: NodeRecord) -> ModelChange:
    linked = frozenset(record.inputs) - {_IN}
    return ModelChange(node, record.type, record.params, linked, record.mode == "active")


def users_of(graph: Graph, model: str) -> list[tuple[str, str]]:
    """Nodes and ports that a model goes into, behind all that changes it; those of every branch if there are
    any."""
    ends: list[tuple[str, str]] = []
    waiting, seen = [model], {model}
    while waiting:
        source = waiting.pop(0)
        for node, port, link in graph.links():
            if link.node != source:
                continue
            if graph.nodes[node].type not in CHANGES:
                ends.append((node, port))
            elif node not in seen:
                seen.add(node)
                waiting.append(node)
    return list(dict.fromkeys(ends))


def with_change(
    graph: Graph, registry: Registry, model: str, kind: str, params: Mapping[str, Any]
) -> tuple[Graph, str]:
    """The graph with one more change of ``model``, behind those it has and before all that uses it; and its
    id.

    Raises:
        KeyError: there is no such node or type, or what changes the model is no chain.
    """
    found = chain(graph, model)
    if found is None or model not in graph.nodes:
        raise KeyError(model)
    last = found[-1] if found else model
    users = [(node, port) for node, port, link in graph.links() if link.node == last]
    node = graph.free_id(kind)
    record = NodeRecord.new(kind, registry[kind].node.version, params=params)
    place = free_place(graph, last)
    graph = with_positions(graph.with_node(node, record), {node: place} if place else {})
    if not users:
        return graph.with_link(node, _IN, Link(last, _OUT)), node
    graph = with_inserted(graph, node, users[0], Insertion(_IN, _OUT))
    for end in users[1:]:
        graph = graph.with_link(*end, Link(node, _OUT))
    return graph, node


def without_change(graph: Graph, registry: Registry, node: str) -> Graph:
    """The graph without one of them: what used it uses what came into it."""
    return without_nodes(with_links(graph, healed(graph, registry, {node})), {node})


def free_place(graph: Graph, beside: str, across: float = 0.0) -> tuple[float, float] | None:
    """The first place below a node (and ``across`` to the side) where none stands; None if it has none
    itself."""
    start = graph.position(beside)
    if start is None:
        return None
    taken = [place for node in graph.nodes if (place := graph.position(node)) is not None]
    x, y = start[0] + across, start[1] + (0.0 if across else _STEP)
    while any(abs(x - left) < _WIDTH and abs(y - top) < _STEP for left, top in taken):
        y += _STEP / 2
    return x, y
