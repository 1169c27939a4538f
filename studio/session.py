"""The session: the document and the pictures of last time, kept without ever asking.

Written in the background at most two seconds after a change, and at the end; each file whole or not at
all. The
document is its own file, byte for byte what a saved graph would be.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Slot

from pipelines import paths
from pipelines.errors import DiptychError, ErrorInfo
from pipelines.files import atomic_write
from pipelines.graph.document import Graph
from studio.background import in_background
from studio.document import GraphDocument
from studio.results import Result, ResultList

DELAY_MS = 1_500
GRAPH, STATE = "graph.json", "session.json"
MAX_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Saved:
    """What was found of last time. ``path`` is the file the document belongs to, if it has one."""

    graph: Graph | None = None
    path: Path | None = None
    modified: bool = False
    workspace: str = "create"
    selected: int = -1
    results: tuple[Result, ...] = ()
    from_elsewhere: bool = True
    """See :class:`studio.document.GraphDocument`."""


def session_dir() -> Path:
    """Where this profile keeps its session."""
    return paths.data_dir() / "session"


def load(folder: Path) -> Saved:
    """Last time's session; what can't be read is left out (and left where it is)."""
    state = _state(folder / STATE)
    kept = state.get("results")
    kept = kept if isinstance(kept, list) else []
    results = [Result.from_json(item) for item in kept if isinstance(item, dict)]
    path, selected = state.get("path"), state.get("selected")
    return Saved(
        _graph(folder / GRAPH),
        Path(path) if isinstance(path, str) and path else None,
        bool(state.get("modified")),
        str(state.get("workspace", "create")),
        selected if isinstance(selected, int) else -1,
        tuple(item for item in results if item is not None),
        bool(state.get("from_elsewhere", True)),
    )


def _state(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _graph(path: Path) -> Graph | None:
    try:
        return Graph.loads(path.read_bytes(), path.name)
    except FileNotFoundError:
        return None
    except (OSError, DiptychError):
        try:
            path.replace(path.with_name("graph-unreadable.json"))
        except OSError:
            return None
        return None


class SessionKeeper(QObject):
    """Watches a document and a list of results, and keeps them. ``view`` gives (workspace, selected row)."""

    def __init__(
        self,
        folder: Path,
        document: GraphDocument,
        results: ResultList,
        view: Callable[[], tuple[str, int]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._folder, self._document, self._results, self._view = folder, document, results, view
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._write_soon)
        self.error: ErrorInfo | None = None
        self._ended = False
        for signal in (document.changed, results.rowsInserted, results.rowsRemoved, results.dataChanged):
            signal.connect(self.touch)

    @Slot()
    def touch(self) -> None:
        """Something changed: write it soon. The timer isn't started again, so that two seconds stay two
        seconds."""
        if not self._ended and not self._timer.isActive():
            self._timer.start()

    @Slot()
    def _write_soon(self) -> None:
        write = self._writer()
        in_background(self, write, self._written, self._not_written)

    def _written(self, _: object) -> None:
        self.error = None

    def _not_written(self, error: ErrorInfo) -> None:
        self.error = error

    def end(self) -> None:
        """Write it for the last time."""
        self._ended = True
        self.write_now()

    def write_now(self) -> None:
        """Write it before returning (at the end). An unwritable folder is no reason not to end."""
        self._timer.stop()
        try:
            self._writer()()
        except DiptychError as error:
            self.error = error.info()

    def _writer(self) -> Callable[[], None]:
        """A function that writes the state as it is now; it touches no Qt object."""
        graph, folder = self._document.graph, self._folder
        workspace, selected = self._view()
        path = self._document.path
        state = {
            "format": 1,
            "workspace": workspace,
            "selected": selected,
            "path": str(path) if path is not None else "",
            "modified": self._document.is_modified,
            "from_elsewhere": self._document.from_elsewhere,
            "results": [result.to_json() for result in self._results.results if result.path],
        }

        def write() -> None:
            atomic_write(folder / GRAPH, graph.dumps())
            atomic_write(folder / STATE, json.dumps(state, ensure_ascii=False) + "\n")

        return write
