"""What a document needs from outside: its top-level field ``requires`` names packages and files.

A package is named with its version, ``{"Grain": {"types": ["grain.film"], "version": "1.2"}}``, a file with
its hash, ``{"my_nodes.py": {"hash": "…", "types": ["mine.glow"]}}``. The field is only there where a node
needs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from pipelines.errors import DiptychError, NodeFileNotHere, NodePackageNotHere
from pipelines.graph.document import Graph, drop
from pipelines.graph.registry import Origin, Registry

KEY: Final = "requires"


def types_in(graph: Graph) -> set[str]:
    """The types of all nodes, those inside subgraphs too."""
    found = {record.type for record in graph.nodes.values()}
    groups = graph.fields.get("subgraphs")
    for group in groups.values() if isinstance(groups, Mapping) else ():
        nodes = group.get("nodes") if isinstance(group, Mapping) else None
        for data in nodes.values() if isinstance(nodes, Mapping) else ():
            kind = data.get("type") if isinstance(data, Mapping) else None
            if isinstance(kind, str):
                found.add(kind)
    return found


def with_requires(graph: Graph, registry: Registry) -> Graph:
    """The graph, saying what it needs from outside; the same object if it says so already.

    Of types that aren't known here, what the document says stays as it is; so do entries and fields of
    entries that nobody knows.
    """
    known = graph.fields.get(KEY, {})
    if not isinstance(known, Mapping):
        return graph
    used = types_in(graph)
    entries: dict[str, Any] = dict(known)
    for name, entry, types in _entries(known):
        kept = [kind for kind in types if kind in used and kind not in registry]
        entries[name] = {**entry, "types": kept}
    for kind in sorted(used):
        schema = registry.get(kind)
        if schema is not None and schema.origin is not None:
            entries[schema.origin.name] = _with_type(entries.get(schema.origin.name), schema.origin, kind)
    entries = {name: entry for name, entry in entries.items() if not _is_over(entry)}
    if entries == known:
        return graph
    if not entries:
        return replace(graph, fields=drop(graph.fields, KEY))
    return graph.with_field(KEY, dict(sorted(entries.items())))


def _with_type(entry: Any, origin: Origin, kind: str) -> dict[str, Any]:
    """The entry of a package or file, with one more type that comes from it."""
    before = entry if isinstance(entry, Mapping) else {}
    own = {"hash": origin.digest} if origin.kind == "file" else {"version": origin.version}
    kept = {key: value for key, value in before.items() if key not in ("hash", "types", "version")}
    return dict(sorted({**kept, **own, "types": sorted({*before.get("types", ()), kind})}.items()))


def _is_over(entry: Any) -> bool:
    """Whether none of an entry's types is used any more."""
    return isinstance(entry, Mapping) and entry.get("types") == []


def missing(graph: Graph, type_id: str) -> DiptychError | None:
    """What to say of a type that isn't known here, if the document names where it comes from."""
    for name, entry, types in _entries(graph.fields.get(KEY)):
        if type_id in types and isinstance(entry.get("version"), str):
            return NodePackageNotHere(type=type_id, name=name, version=entry["version"])
        if type_id in types:
            return NodeFileNotHere(type=type_id, name=name)
    return None


def _entries(found: Any) -> Iterator[tuple[str, Mapping[str, Any], tuple[str, ...]]]:
    """The well-formed entries: name, entry, types."""
    for name, entry in found.items() if isinstance(found, Mapping) else ():
        types = entry.get("types") if isinstance(entry, Mapping) else None
        if isinstance(types, list | tuple) and all(isinstance(kind, str) for kind in types):
            yield str(name), entry, tuple(types)
