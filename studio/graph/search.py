"""Finding in a document: nodes by name, type and values, frames and notes by their words. No Qt.

Groups are searched as well: a hit says which nodes one has to go into.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.errors import DiptychError
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import NodeSchema, Registry
from pipelines.graph.subgraph_file import NAME, SUBGRAPH, Definitions
from studio.graph.annotations import Kind, boxes
from studio.graph.subgraph_ports import definitions_of

MAX_HITS = 2_000
MAX_LEVELS = 200
"""Most levels (places where a group is used) that are searched."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One place. ``path`` are the nodes to go into; ``param`` the value that matches, if one does."""

    path: tuple[str, ...]
    node: str = ""
    param: str = ""
    box: tuple[Kind, str] | None = None


def search_graph(graph: Graph, registry: Registry, text: str) -> list[Hit]:
    """All places where every word of ``text`` is, in whatever case: outer levels first, in document order."""
    words = text.casefold().split()
    if not words:
        return []
    hits: list[Hit] = []
    definitions = Definitions(graph)
    levels: deque[tuple[tuple[str, ...], Graph]] = deque([((), graph)])
    seen = 0
    while levels and seen < MAX_LEVELS and len(hits) < MAX_HITS:
        path, level = levels.popleft()
        seen += 1
        for node, record in level.nodes.items():
            hits += _hits_at(path, node, record, registry, words)
            if record.type == SUBGRAPH:
                inner = _inside(graph, definitions, record, len(path))
                if inner is not None:
                    levels.append(((*path, node), inner))
        hits += [
            Hit(path, box=key) for key, box in boxes(level).items() if _matches(words, box.text.casefold())
        ]
    return hits[:MAX_HITS]


def _inside(graph: Graph, definitions: Definitions, record: NodeRecord, depth: int) -> Graph | None:
    if depth >= 32:
        return None
    try:
        found = definitions.of(record)
    except DiptychError:
        return None
    return Graph(found.nodes, {"view": definitions_of(graph)[found.name].get("view", {})})


def _hits_at(
    path: tuple[str, ...], node: str, record: NodeRecord, registry: Registry, words: list[str]
) -> Iterator[Hit]:
    """The node, if its name, type or id matches; else each of its values that does."""
    schema = registry.get(record.type)
    name = str(record.params.get(NAME, "")) if record.type == SUBGRAPH else ""
    title = schema.title if schema is not None else ""
    if _matches(words, f"{record.title} {title} {name} {record.type} {node}".casefold()):
        yield Hit(path, node)
        return
    for param, value in record.params.items():
        if _matches(words, f"{_title(schema, param)} {param} {_text(value)}".casefold()):
            yield Hit(path, node, param)


def _title(schema: NodeSchema | None, param: str) -> str:
    known: Mapping[str, Any] = schema.params_by_name if schema is not None else {}
    return known[param].title if param in known else ""


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if isinstance(value, dict | list) else str(value)


def _matches(words: list[str], text: str) -> bool:
    return all(word in text for word in words)
