"""Bookmarks: places of the canvas by number, as the document has them in ``view.bookmarks``. No Qt.

``{"1": {"at": [x, y], "zoom": z, "path": [node, …]}}``; the path are the nodes one has to go into.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.graph.document import FAR, Graph, drop, put

KEY: Final = "bookmarks"


@dataclass(frozen=True, slots=True)
class Bookmark:
    """The middle of the view in the scene, its zoom, and the groups it is in."""

    x: float
    y: float
    zoom: float = 1.0
    path: tuple[str, ...] = ()


def bookmarks(graph: Graph) -> dict[int, Bookmark]:
    """All well-formed bookmarks by number, 1 to 9."""
    found = graph.view.get(KEY)
    result = {}
    for number in range(1, 10):
        entry = found.get(str(number)) if isinstance(found, Mapping) else None
        if isinstance(entry, Mapping) and (mark := _read(entry)) is not None:
            result[number] = mark
    return result


def _read(entry: Mapping[str, Any]) -> Bookmark | None:
    at, zoom, path = entry.get("at"), entry.get("zoom", 1.0), entry.get("path", [])
    numbers = [*(at if isinstance(at, list | tuple) and len(at) == 2 else (None,)), zoom]
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in numbers):
        return None
    inside = path if isinstance(path, list | tuple) and all(isinstance(node, str) for node in path) else ()
    x, y = (max(-FAR, min(FAR, float(value))) for value in numbers[:2])
    return Bookmark(x, y, min(max(float(zoom), 0.01), 100.0), tuple(inside))


def with_bookmark(graph: Graph, number: int, mark: Bookmark | None) -> Graph:
    """Set a bookmark, or take it away; the same graph if it is there already."""
    if bookmarks(graph).get(number) == mark:
        return graph
    found = graph.view.get(KEY)
    known: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    if mark is None:
        return graph.with_view(KEY, drop(known, str(number)))
    entry: dict[str, Any] = {"at": [round(mark.x, 1), round(mark.y, 1)], "zoom": round(mark.zoom, 4)}
    if mark.path:
        entry["path"] = list(mark.path)
    return graph.with_view(KEY, put(known, str(number), entry))
