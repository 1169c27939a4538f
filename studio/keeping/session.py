"""The session: the document and the pictures of last time, kept without ever asking.

While one works, each change is in the journal (:mod:`studio.keeping.journal`) at most two seconds later. At
the end the document is its own file, byte for byte what a saved graph would be. Each file is whole or not at
all.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, QThreadPool, QTimer, Signal, Slot

from pipelines import paths
from pipelines.errors import DiptychError, ErrorInfo
from pipelines.files import atomic_write
from pipelines.graph.assets import assets_of
from pipelines.graph.document import Graph
from studio.background import in_background
from studio.document import GraphDocument
from studio.keeping import journal
from studio.keeping.backups import EVERY, UNTITLED, Backups, Why, key_of, new_key
from studio.keeping.journal import JournalWriter, State
from studio.results import Result, ResultList

DELAY_MS: Final = 600
RETRY_MS: Final = 10_000
"""After something couldn't be written."""
END_MS: Final = 1_500
GRAPH, STATE = "graph.json", "session.json"
MAX_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Saved:
    """What was found of last time: the document as ``state``, and what else was shown."""

    state: State | None = None
    workspace: str = "create"
    selected: int = -1
    results: tuple[Result, ...] = ()
    crashed: bool = False
    """Whether it comes from the journal of a session that did not end."""
    whole: bool = True
    """Whether all of that journal could be read."""

    @property
    def graph(self) -> Graph | None:
        """The document of last time."""
        return self.state.graph if self.state is not None else None


def session_dir() -> Path:
    """Where this profile keeps its session."""
    return paths.data_dir() / "session"


def load(folder: Path, *, look_only: bool = False) -> Saved:
    """Last time's session; what can't be read is left out, and kept under another name.

    Args:
        look_only: the session is another studio's, which is at work: it did not crash, and nothing is moved.
    """
    path = folder / journal.NAME
    found = journal.Found(ended=True) if journal.has_ended(path) else journal.read(path)
    if not found.whole and not found.states and not look_only:
        _keep_aside(path, journal.UNREADABLE)
    about = _about(folder / STATE)
    kept = about.get("results")
    kept = kept if isinstance(kept, list) else []
    results = [Result.from_json(item) for item in kept if isinstance(item, dict)]
    selected = about.get("selected")
    unfinished = bool(found.states) and not found.ended
    graph = found.states[-1].graph if unfinished else _graph(folder / GRAPH, look_only)
    state = found.states[-1] if unfinished else State.of(graph, about) if graph is not None else None
    return Saved(
        state,
        str(about.get("workspace", "create")),
        selected if isinstance(selected, int) else -1,
        tuple(item for item in results if item is not None),
        unfinished and not look_only,
        found.whole,
    )


def named_assets(folder: Path) -> set[str]:
    """The pixels that the session and the journals name."""
    found: set[str] = set()
    for name in (journal.NAME, journal.BEFORE):
        for state in journal.read(folder / name).states:
            found |= assets_of(state.graph)
    graph = _graph(folder / GRAPH, True)
    return found | assets_of(graph) if graph is not None else found


def _about(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _graph(path: Path, look_only: bool) -> Graph | None:
    try:
        return Graph.loads(path.read_bytes(), path.name)
    except FileNotFoundError:
        return None
    except (OSError, DiptychError):
        if not look_only:
            _keep_aside(path, "graph-unreadable.json")
        return None


def _keep_aside(path: Path, name: str) -> None:
    try:
        path.replace(path.with_name(name))
    except OSError:  # it can't be moved either: it stays where it is
        return


class SessionKeeper(QObject):
    """Watches a document and a list of results, and keeps them. ``view`` gives (workspace, selected row).

    ``failed`` when something can't be kept, once until it can be again.
    """

    failed = Signal(object)

    def __init__(
        self,
        folder: Path,
        document: GraphDocument,
        results: ResultList,
        view: Callable[[], tuple[str, int]],
        parent: QObject | None = None,
        backups: Backups | None = None,
    ) -> None:
        super().__init__(parent)
        self._folder, self._document, self._results, self._view = folder, document, results, view
        self._journal, self.backups = JournalWriter(folder), backups or Backups(folder.parent / "backups")
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)  # what is written last is the last that is written
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._write_soon)
        self.error: ErrorInfo | None = None
        self._ended = self._busy = self._again = False
        self.key = ""
        """The document's name among the backups."""
        self._backed = time.monotonic()
        self._start_over()
        self._kept: State | None = self.state()
        document.closed.connect(self._closed)
        document.replaced.connect(self._start_over)
        document.path_changed.connect(self._moved)
        for signal in (results.rowsInserted, results.rowsRemoved, results.dataChanged):
            signal.connect(self.touch)
        for signal in (document.changed, document.history_changed, document.path_changed):
            signal.connect(self.touch)

    @property
    def folder(self) -> Path:
        """Where the session is kept."""
        return self._folder

    # --- the document's name among the backups ---------------------------------------------------------

    def go_on_from(self, state: State, crashed: bool) -> None:
        """The document is that of an earlier session: it goes on with its backups. What comes from a journal
        is written into the new one at once."""
        if state.key and self._document.path is None:
            self.key = state.key
        self._kept = None if crashed else self.state()
        if crashed:
            self.back_up(self.state(), "crashed")
            self.touch()

    @Slot()
    def _start_over(self) -> None:
        path = self._document.path
        self.key = key_of(path) if path is not None else new_key()
        self._backed = time.monotonic()

    @Slot()
    def _moved(self) -> None:
        before, path = self.key, self._document.path
        if path is not None:
            self.key = key = key_of(path)
            if before.startswith(UNTITLED) and self._document.in_file is not None:
                in_background(
                    self, lambda: self.backups.rename(before, key), lambda _: None, None, self._pool
                )

    @Slot()
    def _closed(self) -> None:
        """Another document comes: the one before goes to its backups, if its file doesn't have it."""
        state = self.state()
        if state.modified and state.graph.nodes:
            self.back_up(state, "closed")

    def back_up(self, state: State, why: Why) -> None:
        """Put a document among the backups, in the background."""

        def put() -> bool:
            return self.backups.put(state.key, state.graph, why, path=state.path, name=state.name)

        in_background(self, put, lambda _: None, self._not_written, self._pool)

    # --- keeping ---------------------------------------------------------------------------------------

    @Slot()
    def touch(self) -> None:
        """Something changed: write it soon. The timer isn't started again, so that two seconds stay two
        seconds."""
        if self._ended:
            return
        if self._busy:
            self._again = True
        elif not self._timer.isActive():
            self._timer.start()

    def state(self) -> State:
        """The document as it is now; without its graph if that can only be looked at."""
        document = self._document
        return State(
            Graph() if document.read_only is not None else document.graph,
            time.time(),
            document.undo_stack.undoText(),
            str(document.path or ""),
            document.title,
            self.key,
            document.stamp,
            document.is_modified,
            document.from_elsewhere,
        )

    @Slot()
    def _write_soon(self) -> None:
        self._busy = True
        in_background(self, self._writer(), self._written, self._not_kept, self._pool)

    def _written(self, _: object) -> None:
        self.error = None
        self._busy = False
        self._timer.setInterval(DELAY_MS)
        if self._again:
            self._again = False
            self.touch()

    def _not_kept(self, error: ErrorInfo) -> None:
        self._kept = None
        self._busy = self._again = False
        self._timer.setInterval(RETRY_MS)
        self._not_written(error)
        self.touch()

    def _not_written(self, error: ErrorInfo) -> None:
        told = self.error is not None
        self.error = error
        if not told:
            self.failed.emit(error)

    def end(self) -> None:
        """Write it for the last time."""
        self._ended = True
        self.write_now()

    def write_now(self) -> None:
        """Write it before returning (at the end). An unwritable folder is no reason not to end, nor is a disk
        that doesn't answer: what is in the journal is found at the next start."""
        self._timer.stop()
        if not self._pool.waitForDone(END_MS):
            return
        state = self.state()
        try:
            self._writer()()
            atomic_write(self._folder / GRAPH, state.graph.dumps())
        except DiptychError as error:
            self.error = error.info()
            return
        self._journal.end(state)

    def _writer(self) -> Callable[[], None]:
        """A function that writes the state as it is now; it touches no Qt object."""
        state, kept, folder = self.state(), self._kept, self._folder
        new = None if state.is_same(kept) else state
        self._kept = new or kept
        workspace, selected = self._view()
        about = {
            "format": 1,
            "workspace": workspace,
            "selected": selected,
            **state.about(),
            "results": [result.to_json() for result in self._results.results if result.path],
        }
        timed = new is not None and time.monotonic() - self._backed >= EVERY
        if timed:
            self._backed = time.monotonic()

        def write() -> None:
            if new is not None:
                self._journal.write(new)
            atomic_write(folder / STATE, json.dumps(about, ensure_ascii=False) + "\n")
            if timed:
                self.backups.put(state.key, state.graph, "timed", path=state.path, name=state.name)

        return write
