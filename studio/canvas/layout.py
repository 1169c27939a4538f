"""Places for nodes that have none: layers from left to right, fewer crossings by the barycentre method.

After Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures" (1981),
without dummy nodes: long wires may pass behind nodes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping

from pipelines.graph.document import Graph
from studio.canvas.style import GRID

GAP_X = 88.0
GAP_Y = 40.0
SWEEPS = 4
Point = tuple[float, float]


def layered(
    graph: Graph, sizes: Mapping[str, Point], nodes: Collection[str] | None = None, corner: Point = (0.0, 0.0)
) -> dict[str, Point]:
    """Positions (top left corners on the grid) for ``nodes``, all of them by default.

    Args:
        graph: whose links count; links to other nodes don't.
        sizes: width and height by node.
        nodes: which nodes to place.
        corner: the top left corner of the whole.
    """
    chosen = [node for node in graph.nodes if nodes is None or node in nodes]
    among = set(chosen)
    sources = {
        node: [link.node for link in graph.nodes[node].inputs.values() if link.node in among]
        for node in chosen
    }
    layers = _ordered(_ranks(chosen, sources), sources)
    result: dict[str, Point] = {}
    x = corner[0]
    for layer in layers:
        y = corner[1]
        for node in layer:
            result[node] = (_snap(x), _snap(y))
            y += sizes[node][1] + GAP_Y
        x += max(sizes[node][0] for node in layer) + GAP_X
    return result


def _snap(value: float) -> float:
    return -(-value // GRID) * GRID


def _ranks(nodes: list[str], sources: Mapping[str, list[str]]) -> dict[str, int]:
    """The layer of each node: right of all its sources, and as near to its users as that allows."""
    waiting = {node: len(sources[node]) for node in nodes}
    users: dict[str, list[str]] = {node: [] for node in nodes}
    for node in nodes:
        for source in sources[node]:
            users[source].append(node)
    ready = deque(node for node in nodes if waiting[node] == 0)
    ranks: dict[str, int] = {}
    order: list[str] = []
    while len(ranks) < len(nodes):
        if not ready:  # a circle: start anywhere in it
            ready.append(next(node for node in nodes if node not in ranks))
        node = ready.popleft()
        if node in ranks:
            continue
        ranks[node] = max((ranks[source] + 1 for source in sources[node] if source in ranks), default=0)
        order.append(node)
        for user in users[node]:
            waiting[user] -= 1
            if waiting[user] == 0:
                ready.append(user)
    for node in reversed(order):
        nearest = min((ranks[user] for user in users[node]), default=ranks[node] + 1)
        ranks[node] = max(ranks[node], nearest - 1)
    return ranks


def _ordered(ranks: Mapping[str, int], sources: Mapping[str, list[str]]) -> list[list[str]]:
    """The layers, each ordered by where its neighbours stand."""
    count = max(ranks.values(), default=-1) + 1
    layers: list[list[str]] = [[] for _ in range(count)]
    for node, rank in ranks.items():
        layers[rank].append(node)
    layers = [layer for layer in layers if layer]
    users: dict[str, list[str]] = {node: [] for node in ranks}
    for node, found in sources.items():
        for source in found:
            users[source].append(node)
    at = {node: place for layer in layers for place, node in enumerate(layer)}
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        neighbours = sources if forward else users
        for layer in layers if forward else reversed(layers):
            wanted = {node: _mean([at[other] for other in neighbours[node]], at[node]) for node in layer}
            layer.sort(key=wanted.__getitem__)
            at.update({node: place for place, node in enumerate(layer)})
    return layers


def _mean(values: list[int], fallback: int) -> float:
    return sum(values) / len(values) if values else float(fallback)
