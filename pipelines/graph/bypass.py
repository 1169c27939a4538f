"""Bypassed nodes: what comes in goes out again, port by port of one type, as if the node were a wire."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.graph.document import Link
from pipelines.graph.planned import PlannedNode


def resolve_bypassed(nodes: Mapping[str, PlannedNode]) -> None:
    """Let links that come from a bypassed node come from what it passes through instead.

    A link from one that has nothing of that type to pass stays as it is: that branch is skipped.
    """
    ends: dict[Link, Link] = {}
    for planned in nodes.values():
        for name, link in list(planned.links.items()):
            planned.links[name] = _end(link, nodes, ends)


def passed_on(planned: PlannedNode, nodes: Mapping[str, PlannedNode]) -> list[str]:
    """The nodes whose values a bypassed node passes on; none for others."""
    if planned.record.mode != "bypassed":
        return []
    links = (_end(Link(planned.id, port.name), nodes, {}) for port in planned.outputs)
    return [link.node for link in links if link.node in nodes and link.node != planned.id]


def _end(link: Link, nodes: Mapping[str, PlannedNode], ends: dict[Link, Link]) -> Link:
    """Follow a link through bypassed nodes, remembering where each one on the way leads."""
    path: dict[Link, None] = {}
    while link not in ends and link not in path:
        source = nodes.get(link.node)
        further = _passes(source, link.output) if source and source.record.mode == "bypassed" else None
        if further is None:
            break
        path[link] = None
        link = further
    end = ends.get(link, link)
    ends.update(dict.fromkeys(path, end))
    return end


def _passes(node: PlannedNode, output: str) -> Link | None:
    """The link that a bypassed node passes to ``output``: its first linked input of the same type."""
    kind = next((port.type for port in node.outputs if port.name == output), None)
    if kind is None:
        return None
    names = dict.fromkeys([*(port.name for port in node.inputs), *node.links])
    for name in names:
        port = node.ports.get(name)
        if port is not None and port.type == kind:
            return node.links[name]
    return None
