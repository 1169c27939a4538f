"""What the document's field ``subgraphs`` says, read and checked (see :mod:`pipelines.graph.subgraphs`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

from pipelines.errors import DiptychError, SubgraphBroken, UnknownSubgraph
from pipelines.graph.document import NODE_ID, Graph, Link, NodeRecord

SUBGRAPH = "graph.subgraph"
"""The type of a node that stands for a subgraph."""
NAME = "subgraph"
"""Its param that says which."""


class PortOf(NamedTuple):
    """A port of a node inside."""

    record: NodeRecord
    port: str


@dataclass(frozen=True, slots=True)
class Definition:
    """A subgraph: its nodes, where each input goes, and where each output comes from."""

    name: str
    nodes: Mapping[str, NodeRecord]
    inputs: Mapping[str, tuple[Link, ...]]
    outputs: Mapping[str, Link]


class Definitions:
    """The subgraphs of a document, each read once, when it is first used."""

    def __init__(self, graph: Graph) -> None:
        found = graph.fields.get("subgraphs")
        self._source: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
        self._read: dict[str, Definition | DiptychError] = {}

    def of(self, record: NodeRecord) -> Definition:
        """The subgraph that a node stands for.

        Raises:
            UnknownSubgraph: there is none of that name.
            SubgraphBroken: it is not well-formed; the reason names the node and the port.
        """
        name = record.params.get(NAME)
        if not isinstance(name, str) or name not in self._source:
            known = ", ".join(self._source) or "none"
            raise UnknownSubgraph(name=str(name)[:80], known=known[:500], port=NAME)
        if name not in self._read:
            try:
                self._read[name] = self._definition(name)
            except DiptychError as error:
                self._read[name] = error
        found = self._read[name]
        if isinstance(found, DiptychError):
            raise found
        return found

    def ports(self, definition: Definition) -> tuple[dict[str, PortOf], dict[str, PortOf]]:
        """The ports of nodes inside that the inputs and outputs of a subgraph are, as far as they can be
        found."""
        inputs = {
            name: self._leaf(definition, links[0], "inputs") for name, links in definition.inputs.items()
        }
        outputs = {name: self._leaf(definition, link, "outputs") for name, link in definition.outputs.items()}
        return (
            {name: port for name, port in inputs.items() if port is not None},
            {name: port for name, port in outputs.items() if port is not None},
        )

    def _leaf(self, definition: Definition, link: Link, side: str) -> PortOf | None:
        seen = set()
        while (record := definition.nodes[link.node]).type == SUBGRAPH and definition.name not in seen:
            seen.add(definition.name)
            try:
                definition = self.of(record)
            except (UnknownSubgraph, SubgraphBroken):
                return None
            link = definition.inputs[link.output][0] if side == "inputs" else definition.outputs[link.output]
        return None if record.type == SUBGRAPH else PortOf(record, link.output)

    def _definition(self, name: str) -> Definition:
        source = self._source[name]
        parts = [source.get(key, {}) for key in ("nodes", "inputs", "outputs")] if _is_map(source) else []
        if not parts or not all(map(_is_map, parts)):
            reason = "Its nodes, inputs and outputs must be objects."
            raise SubgraphBroken(name=name, reason=reason, port=NAME)
        nodes = {}
        for key, value in parts[0].items():
            if not NODE_ID.fullmatch(key):
                raise SubgraphBroken(name=name, reason=f"“{key[:80]}” is not a usable node id.", port=NAME)
            nodes[key] = NodeRecord.from_json(value, key, name)
        inputs, outputs = {}, {}
        for port, value in parts[1].items():
            several = isinstance(value, list | tuple) and value and not isinstance(value[0], str)
            links = value if several else [value]
            inputs[port] = tuple(self._link(name, nodes, port, link, "inputs") for link in links)
        for port, value in parts[2].items():
            outputs[port] = self._link(name, nodes, port, value, "outputs")
        if NAME in inputs:
            raise SubgraphBroken(name=name, reason=f"No input can be called “{NAME}”.", port=NAME)
        return Definition(name, nodes, inputs, outputs)

    def _link(self, name: str, nodes: Mapping[str, NodeRecord], port: str, link: Any, side: str) -> Link:
        """A port's place inside, which must be there (a node's own ports are checked with the node)."""
        shape = (
            isinstance(link, list | tuple) and len(link) == 2 and all(isinstance(part, str) for part in link)
        )
        if not shape:
            reason = f"The port {port} is not of the form [node, port]."
            raise SubgraphBroken(name=name, reason=reason, port=NAME)
        node, inner = link
        record = nodes.get(node)
        if record is None:
            reason = f"The port {port} leads to a node that isn't there: {node}."
            raise SubgraphBroken(name=name, reason=reason, port=NAME)
        if record.type == SUBGRAPH:
            within = self._source.get(str(record.params.get(NAME)))
            known = within.get(side) if _is_map(within) else None
            if _is_map(within) and not (_is_map(known) and inner in known):
                reason = f"The port {port} leads to one that {node} doesn't have: {inner}."
                raise SubgraphBroken(name=name, reason=reason, port=NAME)
        return Link(node, inner)


def _is_map(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)
