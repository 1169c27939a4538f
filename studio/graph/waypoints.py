"""Reroute dots in the document: the points a wire leads through (``view.waypoints``), by the link's end.

``{"waypoints": {node: {input: [[x, y], …]}}}``, from the source to the target, in pixels of the scene. Plain
functions on immutable graphs; what a file has that makes no sense counts as nothing and is kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pipelines.graph.document import Graph, drop, put

KEY: Final = "waypoints"
FAR: Final = 1e6
"""Points further away than this make no sense."""
End = tuple[str, str]
"""A link by the node and the input it ends in."""
Point = tuple[float, float]
Points = tuple[Point, ...]


def waypoints_of(graph: Graph, end: End) -> Points:
    """The dots of a wire, from its source to its target."""
    entry = _mapping(_mapping(graph.view.get(KEY)).get(end[0])).get(end[1])
    if not isinstance(entry, list | tuple):
        return ()
    return tuple((float(point[0]), float(point[1])) for point in entry if _is_point(point))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_point(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < FAR for v in value)
    )


def all_waypoints(graph: Graph) -> dict[End, Points]:
    """The dots of every wire that has some."""
    ends = [
        (node, name)
        for node, entry in _mapping(graph.view.get(KEY)).items()
        for name in _mapping(entry)
        if node in graph.nodes and name in graph.nodes[node].inputs
    ]
    return {end: points for end in ends if (points := waypoints_of(graph, end))}


def with_waypoints(graph: Graph, changes: Mapping[End, Points]) -> Graph:
    """Set the dots of wires (none: an empty tuple); the same graph if none differs."""
    result = known = _mapping(graph.view.get(KEY))
    for end, points in changes.items():
        if points == waypoints_of(graph, end):
            continue
        entry = _mapping(result.get(end[0]))
        places = [[_number(x), _number(y)] for x, y in points]
        entry = put(entry, end[1], places) if places else drop(entry, end[1])
        result = put(result, end[0], entry) if entry else drop(result, end[0])
    if result is known:
        return graph
    if result:
        return graph.with_view(KEY, result)
    view = drop(graph.view, KEY)
    return graph.with_field("view", view) if view else replace(graph, fields=drop(graph.fields, "view"))


def _number(value: float) -> float:
    return int(value) if float(value).is_integer() else round(value, 1)


def without_lost(before: Graph, after: Graph) -> Graph:
    """``after`` an edit, without the dots of links that the edit removed."""
    if before.nodes is after.nodes or not after.view.get(KEY):
        return after
    gone: dict[End, Points] = {}
    for end in all_waypoints(before):
        record = after.nodes.get(end[0])
        if record is None or end[1] not in record.inputs:
            gone[end] = ()
    return with_waypoints(after, gone)


def following(before: Graph, after: Graph) -> Graph:
    """``after`` nodes were moved, with the dots of wires whose two ends moved alike moved with them."""
    if before.view.get("positions") is after.view.get("positions") or not after.view.get(KEY):
        return after
    changes: dict[End, Points] = {}
    for end, points in all_waypoints(after).items():
        source = after.nodes[end[0]].inputs[end[1]].node
        by, other = (_moved(before, after, node) for node in (end[0], source))
        if by is not None and other is not None and math.dist(by, other) < 0.25 and by != (0.0, 0.0):
            changes[end] = tuple((x + by[0], y + by[1]) for x, y in points)
    return with_waypoints(after, changes)


def _moved(before: Graph, after: Graph, node: str) -> Point | None:
    was, now = before.position(node), after.position(node)
    return (now[0] - was[0], now[1] - was[1]) if was is not None and now is not None else None


def inserted_at(route: Points, at: Point) -> int:
    """Where among the dots of a wire another one belongs.

    Args:
        route: the wire's start, its dots, its end.
        at: the new dot.
    """

    def detour(index: int) -> float:
        first, second = route[index], route[index + 1]
        return math.dist(first, at) + math.dist(at, second) - math.dist(first, second)

    return min(range(len(route) - 1), key=detour)
