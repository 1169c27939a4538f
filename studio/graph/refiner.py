"""The model that goes on with a drawing's last steps, as Create shows it: one choice. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.graph.document import Graph, Link, NodeRecord
from pipelines.graph.registry import Registry
from studio.graph.edits import input_port, with_positions, without_nodes
from studio.graph.model_changes import chooser, free_place, users_of

PORT: Final = "refiner"
SWITCH: Final = "switch"
"""The param of nodes that draw: the part of the steps after which the refiner goes on."""
LOADER: Final = "model.diffusion"
_COLUMN: Final = 260.0


@dataclass(frozen=True, slots=True)
class Refining:
    """``node`` chooses ``model``; both are empty where nothing refines."""

    node: str = ""
    model: str = ""


def refined_nodes(graph: Graph, registry: Registry, model: str) -> tuple[str, ...]:
    """The nodes that draw with a model and can hand over to another."""
    found = [node for node, port in users_of(graph, model) if port == "model"]
    return tuple(node for node in found if input_port(graph, registry, node, PORT) is not None)


def refining(graph: Graph, draws: Collection[str]) -> Refining | None:
    """What refines all of ``draws``; None where there are none, or where it is more than a choice."""
    links = {graph.nodes[node].inputs.get(PORT) for node in draws}
    if len(links) != 1:
        return None
    link = next(iter(links))
    if link is None:
        return Refining()
    record = graph.nodes.get(link.node)
    users = {(node, port) for node, port, other in graph.links() if other.node == link.node}
    plain = record is not None and record.type == LOADER and users == {(node, PORT) for node in draws}
    if record is None or not plain or "model" in record.inputs:
        return None
    return Refining(link.node, str(record.params.get("model", "")))


def with_refiner(graph: Graph, registry: Registry, draws: Sequence[str], model: str) -> Graph:
    """The graph with this model for the last steps of all of ``draws``; empty: with none.

    Raises:
        KeyError: it is more than a choice there.
    """
    known = refining(graph, draws)
    if known is None:
        raise KeyError(PORT)
    name = chooser(registry, LOADER)
    if known.node and model:
        return graph.with_param(known.node, name, model)
    if known.node:
        for draw in draws:
            graph = graph.without_link(draw, PORT)
        exposed = {entry.node for entry in graph.exposed.values()}
        return graph if known.node in exposed else without_nodes(graph, {known.node})
    if not model:
        return graph
    node = graph.free_id(PORT)
    record = NodeRecord.new(LOADER, registry[LOADER].node.version, params={name: model})
    place = free_place(graph, draws[0], -_COLUMN)
    graph = with_positions(graph.with_node(node, record), {node: place} if place else {})
    for draw in draws:
        graph = graph.with_link(draw, PORT, Link(node, registry[LOADER].outputs({})[0].name))
    return graph
