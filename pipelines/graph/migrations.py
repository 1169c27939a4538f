"""Migrations: an append-only list, one function per format or node version, each with a saved file in
tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

FORMATS: Final[tuple[Callable[[Mapping[str, Any]], Mapping[str, Any]], ...]] = ()
"""``FORMATS[i]`` turns a document of format ``i + 1`` into one of format ``i + 2``."""

NODES: Final[dict[tuple[str, int], Callable[[Mapping[str, Any]], Mapping[str, Any]]]] = {}
"""(type, version) -> turns that node's JSON object into one of the next version."""


def migrate(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tree in the current format; the same object if nothing had to change."""
    for step in FORMATS[tree.get("format", 1) - 1 :]:
        tree = step(tree)
    nodes = tree["nodes"]
    if not isinstance(nodes, Mapping):
        return tree
    changed = {}
    for key, node in nodes.items():
        new = node
        while (upgrade := _upgrade(new)) is not None:
            new = upgrade(new)
        if new is not node:
            changed[key] = new
    return {**tree, "nodes": {**nodes, **changed}} if changed else tree


def _upgrade(node: Any) -> Callable[[Mapping[str, Any]], Mapping[str, Any]] | None:
    """The migration that this node's JSON object needs next; malformed ones are refused later, by name."""
    kind, version = (node.get("type"), node.get("version", 1)) if isinstance(node, Mapping) else (None, None)
    if not isinstance(kind, str) or not isinstance(version, int) or isinstance(version, bool):
        return None
    return NODES.get((kind, version))
