"""Parts of a graph as documents of their own, and back: copy, paste, duplicate. Pure functions, no Qt.

A fragment is an ordinary document: nodes, the links among them, places, the subgraphs they stand for, frames
and notes. Its field ``incoming`` has the links from outside, ``{node: {input: [node, output]}}``, for a paste
that connects again what it finds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from pipelines.graph.document import FORMAT, Graph, Link, NodeRecord, put
from pipelines.graph.registry import Registry
from pipelines.graph.subgraph_file import NAME, SUBGRAPH
from studio.graph.annotations import Kind, boxes, free_box_id, with_boxes
from studio.graph.edits import refusal, with_positions
from studio.graph.previews import preview_of, with_previews
from studio.graph.subgraph_edits import free_name
from studio.graph.subgraph_ports import definitions_of, group_name
from studio.graph.waypoints import all_waypoints, with_waypoints

INCOMING = "incoming"
Keys = Collection[tuple[Kind, str]]
Links = Mapping[str, Mapping[str, Link]]


def fragment(graph: Graph, ids: Iterable[str], held: Keys = ()) -> Graph:
    """A document of its own with only these nodes (and the frames and notes ``held``)."""
    chosen = sorted({node for node in ids if node in graph.nodes})
    nodes, incoming = {}, {}
    for node in chosen:
        record = graph.nodes[node]
        cut = {port: list(link) for port, link in record.inputs.items() if link.node not in chosen}
        if cut:
            incoming[node] = cut
        nodes[node] = record.without_input(*cut) if cut else record
    fields: dict[str, Any] = {"format": FORMAT}
    if incoming:
        fields[INCOMING] = incoming
    subgraphs = needed_definitions(graph, nodes.values())
    if subgraphs:
        fields["subgraphs"] = subgraphs
    places = {node: at for node in chosen if (at := graph.position(node)) is not None}
    part = with_positions(Graph(nodes, fields), places)
    part = with_previews(part, {node: preview_of(graph, node) for node in chosen})
    dots = all_waypoints(graph)
    part = with_waypoints(
        part, {end: dots[end] for node, port, _ in part.links() if (end := (node, port)) in dots}
    )
    return with_boxes(part, [box for key, box in boxes(graph).items() if key in set(held)])


def needed_definitions(graph: Graph, records: Iterable[NodeRecord]) -> dict[str, Any]:
    """The subgraphs that these nodes stand for, and those inside them, by name."""
    known = definitions_of(graph)
    waiting = [name for record in records if (name := group_name(record))]
    found: dict[str, Any] = {}
    while waiting:
        name = waiting.pop()
        if name in found or name not in known:
            continue
        found[name] = known[name]
        waiting += _names_inside(known[name])
    return dict(sorted(found.items()))


def _names_inside(definition: Any) -> list[str]:
    nodes = definition.get("nodes") if isinstance(definition, Mapping) else None
    names = []
    for fields in nodes.values() if isinstance(nodes, Mapping) else ():
        params = fields.get("params") if isinstance(fields, Mapping) else None
        if isinstance(params, Mapping) and fields.get("type") == SUBGRAPH:
            names.append(params.get(NAME))
    return [name for name in names if isinstance(name, str)]


def incoming_links(part: Graph) -> dict[str, dict[str, Link]]:
    """The links from outside that a fragment remembers; malformed ones are left out."""
    found = part.fields.get(INCOMING)
    result: dict[str, dict[str, Link]] = {}
    for node, links in (found if isinstance(found, Mapping) else {}).items():
        for port, link in (links if isinstance(links, Mapping) else {}).items():
            pair = isinstance(link, list | tuple) and len(link) == 2
            if node in part.nodes and pair and all(isinstance(word, str) for word in link):
                result.setdefault(node, {})[port] = Link(*link)
    return result


def links_again(graph: Graph, registry: Registry, part: Graph) -> dict[str, dict[str, Link]]:
    """Those of a fragment's links from outside that ``graph`` can give again: the node is there, and fits."""
    result: dict[str, dict[str, Link]] = {}
    probe, names = pasted(graph, part, (0.0, 0.0))[:2]
    ids = dict(zip(part.nodes, names, strict=True))
    for node, links in incoming_links(part).items():
        for port, link in links.items():
            there = link.node in graph.nodes and ids[node] in probe.nodes
            if there and refusal(probe, registry, link.node, link.output, ids[node], port) is None:
                result.setdefault(node, {})[port] = link
    return result


def pasted(
    graph: Graph, part: Graph, at: tuple[float, float], links: Links | None = None
) -> tuple[Graph, list[str], list[tuple[Kind, str]]]:
    """Add the nodes of ``part`` under free ids, its top left corner at ``at``.

    Subgraphs that the graph has already, in the same words, are shared; others come under a free name.

    Args:
        graph: what is added to.
        part: what is added.
        at: where, in the scene.
        links: further links to nodes of ``graph``, by the node's id in ``part`` (a duplicate's sources).

    Returns:
        The new graph, the ids of the nodes in the order of ``part``, and the frames and notes that came.
    """
    result, calls = _with_definitions(graph, part)
    names: dict[str, str] = {}
    taken = result
    for node, record in part.nodes.items():
        names[node] = node if node not in taken.nodes else taken.free_id(_base(node))
        taken = replace(taken, nodes={**taken.nodes, names[node]: record})
    places = {node: part.position(node) or (0.0, 0.0) for node in part.nodes}
    boxed = boxes(part)
    corners = [*places.values(), *(box.rect[:2] for box in boxed.values())]
    dx = at[0] - min((x for x, _ in corners), default=0.0)
    dy = at[1] - min((y for _, y in corners), default=0.0)
    for node, record in part.nodes.items():
        for port, link in record.inputs.items():
            record = (
                record.with_input(port, (names[link.node], link.output))
                if link.node in names
                else record.without_input(port)
            )
        for port, link in (links or {}).get(node, {}).items():
            record = record.with_input(port, link)
        if group_name(record) in calls:
            record = record.with_param(NAME, calls[group_name(record)])
        result = result.with_node(names[node], record)
    result = with_positions(result, {names[node]: (x + dx, y + dy) for node, (x, y) in places.items()})
    result = with_previews(result, {names[node]: preview_of(part, node) for node in part.nodes})
    dots = {(names[node], port): points for (node, port), points in all_waypoints(part).items()}
    result = with_waypoints(
        result, {end: tuple((x + dx, y + dy) for x, y in points) for end, points in dots.items()}
    )
    keys = []
    for box in boxed.values():
        new = replace(box.at(box.rect[0] + dx, box.rect[1] + dy), id=free_box_id(result, box.kind))
        result = with_boxes(result, [new])
        keys.append(new.key)
    return result, [names[node] for node in part.nodes], keys


def _with_definitions(graph: Graph, part: Graph) -> tuple[Graph, dict[str, str]]:
    """The graph with the subgraphs that ``part`` brings, and what those are called that had to be renamed."""
    brought = needed_definitions(part, part.nodes.values())
    known = definitions_of(graph)
    if all(known.get(name) == definition for name, definition in brought.items()):
        return graph, {}
    calls: dict[str, str] = {}
    taken = {*known, *brought}
    changed = {name for name, definition in brought.items() if name in known and known[name] != definition}
    while True:  # one that has a renamed one inside is another one, too
        more = {
            name
            for name, definition in brought.items()
            if name not in changed and changed & set(_names_inside(definition)) and name in known
        }
        if not more:
            break
        changed |= more
    for name in sorted(changed):
        calls[name] = free_name(taken, name)
        taken.add(calls[name])
    subgraphs: Mapping[str, Any] = known
    for name, definition in brought.items():
        if calls.get(name, name) not in known:
            subgraphs = put(subgraphs, calls.get(name, name), _calling(definition, calls))
    return graph.with_field("subgraphs", subgraphs), calls


def _calling(definition: Any, calls: Mapping[str, str]) -> Any:
    """A definition whose nodes stand for subgraphs under their new names."""
    if not calls.keys() & set(_names_inside(definition)):
        return definition
    nodes = {}
    for id, fields in definition["nodes"].items():
        params = fields.get("params") if isinstance(fields, Mapping) else None
        if isinstance(params, Mapping) and fields.get("type") == SUBGRAPH and params.get(NAME) in calls:
            fields = {**fields, "params": {**params, NAME: calls[params[NAME]]}}
        nodes[id] = fields
    return {**definition, "nodes": nodes}


def _base(node: str) -> str:
    """An id without the number that made it free: a copy of ``draw_2`` is ``draw_3``, not ``draw_2_2``."""
    head, _, tail = node.rpartition("_")
    return head if head and tail.isdigit() else node
