"""Nodes on any level of a document, by their flattened ids (``outer/inner``). Pure functions, no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.errors import DiptychError
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import Registry
from pipelines.graph.subgraph_file import Definition, Definitions
from studio.graph.edits import title_of
from studio.graph.subgraph_ports import definitions_of


@dataclass(frozen=True, slots=True)
class Place:
    """A node where one can edit it. ``path`` are the nodes to go into, from the outside in."""

    path: tuple[str, ...]
    node: str
    record: NodeRecord

    @property
    def id(self) -> str:
        """The flattened id."""
        return "/".join((*self.path, self.node))


def _places(graph: Graph, id: str) -> list[tuple[Place, Definition | None]]:
    """The groups that a node is in, from the outside in, and the node, each with what is inside of it; as
    far as they are there."""
    found: list[tuple[Place, Definition | None]] = []
    definitions = Definitions(graph)
    nodes: Mapping[str, NodeRecord] = graph.nodes
    path: tuple[str, ...] = ()
    for node in id.split("/"):
        record = nodes.get(node)
        if record is None:
            break
        try:
            definition = definitions.of(record)
        except DiptychError:
            definition = None
        found.append((Place(path, node, record), definition))
        nodes, path = definition.nodes if definition is not None else {}, (*path, node)
    return found


def place_of(graph: Graph, id: str) -> Place | None:
    """Where a node is; ``None`` if there is no such node."""
    found = _places(graph, id)
    return found[-1][0] if len(found) == id.count("/") + 1 else None


def value_place(graph: Graph, id: str, port: str) -> tuple[Place, str] | None:
    """Where the value of an input or param stands, and its name there: at the node itself, or at a group
    round it that hands it down. ``None`` if there is no such node."""
    found = _places(graph, id)
    if len(found) != id.count("/") + 1:
        return None
    given = inner = found.pop()[0], port
    while found:
        group, definition = found.pop()
        inputs = definition.inputs if definition is not None else {}
        names = [name for name, links in inputs.items() if (inner[0].node, inner[1]) in links]
        if not names:
            break
        name = next((name for name in names if _has(group.record, name)), names[0])
        inner = group, name
        if _has(group.record, name):
            given = inner
    return given


def _has(record: NodeRecord, name: str) -> bool:
    return name in record.params or name in record.inputs


def titles(graph: Graph, registry: Registry, id: str) -> str:
    """What to call a node on any level: ``Group › Node``; of what is gone, the groups that are left."""
    fields = {"subgraphs": definitions_of(graph)}
    parts = [
        title_of(Graph({place.node: place.record}, fields), registry, place.node)
        for place, _ in _places(graph, id)
    ]
    return " › ".join(parts) or id
