"""Frames and sticky notes: what ``view.frames`` and ``view.notes`` of a document say, as pure functions.

Each is an object by id: ``{"rect": [x, y, width, height], "title": …}`` for a frame,
``{"rect": …, "text": …}`` for a note, both with an optional ``color``, the name of a token. What is
malformed is not shown, and kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from pipelines.graph.document import FAR, Graph, drop, put

Kind = Literal["frames", "notes"]
Rect = tuple[float, float, float, float]
"""Left, top, width and height in the scene."""
KINDS: Final[tuple[Kind, ...]] = ("frames", "notes")
COLOURS: Final = ("text2", "ember", "iris", "brass", "good", "warn", "bad")
"""Tokens that a frame or note may have; the first is the default."""
LEAST: Final[Mapping[Kind, tuple[float, float]]] = {"frames": (80.0, 60.0), "notes": (80.0, 40.0)}
"""Smallest width and height."""
WORDS: Final[Mapping[Kind, str]] = {"frames": "title", "notes": "text"}
"""The field that holds the words."""
MAX_WORDS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Box:
    """A frame or a note as the document has it."""

    kind: Kind
    id: str
    rect: Rect
    text: str = ""
    colour: str = COLOURS[0]

    @property
    def key(self) -> tuple[Kind, str]:
        return self.kind, self.id

    def holds(self, area: Rect) -> bool:
        """Whether an area lies in this box as a whole."""
        x, y, width, height = self.rect
        left, top = area[0], area[1]
        return x <= left and y <= top and left + area[2] <= x + width and top + area[3] <= y + height

    def at(self, x: float, y: float) -> Box:
        """The same elsewhere."""
        return replace(self, rect=(x, y, self.rect[2], self.rect[3]))


def boxes(graph: Graph) -> dict[tuple[Kind, str], Box]:
    """All well-formed frames and notes of a document, larger ones first: smaller ones lie on top."""
    found = [
        box
        for kind in KINDS
        for id, entry in _entries(graph, kind).items()
        if (box := _box(kind, id, entry)) is not None
    ]
    found.sort(key=lambda box: (box.kind, -box.rect[2] * box.rect[3], box.id))
    return {box.key: box for box in found}


def _entries(graph: Graph, kind: Kind) -> Mapping[str, Any]:
    found = graph.view.get(kind)
    return found if isinstance(found, Mapping) else {}


def _box(kind: Kind, id: str, entry: Any) -> Box | None:
    rect = entry.get("rect") if isinstance(entry, Mapping) else None
    if not isinstance(rect, list | tuple) or len(rect) != 4:
        return None
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in rect):
        return None
    x, y = (max(-FAR, min(FAR, float(value))) for value in rect[:2])
    width, height = (
        max(least, min(FAR, float(value))) for value, least in zip(rect[2:], LEAST[kind], strict=True)
    )
    text, colour = entry.get(WORDS[kind], ""), entry.get("color", COLOURS[0])
    return Box(
        kind, id, (x, y, width, height), text if isinstance(text, str) else "",
        colour if colour in COLOURS else COLOURS[0],
    )  # fmt: skip


def with_boxes(graph: Graph, changed: Iterable[Box]) -> Graph:
    """Add or replace frames and notes; the same graph if none is different. Unknown fields of theirs stay."""
    result, now = graph, boxes(graph)
    for box in changed:
        box = replace(box, rect=_rounded(box), text=box.text[:MAX_WORDS])
        if now.get(box.key) == box:
            continue
        entries = _entries(result, box.kind)
        known = entries.get(box.id)
        entry: Mapping[str, Any] = known if isinstance(known, Mapping) else {}
        words = WORDS[box.kind]
        if box.text or words in entry:
            entry = put(entry, words, box.text)
        if box.colour != COLOURS[0] or "color" in entry:
            entry = put(entry, "color", box.colour)
        entry = put(entry, "rect", [int(v) if v.is_integer() else v for v in box.rect])
        result = result.with_view(box.kind, put(entries, box.id, dict(sorted(entry.items()))))
    return result


def without_boxes(graph: Graph, keys: Iterable[tuple[Kind, str]]) -> Graph:
    """Remove frames and notes; what they held stays where it is."""
    result = graph
    for kind, id in keys:
        entries = _entries(result, kind)
        if id in entries:
            result = result.with_view(kind, drop(entries, id))
    return _without_empty(result, graph)


def _without_empty(graph: Graph, before: Graph) -> Graph:
    """Leave no empty object behind, so that adding and removing gives what was there before."""
    for kind in KINDS:
        if kind in graph.view and not graph.view[kind] and before.view.get(kind):
            graph = graph.with_field("view", drop(graph.view, kind))
    return graph


def free_box_id(graph: Graph, kind: Kind) -> str:
    """An id that no frame (or note) of the document has."""
    entries, base = _entries(graph, kind), kind[:-1]
    number = 1
    while f"{base}_{number}" in entries:
        number += 1
    return f"{base}_{number}"


def _rounded(box: Box) -> Rect:
    x, y, width, height = (round(float(value), 1) for value in box.rect)
    least = LEAST[box.kind]
    return x, y, max(least[0], width), max(least[1], height)
