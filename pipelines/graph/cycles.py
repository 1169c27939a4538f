"""Order by dependency, and the circles that have none: linear in nodes and links, without recursion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence


def dependency_order(sources: Mapping[str, Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Nodes after all they depend on, in the order of ``sources`` where there is a choice.

    Nodes in or behind a circle come last.

    Args:
        sources: what each node depends on; all of these are keys too.

    Returns:
        The order, and each circle as the nodes in it, in the direction of the data. Source: Kahn 1962 for
        the order, Tarjan 1972 for the strongly connected components.
    """
    feeds: dict[str, list[str]] = {node: [] for node in sources}
    waiting = {}
    for node, needed in sources.items():
        distinct = dict.fromkeys(needed)
        waiting[node] = len(distinct)
        for source in distinct:
            feeds[source].append(node)
    order = [node for node, count in waiting.items() if not count]
    for node in order:  # grows while it is read
        for consumer in feeds[node]:
            waiting[consumer] -= 1
            if not waiting[consumer]:
                order.append(consumer)
    left = {node: sources[node] for node, count in waiting.items() if count}
    if not left:
        return order, []
    circles = [
        _walk(part, left) for part in _components(left) if len(part) > 1 or part[0] in sources[part[0]]
    ]
    return order + list(left), circles


def _components(sources: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Strongly connected components; sources that are no keys are ignored."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_nodes: dict[str, None] = {}
    for root in sources:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        open_nodes[root] = None
        stack = [(root, iter(sources[root]))]
        while stack:
            node, rest = stack[-1]
            for source in rest:
                if source not in index and source in sources:
                    index[source] = low[source] = len(index)
                    open_nodes[source] = None
                    stack.append((source, iter(sources[source])))
                    break
                if source in open_nodes:
                    low[node] = min(low[node], index[source])
            else:
                stack.pop()
                if stack:
                    low[stack[-1][0]] = min(low[stack[-1][0]], low[node])
                if low[node] == index[node]:
                    yield _taken(open_nodes, node)


def _taken(open_nodes: dict[str, None], root: str) -> list[str]:
    """Remove and return the open nodes down to ``root``."""
    part: list[str] = []
    while not part or part[-1] != root:
        part.append(open_nodes.popitem()[0])
    return part


def _walk(part: list[str], sources: Mapping[str, Sequence[str]]) -> list[str]:
    """The members of a component along one of its circles; those beside it come behind."""
    members = set(part)
    first = next(node for node in sources if node in members)
    path: dict[str, None] = {}
    node = first
    while node not in path:
        path[node] = None
        node = next(source for source in sources[node] if source in members)
    steps = list(path)
    circle = steps[steps.index(node) :]
    on_it = set(circle)
    return circle[::-1] + [member for member in sources if member in members and member not in on_it]
