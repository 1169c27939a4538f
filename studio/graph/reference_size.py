"""The size of a drawing as its first reference has it. Pure functions, no Qt."""

from __future__ import annotations

from typing import Final

from pipelines.graph.document import Graph
from pipelines.graph.registry import Registry

SIZES: Final = "sizes"
"""The param of nodes that draw: what is done with sizes."""
FOLLOWS: Final = "reference"
PLANNED: Final = "auto"
"""Its values: the shape of the first reference; the size that is set, by a plan where it needs one."""


def can_follow(graph: Graph, registry: Registry, node: str) -> bool:
    """Whether a node can take its size from a reference, and no other node decides that."""
    record = graph.nodes.get(node)
    kind = registry.get(record.type) if record is not None else None
    if record is None or kind is None or SIZES in record.inputs:
        return False
    param = kind.params_by_name.get(SIZES)
    return param is not None and FOLLOWS in param.choices


def with_size_of_reference(graph: Graph, registry: Registry, node: str, follow: bool) -> Graph:
    """The graph with a node that takes its size from the first reference, or from its params again; the same
    graph where it does so already, or can't."""
    if not can_follow(graph, registry, node):
        return graph
    value = graph.nodes[node].params.get(SIZES, registry[graph.nodes[node].type].defaults.get(SIZES))
    if (value == FOLLOWS) == follow:
        return graph
    return graph.with_param(node, SIZES, FOLLOWS if follow else PLANNED)
