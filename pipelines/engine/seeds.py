"""Seeds left empty are drawn when a job is submitted, and written into the job: what ran can be run again."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from pipelines.errors import GraphUnreadable
from pipelines.graph import types
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import Registry

SEED = "seed"
"""The name of the param or input that is drawn; other seeds (a variation's) stay empty if they are."""


def new_seed() -> int:
    """A seed in [0, 2^32): the range that other programs' seed fields take too."""
    return secrets.randbits(32)


def draw_seeds(graph: Graph, registry: Registry, draw: Callable[[], int] = new_seed) -> Graph:
    """The graph with every empty seed drawn: ``null`` or absent, and not linked.

    Seeds of nodes inside a subgraph are drawn in its definition, so that all its uses share them; the given
    graph stays as it is. What is broken is left for validation to name.
    """
    for node, record in graph.nodes.items():
        if _is_empty(record, registry):
            graph = graph.with_param(node, SEED, draw())
    groups = graph.fields.get("subgraphs")
    if not isinstance(groups, Mapping):
        return graph
    return graph.with_field(
        "subgraphs", {name: _drawn(group, registry, draw) for name, group in groups.items()}
    )


def _is_empty(record: NodeRecord, registry: Registry) -> bool:
    """Whether a node has a seed that nobody gave."""
    schema = registry.get(record.type)
    try:
        port = schema.port(SEED, record.params) if schema else None
    except Exception:  # the check of the document says it, at the node
        if schema is None or schema.origin is None:
            raise
        return False
    if port is None or port.type != types.Seed or port.default is not None:
        return False
    return SEED not in record.inputs and record.params.get(SEED) is None


def _drawn(group: Any, registry: Registry, draw: Callable[[], int]) -> Any:
    """A subgraph's definition with its empty seeds drawn."""
    nodes = group.get("nodes") if isinstance(group, Mapping) else None
    if not isinstance(nodes, Mapping):
        return group
    made = dict(nodes)
    for node, data in nodes.items():
        try:
            record = NodeRecord.from_json(data, node)
        except GraphUnreadable:
            continue
        if _is_empty(record, registry):
            made[node] = record.with_param(SEED, draw()).fields
    return {**group, "nodes": made}
