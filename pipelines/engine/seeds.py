"""Seeds left empty are drawn when a job is submitted, and written into the job: what ran can be run again."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from pipelines.graph import types
from pipelines.graph.document import Graph
from pipelines.graph.registry import Registry

SEED = "seed"
"""The name of the param or input that is drawn; other seeds (a variation's) stay empty if they are."""


def new_seed() -> int:
    """A seed in [0, 2^32): the range that other programs' seed fields take too."""
    return secrets.randbits(32)


def draw_seeds(graph: Graph, registry: Registry, draw: Callable[[], int] = new_seed) -> Graph:
    """The graph with every empty seed (``null`` or absent, and not linked) drawn; the given graph stays as it
    is."""
    for node, record in graph.nodes.items():
        schema = registry.get(record.type)
        if schema is None:
            continue
        port = schema.port(SEED, record.params)
        if port is None or port.type != types.Seed or port.default is not None:
            continue
        if SEED not in record.inputs and record.params.get(SEED) is None:
            graph = graph.with_param(node, SEED, draw())
    return graph
