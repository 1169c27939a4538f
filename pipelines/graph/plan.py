"""From a document to a plan: which nodes there are, in which order, wired how, and what is wrong with each.

Everything here is iterative and linear in nodes and links. A plan still contains broken nodes, marked with
their problems, so that healthy targets run all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from pipelines.errors import BadNodeId, CycleFound, ErrorInfo, UnknownNodeType, UnknownTarget
from pipelines.graph.bypass import passed_on, resolve_bypassed
from pipelines.graph.check import check_links, check_params
from pipelines.graph.cycles import dependency_order
from pipelines.graph.document import NODE_ID, Graph
from pipelines.graph.foreign import foreign_error, is_foreign
from pipelines.graph.node import Input, Output
from pipelines.graph.planned import PlannedNode
from pipelines.graph.registry import Registry
from pipelines.graph.requires import missing
from pipelines.graph.subgraph_file import PortOf
from pipelines.graph.subgraphs import Flat, flatten

Result = TypeVar("Result")
Steps = Generator[None, None, Result]
"""Work that can be left for a while after each step; what comes of it is what it returns."""


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
    plan.

    Subgraphs are flattened first: their nodes are planned as ``outer/inner``, and ``outer`` as a target
    means what is in it. A bypassed target stands for the node whose value it passes on.
    """
    flat = flatten(graph)
    problems: list[ErrorInfo] = []
    if targets is None:
        wanted = list(flat.sinks() or flat.nodes)  # no sinks: all are in circles, and each must be told
    else:
        wanted = []
        for target in dict.fromkeys(targets):
            found = flat.inside(target)
            wanted += found
            if not found:
                problems.append(UnknownTarget(target=target, known=_some(graph.nodes)).info())
    return finished(_planning(graph, flat, registry, dict.fromkeys(wanted), problems))


def validate(graph: Graph, registry: Registry) -> list[ErrorInfo]:
    """Every problem of the whole document at once, each with node and port; errors and warnings."""
    return finished(validating(graph, registry))


def validating(graph: Graph, registry: Registry) -> Steps[list[ErrorInfo]]:
    """:func:`validate` in small steps, for who must not be kept from other things for long."""
    flat = flatten(graph)
    yield
    found = yield from _planning(graph, flat, registry, flat.nodes, [])
    return list(found.problems)


def finished(steps: Steps[Result]) -> Result:
    """All steps at once, and what comes of them."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


def _planning(
    graph: Graph, flat: Flat, registry: Registry, wanted: Iterable[str], problems: list[ErrorInfo]
) -> Steps[Plan]:
    nodes: dict[str, PlannedNode] = {}
    for node in flat.nodes:
        nodes[node] = _planned(node, flat, registry)
        yield
    resolve_bypassed(nodes)
    yield
    targets = dict.fromkeys(wanted)
    for target in list(targets):
        targets.update(dict.fromkeys(passed_on(nodes[target], nodes)))
    order = _order(nodes, _closure(nodes, targets))
    for node in order:
        yield
        _guarded(check_links, nodes[node], nodes)
        _say_where_from(nodes[node], graph)
        if nodes[node].idle:
            nodes[node].problems = [replace(item, severity="warning") for item in nodes[node].problems]
    problems += [problem for node in order for problem in nodes[node].problems]
    return Plan({node: nodes[node] for node in order}, tuple(order), tuple(targets), tuple(problems))


def _planned(node: str, flat: Flat, registry: Registry) -> PlannedNode:
    record = flat.nodes[node]
    planned = PlannedNode(node, record, registry.get(record.type), links=dict(record.inputs))
    planned.problems += flat.problems.get(node, ())
    own = node.rsplit("/", 1)[-1] if node in flat.generated else node
    if not NODE_ID.fullmatch(own):
        planned.problems.append(BadNodeId(id=node).info().at(node))
    if node in flat.bypassed:
        _offer_ports(planned, *flat.bypassed[node], registry)
    elif node not in flat.unexpanded:
        _guarded(check_params, planned)
    return planned


def _guarded(check: Callable[..., None], planned: PlannedNode, *more: object) -> None:
    """Check a node. If the code of a type from outside raises, that is a problem of the node, not of the
    plan."""
    try:
        check(planned, *more)
    except Exception as error:  # whatever others wrote
        if not is_foreign(planned.schema):
            raise
        planned.problems.append(foreign_error(planned, error).at(planned.id))
        planned.schema = None  # what its ports are isn't known either


def _say_where_from(planned: PlannedNode, graph: Graph) -> None:
    """Of a type that isn't known, say where it comes from, if the document does."""
    error = missing(graph, planned.record.type) if planned.schema is None else None
    if error is not None:
        planned.problems = [
            error.info().at(planned.id) if problem.code == UnknownNodeType.__name__ else problem
            for problem in planned.problems
        ]


def _offer_ports(
    planned: PlannedNode, inputs: Mapping[str, PortOf], outputs: Mapping[str, PortOf], registry: Registry
) -> None:
    """Give a bypassed subgraph the ports of the nodes inside, so that it can pass on by type."""

    def owner(place: PortOf) -> PlannedNode:
        inner = PlannedNode(
            "", place.record, registry.get(place.record.type), links=dict(place.record.inputs)
        )
        _guarded(check_params, inner)
        return inner

    for name, place in inputs.items():
        node = owner(place)
        port = node.schema.port(place.port, node.literals) if node.schema else None
        if port is not None:
            planned.inputs += (Input(name, port.type),)
            if name in planned.links:
                planned.ports[name] = planned.inputs[-1]
    for name, place in outputs.items():
        types = [port.type for port in owner(place).outputs if port.name == place.port]
        planned.outputs += tuple(Output(name, kind) for kind in types)


def _some(names: Iterable[str], limit: int = 12) -> str:
    names = list(names)
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


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
    """Needed nodes in document order as far as their links allow; every member of a circle is told so."""
    sources = {
        node: [link.node for link in planned.links.values() if link.node in needed]
        for node, planned in nodes.items()
        if node in needed
    }
    order, circles = dependency_order(sources)
    for circle in circles:
        info = CycleFound(nodes=_some(circle)).info()
        for member in circle:
            nodes[member].problems.append(info.at(member))
    return order
