"""Pure functions that lead wires elsewhere: through a node put on one, past nodes that go.

No Qt here: each takes a :class:`~pipelines.graph.document.Graph` and gives a new one, or an answer about one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from pipelines.errors import DiptychError
from pipelines.graph.document import Graph, Link
from pipelines.graph.node import Input, Output
from pipelines.graph.registry import Registry
from pipelines.graph.types import connects
from studio.graph.edits import input_port, node_ports, output_port, refusal, upstream
from studio.graph.waypoints import End, Points, inserted_at, waypoints_of, with_waypoints

Ports = tuple[tuple[Input, ...], tuple[Output, ...]]


class Insertion(NamedTuple):
    """The ports by which a node is put into a wire."""

    input: str
    output: str


def is_loose(graph: Graph, node: str) -> bool:
    """Whether nothing depends on a node, so that it may be put into a wire."""
    return all(link.node != node for _, _, link in graph.links())


def insertion(graph: Graph, registry: Registry, node: str, end: End) -> Insertion | None:
    """How ``node``, which nothing depends on, would be put into the wire that ends in ``end``.

    The same types come before converted ones, and earlier ports before later ones. ``None``: it doesn't fit,
    its inputs are taken, or a circle would come of it.
    """
    link = graph.nodes[end[0]].inputs.get(end[1])
    if link is None or node in (end[0], link.node) or link.node not in graph.nodes:
        return None
    source, target = output_port(graph, registry, *link), input_port(graph, registry, *end)
    if source is None or target is None or node in upstream(graph, link.node):
        return None
    inputs, outputs = node_ports(graph, registry, node)
    taken = graph.nodes[node].inputs
    into = [port for port in inputs if port.name not in taken and connects(source.type, port.type)]
    kinds = {source.type.name, target.type.name, "Any"}  # the wire goes on carrying what it carried
    out = [port for port in outputs if port.type.name in kinds and connects(port.type, target.type)]
    if not into or not out:
        return None
    first = min(into, key=lambda port: _distance(source, port))
    last = min(out, key=lambda port: _distance(port, target))
    return Insertion(first.name, last.name)


def _distance(source: Output, target: Input) -> int:
    """0 for the same type, 1 for a list of it, 2 for a conversion, 3 for what takes anything."""
    if source.type == target.type:
        return 0
    if source.type.name == target.type.name:
        return 1
    return 3 if "Any" in (source.type.name, target.type.name) else 2


def with_inserted(graph: Graph, node: str, end: End, ports: Insertion) -> Graph:
    """The graph with ``node`` in the wire that ends in ``end``; dots stay on their side of the node."""
    link = graph.nodes[end[0]].inputs[end[1]]
    points = waypoints_of(graph, end)
    graph = graph.with_link(node, ports.input, link).with_link(*end, (node, ports.output))
    if not points:
        return graph
    start, stop = graph.position(link.node) or points[0], graph.position(end[0]) or points[-1]
    split = inserted_at((start, *points, stop), graph.position(node) or points[-1])
    return with_waypoints(graph, {(node, ports.input): points[:split], end: points[split:]})


# --- taking out --------------------------------------------------------------------------------------------


def healed(graph: Graph, registry: Registry, nodes: Collection[str]) -> dict[End, Link | None]:
    """What each wire that leaves ``nodes`` is led to if they are taken out of their chain.

    As a bypass would: the first linked input of the output's type, followed through ``nodes`` until outside
    of them. ``None``: nothing fits, so that the wire goes.
    """
    chosen = set(nodes)
    result: dict[End, Link | None] = {}
    known: dict[Link, Link | None] = {}
    ports = {node: node_ports(graph, registry, node) for node in chosen if node in graph.nodes}
    for node, name, link in graph.links():
        if node not in chosen and link.node in chosen:
            if link not in known:
                known[link] = _passed(graph, ports, chosen, link)
            heir = known[link]
            fits = heir is not None and _fits(graph, registry, heir, (node, name))
            result[node, name] = heir if fits else None
    return result


def _passed(graph: Graph, ports: Mapping[str, Ports], chosen: set[str], link: Link) -> Link | None:
    """Where the value of an output inside comes from outside, if it is passed on."""
    seen: set[Link] = set()
    current: Link | None = link
    while current is not None and current.node in chosen:
        if current in seen or current.node not in ports:
            return None
        seen.add(current)
        current = _through(graph, ports[current.node], current)
    return current


def _through(graph: Graph, ports: Ports, link: Link) -> Link | None:
    record = graph.nodes[link.node]
    kind = next((port.type for port in ports[1] if port.name == link.output), None)
    linked = [port for port in ports[0] if port.name in record.inputs]
    same = [port for port in linked if port.type == kind]
    near = [port for port in linked if kind is not None and port.type.name == kind.name]
    return next((record.inputs[port.name] for port in [*same, *near]), None)


def _fits(graph: Graph, registry: Registry, source: Link, end: End) -> bool:
    out, into = output_port(graph, registry, *source), input_port(graph, registry, *end)
    return out is None or into is None or connects(out.type, into.type)


def with_links(graph: Graph, links: Mapping[End, Link | None]) -> Graph:
    """The graph with these links instead of what was there; ``None`` removes one."""
    for end, link in links.items():
        graph = graph.with_link(*end, link) if link is not None else graph.without_link(*end)
    return graph


def taken_out(graph: Graph, registry: Registry, nodes: Collection[str]) -> Graph:
    """The graph with ``nodes`` beside their chain: no wire leads into or out of them, the chain is healed."""
    chosen = set(nodes)
    links = healed(graph, registry, chosen)
    for node in chosen & set(graph.nodes):
        for name, link in graph.nodes[node].inputs.items():
            if link.node not in chosen:
                links[node, name] = None
    return with_links(graph, links)


# --- all wires of a port -----------------------------------------------------------------------------------


def refused_ends(graph: Graph, registry: Registry, ends: Iterable[End], source: Link) -> DiptychError | None:
    """Why not all of ``ends`` may be fed by ``source`` (the first reason); ``None`` if they may."""
    return next((why for end in ends if (why := refusal(graph, registry, *source, *end)) is not None), None)


def with_source(graph: Graph, ends: Iterable[End], source: Link) -> Graph:
    """The graph with all of ``ends`` fed by ``source``; each wire keeps its dots."""
    points: dict[End, Points] = {}
    for end in ends:
        points[end] = waypoints_of(graph, end)
        graph = graph.with_link(*end, source)
    return with_waypoints(graph, points)
