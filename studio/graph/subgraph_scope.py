"""The inside of a subgraph as a graph of its own, and back. Pure functions, no Qt.

Inside, two more nodes stand for the ports (:data:`~studio.graph.subgraph_edits.INPUTS` and ``OUTPUTS``): a
wire from the first makes an input, a wire into the second an output, and their last port, :data:`NEW`, waits
for one more. Everything else is as in the document, so that whatever edits graphs edits these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipelines.errors import DiptychError
from pipelines.graph import types as port_types
from pipelines.graph.document import FORMAT, Graph, Link, NodeRecord, drop, put
from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param
from pipelines.graph.registry import NodeSchema, Registry
from pipelines.graph.subgraph_file import NAME, SUBGRAPH, Definitions
from pipelines.graph.types import TYPES, PortType
from studio.graph.edits import input_port, output_port
from studio.graph.subgraph_edits import INPUTS, OUTPUTS, free_name
from studio.graph.subgraph_ports import USES, all_uses, definitions_of, group_name

NEW = "+"
"""The port, inside, that becomes another port of the subgraph when something is connected with it."""
PORTS = "ports"


class _Ports(Node):
    class Params(NodeParams):
        ports: dict[str, str] = Param({}, "Ports")

    def run(self, inputs: Inputs, params: Any, context: Context) -> Outputs:
        raise NotImplementedError("it stands for ports while a subgraph is edited, and never runs")


class InputPorts(_Ports):
    """What comes into this subgraph. A wire from its last port makes another input."""

    id, title, category = "graph.inputs", "Inputs", "Logic"

    @classmethod
    def output_ports(cls, params: Mapping[str, Any]) -> tuple[Output, ...]:
        found = tuple(Output(name, _type(kind), _label(name)) for name, kind in params[PORTS].items())
        return (*found, Output(NEW, port_types.Any, "New input"))


class OutputPorts(_Ports):
    """What this subgraph gives. A wire into its last port makes another output."""

    id, title, category = "graph.outputs", "Outputs", "Logic"

    @classmethod
    def input_ports(cls, params: Mapping[str, Any]) -> tuple[Input, ...]:
        found = (Input(name, _type(kind), _label(name), default=None) for name, kind in params[PORTS].items())
        return (*found, Input(NEW, port_types.Any, "New output", default=None))


class ScopedRegistry(Registry):
    """The node types of a document, and those that stand for ports; only the former are listed."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(InputPorts, OutputPorts)
        self._rest = registry

    def get(self, type_id: str) -> NodeSchema | None:
        return self._rest.get(type_id) or super().get(type_id)

    def __getitem__(self, type_id: str) -> NodeSchema:
        found = self.get(type_id)
        if found is None:
            raise KeyError(type_id)
        return found

    def __contains__(self, type_id: object) -> bool:
        return isinstance(type_id, str) and self.get(type_id) is not None

    def __iter__(self) -> Any:
        return iter(self._rest)

    def __len__(self) -> int:
        return len(self._rest)


def _type(text: object) -> PortType:
    name = str(text)
    is_list = name.startswith("list[")
    known = TYPES.get(name[5:-1] if is_list else name, port_types.Any)
    return PortType(known.name, is_list)


def _label(name: str) -> str:
    plain = name.replace("_", " ")
    return plain[:1].upper() + plain[1:]


# --- in --------------------------------------------------------------------------------------------------


def inside(
    graph: Graph, name: str, registry: Registry, known: Mapping[str, NodeRecord] | None = None
) -> Graph:
    """The nodes of a subgraph as a graph; its other fields, and the document's subgraphs, are its fields.

    Args:
        graph: the whole document.
        name: of a subgraph that can be read.
        registry: types of the document's nodes.
        known: records of an earlier call, used again where they say the same, so that views see no change.
    """
    source: Mapping[str, Any] = definitions_of(graph)[name]
    fields = {
        **{key: value for key, value in source.items() if key not in ("nodes", "inputs", "outputs")},
        "format": FORMAT,
        "subgraphs": definitions_of(graph),
        USES: all_uses(graph),
    }
    records = {id: NodeRecord.from_json(data, id, name) for id, data in source.get("nodes", {}).items()}
    inner = Graph(records, fields)
    inputs: dict[str, str] = {}
    for port, places in source.get("inputs", {}).items():
        several = places if places and not isinstance(places[0], str) else [places]
        for node, target in several:
            records[node] = _led_from(records[node], target, port)
        into = input_port(inner, registry, *several[0])
        inputs[port] = str(into.type) if into is not None else "Any"
    links = {port: Link(*link) for port, link in source.get("outputs", {}).items()}
    outputs = {}
    for port, link in links.items():
        out = output_port(inner, registry, *link)
        outputs[port] = str(out.type) if out is not None else "Any"
    records[INPUTS] = NodeRecord.new(InputPorts.id, params={PORTS: inputs})
    records[OUTPUTS] = NodeRecord.new(OutputPorts.id, params={PORTS: outputs}, inputs=links)
    before = known or {}
    same = {
        id: before[id] if id in before and before[id].fields == record.fields else record
        for id, record in records.items()
    }
    return Graph(same, fields)


def _led_from(record: NodeRecord, target: str, port: str) -> NodeRecord:
    """A node with a link from the input; what it has there without one stays in its params."""
    links: dict[str, Any] = {name: list(link) for name, link in record.inputs.items()}
    return NodeRecord.from_json(put(record.fields, "inputs", put(links, target, [INPUTS, port])))


# --- out -------------------------------------------------------------------------------------------------


def outside(graph: Graph, name: str, inner: Graph) -> Graph:
    """The document with what :func:`inside` gave, edited, in place of the subgraph ``name``.

    Ports that went are taken from the nodes that stand for it, with their links.
    """
    places: dict[str, list[list[str]]] = {}
    nodes = {}
    order = list(inner.nodes[INPUTS].params.get(PORTS, {}))
    for id, record in inner.nodes.items():
        if id in (INPUTS, OUTPUTS):
            continue
        fields = record.fields
        for target, link in record.inputs.items():
            if link.node == INPUTS:
                places.setdefault(link.output, []).append([id, target])
                fields = _without_input(fields, target)
        nodes[id] = dict(fields)
    outputs = {port: link for port, link in inner.nodes[OUTPUTS].inputs.items() if link.node in nodes}
    ordered = [*(port for port in order if port in places), *(port for port in places if port not in order)]
    definition = {
        **{key: value for key, value in inner.fields.items() if key not in ("format", "subgraphs", USES)},
        "inputs": {port: places[port][0] if len(places[port]) == 1 else places[port] for port in ordered},
        "nodes": nodes,
        "outputs": {port: list(link) for port, link in outputs.items()},
    }
    changed = put(definitions_of(inner), name, dict(sorted(definition.items())))
    return fitted(graph.with_field("subgraphs", changed), name, definitions_of(graph).get(name, {}))


def _without_input(fields: Mapping[str, Any], target: str) -> Mapping[str, Any]:
    left = drop(fields["inputs"], target)
    return put(fields, "inputs", left) if left else drop(fields, "inputs")


# --- ports that went or have another name ----------------------------------------------------------------

Names = Mapping[str, str]


def fitted(
    graph: Graph,
    name: str,
    before: Mapping[str, Any],
    inputs: Names | None = None,
    outputs: Names | None = None,
) -> Graph:
    """The document with every use of a subgraph fitted to its ports: what is gone is disconnected.

    Args:
        graph: with the subgraph as it is now.
        name: which one.
        before: what it was.
        inputs: inputs that have another name now, by the old one.
        outputs: outputs, likewise.
    """
    waiting = [(name, before, inputs or {}, outputs or {})]
    while waiting:
        name, before, inputs, outputs = waiting.pop()
        ins = _moves(graph, name, before, "inputs", inputs)
        outs = _moves(graph, name, before, "outputs", outputs)
        if not ins and not outs:
            continue
        graph = _fitted_nodes(graph, name, ins, outs)
        for other, definition in definitions_of(graph).items():
            now = _fitted_definition(definition, name, ins, outs)
            if now is not definition:
                graph = graph.with_field("subgraphs", put(definitions_of(graph), other, now))
                waiting.append((other, definition, {}, {}))
    return graph


def _moves(
    graph: Graph, name: str, before: Mapping[str, Any], side: str, names: Names
) -> dict[str, str | None]:
    """Old name of a port -> its new one, or ``None`` if it is gone; only those that differ."""
    now = definitions_of(graph)[name].get(side, {})
    moves = {port: names.get(port, port if port in now else None) for port in before.get(side, {})}
    return {port: goal for port, goal in moves.items() if goal != port}


Moves = Mapping[str, str | None]


def _fitted_nodes(graph: Graph, name: str, ins: Moves, outs: Moves) -> Graph:
    data = {id: record.fields for id, record in graph.nodes.items()}
    users = {id for id, record in graph.nodes.items() if group_name(record) == name}
    nodes = dict(graph.nodes)
    for id, fields in _fitted_fields(data, users, ins, outs).items():
        if fields is not data[id]:
            nodes[id] = NodeRecord.from_json(fields, id)
    graph = replace(graph, nodes=nodes)
    exposed = graph.fields.get("exposed")
    for argument, (node, param) in graph.exposed.items():
        if node in users and param in ins and isinstance(exposed, Mapping):
            goal = ins[param]
            kept = drop(exposed, argument)
            exposed = kept if goal is None else put(exposed, argument, {**exposed[argument], "param": goal})
    return graph.with_field("exposed", exposed) if exposed is not graph.fields.get("exposed") else graph


def _fitted_definition(definition: Any, name: str, ins: Moves, outs: Moves) -> Any:
    nodes = definition.get("nodes") if isinstance(definition, Mapping) else None
    if not isinstance(nodes, Mapping):
        return definition
    users = {id for id, fields in nodes.items() if _stands_for(fields, name)}
    if not users or not _is_whole(definition):
        return definition
    new = _fitted_fields(nodes, users, ins, outs)
    inputs = {}
    for port, places in definition.get("inputs", {}).items():
        several = places if places and not isinstance(places[0], str) else [places]
        left = [[node, ins.get(at, at) if node in users else at] for node, at in several]
        left = [place for place in left if place[1] is not None]
        if left:
            inputs[port] = left[0] if len(left) == 1 else left
    outputs = {
        port: [node, outs.get(at, at) if node in users else at]
        for port, (node, at) in definition.get("outputs", {}).items()
    }
    outputs = {port: link for port, link in outputs.items() if link[1] is not None}
    return {**definition, "inputs": inputs, "nodes": new, "outputs": outputs}


def _is_whole(definition: Mapping[str, Any]) -> bool:
    """Whether a definition can be read; one that can't be is left as it is."""
    probe = NodeRecord.new(SUBGRAPH, params={NAME: ""})
    try:
        Definitions(Graph(fields={"subgraphs": {"": definition}})).of(probe)
    except DiptychError:
        return False
    return True


def _stands_for(fields: Any, name: str) -> bool:
    params = fields.get("params") if isinstance(fields, Mapping) else None
    return isinstance(params, Mapping) and fields.get("type") == SUBGRAPH and params.get(NAME) == name


def _fitted_fields(
    nodes: Mapping[str, Any], users: set[str], ins: Moves, outs: Moves
) -> dict[str, Mapping[str, Any]]:
    result: dict[str, Mapping[str, Any]] = {}
    for id, fields in nodes.items():
        if id in users:
            for part in ("params", "inputs"):
                known = fields.get(part, {})
                if not ins.keys().isdisjoint(known):
                    moved = ((ins.get(port, port), value) for port, value in known.items())
                    fields = put(fields, part, {port: value for port, value in moved if port is not None})
        links = fields.get("inputs", {})
        if any(link[0] in users and link[1] in outs for link in links.values()):
            led = {
                port: [link[0], outs.get(link[1], link[1]) if link[0] in users else link[1]]
                for port, link in links.items()
            }
            left = {port: link for port, link in led.items() if link[1] is not None}
            fields = put(fields, "inputs", left)
        result[id] = fields
    return result


# --- names -----------------------------------------------------------------------------------------------


def renamed(graph: Graph, name: str, wanted: str) -> Graph:
    """Call a subgraph something else, everywhere; a taken name gets a number. Nothing happens for none."""
    wanted = wanted.strip()[:80]
    if not wanted or wanted == name:
        return graph
    goal = free_name(definitions_of(graph), wanted)
    subgraphs = {
        (goal if key == name else key): _renamed_inside(value, name, goal)
        for key, value in definitions_of(graph).items()
    }
    nodes = {
        id: record.with_param(NAME, goal) if group_name(record) == name else record
        for id, record in graph.nodes.items()
    }
    return replace(graph, nodes=nodes).with_field("subgraphs", subgraphs)


def _renamed_inside(definition: Any, name: str, goal: str) -> Any:
    nodes = definition.get("nodes") if isinstance(definition, Mapping) else None
    if not isinstance(nodes, Mapping) or not any(_stands_for(fields, name) for fields in nodes.values()):
        return definition
    new = {
        id: {**fields, "params": {**fields["params"], NAME: goal}} if _stands_for(fields, name) else fields
        for id, fields in nodes.items()
    }
    return {**definition, "nodes": new}


def with_port_name(graph: Graph, name: str, side: str, port: str, wanted: str) -> Graph:
    """Call a port of a subgraph something else, in the definition and at every use.

    Args:
        graph: the whole document.
        name: the subgraph.
        side: ``inputs`` or ``outputs``.
        port: its name now.
        wanted: its name from now on; one that is taken gets a number.
    """
    before = definitions_of(graph)[name]
    ports = before.get(side, {})
    wanted = wanted.strip()[:80]
    if not wanted or wanted == port or port not in ports:
        return graph
    goal = free_name({*ports, NAME, NEW}, wanted)
    now = {**before, side: {(goal if key == port else key): value for key, value in ports.items()}}
    graph = graph.with_field("subgraphs", put(definitions_of(graph), name, now))
    moves = {port: goal}
    return fitted(graph, name, before, moves if side == "inputs" else {}, moves if side == "outputs" else {})
