"""The document: an immutable graph of node records, read from and written to JSON without losing a byte.

An edit makes a new :class:`Graph` that shares everything unchanged. Unknown fields stay where they are; a
document that was not edited (or whose edits were undone) is written exactly as it was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

from blake3 import blake3

from pipelines.errors import GraphFromTheFuture, GraphUnreadable
from pipelines.graph import jsontext

FORMAT = 1
NODE_ID = re.compile(r"[A-Za-z0-9_:-]{1,64}")
MODES = ("active", "bypassed", "muted")
FAR = 1e6
"""Pixels from the middle beyond which no node stands, whatever a file says."""

V = TypeVar("V")


class Link(NamedTuple):
    """Where an input comes from."""

    node: str
    output: str


class Exposed(NamedTuple):
    """A param that is an argument of the graph, under a unique name."""

    node: str
    param: str


def put(mapping: Mapping[str, V], key: str, value: V) -> dict[str, V]:
    """A copy with ``key`` set: in place if it is there, at its sorted place if the keys are sorted, else at
    the end."""
    if key in mapping or not mapping or key > next(reversed(list(mapping))):
        return {**mapping, key: value}
    keys = list(mapping)
    if any(a > b for a, b in pairwise(keys)):
        return {**mapping, key: value}
    return dict(sorted({**mapping, key: value}.items()))


def _order(item: tuple[str, Any]) -> float:
    """The place that the entry of an argument gives itself; those that give none come last."""
    order = item[1].get("order") if isinstance(item[1], Mapping) else None
    return float(order) if isinstance(order, int | float) and -FAR < order < FAR else FAR


def drop(mapping: Mapping[str, V], key: str) -> dict[str, V]:
    """A copy without ``key``."""
    return {name: value for name, value in mapping.items() if name != key}


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """One node as the document has it. ``fields`` is its whole JSON object; the rest are typed views of
    it."""

    fields: Mapping[str, Any]
    type: str
    version: int
    title: str
    mode: str
    params: Mapping[str, Any]
    inputs: Mapping[str, Link]

    @classmethod
    def from_json(cls, data: Mapping[str, Any], node: str = "?", name: str = "The graph") -> NodeRecord:
        """Typed views of a JSON object. Raises :class:`GraphUnreadable` naming the field that has the wrong
        kind."""

        def wrong(what: str) -> GraphUnreadable:
            return GraphUnreadable(name=name, reason=f"Node {node}: {what}.")

        if not isinstance(data, Mapping):
            raise wrong("it is not an object")
        kind, version, title = data.get("type"), data.get("version", 1), data.get("title", "")
        mode, params, inputs = data.get("mode", "active"), data.get("params", {}), data.get("inputs", {})
        if not isinstance(kind, str) or not kind:
            raise wrong("its type is missing")
        if isinstance(version, bool) or not isinstance(version, int):
            raise wrong("its version is not a whole number")
        if not isinstance(title, str):
            raise wrong("its title is not text")
        if mode not in MODES:
            raise wrong(f"its mode is not one of {', '.join(MODES)}")
        if not isinstance(params, Mapping) or not isinstance(inputs, Mapping):
            raise wrong("params and inputs must be objects")
        links = {}
        for port, link in inputs.items():
            if not (
                isinstance(link, list | tuple)
                and len(link) == 2
                and all(isinstance(part, str) for part in link)
            ):
                raise wrong(f"the input {port} is not a link [node, output]")
            links[port] = Link(*link)
        return cls(data, kind, version, title, mode, params, links)

    @classmethod
    def new(
        cls,
        type: str,
        version: int = 1,
        *,
        title: str = "",
        params: Mapping[str, Any] | None = None,
        inputs: Mapping[str, tuple[str, str]] | None = None,
        mode: str = "active",
    ) -> NodeRecord:
        """A record with sorted keys; empty fields are left out."""
        data: dict[str, Any] = {"type": type, "version": version}
        if title:
            data["title"] = title
        if mode != "active":
            data["mode"] = mode
        if params:
            data["params"] = dict(sorted(params.items()))
        if inputs:
            data["inputs"] = {port: list(link) for port, link in sorted(inputs.items())}
        return cls.from_json(dict(sorted(data.items())))

    def _with(self, key: str, value: Any, default: Any) -> NodeRecord:
        fields = (
            drop(self.fields, key)
            if value == default and key not in self.fields
            else put(self.fields, key, value)
        )
        return NodeRecord.from_json(fields)

    def with_title(self, title: str) -> NodeRecord:
        return self._with("title", title, "")

    def with_mode(self, mode: str) -> NodeRecord:
        return self._with("mode", mode, "active")

    def with_param(self, name: str, value: Any) -> NodeRecord:
        """Set a literal (a link of that name is removed: one namespace per node)."""
        record = self.without_input(name) if name in self.inputs else self
        return record._with("params", put(record.params, name, value), {})

    def without_param(self, name: str) -> NodeRecord:
        return self._with("params", drop(self.params, name), {}) if name in self.params else self

    def with_input(self, name: str, link: tuple[str, str]) -> NodeRecord:
        """Set a link (a literal of that name is removed)."""
        record = self.without_param(name)
        links: dict[str, Any] = {port: list(value) for port, value in record.inputs.items()}
        return record._with("inputs", put(links, name, list(link)), {})

    def without_input(self, *names: str) -> NodeRecord:
        gone = set(names)
        if gone.isdisjoint(self.inputs):
            return self
        return self._with(
            "inputs", {port: list(link) for port, link in self.inputs.items() if port not in gone}, {}
        )


@dataclass(frozen=True, slots=True)
class Graph:
    """A whole document. ``fields`` is the JSON object except ``nodes``; ``source`` the bytes it was read
    from."""

    nodes: Mapping[str, NodeRecord] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=lambda: {"format": FORMAT})
    source: bytes = b""
    source_key: bytes = b""
    nodes_at: int | None = None
    """Position of ``nodes`` among the document's keys, as read."""

    # --- reading and writing -------------------------------------------------------------------------------

    @classmethod
    def loads(cls, data: bytes | str, name: str = "The graph") -> Graph:
        """Read a document.

        Raises:
            GraphUnreadable: it is not JSON, or not a document; the message says where it breaks.
            GraphFromTheFuture: its format is newer than :data:`FORMAT`.
        """
        raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        graph = cls.from_json(jsontext.loads(raw, name), name)
        return replace(graph, source=raw, source_key=blake3(graph._text().encode()).digest())

    @classmethod
    def from_json(cls, tree: Any, name: str = "The graph") -> Graph:
        """A document from its JSON tree; migrated to the current format."""
        from pipelines.graph.migrations import migrate

        if not isinstance(tree, Mapping) or "nodes" not in tree:
            raise GraphUnreadable(
                name=name, reason="It is not a Diptych graph: there is no list of nodes in it."
            )
        found = tree.get("format", 1)
        if isinstance(found, bool) or not isinstance(found, int) or found < 1:
            raise GraphUnreadable(name=name, reason="Its format is not a whole number.")
        if found > FORMAT:
            raise GraphFromTheFuture(name=name, found=found, known=FORMAT)
        tree = migrate(tree)
        if not isinstance(tree["nodes"], Mapping):
            raise GraphUnreadable(name=name, reason="Its nodes are not an object of id and node.")
        nodes = {key: NodeRecord.from_json(value, key, name) for key, value in tree["nodes"].items()}
        return cls(nodes, drop(tree, "nodes"), nodes_at=list(tree).index("nodes"))

    def to_json(self) -> dict[str, Any]:
        """The JSON tree (shares its parts with this graph: don't change it)."""
        nodes = {key: dict(record.fields) for key, record in self.nodes.items()}
        if self.nodes_at is None:
            return dict(sorted({**self.fields, "nodes": nodes}.items()))
        items = list(self.fields.items())
        items.insert(self.nodes_at, ("nodes", nodes))
        return dict(items)

    def _text(self) -> str:
        return jsontext.dumps(self.to_json())

    def dumps(self) -> bytes:
        """The document as it goes into a file: the very bytes it was read from if nothing is different."""
        data = self._text().encode()
        return self.source if self.source and blake3(data).digest() == self.source_key else data

    # --- looking -------------------------------------------------------------------------------------------

    def __contains__(self, node: object) -> bool:
        return node in self.nodes

    @property
    def view(self) -> Mapping[str, Any]:
        """Positions, frames, notes, waypoints…: what a canvas shows, without meaning for a run."""
        view = self.fields.get("view")
        return view if isinstance(view, Mapping) else {}

    @property
    def exposed(self) -> dict[str, Exposed]:
        """Arguments of the graph by name, in the ``order`` that entries give.

        Malformed ones are left out (and kept in the file).
        """
        found = self.fields.get("exposed")
        result = {}
        for name, entry in sorted((found if isinstance(found, Mapping) else {}).items(), key=_order):
            if (
                isinstance(entry, Mapping)
                and isinstance(entry.get("node"), str)
                and isinstance(entry.get("param"), str)
            ):
                result[name] = Exposed(entry["node"], entry["param"])
        return result

    def position(self, node: str) -> tuple[float, float] | None:
        """Where a node stands on the canvas, if the document says."""
        positions = self.view.get("positions")
        at = positions.get(node) if isinstance(positions, Mapping) else None
        if isinstance(at, list | tuple) and len(at) == 2 and all(isinstance(v, int | float) for v in at):
            x, y = (float(max(-FAR, min(FAR, value))) for value in at)
            return x, y
        return None

    def links(self) -> Iterator[tuple[str, str, Link]]:
        """Every link as (node, input, link)."""
        for node, record in self.nodes.items():
            for port, link in record.inputs.items():
                yield node, port, link

    def sinks(self) -> tuple[str, ...]:
        """The nodes none of whose outputs is linked: what runs without explicit targets."""
        used = {link.node for _, _, link in self.links()}
        return tuple(node for node in self.nodes if node not in used)

    def free_id(self, type_id: str) -> str:
        """An id that is not taken: the last word of the type, with a number if needed."""
        base = re.sub(r"[^A-Za-z0-9_-]", "_", type_id.rsplit(".", 1)[-1])[:48] or "node"
        if base not in self.nodes:
            return base
        number = 2
        while f"{base}_{number}" in self.nodes:
            number += 1
        return f"{base}_{number}"

    # --- editing -------------------------------------------------------------------------------------------

    def with_node(self, node: str, record: NodeRecord) -> Graph:
        """Add or replace a node."""
        return replace(self, nodes=put(self.nodes, node, record))

    def without_node(self, node: str) -> Graph:
        """Remove a node, the links from it and its place on the canvas."""
        nodes = {}
        for key, record in self.nodes.items():
            if key != node:
                ended = [port for port, link in record.inputs.items() if link.node == node]
                nodes[key] = record.without_input(*ended)
        graph = replace(self, nodes=nodes)
        positions = self.view.get("positions")
        return (
            graph.with_view("positions", drop(positions, node)) if isinstance(positions, Mapping) else graph
        )

    def with_param(self, node: str, name: str, value: Any) -> Graph:
        return self.with_node(node, self.nodes[node].with_param(name, value))

    def with_link(self, node: str, port: str, link: tuple[str, str]) -> Graph:
        return self.with_node(node, self.nodes[node].with_input(port, link))

    def without_link(self, node: str, port: str) -> Graph:
        return self.with_node(node, self.nodes[node].without_input(port))

    def with_position(self, node: str, x: float, y: float) -> Graph:
        positions = self.view.get("positions")
        known = positions if isinstance(positions, Mapping) else {}
        return self.with_view("positions", put(known, node, [round(x, 1), round(y, 1)]))

    def with_view(self, key: str, value: Any) -> Graph:
        return self.with_field("view", put(self.view, key, value))

    def with_exposed(self, name: str, node: str, param: str, title: str = "") -> Graph:
        entry = {"node": node, "param": param, **({"title": title} if title else {})}
        found = self.fields.get("exposed")
        return self.with_field("exposed", put(found if isinstance(found, Mapping) else {}, name, entry))

    def with_field(self, key: str, value: Any) -> Graph:
        """Set a field of the document itself (not ``nodes``)."""
        return replace(self, fields=put(self.fields, key, value))
