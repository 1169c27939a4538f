"""The ports of a node that stands for a subgraph, typed by the nodes inside that they belong to. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipelines.errors import DiptychError
from pipelines.graph import types as port_types
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.node import Input, Output
from pipelines.graph.registry import NodeSchema, ParamSchema, Registry
from pipelines.graph.subgraph_file import NAME, SUBGRAPH, Definitions, PortOf

PORT_FAULTS = (TypeError, ValueError, KeyError, AttributeError)
"""What a node type may raise when params in a file have the wrong kind."""

USES = "group_uses"
"""A field of the graph that is the inside of a subgraph: how often each subgraph is used in the document."""


def group_ports(
    graph: Graph, registry: Registry, record: NodeRecord
) -> tuple[tuple[Input, ...], tuple[Output, ...]]:
    """Inputs and outputs of the subgraph that ``record`` stands for; none if it is broken or missing.

    A port has the type, range and default of the one inside, and the name it was given as its title.
    """
    definitions = Definitions(graph)
    try:
        found = definitions.of(record)
    except DiptychError:
        return (), ()
    inside, outside = definitions.ports(found)
    inputs = tuple(_input(registry, name, inside.get(name)) for name in found.inputs)
    outputs = tuple(_output(registry, name, outside.get(name)) for name in found.outputs)
    return inputs, outputs


def group_params(graph: Graph, registry: Registry, record: NodeRecord) -> dict[str, ParamSchema]:
    """The inputs of a subgraph that are params inside, with their ranges and choices, by their names here."""
    definitions = Definitions(graph)
    try:
        inside = definitions.ports(definitions.of(record))[0]
    except DiptychError:
        return {}
    found = {}
    for name, inner in inside.items():
        schema = registry.get(inner.record.type)
        param = schema.params_by_name.get(inner.port) if schema is not None else None
        if param is not None:
            literal = inner.record.params.get(inner.port, param.default)
            found[name] = replace(param, name=name, title=_label(name), default=literal)
    return found


def group_name(record: NodeRecord) -> str:
    """The name of the subgraph that a node stands for; empty if it stands for none."""
    name = record.params.get(NAME)
    return name if record.type == SUBGRAPH and isinstance(name, str) else ""


def definitions_of(graph: Graph) -> Mapping[str, Any]:
    """The document's subgraphs as JSON, by name."""
    found = graph.fields.get("subgraphs")
    return found if isinstance(found, Mapping) else {}


def uses(graph: Graph, name: str) -> int:
    """How many nodes, outside and inside of other subgraphs, stand for the subgraph ``name``."""
    counted = graph.fields.get(USES)
    if isinstance(counted, Mapping):
        return int(counted.get(name, 0))
    count = sum(group_name(record) == name for record in graph.nodes.values())
    for definition in definitions_of(graph).values():
        nodes = definition.get("nodes") if isinstance(definition, Mapping) else None
        for fields in nodes.values() if isinstance(nodes, Mapping) else ():
            count += isinstance(fields, Mapping) and _named(fields) == name
    return count


def all_uses(graph: Graph) -> dict[str, int]:
    """:func:`uses` of every subgraph of a document."""
    return {name: uses(graph, name) for name in definitions_of(graph)}


def _named(fields: Mapping[str, Any]) -> object:
    params = fields.get("params")
    return params.get(NAME) if fields.get("type") == SUBGRAPH and isinstance(params, Mapping) else None


def _input(registry: Registry, name: str, inner: PortOf | None) -> Input:
    label = _label(name)
    schema = registry.get(inner.record.type) if inner is not None else None
    if inner is None or schema is None:
        return Input(name, port_types.Any, label, default=None)
    port = _inner_input(schema, inner)
    if port is None:
        return Input(name, port_types.Any, label, default=None)
    literal = inner.record.params.get(inner.port, port.default)
    return replace(port, name=name, title=label, default=literal, lazy=False)


def _inner_input(schema: NodeSchema, inner: PortOf) -> Input | None:
    try:
        return schema.port(inner.port, inner.record.params)
    except PORT_FAULTS:
        return schema.param_port(inner.port)


def _output(registry: Registry, name: str, inner: PortOf | None) -> Output:
    schema = registry.get(inner.record.type) if inner is not None else None
    ports: tuple[Output, ...] = ()
    if inner is not None and schema is not None:
        try:
            ports = schema.outputs(inner.record.params)
        except PORT_FAULTS:
            ports = schema.node.outputs
    kind = next((port.type for port in ports if inner is not None and port.name == inner.port), None)
    return Output(name, kind or port_types.Any, _label(name))


def _label(name: str) -> str:
    """A port's name as it is shown; names given by people are shown as they are."""
    plain = name.replace("_", " ")
    return plain[:1].upper() + plain[1:]
