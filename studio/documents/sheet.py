"""One open document: its graph, its file, its history, and what the views remember of it while another is
shown."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtGui import QUndoStack

from pipelines.errors import DocumentReadOnly
from pipelines.graph.document import Graph

Stamp = tuple[int, int]
"""A file as it was once: its size in bytes and its time in ns."""


def stamp_of(path: Path) -> Stamp | None:
    """The file as it is now; ``None`` if there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


@dataclass(eq=False, slots=True)
class Sheet:
    """What a tab stands for. :class:`~studio.documents.document.GraphDocument` shows one at a time and is the
    only one who writes it."""

    undo_stack: QUndoStack
    graph: Graph = field(default_factory=Graph)
    path: Path | None = None
    """The file it was opened from or saved to."""
    name: str = ""
    """What it is called while it has no file."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """What else was in the archive it came from, beside the graph and its assets."""
    stamp: Stamp | None = None
    """Its file as it was last read or written."""
    in_file: Graph | None = None
    """The graph as it was last read from or written to its file, as far as that is known."""
    goal: Path | None = None
    """The file that a worker is writing it to at this moment."""
    read_only: DocumentReadOnly | None = None
    """Why it can only be looked at; ``None`` where it can be edited."""
    from_elsewhere: bool = False
    """Whether something of it was made elsewhere: opened, dropped or pasted. It never runs by itself, and
    paths outside the user's folders are asked about first."""
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    """Names it for as long as it is open, over sessions too."""
    memory: dict[str, Any] = field(default_factory=dict)
    """What views remember of it while another is shown, by the view's name."""
    later: list[Callable[[], object]] = field(default_factory=list)
    """What is to be done when it is shown again."""

    @property
    def title(self) -> str:
        """What to call it; empty for a new document without a title."""
        if self.path is not None:
            return self.path.stem
        title = self.graph.fields.get("title")
        return self.name or (title if isinstance(title, str) else "")

    @property
    def is_modified(self) -> bool:
        """Whether it differs from what is in the file, as far as that is written already."""
        return self.goal is not None or not self.undo_stack.isClean()

    @property
    def is_blank(self) -> bool:
        """Whether nothing was ever done with it: another document may take its place."""
        return not self.graph.nodes and self.path is None and not self.undo_stack.count()

    def is_changed_on_disk(self) -> bool:
        """Whether its file is there and isn't as it was last read or written: by size and time."""
        now = stamp_of(self.path) if self.path is not None else None
        return now is not None and now != self.stamp
