"""Subgraphs: named groups of nodes in the document, used as single nodes, and flattened before planning.

The document's field ``subgraphs`` holds them::

    {name: {"nodes": {id: node}, "inputs": {port: [id, input]}, "outputs": {port: [id, output]}}}

An input may also go to several places: ``[[id, input], [id, input]]``. A node of type ``graph.subgraph``
with the param ``subgraph`` uses one; its other params and its links are the inputs, and override what the
nodes inside have. A node inside is called ``outer/inner`` from then on. No recursion here, and none allowed
in the document.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.errors import (
    BothLiteralAndLink,
    DiptychError,
    ErrorInfo,
    SubgraphBroken,
    SubgraphRecursion,
    UnknownInput,
    UnknownOutput,
    UnknownParameter,
)
from pipelines.graph.document import NODE_ID, Graph, Link, NodeRecord
from pipelines.graph.subgraph_file import NAME, SUBGRAPH, Definition, Definitions, PortOf

MAX_NODES = 100_000
"""Most nodes a document may flatten to."""
MAX_DEPTH = 32
"""Most levels of subgraphs in subgraphs."""


@dataclass(slots=True)
class Instance:
    """A node that stands for a subgraph; the links of ``record`` carry flattened ids."""

    id: str
    record: NodeRecord
    definition: Definition


@dataclass(frozen=True, slots=True)
class Flat:
    """A document without subgraphs, and what went wrong on the way.

    ``generated`` are the ids made here; ``unexpanded`` the nodes that still stand for a subgraph, because it
    is muted, bypassed (``bypassed`` has the ports inside) or broken (``problems`` says why).
    """

    nodes: Mapping[str, NodeRecord]
    problems: Mapping[str, list[ErrorInfo]] = field(default_factory=dict)
    generated: frozenset[str] = frozenset()
    unexpanded: frozenset[str] = frozenset()
    bypassed: Mapping[str, tuple[dict[str, PortOf], dict[str, PortOf]]] = field(default_factory=dict)
    offers: Mapping[str, Mapping[str, Link]] = field(default_factory=dict)
    """Subgraph node -> what each of its outputs is: a node inside and an output of that."""
    used: frozenset[str] = frozenset()
    """Subgraph nodes that have a linked output."""

    def sinks(self) -> tuple[str, ...]:
        """The nodes none of whose outputs is linked: what a subgraph offers counts as linked as soon as
        anything of it is."""
        taken = self._linked() | {
            link.node for group in self.used for link in self.offers.get(group, {}).values()
        }
        return tuple(node for node in self.nodes if node not in taken)

    def inside(self, target: str) -> list[str]:
        """What to run for a target: the node itself, or what a subgraph offers and ends in; none if
        unknown."""
        if target in self.nodes:
            return [target]
        linked = self._linked()
        offered = {link.node for link in self.offers.get(target, {}).values()}
        inner = [node for node in self.nodes if node.startswith(f"{target}/") and node in self.generated]
        return [node for node in inner if node not in linked or node in offered]

    def _linked(self) -> set[str]:
        return {link.node for record in self.nodes.values() for link in record.inputs.values()}


def flatten(graph: Graph) -> Flat:
    """The document with every subgraph in place of the node that stands for it."""
    if not any(record.type == SUBGRAPH for record in graph.nodes.values()):
        return Flat(graph.nodes)
    return _Flattener(graph).run()


class _Flattener:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.definitions = Definitions(graph)
        self.nodes: dict[str, NodeRecord] = {}
        self.instances: dict[str, Instance] = {}
        self.problems: dict[str, list[ErrorInfo]] = {}
        self.generated: set[str] = set()
        self.unexpanded: set[str] = set()
        self.bypassed: dict[str, tuple[dict[str, PortOf], dict[str, PortOf]]] = {}
        self.used: set[str] = set()
        self.count = len(graph.nodes)

    def run(self) -> Flat:
        """Expand from the outside in, hand inputs down, then lead links to the nodes inside."""
        levels = deque([("", self.graph.nodes, ())])
        while levels:
            prefix, nodes, path = levels.popleft()
            for node, record in nodes.items():
                inner = self._place(prefix, node, record, path)
                if inner is not None:
                    levels.append(inner)
        for instance in self.instances.values():
            self._hand_down(instance)
        for node, record in self.nodes.items():
            if record.inputs:
                links = {port: self._resolved(node, port, link) for port, link in record.inputs.items()}
                self.nodes[node] = _with_links(record, links)
        return Flat(
            self.nodes, self.problems, frozenset(self.generated), frozenset(self.unexpanded), self.bypassed,
            self._offers(), frozenset(self.used),
        )  # fmt: skip

    # --- outside in ----------------------------------------------------------------------------------------

    def _place(self, prefix: str, node: str, record: NodeRecord, path: tuple[str, ...]) -> Any:
        """Put a node into the flat document, or remember what it stands for and return the level inside."""
        key = prefix + node
        if key in self.nodes:  # an outer node has a slash in its name, and is told so
            return None
        if prefix:
            self.generated.add(key)
            links = {port: Link(prefix + link.node, link.output) for port, link in record.inputs.items()}
            record = _with_links(record, links)
        if record.type == SUBGRAPH and NODE_ID.fullmatch(node) and record.mode != "muted":
            try:
                return self._expand(key, record, path)
            except DiptychError as error:
                self.problems[key] = [error.info().at(key)]
        if record.type == SUBGRAPH:
            self.unexpanded.add(key)
        self.nodes[key] = record
        return None

    def _expand(self, key: str, record: NodeRecord, path: tuple[str, ...]) -> Any:
        definition = self.definitions.of(record)
        if record.mode == "bypassed":
            self.bypassed[key] = self.definitions.ports(definition)
            self.unexpanded.add(key)
            self.nodes[key] = record
            return None
        name = definition.name
        if name in path:
            shown = " → ".join([*path[path.index(name) :], name])
            raise SubgraphRecursion(name=name, path=shown, port=NAME)
        if len(path) >= MAX_DEPTH:
            raise SubgraphBroken(name=name, reason=f"It is nested more than {MAX_DEPTH} levels deep.")
        if self.count + len(definition.nodes) > MAX_NODES:
            raise SubgraphBroken(name=name, reason=f"The graph would have more than {MAX_NODES} nodes.")
        _check_inputs(record, definition)
        self.count += len(definition.nodes)
        self.generated.discard(key)
        self.instances[key] = Instance(key, record, definition)
        return f"{key}/", definition.nodes, (*path, name)

    # --- links ---------------------------------------------------------------------------------------------

    def _hand_down(self, instance: Instance) -> None:
        """Give the literals and links of a subgraph node to the nodes inside."""
        record = instance.record
        values: list[tuple[str, Any]] = [
            (name, value) for name, value in record.params.items() if name != NAME
        ]
        for name, value in [*values, *record.inputs.items()]:
            for inner in instance.definition.inputs[name]:
                target = f"{instance.id}/{inner.node}"
                owner = self.instances.get(target)
                old = owner.record if owner else self.nodes[target]
                is_link = isinstance(value, Link)
                new = old.with_input(inner.output, value) if is_link else old.with_param(inner.output, value)
                if owner:
                    owner.record = new
                else:
                    self.nodes[target] = new

    def _resolved(self, node: str, port: str, link: Link) -> Link:
        """Follow a link into subgraphs down to a node; an output they don't have is noted at ``node``."""
        while (instance := self.instances.get(link.node)) is not None:
            inner = instance.definition.outputs.get(link.output)
            if inner is None:
                known = ", ".join(instance.definition.outputs) or "nothing"
                title = instance.record.title or instance.definition.name
                error = UnknownOutput(source=title, output=link.output, port_title=port, known=known)
                self.problems.setdefault(node, []).append(error.info().at(node, port))
                return link
            self.used.add(instance.id)
            link = Link(f"{instance.id}/{inner.node}", inner.output)
        return link

    def _offers(self) -> dict[str, dict[str, Link]]:
        offers: dict[str, dict[str, Link]] = {}
        for instance in self.instances.values():
            offered = offers[instance.id] = {}
            for name, inner in instance.definition.outputs.items():
                node, output = f"{instance.id}/{inner.node}", inner.output
                while (within := self.instances.get(node)) is not None:
                    link = within.definition.outputs[output]
                    node, output = f"{node}/{link.node}", link.output
                offered[name] = Link(node, output)
        return offers


def _check_inputs(record: NodeRecord, definition: Definition) -> None:
    """Raise for a value or link that the subgraph has no input for, or for both at one input."""
    known = ", ".join(definition.inputs) or "nothing"
    for name in record.inputs:
        if name not in definition.inputs:
            raise UnknownInput(name=name, known=known, port=name)
        if name in record.params:
            raise BothLiteralAndLink(port_title=name, port=name)
    for name in record.params:
        if name not in definition.inputs and name != NAME:
            title = record.title or definition.name
            raise UnknownParameter(node_title=title, name=name, known=known, port=name)


def _with_links(record: NodeRecord, links: Mapping[str, Link]) -> NodeRecord:
    if links == record.inputs:
        return record
    return NodeRecord.from_json(
        {**record.fields, "inputs": {port: list(link) for port, link in links.items()}}
    )
