"""The user's library of subgraphs: one small document a group, in the data folder. No Qt.

Each file is a document with one node that stands for the group, and can be opened, run and shared as such.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from pipelines import paths
from pipelines.errors import GraphNotSaved
from pipelines.files import atomic_write, sanitise_name
from pipelines.graph.document import Graph
from pipelines.graph.storage import read_file
from studio.graph.fragments import fragment
from studio.graph.subgraph_ports import group_name

SUFFIX = ".json"
MAX_FILES = 2_000


class GroupLibrary:
    """The groups in a folder, by name."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._read: dict[str, tuple[int, int, Graph]] = {}
        """Size, time and contents of the files that were read."""

    @property
    def folder(self) -> Path:
        return self._folder or paths.data_dir() / "groups"

    def keep(self, graph: Graph, node: str) -> str:
        """Save the group that a node stands for, and give the name it has in the library.

        Another group of that name stays, and this one gets a number.

        Raises:
            GraphNotSaved, DiskFull: it could not be written.
        """
        record = graph.nodes[node]
        plain = record.without_input(*record.inputs)
        part = fragment(replace(graph, nodes={"group": plain}), ["group"])
        path, data = self._path(sanitise_name(group_name(record))), part.dumps()
        with contextlib.suppress(OSError):
            if path.read_bytes() == data:
                return path.stem
        return atomic_write(path, data, unique=True, failure=GraphNotSaved).stem

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{SUFFIX}"

    def path_of(self, name: str) -> Path:
        """The file of a group, for whoever moves it to the bin."""
        return self._path(sanitise_name(name))

    def names(self) -> list[str]:
        """The names of all groups, sorted; a folder that can't be read has none."""
        found: list[str] = []
        with contextlib.suppress(OSError):
            found = sorted(path.stem for path in self.folder.glob(f"*{SUFFIX}"))
        return found[:MAX_FILES]

    def load(self, name: str) -> Graph:
        """A group as a document with one node; a file that did not change is read once.

        Raises:
            FileMissing, GraphUnreadable, GraphFromTheFuture: it can't be read.
        """
        path = self._path(sanitise_name(name))
        stamp = (-1, -1)
        with contextlib.suppress(OSError):
            stat = path.stat()
            stamp = (stat.st_size, stat.st_mtime_ns)
        known = self._read.get(name)
        if known is None or known[:2] != stamp:
            known = self._read[name] = (*stamp, read_file(path)[0])
        return known[2]
