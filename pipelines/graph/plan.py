"""From a document to a plan: which nodes there are, in which order, wired how, and what is wrong with each.

Everything here is iterative and linear in nodes and links. A plan still contains broken nodes, marked with
their problems, so that healthy targets run all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.errors import BadNodeId, CycleFound, ErrorInfo, UnknownTarget
from pipelines.graph.check import check_links, check_params
from pipelines.graph.document import NODE_ID, Graph, Link, NodeRecord
from pipelines.graph.node import Input, Output
from pipelines.graph.registry import NodeSchema, Registry
from pipelines.graph.types import PortType


@dataclass(slots=True)
class PlannedNode:
    """A node ready to be keyed and run: its schema, literals, and where each linked name comes from."""

    id: str
    record: NodeRecord
    schema: NodeSchema | None
    literals: Mapping[str, Any] = field(default_factory=dict)
    """Params and input literals as written, completed with defaults; linked names are absent."""
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    links: dict[str, Link] = field(default_factory=dict)
    ports: dict[str, Input] = field(default_factory=dict)
    """The input port of each linked name, be it a declared input or a linkable param."""
    problems: list[ErrorInfo] = field(default_factory=list)

    @property
    def title(self) -> str:
        return self.record.title or (self.schema.title if self.schema else self.record.type)

    @property
    def muted(self) -> bool:
        return self.record.mode == "muted"

    @property
    def linked_params(self) -> list[str]:
        """Linked names that are params: what is wanted, or read, may depend on their values."""
        known = self.schema.params_by_name if self.schema else {}
        return [name for name in self.links if name in known]


@dataclass(frozen=True, slots=True)
class Plan:
    """The nodes needed for ``targets``, each after the nodes it depends on."""

    nodes: Mapping[str, PlannedNode]
    order: tuple[str, ...]
    targets: tuple[str, ...]
    problems: tuple[ErrorInfo, ...]

    @property
    def errors(self) -> tuple[ErrorInfo, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")


def plan(graph: Graph, registry: Registry, targets: Iterable[str] | None = None) -> Plan:
    """Make a plan. Without ``targets``: the nodes none of whose outputs is linked. Problems are in the
    plan."""
    nodes = {node: _planned(node, record, registry) for node, record in graph.nodes.items()}
    problems: list[ErrorInfo] = []
    wanted = tuple(dict.fromkeys(targets)) if targets is not None else graph.sinks()
    for target in wanted:
        if target not in nodes:
            problems.append(UnknownTarget(target=target, known=_some(graph.nodes)).info())
    wanted = tuple(target for target in wanted if target in nodes)
    if not wanted and nodes and targets is None:
        wanted = tuple(nodes)  # every node feeds another: there is a cycle, and each of them must be told
    _resolve_bypassed(nodes)
    needed = _closure(nodes, wanted)
    order = _order(nodes, needed)
    for node in order:
        check_links(nodes[node], nodes)
    problems += [problem for node in order for problem in nodes[node].problems]
    return Plan({node: nodes[node] for node in order}, tuple(order), wanted, tuple(problems))


def validate(graph: Graph, registry: Registry) -> list[ErrorInfo]:
    """Every problem of the whole document at once, each with node and port; errors and warnings."""
    return list(plan(graph, registry, graph.nodes).problems)


def _planned(node: str, record: NodeRecord, registry: Registry) -> PlannedNode:
    planned = PlannedNode(node, record, registry.get(record.type), links=dict(record.inputs))
    if not NODE_ID.fullmatch(node):
        planned.problems.append(BadNodeId(node=node).info().at(node))
    check_params(planned)
    return planned


def _some(names: Iterable[str], limit: int = 12) -> str:
    names = list(names)
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _resolve_bypassed(nodes: Mapping[str, PlannedNode]) -> None:
    """Let links that come from a bypassed node come from what it passes through instead."""
    for planned in nodes.values():
        for name, link in list(planned.links.items()):
            seen: set[Link] = set()
            while (source := nodes.get(link.node)) and source.record.mode == "bypassed" and link not in seen:
                seen.add(link)
                through = _passes(source, link.output)
                if through is None:
                    break
                link = through
            planned.links[name] = link


def _passes(node: PlannedNode, output: str) -> Link | None:
    """The link that a bypassed node passes to ``output``: its first linked input of the same type."""
    kind: PortType | None = next((port.type for port in node.outputs if port.name == output), None)
    for name, link in node.links.items():
        port = node.ports.get(name)
        if port is not None and kind is not None and port.type == kind:
            return link
    return None


def _closure(nodes: Mapping[str, PlannedNode], targets: Iterable[str]) -> set[str]:
    needed: set[str] = set()
    stack = list(targets)
    while stack:
        node = stack.pop()
        if node not in needed:
            needed.add(node)
            stack += [link.node for link in nodes[node].links.values() if link.node in nodes]
    return needed


def _order(nodes: Mapping[str, PlannedNode], needed: set[str]) -> list[str]:
    """Kahn's algorithm in document order; nodes in or behind a cycle come last, the cycle is reported at its
    nodes."""
    feeds: dict[str, list[str]] = {node: [] for node in needed}
    waiting = {}
    ids = [node for node in nodes if node in needed]
    for node in ids:
        sources = {link.node for link in nodes[node].links.values() if link.node in needed}
        waiting[node] = len(sources)
        for source in sources:
            feeds[source].append(node)
    ready = [node for node in ids if not waiting[node]]
    order = []
    for node in ready:
        order.append(node)
        for consumer in feeds[node]:
            waiting[consumer] -= 1
            if not waiting[consumer]:
                ready.append(consumer)
    left = [node for node in ids if waiting[node] > 0]
    _report_cycles(nodes, left)
    return order + left


def _report_cycles(nodes: Mapping[str, PlannedNode], left: list[str]) -> None:
    """Follow unfinished sources from each left-over node until one comes again: that is a cycle."""
    remaining = set(left)
    done: set[str] = set()
    for start in left:
        path: dict[str, int] = {}
        node: str | None = start
        while node is not None and node not in path and node not in done:
            path[node] = len(path)
            node = next((link.node for link in nodes[node].links.values() if link.node in remaining), None)
        if node is not None and node in path:
            cycle = list(path)[path[node] :]
            info = CycleFound(nodes=_some(reversed(cycle))).info()
            for member in cycle:
                nodes[member].problems.append(info.at(member))
        done.update(path)
