"""Pure functions that make, dissolve and change subgraphs. No Qt here.

They write the document's field ``subgraphs`` as :mod:`pipelines.graph.subgraphs` reads it. A definition made
here has a ``view`` of its own beside nodes and ports: places, frames and notes of what is inside.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipelines.errors import GroupHasNodeBetween
from pipelines.graph.document import Graph, Link, NodeRecord, drop, put
from pipelines.graph.registry import Registry
from pipelines.graph.subgraph_file import NAME, SUBGRAPH, Definition, Definitions
from studio.graph.annotations import Box, Kind, boxes, free_box_id, with_boxes, without_boxes
from studio.graph.edits import downstream, node_ports, with_positions
from studio.graph.subgraph_ports import definitions_of, group_name, uses

Point = tuple[float, float]
GRID = 20
PORT_GAP = 320.0
"""From the nodes inside to the nodes that stand for the ports."""
PER_NODE = ("positions", "previews", "waypoints")
"""What the view of a document has for each node."""
INPUTS, OUTPUTS = ":inputs", ":outputs"
"""Ids, inside, of the nodes that stand for the ports. No document has nodes of these names."""


def free_name(taken: Collection[str], base: str) -> str:
    """``base``, or ``base 2``, ``base 3``…: the first that is not taken."""
    head, _, tail = base.rpartition(" ")
    base = head if head and tail.isdigit() else base
    name, number = base, 2
    while name in taken:
        name, number = f"{base} {number}", number + 1
    return name


def _free_port(taken: Collection[str], base: str) -> str:
    name, number = base, 2
    while name in taken or name == NAME:
        name, number = f"{base}_{number}", number + 1
    return name


def anchor(places: Iterable[Point]) -> Point | None:
    """Where a node stands that takes the place of others: at the middle of their top, on the grid."""
    known = list(places)
    if not known:
        return None
    left, right = min(x for x, _ in known), max(x for x, _ in known)
    top = min(y for _, y in known)
    return round((left + right) / 2 / GRID) * GRID, round(top / GRID) * GRID


# --- making ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Ports:
    """The ports that the cut wires make: one for each source, with all the places it goes to."""

    places: dict[str, list[list[str]]]
    links: dict[str, Link]
    values: dict[str, Any]
    outputs: dict[str, Link]


def group(
    graph: Graph,
    ids: Collection[str],
    name: str,
    held: Collection[tuple[Kind, str]] = (),
    registry: Registry | None = None,
) -> tuple[Graph, str]:
    """Put nodes into a new subgraph; gives the graph and the id of the node that stands for them now.

    Each wire that is cut makes a port: one for each output outside, with all the inputs it went to, and one
    for each output inside that is used outside. If none is, the outputs of the nodes that the group ends in
    make ports, so that it can be built on (with a ``registry`` that knows these nodes). Arguments of the
    graph that stood for params inside go through a port as well. ``held`` are frames and notes that go
    inside, too.

    Raises:
        GroupHasNodeBetween: a node outside is fed by the group and feeds it.
        ValueError: none of the nodes is there.
    """
    chosen = [node for node in graph.nodes if node in set(ids)]
    if not chosen:
        raise ValueError("no nodes to put into a subgraph")
    _check_between(graph, chosen)
    name = free_name(definitions_of(graph), name)
    node = graph.free_id(SUBGRAPH)
    ports = _Ports({}, {}, {}, {})
    inside = {id: _cut(id, graph.nodes[id], set(chosen), ports) for id in chosen}
    outside = _relinked(graph, node, set(chosen), ports)
    if not ports.outputs and registry is not None:
        ports.outputs.update(_ends(graph, chosen, registry))
    exposed = _exposed_through(graph, node, set(chosen), ports)
    record = NodeRecord.new(SUBGRAPH, params={NAME: name, **ports.values}, inputs=ports.links)
    result = replace(graph, nodes=outside).with_node(node, record)
    if exposed is not None:
        result = result.with_field("exposed", exposed)
    boxed = [box for key, box in boxes(graph).items() if key in set(held)]
    definition = {
        "inputs": {port: at[0] if len(at) == 1 else at for port, at in ports.places.items()},
        "nodes": {id: dict(record.fields) for id, record in inside.items()},
        "outputs": {port: list(link) for port, link in ports.outputs.items()},
    }
    view, place = _inner_view(graph, chosen, boxed)
    if view:
        definition["view"] = view
    result = without_boxes(_without_entries(result, chosen), [box.key for box in boxed])
    result = result.with_field("subgraphs", put(definitions_of(graph), name, definition))
    return (with_positions(result, {node: place}) if place is not None else result), node


def _check_between(graph: Graph, chosen: Collection[str]) -> None:
    needed = _needed(graph, chosen)
    between = (downstream(graph, chosen) & needed) - set(chosen)
    if between:
        titles = [graph.nodes[node].title or node for node in graph.nodes if node in between]
        raise GroupHasNodeBetween(nodes=", ".join(titles))


def _needed(graph: Graph, nodes: Collection[str]) -> set[str]:
    """Every node that one of ``nodes`` needs, directly or not."""
    found: set[str] = set()
    waiting = list(nodes)
    while waiting:
        record = graph.nodes.get(waiting.pop())
        for link in record.inputs.values() if record is not None else ():
            if link.node not in found:
                found.add(link.node)
                waiting.append(link.node)
    return found


def _cut(node: str, record: NodeRecord, chosen: Collection[str], ports: _Ports) -> NodeRecord:
    """A node without its links from outside, which become ports."""
    for port, link in record.inputs.items():
        if link.node not in chosen:
            name = next((known for known, other in ports.links.items() if other == link), None)
            if name is None:
                name = _free_port(ports.places, port)
                ports.links[name] = link
            ports.places.setdefault(name, []).append([node, port])
            record = record.without_input(port)
            if not record.inputs:
                record = NodeRecord.from_json(drop(record.fields, "inputs"))
    return record


def _relinked(graph: Graph, node: str, chosen: Collection[str], ports: _Ports) -> dict[str, NodeRecord]:
    """The nodes that stay outside, fed by ``node`` where they were fed by what is inside now."""
    nodes = {}
    for id, record in graph.nodes.items():
        if id in chosen:
            continue
        for port, link in record.inputs.items():
            if link.node in chosen:
                name = next((known for known, other in ports.outputs.items() if other == link), None)
                if name is None:
                    name = _free_port(ports.outputs, link.output)
                    ports.outputs[name] = link
                record = _with_link(record, port, (node, name))
        nodes[id] = record
    return nodes


def _ends(graph: Graph, chosen: Collection[str], registry: Registry) -> dict[str, Link]:
    """The outputs of those nodes that no other one of them is fed by."""
    used = {link.node for node in chosen for link in graph.nodes[node].inputs.values()}
    outputs: dict[str, Link] = {}
    for node in chosen:
        for port in node_ports(graph, registry, node)[1] if node not in used else ():
            outputs[_free_port(outputs, port.name)] = Link(node, port.name)
    return outputs


def _with_link(record: NodeRecord, port: str, link: tuple[str, str]) -> NodeRecord:
    """A record with another link; a literal of that name (an error of the file) stays what it is."""
    links: dict[str, Any] = {name: list(value) for name, value in record.inputs.items()}
    return NodeRecord.from_json(put(record.fields, "inputs", put(links, port, list(link))))


def _exposed_through(
    graph: Graph, node: str, chosen: Collection[str], ports: _Ports
) -> Mapping[str, Any] | None:
    """The graph's arguments, those of nodes inside led through ports; ``None`` if none is concerned."""
    concerned = {name: entry for name, entry in graph.exposed.items() if entry.node in chosen}
    if not concerned:
        return None
    exposed: Mapping[str, Any] = graph.fields["exposed"]
    for name, (inner, param) in concerned.items():
        place = [inner, param]
        port = next((known for known, places in ports.places.items() if place in places), None)
        if port is None:
            port = _free_port(ports.places, param)
            ports.places[port] = [place]
            params = graph.nodes[inner].params
            if param in params:
                ports.values[port] = params[param]
        exposed = put(exposed, name, {**exposed[name], "node": node, "param": port})
    return exposed


def _inner_view(
    graph: Graph, chosen: Collection[str], boxed: Collection[Box]
) -> tuple[dict[str, Any], Point | None]:
    """Places, dots, thumbnails, frames and notes of what goes inside, and where the node outside stands."""
    entries = {}
    for key in PER_NODE[1:]:
        known = graph.view.get(key)
        found = {node: known[node] for node in chosen if node in known} if isinstance(known, Mapping) else {}
        if found:
            entries[key] = found
    places = {node: at for node in chosen if (at := graph.position(node)) is not None}
    place = anchor(places.values())
    if place is None:
        return entries, None
    left, right = min(x for x, _ in places.values()), max(x for x, _ in places.values())
    part = Graph({**{node: graph.nodes[node] for node in chosen}, INPUTS: _EMPTY, OUTPUTS: _EMPTY})
    part = with_positions(
        part, {**places, INPUTS: (left - PORT_GAP, place[1]), OUTPUTS: (right + PORT_GAP, place[1])}
    )
    return dict(sorted({**with_boxes(part, boxed).view, **entries}.items())), place


_EMPTY = NodeRecord.new("graph.port")


def _without_entries(graph: Graph, nodes: Collection[str]) -> Graph:
    """The graph without the places, dots and thumbnails of some nodes."""
    for key in PER_NODE:
        known = graph.view.get(key)
        if isinstance(known, Mapping) and not known.keys().isdisjoint(nodes):
            left = {node: entry for node, entry in known.items() if node not in nodes}
            keep = left or key == PER_NODE[0]
            graph = graph.with_view(key, left) if keep else graph.with_field("view", drop(graph.view, key))
    return graph


# --- dissolving ------------------------------------------------------------------------------------------


def dissolve(graph: Graph, node: str) -> tuple[Graph, list[str]]:
    """Put what is in a subgraph in place of the node that stands for it; gives the ids it has now.

    A definition that no other node uses goes with it.

    Raises:
        UnknownSubgraph, SubgraphBroken: the node stands for nothing that could be put there.
    """
    record = graph.nodes[node]
    definition = Definitions(graph).of(record)
    rest = drop(graph.nodes, node)
    names = _names(rest, definition)
    inside = {names[id]: _renamed(inner, names) for id, inner in definition.nodes.items()}
    _hand_down(record, definition, names, inside)
    if record.mode != "active":
        inside = {
            id: inner.with_mode(record.mode) if inner.mode == "active" else inner
            for id, inner in inside.items()
        }
    result = replace(
        graph, nodes={id: _led_inside(other, node, definition, names) for id, other in rest.items()}
    )
    for id, inner in inside.items():
        given = {port: link for port, link in inner.inputs.items() if link.node == node}
        for port, link in given.items():  # a link from itself, through the subgraph
            inner = _given(inner, port, link, definition, names)
        result = result.with_node(id, inner)
    result = _exposed_inside(result, node, definition, names)
    result = _places_inside(graph, result, node, definition.name, names)
    if uses(graph, definition.name) <= 1:
        left = drop(definitions_of(result), definition.name)
        fields = drop(result.fields, "subgraphs") if not left else put(result.fields, "subgraphs", left)
        result = replace(result, fields=fields)
    return result, list(names.values())


def _names(taken: Mapping[str, NodeRecord], definition: Definition) -> dict[str, str]:
    """New ids for the nodes inside: their own where they are free."""
    known = Graph(dict(taken))
    names: dict[str, str] = {}
    for id, record in definition.nodes.items():
        names[id] = id if id not in known.nodes and id not in names.values() else ""
        if not names[id]:
            head, _, tail = id.rpartition("_")
            base = head if head and tail.isdigit() else id
            others = {**known.nodes, **dict.fromkeys(definition.nodes, record)}
            names[id] = Graph({**others, **{name: record for name in names.values() if name}}).free_id(base)
    return names


def _renamed(record: NodeRecord, names: Mapping[str, str]) -> NodeRecord:
    for port, link in record.inputs.items():
        if link.node in names and names[link.node] != link.node:
            record = _with_link(record, port, (names[link.node], link.output))
    return record


def _hand_down(
    record: NodeRecord, definition: Definition, names: Mapping[str, str], inside: dict[str, NodeRecord]
) -> None:
    """Give values and links of the node outside to the nodes inside."""
    for port, places in definition.inputs.items():
        for inner, name in places:
            id = names[inner]
            if port in record.inputs:
                inside[id] = inside[id].with_input(name, record.inputs[port])
            elif port in record.params:
                inside[id] = inside[id].with_param(name, record.params[port])


def _led_inside(
    record: NodeRecord, node: str, definition: Definition, names: Mapping[str, str]
) -> NodeRecord:
    for port, link in record.inputs.items():
        if link.node == node:
            record = _given(record, port, link, definition, names)
    return record


def _given(
    record: NodeRecord, port: str, link: Link, definition: Definition, names: Mapping[str, str]
) -> NodeRecord:
    inner = definition.outputs.get(link.output)
    if inner is None:
        return record.without_input(port)
    return _with_link(record, port, (names[inner.node], inner.output))


def _exposed_inside(graph: Graph, node: str, definition: Definition, names: Mapping[str, str]) -> Graph:
    result = graph
    for name, (owner, param) in graph.exposed.items():
        places = definition.inputs.get(param) if owner == node else None
        if places:
            exposed: Mapping[str, Any] = result.fields["exposed"]
            entry = {**exposed[name], "node": names[places[0].node], "param": places[0].output}
            result = result.with_field("exposed", put(exposed, name, entry))
    return result


def _places_inside(graph: Graph, result: Graph, node: str, name: str, names: Mapping[str, str]) -> Graph:
    """Places, frames and notes from inside, moved to where the node outside stood."""
    inner = Graph(fields={"view": definitions_of(graph)[name].get("view", {})})
    places = {id: at for id in names if (at := inner.position(id)) is not None}
    start, goal = anchor(places.values()), graph.position(node)
    dx, dy = (goal[0] - start[0], goal[1] - start[1]) if start and goal else (0.0, 0.0)
    result = _without_entries(result, [node])
    result = with_positions(result, {names[id]: (x + dx, y + dy) for id, (x, y) in places.items()})
    for key in PER_NODE[1:]:
        entries = inner.view.get(key)
        for id, entry in entries.items() if isinstance(entries, Mapping) else ():
            if id in names:
                known = result.view.get(key)
                moved = _moved_dots(entry, dx, dy) if key == "waypoints" and (dx or dy) else entry
                there: Mapping[str, Any] = known if isinstance(known, Mapping) else {}
                result = result.with_view(key, put(there, names[id], moved))
    for box in boxes(inner).values():
        taken = box.key in boxes(result)
        id = free_box_id(result, box.kind) if taken else box.id
        result = with_boxes(result, [replace(box.at(box.rect[0] + dx, box.rect[1] + dy), id=id)])
    return result


def _moved_dots(entry: Any, dx: float, dy: float) -> Any:
    """The dots of a node's links (``{input: [[x, y], …]}``), moved; what is malformed stays."""
    try:
        return {port: [[x + dx, y + dy] for x, y in points] for port, points in entry.items()}
    except (AttributeError, TypeError, ValueError):
        return entry


# --- linked or independent -------------------------------------------------------------------------------


def is_linked(graph: Graph, node: str) -> bool:
    """Whether another node stands for the same subgraph, so that a change in one is one in all."""
    name = group_name(graph.nodes[node])
    return bool(name) and uses(graph, name) > 1


def made_independent(graph: Graph, nodes: Iterable[str]) -> Graph:
    """Give each of these nodes a subgraph for itself, a copy where others use it; the same graph if none."""
    counts: dict[str, int] = {}
    result = graph
    for node in nodes:
        name = group_name(result.nodes[node])
        count = counts.setdefault(name, uses(graph, name))
        if name not in definitions_of(result) or count < 2:
            continue
        counts[name] = count - 1
        known = definitions_of(result)
        own = free_name(known, name)
        result = result.with_field("subgraphs", put(known, own, known[name]))
        result = result.with_node(node, result.nodes[node].with_param(NAME, own))
    return result
