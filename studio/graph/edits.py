"""Pure functions on graphs that editing needs: a node's ports, what may connect, copy, paste, remove, place.

No Qt here: each takes a :class:`~pipelines.graph.document.Graph` and gives a new one, or an answer about one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from pipelines.errors import CycleFound, DiptychError, IncompatibleLink, UnknownInput, UnknownOutput
from pipelines.graph.document import Graph, NodeRecord, drop, put
from pipelines.graph.node import Input, Output
from pipelines.graph.registry import NodeSchema, Registry
from pipelines.graph.subgraph_file import SUBGRAPH
from pipelines.graph.types import connects
from studio.graph.previews import without_previews
from studio.graph.subgraph_ports import PORT_FAULTS, group_name, group_ports


def inputs_of(schema: NodeSchema, record: NodeRecord) -> tuple[Input, ...]:
    """The declared input ports of a node with these params (defaults where the file has none)."""
    try:
        return schema.inputs(record.params)
    except PORT_FAULTS:
        return schema.node.inputs


def outputs_of(schema: NodeSchema, record: NodeRecord) -> tuple[Output, ...]:
    """The output ports of a node with these params."""
    try:
        return schema.outputs(record.params)
    except PORT_FAULTS:
        return schema.node.outputs


def new_ports(schema: NodeSchema) -> tuple[tuple[Input, ...], tuple[Output, ...]]:
    """The ports of a node of this type before anything is set."""
    record = NodeRecord.new(schema.id, schema.node.version)
    return inputs_of(schema, record), outputs_of(schema, record)


def node_ports(graph: Graph, registry: Registry, node: str) -> tuple[tuple[Input, ...], tuple[Output, ...]]:
    """The declared ports of a node, be it of a known type or one that stands for a subgraph."""
    record = graph.nodes[node]
    if record.type == SUBGRAPH:
        return group_ports(graph, registry, record)
    schema = registry.get(record.type)
    return (inputs_of(schema, record), outputs_of(schema, record)) if schema is not None else ((), ())


def input_port(graph: Graph, registry: Registry, node: str, name: str) -> Input | None:
    """The input or linkable param called ``name``; ``None`` if there is none, or the type is unknown."""
    record = graph.nodes.get(node)
    if record is not None and record.type == SUBGRAPH:
        return next((port for port in group_ports(graph, registry, record)[0] if port.name == name), None)
    schema = registry.get(record.type) if record else None
    if record is None or schema is None:
        return None
    declared = next((port for port in inputs_of(schema, record) if port.name == name), None)
    if declared is not None:
        return declared
    param = schema.params_by_name.get(name)
    return Input(name, param.type, param.title, param.description, default=param.default) if param else None


def output_port(graph: Graph, registry: Registry, node: str, name: str) -> Output | None:
    """The output called ``name``; ``None`` if there is none, or the type is unknown."""
    record = graph.nodes.get(node)
    if record is not None and record.type == SUBGRAPH:
        return next((port for port in group_ports(graph, registry, record)[1] if port.name == name), None)
    schema = registry.get(record.type) if record else None
    if record is None or schema is None:
        return None
    return next((port for port in outputs_of(schema, record) if port.name == name), None)


def upstream(graph: Graph, node: str) -> set[str]:
    """Every node that ``node`` needs, directly or not, without itself (unless it is in a circle)."""
    found: set[str] = set()
    waiting = deque([node])
    while waiting:
        record = graph.nodes.get(waiting.popleft())
        for link in record.inputs.values() if record else ():
            if link.node in graph.nodes and link.node not in found:
                found.add(link.node)
                waiting.append(link.node)
    return found


def downstream(graph: Graph, nodes: Iterable[str]) -> set[str]:
    """Every node that needs one of ``nodes``, directly or not, and ``nodes`` themselves."""
    users: dict[str, list[str]] = {}
    for node, _, link in graph.links():
        users.setdefault(link.node, []).append(node)
    found = set(nodes)
    waiting = deque(found)
    while waiting:
        for user in users.get(waiting.popleft(), ()):
            if user not in found:
                found.add(user)
                waiting.append(user)
    return found


def refusal(
    graph: Graph, registry: Registry, source: str, output: str, target: str, name: str
) -> DiptychError | None:
    """Why a wire from ``source.output`` may not end in ``target.name``; ``None`` if it may.

    Ports of unknown node types can't be judged and are allowed: validation names such nodes anyway.
    """
    titles = {node: title_of(graph, registry, node) for node in (source, target)}
    if source == target or source in downstream(graph, (target,)):
        names = ", ".join(dict.fromkeys((titles[target], titles[source])))
        return CycleFound(nodes=names, node=target, port=name)
    types = {graph.nodes[source].type, graph.nodes[target].type}
    if any(kind not in registry and kind != SUBGRAPH for kind in types):
        return None
    out, into = output_port(graph, registry, source, output), input_port(graph, registry, target, name)
    if into is None:
        known = _labels(node_ports(graph, registry, target)[0])
        return UnknownInput(name=name, known=known, node=target, port=name)
    if out is None:
        known = _labels(node_ports(graph, registry, source)[1])
        return UnknownOutput(
            source=titles[source], output=output, port_title=into.label, known=known, node=target, port=name
        )
    if not connects(out.type, into.type):
        return IncompatibleLink(
            port_title=into.label, expected=str(into.type), found=str(out.type), node=target, port=name
        )
    return None


def _labels(ports: Iterable[Input | Output]) -> str:
    return ", ".join(port.label for port in ports)


def title_of(graph: Graph, registry: Registry, node: str) -> str:
    """A node's name for people: its own title, else its type's, else what the file calls its type."""
    record = graph.nodes.get(node)
    if record is None:
        return node
    schema = registry.get(record.type)
    return record.title or (schema.title if schema else group_name(record) or record.type)


def label_of(graph: Graph, registry: Registry, node: str, name: str) -> str:
    """The source text that names an input or setting; what the file calls it if nobody knows it."""
    port = input_port(graph, registry, node, name)
    return port.label if port is not None else name


def with_positions(graph: Graph, positions: Mapping[str, tuple[float, float]]) -> Graph:
    """Put nodes in their places on the canvas, whole numbers as such; the same graph if none moved."""
    known = graph.view.get("positions")
    result: Mapping[str, Any] = known if isinstance(known, Mapping) else {}
    moved = False
    for node, at in positions.items():
        place = [int(v) if float(v).is_integer() else round(float(v), 1) for v in at]
        if node in graph.nodes and graph.position(node) != tuple(map(float, place)):
            result, moved = put(result, node, place), True
    return graph.with_view("positions", result) if moved else graph


def without_nodes(graph: Graph, ids: Collection[str]) -> Graph:
    """Remove nodes with every link from them, their places and the arguments that stood for their params."""
    gone = set(ids) & set(graph.nodes)
    if not gone:
        return graph
    nodes = {}
    for key, record in graph.nodes.items():
        if key in gone:
            continue
        for port, link in record.inputs.items():
            if link.node in gone:
                record = record.without_input(port)
        nodes[key] = record
    result = replace(graph, nodes=nodes)
    positions = graph.view.get("positions")
    if isinstance(positions, Mapping) and gone & set(positions):
        result = result.with_view("positions", {key: at for key, at in positions.items() if key not in gone})
    result = without_previews(result, gone)
    stale = [name for name, entry in graph.exposed.items() if entry.node in gone]
    exposed = graph.fields.get("exposed")
    for name in stale:
        exposed = drop(exposed, name) if isinstance(exposed, Mapping) else exposed
    return result.with_field("exposed", exposed) if stale else result
