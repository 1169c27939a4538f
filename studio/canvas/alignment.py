"""Places for nodes that are to be level, evenly spaced, or joined by straight wires. Plain arithmetic.

A rectangle is left, top, width and height; results are new top left corners of those that move.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Literal

from pipelines.graph.document import Link

Rect = tuple[float, float, float, float]
Point = tuple[float, float]
Edge = Literal["left", "centre", "right", "top", "middle", "bottom"]
GAP = 20.0
"""The least distance between nodes that are spaced evenly."""


def aligned(rects: Mapping[str, Rect], edge: Edge) -> dict[str, Point]:
    """Nodes with one edge (or their middles) on one line: the outermost edge, or the middle of the whole."""
    lefts, tops = [r[0] for r in rects.values()], [r[1] for r in rects.values()]
    rights, bottoms = [r[0] + r[2] for r in rects.values()], [r[1] + r[3] for r in rects.values()]
    result = {}
    for node, (x, y, width, height) in rects.items():
        match edge:
            case "left":
                x = min(lefts)
            case "right":
                x = max(rights) - width
            case "centre":
                x = (min(lefts) + max(rights) - width) / 2
            case "top":
                y = min(tops)
            case "bottom":
                y = max(bottoms) - height
            case "middle":
                y = (min(tops) + max(bottoms) - height) / 2
        result[node] = (round(x), round(y))
    return _moved(rects, result)


def distributed(rects: Mapping[str, Rect], *, vertically: bool) -> dict[str, Point]:
    """Nodes with the same gap between each two; the outermost stay if there is room for all."""
    axis = 1 if vertically else 0
    order = sorted(rects, key=lambda node: (rects[node][axis] + rects[node][axis + 2] / 2, node))
    if len(order) < 3:
        return {}
    low, high = rects[order[0]][axis], max(rects[node][axis] + rects[node][axis + 2] for node in order)
    lengths = sum(rects[node][axis + 2] for node in order)
    gap = max(GAP, (high - low - lengths) / (len(order) - 1))
    result, at = {}, low
    for node in order:
        x, y, *size = rects[node]
        result[node] = (x, round(at)) if vertically else (round(at), y)
        at += size[axis] + gap
    return _moved(rects, result)


def straightened(
    rects: Mapping[str, Rect],
    nodes: Collection[str],
    links: Iterable[tuple[str, str, Link]],
    height: Callable[[str, str, bool], float],
) -> dict[str, Point]:
    """Nodes moved up or down until their wires are straight, from left to right.

    A node follows its first source, one of ``nodes`` before others; with none it stays, unless it is the only
    one and follows its first user. A node stays where it would come to lie on another.

    Args:
        rects: all nodes.
        nodes: which of them may move.
        links: the wires that count, as (target, input, source).
        height: of a port (node, name, whether it is an output) below the node's top.
    """
    known, places = list(links), dict(rects)
    chosen = [node for node in sorted(nodes, key=lambda node: rects[node][0]) if node in rects]
    for node in chosen:
        goals = [
            (link.node not in chosen, places[link.node][1] + height(*link, True) - height(node, name, False))
            for target, name, link in known
            if target == node and link.node in places
        ]
        if len(chosen) == 1:
            goals += [
                (True, places[target][1] + height(target, name, False) - height(*link, True))
                for target, name, link in known
                if link.node == node and target in places
            ]
        elif any(not outside for outside, _ in goals):
            goals = [goal for goal in goals if not goal[0]]
        else:
            goals = []
        x, _, width, tall = places[node]
        for _, y in goals:
            if _is_free((x, y, width, tall), places, node):
                places[node] = (x, y, width, tall)
                break
    return _moved(rects, {node: places[node][:2] for node in chosen})


def _is_free(rect: Rect, places: Mapping[str, Rect], node: str) -> bool:
    x, y, width, height = rect
    return not any(
        left < x + width and x < left + wide and top < y + height and y < top + tall
        for other, (left, top, wide, tall) in places.items()
        if other != node
    )


def _moved(rects: Mapping[str, Rect], places: Mapping[str, Point]) -> dict[str, Point]:
    return {node: at for node, at in places.items() if at != rects[node][:2]}
