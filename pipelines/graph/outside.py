"""Which files a graph would touch outside the folders its user keeps things in: asked about before it
runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pipelines.graph.document import Graph
from pipelines.graph.registry import Registry
from pipelines.graph.subgraphs import flatten

PATH_WIDGETS: Final = frozenset({"file", "folder", "save"})
"""Params with these widgets name files."""


class OutsidePath(NamedTuple):
    """A path that leaves the user's folders, and where in the graph it stands."""

    node: str
    param: str
    path: Path
    writes: bool


def outside_paths(
    graph: Graph, registry: Registry, roots: Sequence[Path], base: Path | None = None
) -> tuple[OutsidePath, ...]:
    """The literal paths of ``graph`` that lie in none of ``roots``.

    Args:
        base: the folder that relative paths start from (the document's own); it counts as a root.

    Nodes inside subgraphs count, as ``outer/inner``. Links are not followed: what a node computes is not
    known before it runs. Symbolic links are.
    """
    allowed = [root.expanduser().resolve() for root in (*roots, *([base] if base else []))]
    found = []
    for node, record in flatten(graph).nodes.items():
        schema = registry.get(record.type)
        for param in schema.params if schema else ():
            value = record.params.get(param.name, param.default)
            if param.widget not in PATH_WIDGETS or not isinstance(value, str) or not value:
                continue
            path = Path(value).expanduser()
            if not path.is_absolute():
                if base is None:
                    continue
                path = base / path
            try:
                resolved = path.resolve()
            except (
                OSError,
                RuntimeError,
                ValueError,
            ):  # a loop of links, a NUL: the node itself says what is wrong
                continue
            if not any(resolved.is_relative_to(root) for root in allowed):
                found.append(OutsidePath(node, param.name, resolved, bool(schema and schema.node.saves)))
    return tuple(found)
