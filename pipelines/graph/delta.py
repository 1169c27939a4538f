"""What differs between two states of a document, as JSON: an edit of a large graph is a few lines.

Graphs share what did not change (see :class:`pipelines.graph.document.Graph`), so parts are compared by
identity and only what is new is looked into. Number literals and the order of keys survive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pipelines.errors import DiptychError
from pipelines.graph import jsontext
from pipelines.graph.document import Graph, NodeRecord

MISFITS: Final = (KeyError, TypeError, ValueError, AttributeError, DiptychError)
"""What :func:`applied` raises for a difference that belongs to another graph, or to none."""

Difference = dict[str, Any]
"""Of two mappings: ``gone`` keys, ``new`` as [key before it or null, key, value], ``set`` values, and ``in``
the differences of mappings inside. What is empty is left out."""


def delta(before: Graph, after: Graph) -> Difference | None:
    """What to do to ``before`` to get ``after``; ``None`` if that is better said by ``after`` as a whole:
    another document, or the same in another order."""
    if before.source is not after.source or before.nodes_at != after.nodes_at:
        return None
    nodes = _difference(before.nodes, after.nodes)
    fields = _difference(before.fields, after.fields)
    return None if nodes is None or fields is None else {"nodes": nodes, "fields": fields}


def applied(before: Graph, part: Mapping[str, Any]) -> Graph:
    """The inverse of :func:`delta`: ``applied(before, delta(before, after))`` is written as ``after`` is.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, GraphUnreadable: see :data:`MISFITS`.
    """
    nodes = _applied(before.nodes, part["nodes"], NodeRecord.from_json) if part["nodes"] else before.nodes
    fields = _applied(before.fields, part["fields"]) if part["fields"] else before.fields
    return replace(before, nodes=nodes, fields=fields)


def _plain(value: Any) -> Any:
    return value.fields if isinstance(value, NodeRecord) else value


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference | None:
    """``None`` if the keys that both have stand in another order."""
    if before is after:
        return {}
    if [key for key in before if key in after] != [key for key in after if key in before]:
        return None
    new: list[list[Any]] = []
    changed: dict[str, Any] = {}
    inside: dict[str, Difference] = {}
    previous: str | None = None
    for key, value in after.items():
        if key not in before:
            new.append([previous, key, _plain(value)])
        elif before[key] is not value:
            old, now = _plain(before[key]), _plain(value)
            both = isinstance(old, Mapping) and isinstance(now, Mapping)
            part = _difference(old, now) if both else None
            if part is None:
                changed[key] = now
            elif part:
                inside[key] = part
        previous = key
    gone = [key for key in before if key not in after]
    found = {"gone": gone, "new": new, "set": changed, "in": inside}
    return {name: value for name, value in found.items() if value}


def _same(value: Any) -> Any:
    return value


def _applied(
    before: Mapping[str, Any], part: Mapping[str, Any], made: Callable[[Any], Any] = _same
) -> dict[str, Any]:
    gone, changed, inside = set(part.get("gone", ())), part.get("set", {}), part.get("in", {})
    if not before.keys() >= {*gone, *changed, *inside}:
        raise KeyError("a difference of another graph")
    following = {previous: (key, value) for previous, key, value in part.get("new", ())}
    result: dict[str, Any] = {}

    def follow(key: str | None) -> None:
        while key in following:
            key, value = following.pop(key)
            result[key] = made(value)

    follow(None)
    for key, value in before.items():
        if key in gone:
            continue
        if key in changed:
            value = made(changed[key])
        elif key in inside:
            value = made(_applied(_plain(value), inside[key]))
        result[key] = value
        follow(key)
    if following:
        raise ValueError("a difference of another graph")
    return result


@dataclass(frozen=True, slots=True)
class Counts:
    """How many nodes one graph has and another doesn't, has not and the other does, and has otherwise."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    elsewhere: bool = False
    """Whether anything beside nodes differs: places, frames, exposed settings."""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.elsewhere)


def counted(before: Graph, after: Graph) -> Counts:
    """What differs between two graphs of any origin, in numbers."""
    both = [node for node in after.nodes if node in before.nodes]
    changed = [node for node in both if not _is_same(before.nodes[node], after.nodes[node])]
    return Counts(
        len(after.nodes) - len(both),
        len(before.nodes) - len(both),
        len(changed),
        jsontext.canonical(before.fields) != jsontext.canonical(after.fields),
    )


def _is_same(one: NodeRecord, other: NodeRecord) -> bool:
    return one is other or jsontext.canonical(one.fields) == jsontext.canonical(other.fields)
