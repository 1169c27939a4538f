"""Thumbnails in the document: how large each node shows its own, or that it shows none (``view.previews``).

Plain functions on immutable graphs. Lengths are pixels of the scene at a text scale of 1.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pipelines.graph.document import Graph, drop, put

KEY: Final = "previews"
LEAST: Final = 48
MOST: Final = 1_600


@dataclass(frozen=True, slots=True)
class Preview:
    """One node's thumbnail. ``width`` is the node's, ``height`` the picture's; 0: what it has of itself."""

    width: int = 0
    height: int = 0
    shown: bool = True

    def to_json(self) -> dict[str, Any]:
        """Only what differs from a node nobody touched."""
        found: dict[str, Any] = {"height": self.height} if self.height else {}
        if not self.shown:
            found["shown"] = False
        return found | ({"width": self.width} if self.width else {})


def preview_of(graph: Graph, node: str) -> Preview:
    """A node's thumbnail; what a file has that makes no sense counts as nothing."""
    found = graph.view.get(KEY)
    entry = found.get(node) if isinstance(found, Mapping) else None
    if not isinstance(entry, Mapping):
        return Preview()
    return Preview(_length(entry.get("width")), _length(entry.get("height")), entry.get("shown") is not False)


def _length(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return 0
    return round(min(max(value, LEAST), MOST))


def with_previews(graph: Graph, previews: Mapping[str, Preview]) -> Graph:
    """Set thumbnails; the same graph if none differs."""
    known = graph.view.get(KEY)
    result: Mapping[str, Any] = known if isinstance(known, Mapping) else {}
    changed = False
    for node, preview in previews.items():
        if node not in graph.nodes or preview == preview_of(graph, node):
            continue
        entry = preview.to_json()
        result, changed = put(result, node, entry) if entry else drop(result, node), True
    return _with_entries(graph, result) if changed else graph


def without_previews(graph: Graph, nodes: Collection[str]) -> Graph:
    """Forget the thumbnails of nodes that go."""
    known = graph.view.get(KEY)
    if not isinstance(known, Mapping) or known.keys().isdisjoint(nodes):
        return graph
    return _with_entries(graph, {node: entry for node, entry in known.items() if node not in nodes})


def _with_entries(graph: Graph, entries: Mapping[str, Any]) -> Graph:
    if entries:
        return graph.with_view(KEY, entries)
    view = drop(graph.view, KEY)
    return graph.with_field("view", view) if view else replace(graph, fields=drop(graph.fields, "view"))


def toggled(graph: Graph, nodes: Collection[str]) -> dict[str, Preview]:
    """Thumbnails off for all of these nodes; on, if none of them shows one."""
    found = {node: preview_of(graph, node) for node in nodes if node in graph.nodes}
    off = any(preview.shown for preview in found.values())
    return {node: replace(preview, shown=not off) for node, preview in found.items()}
