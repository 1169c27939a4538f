"""Arguments of a graph, and ports of params: what the form of Create and the command line offer, and what a
node shows as a port.

Plain functions on immutable graphs. An argument's entry may have, beside ``node`` and ``param``: ``title``
(its label), ``order`` (its place in the form) and ``more`` (whether it stands behind "More"); whatever else a
file has is kept. A node's record lists in ``ports`` the params that show a port without being linked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pipelines.graph.document import Graph, NodeRecord, drop, put

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
"""A name that can be written on a command line as ``name=value``."""
KEY: Final = "exposed"
PORTS: Final = "ports"
_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument. ``order``: ``None`` where nobody arranged it; ``more``: ``None`` where nobody said."""

    name: str
    node: str
    param: str
    title: str = ""
    order: float | None = None
    more: bool | None = None


def arguments(graph: Graph) -> list[Argument]:
    """Every argument that makes sense, in the order of the form."""
    entries = graph.fields.get(KEY)
    found = []
    for name, place in graph.exposed.items():
        entry: Mapping[str, Any] = entries[name] if isinstance(entries, Mapping) else {}
        title, order, more = entry.get("title"), entry.get("order"), entry.get("more")
        found.append(
            Argument(
                name, place.node, place.param, title if isinstance(title, str) else "",
                float(order) if isinstance(order, int | float) and not isinstance(order, bool) else None,
                more if isinstance(more, bool) else None,
            )
        )  # fmt: skip
    return found


def is_arranged(graph: Graph) -> bool:
    """Whether somebody arranged the form."""
    return any(argument.order is not None for argument in arguments(graph))


def argument_at(graph: Graph, node: str, param: str) -> Argument | None:
    """The argument that stands for a param."""
    known = arguments(graph)
    return next((found for found in known if (found.node, found.param) == (node, param)), None)


def free_argument(graph: Graph, node: str, param: str) -> str:
    """A name for a param that no argument has: its own, with the node's before it if that is taken."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", param)[:40] or "value"
    plain = plain if NAME.fullmatch(plain) else f"_{plain}"
    known = graph.fields.get(KEY)
    taken: Collection[str] = known if isinstance(known, Mapping) else ()
    if plain not in taken:
        return plain
    base = re.sub(r"[^A-Za-z0-9_-]", "_", f"{node}_{param}")[:56]
    base = base if NAME.fullmatch(base) else f"_{base}"
    numbered = (base if number == 1 else f"{base}_{number}" for number in range(1, len(taken) + 3))
    return next(name for name in numbered if name not in taken)


def exposed(graph: Graph, node: str, param: str, title: str = "") -> Graph:
    """With one more argument, at the end of the form and not behind "More"; the same graph if it is one."""
    if argument_at(graph, node, param) is not None:
        return graph
    entry: dict[str, Any] = {"more": False, "node": node}
    if is_arranged(graph):
        entry["order"] = int(max(argument.order or 0 for argument in arguments(graph))) + 1
    entry["param"] = param
    if title:
        entry["title"] = title
    known = graph.fields.get(KEY)
    entries = put(known if isinstance(known, Mapping) else {}, free_argument(graph, node, param), entry)
    return graph.with_field(KEY, entries)


def unexposed(graph: Graph, node: str, param: str) -> Graph:
    """Without the arguments that stand for a param; the same graph if there is none."""
    known = graph.fields.get(KEY)
    gone = [name for name, place in graph.exposed.items() if place == (node, param)]
    if not gone or not isinstance(known, Mapping):
        return graph
    entries = {name: entry for name, entry in known.items() if name not in gone}
    return graph.with_field(KEY, entries) if entries else replace(graph, fields=drop(graph.fields, KEY))


def with_arguments(graph: Graph, wanted: Iterable[tuple[str, Argument]]) -> Graph:
    """The arguments as somebody arranged them, in this order; what isn't among them is no argument any more.

    Args:
        wanted: (name until now, argument), so that what else an entry has goes with it under a new name.
            Entries that make no sense are kept as they are.
    """
    known = graph.fields.get(KEY)
    before: Mapping[str, Any] = known if isinstance(known, Mapping) else {}
    readable = graph.exposed
    after: dict[str, Any] = {name: entry for name, entry in before.items() if name not in readable}
    for order, (name, argument) in enumerate(wanted, 1):
        entry = {**before.get(name, {}), "node": argument.node, "param": argument.param, "order": order}
        entry["more"] = bool(argument.more)
        entry["title"] = argument.title
        after[argument.name] = dict(sorted((key, value) for key, value in entry.items() if value != ""))
    after = dict(sorted(after.items()))
    if after == before:
        return graph
    return graph.with_field(KEY, after) if after else replace(graph, fields=drop(graph.fields, KEY))


def fault_of(name: str, others: Collection[str]) -> str:
    """``form`` or ``taken`` if an argument can't be called that; else nothing."""
    if not NAME.fullmatch(name):
        return "form"
    return "taken" if name in others else ""


# --- ports -------------------------------------------------------------------------------------------------


def shown_ports(record: NodeRecord) -> frozenset[str]:
    """The params of a node that show a port, linked or not."""
    found = record.fields.get(PORTS)
    return frozenset(name for name in found if isinstance(name, str)) if isinstance(found, list) else _NONE


def with_port(record: NodeRecord, param: str, on: bool) -> NodeRecord:
    """Show the port of a param, or take it back with whatever is linked to it."""
    ports = shown_ports(record)
    wanted = ports | {param} if on else ports - {param}
    if not on:
        record = record.without_input(param)
    if wanted == ports:
        return record
    fields = put(record.fields, PORTS, sorted(wanted)) if wanted else drop(record.fields, PORTS)
    return NodeRecord.from_json(fields)
