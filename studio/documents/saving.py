"""A document on its way into a file: all of it as it was when saving began, to be written by any thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import GraphNotSaved
from pipelines.files import atomic_write
from pipelines.graph.assets import AssetStore, assets_of
from pipelines.graph.document import Graph
from pipelines.graph.storage import ARCHIVE_SUFFIX, file_bytes
from studio.documents.sheet import Stamp, stamp_of


@dataclass(frozen=True, slots=True)
class Saving:
    """What is written where. ``files``: what else was in the archive it came from; ``store``: where the
    pixels are that the graph names."""

    graph: Graph
    goal: Path
    files: Mapping[str, bytes]
    store: AssetStore

    def write(self) -> Stamp | None:
        """Write the file atomically; gives it as it is then. Touches no Qt object.

        Raises:
            GraphNotSaved, DiskFull: it could not be written, and is as it was.
        """
        entries: Mapping[str, bytes] = {}
        if is_archive(self.goal):
            named = assets_of(self.graph)
            entries = {**self.files, **self.store.entries(name for name in named if name in self.store)}
        data = file_bytes(self.graph, entries, self.goal.suffix)
        atomic_write(self.goal, data, failure=GraphNotSaved)
        return stamp_of(self.goal)


def is_archive(path: Path) -> bool:
    """Whether a document is packed into this file together with its pixels, which takes its time."""
    return path.suffix.lower() == ARCHIVE_SUFFIX
