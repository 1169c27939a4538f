"""Groups as entries of the search palette: those of the document, and those the user keeps. No Qt."""

from __future__ import annotations

from typing import Final

from pipelines.errors import DiptychError
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.node import Input, Inputs, Node, NodeParams, Output, Outputs
from pipelines.graph.registry import NodeSchema, Registry
from pipelines.graph.subgraph_file import NAME, SUBGRAPH
from studio.graph.group_library import GroupLibrary
from studio.graph.subgraph_ports import definitions_of, group_ports

OWN: Final = "group:"
"""What stands before the name of one of the document's groups, where a node type has its id."""
KEPT: Final = "library:"
"""The same for one that the user keeps."""


class _Group(Node):
    category = "Group"

    def run(self, inputs: Inputs, params: NodeParams, context: object) -> Outputs:
        raise NotImplementedError("it only shows a group where node types are shown")


def group_schemas(graph: Graph, registry: Registry, library: GroupLibrary) -> list[NodeSchema]:
    """An entry for each group, with its ports."""
    own = [_schema(OWN, name, graph, registry) for name in definitions_of(graph)]
    kept = []
    for name in library.names():
        try:
            part = library.load(name)
        except DiptychError:
            continue
        kept.append(_schema(KEPT, name, part, registry))
    return [*own, *kept]


def _schema(prefix: str, name: str, graph: Graph, registry: Registry) -> NodeSchema:
    record = next(iter(graph.nodes.values())) if prefix == KEPT and graph.nodes else instance_of(name)
    inputs, outputs = group_ports(graph, registry, record)
    return NodeSchema(_node(prefix, name, inputs, outputs))


def _node(prefix: str, name: str, inputs: tuple[Input, ...], outputs: tuple[Output, ...]) -> type[Node]:
    words = "A group of this document: placed again, it is linked." if prefix == OWN else "From your library."
    members = {"id": f"{prefix}{name}", "title": name, "inputs": inputs, "outputs": outputs, "__doc__": words}
    return type("Group", (_Group,), members)


def instance_of(name: str) -> NodeRecord:
    """A node that stands for a group."""
    return NodeRecord.new(SUBGRAPH, params={NAME: name})
