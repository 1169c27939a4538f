"""What of a plan is in the cache already: asked without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.graph.cache import Cache
from pipelines.graph.entry import Entry
from pipelines.graph.executor import NODE_ERRORS
from pipelines.graph.invoke import converted
from pipelines.graph.keys import key_for, needed_values, used_links
from pipelines.graph.node import Resources
from pipelines.graph.plan import Plan
from pipelines.graph.planned import PlannedNode


def survey(plan: Plan, cache: Cache, resources: Resources, salt: str = "") -> dict[str, Entry]:
    """The entries of those nodes of a plan that a run would find cached.

    Nothing runs, and looking counts as no use. A node whose key depends on a value that would have to be made
    first (a switch over a link, say) is one of them only if that value is cached itself.

    Args:
        salt: as for :func:`pipelines.graph.executor.execute`.
    """
    keys: dict[str, bytes | None] = {}
    found: dict[str, Entry] = {}
    for node in plan.order:
        try:
            key = _key(plan.nodes[node], keys, found, resources, salt)
        except NODE_ERRORS:  # the run itself says it, at the node
            key = None
        keys[node] = key
        entry = cache.look(key) if key is not None else None
        if entry is not None:
            found[node] = entry
    return found


def _key(
    planned: PlannedNode,
    keys: Mapping[str, bytes | None],
    found: Mapping[str, Entry],
    resources: Resources,
    salt: str,
) -> bytes | None:
    """The key of a node; ``None`` if it would not run, or not without something that isn't made yet."""
    if planned.idle or any(problem.severity == "error" for problem in planned.problems):
        return None
    values: dict[str, Any] = dict(planned.literals)
    for name in needed_values(planned):
        link = planned.links[name]
        if link.node not in found:
            return None
        values[name] = converted(planned, name, found[link.node].outputs[link.output])
    names = used_links(planned, values)
    if any(keys.get(planned.links[name].node) is None for name in names):
        return None
    return key_for(planned, names, keys, values, resources, salt)
