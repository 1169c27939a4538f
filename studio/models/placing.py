"""Where a document takes a model, and which documents name one. Plain functions on graphs, no Qt."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pipelines.engine.protocol import ModelInfo
from pipelines.graph.document import Graph
from pipelines.graph.registry import Registry
from studio.graph.rewiring import insertion, with_inserted

MAX_READ: Final = 16 * 2**20
"""Bytes of a file that are searched for a model's name."""
CATEGORY: Final = "Model"
"""Nodes of this category are for choosing a model; others do something with it too."""
_GRAPH: Final = "graph.json"


def places(graph: Graph, registry: Registry, kind: str) -> list[tuple[str, str]]:
    """Every param that takes a model of a kind as a value, as (node, param)."""
    found = []
    for node, record in graph.nodes.items():
        schema = registry.get(record.type)
        for name, param in schema.params_by_name.items() if schema is not None else ():
            if param.dynamic_choices == f"models:{kind}" and name not in record.inputs:
                found.append((node, name))
    return found


def loader(registry: Registry, kind: str) -> tuple[str, str] | None:
    """The node type that brings a model of a kind into a graph, and its param; ``None`` if none does."""
    found = [
        (schema.category != CATEGORY, schema.id, param.name)
        for schema in registry
        for param in schema.params
        if param.dynamic_choices == f"models:{kind}"
    ]
    return min(found)[1:] if found else None


def is_addition(registry: Registry, type_id: str) -> bool:
    """Whether a node changes a model that comes into it: there can be several, one after another."""
    return any(port.required for port in registry[type_id].node.inputs)


def spliced(graph: Graph, registry: Registry, node: str) -> Graph:
    """The graph with a new node in the wires it fits into: behind its like, before all that uses them."""
    kind = graph.nodes[node].type
    fitting = [
        ((target, port), link, ports)
        for target, port, link in graph.links()
        if graph.nodes[target].type != kind and (ports := insertion(graph, registry, node, (target, port)))
    ]
    if not fitting:
        return graph
    first, source, ports = fitting[0]
    result = with_inserted(graph, node, first, ports)
    for end, link, _ in fitting[1:]:
        if link == source:
            result = result.with_link(*end, (node, ports.output))
    return result


def uses(graph: Graph, registry: Registry, info: ModelInfo, *, is_default: bool = False) -> bool:
    """Whether a document works with a model; ``is_default``: where it names none, this one is meant."""
    names = {info.id, info.path}
    for node, name in places(graph, registry, info.kind):
        record = graph.nodes[node]
        value = record.params.get(name, "")
        if value in names or (is_default and value == ""):
            return True
    inside = graph.fields.get("subgraphs")
    return any(text in names for text in _texts(inside)) if inside else False


def _texts(value: Any) -> Iterator[str]:
    """Every text in a piece of JSON."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            pending.extend(item.values())
        elif isinstance(item, list | tuple):
            pending.extend(item)


def files_naming(files: Iterable[str], info: ModelInfo) -> list[str]:
    """Those of some graph files that name a model, by their text. For worker threads."""
    return [file for file in files if _names(Path(file), info)]


def _names(path: Path, info: ModelInfo) -> bool:
    wanted = [json.dumps(name, ensure_ascii=ascii)[1:-1].encode() for name in (info.id, info.path)
              for ascii in (True, False)]  # fmt: skip
    try:
        text = _graph_text(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return False  # gone, or not a graph: opening it says so
    return any(b'"' + name + b'"' in text for name in wanted)


def _graph_text(path: Path) -> bytes:
    with path.open("rb") as file:
        start = file.read(4)
        if start != b"PK\x03\x04":
            return start + file.read(MAX_READ)
    with zipfile.ZipFile(path) as archive, archive.open(_GRAPH) as inside:
        return inside.read(MAX_READ)
