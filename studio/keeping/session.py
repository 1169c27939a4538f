"""The session: the documents and the pictures of last time, kept without ever asking.

While one works, each change is in the journal of its document (:mod:`studio.keeping.journal`) at most two
seconds later. At the end each document is its own file, byte for byte what a saved graph would be.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QThreadPool, QTimer, Signal, Slot

from pipelines.errors import DiptychError, ErrorInfo
from pipelines.graph.document import Graph
from studio.background import in_background
from studio.documents.open_documents import OpenDocuments
from studio.documents.sheet import Sheet
from studio.keeping import session_files
from studio.keeping.backups import EVERY, UNTITLED, Backups, Why, key_of, new_key
from studio.keeping.journal import JournalWriter, State
from studio.keeping.session_files import WORKSPACE
from studio.pictures.results import ResultList

DELAY_MS: Final = 600
RETRY_MS: Final = 10_000
"""After something couldn't be written."""
END_MS: Final = 1_500


class SessionKeeper(QObject):
    """Watches the open documents and a list of results, and keeps them. ``view`` gives (workspace, selected
    row).

    ``failed`` when something can't be kept, once until it can be again.
    """

    failed = Signal(object)

    def __init__(
        self,
        folder: Path,
        tabs: OpenDocuments,
        results: ResultList,
        view: Callable[[], tuple[str, int]],
        parent: QObject | None = None,
        backups: Backups | None = None,
    ) -> None:
        super().__init__(parent)
        self._folder, self._tabs = folder, tabs
        self._results, self._view = results, view
        self.backups = backups or Backups(folder.parent / "backups")
        self._journals: dict[str, JournalWriter] = {}
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)  # what is written last is the last that is written
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._write_soon)
        self.error: ErrorInfo | None = None
        self._ended = self._busy = self._again = False
        self._keys: dict[str, str] = {}
        self._backed: dict[str, float] = {}
        self._kept: dict[str, State] = {}
        """What the session has of each sheet, by id."""
        for sheet in tabs.sheets:
            self._kept[sheet.id] = self.state(sheet)
        tabs.closed.connect(self._closed)
        tabs.reopened.connect(self._reopened)
        document = tabs.document
        document.path_changed.connect(self._moved)
        document.saved.connect(self._moved)
        for signal in (results.rowsInserted, results.rowsRemoved, results.dataChanged):
            signal.connect(self.touch)
        for signal in (document.changed, tabs.changed):
            signal.connect(self.touch)

    def folder_of(self, sheet: Sheet) -> Path:
        """Where the session keeps a document."""
        return session_files.folder_of(self._folder, sheet.id)

    # --- the documents' names among the backups --------------------------------------------------------

    @property
    def key(self) -> str:
        """The name among the backups of the document that is shown."""
        return self.key_of(self._tabs.document.sheet)

    def key_of(self, sheet: Sheet) -> str:
        """A document's name among the backups."""
        if sheet.id not in self._keys:
            self._keys[sheet.id] = key_of(sheet.path) if sheet.path is not None else new_key()
        return self._keys[sheet.id]

    def go_on_from(self, sheet: Sheet, state: State, crashed: bool) -> None:
        """A document is that of an earlier session: it goes on with its backups. What comes from a journal is
        written into the new one at once."""
        if state.key and sheet.path is None:
            self._keys[sheet.id] = state.key
        if crashed:
            self._kept.pop(sheet.id, None)
            self.back_up(self.state(sheet), "crashed")
            self.touch()
        else:
            self._kept[sheet.id] = self.state(sheet)

    @Slot()
    def _moved(self) -> None:
        for sheet in self._tabs.sheets:
            before = self._keys.get(sheet.id, "")
            if sheet.path is None or not before or before == key_of(sheet.path):
                continue
            self._keys[sheet.id] = key_of(sheet.path)
            if before.startswith(UNTITLED) and sheet.in_file is not None:
                self._rename_backups(before, key_of(sheet.path))

    def _rename_backups(self, before: str, after: str) -> None:
        in_background(self, lambda: self.backups.rename(before, after), lambda _: None, None, self._pool)

    @Slot(object)
    def _closed(self, sheet: Sheet) -> None:
        """A document goes to its backups, if its file doesn't have it, and leaves the session."""
        state, folder = self.state(sheet), self.folder_of(sheet)
        if state.modified and state.graph.nodes:
            self.back_up(state, "closed")
        for known in (self._journals, self._kept):
            known.pop(sheet.id, None)
        in_background(
            self, lambda: shutil.rmtree(folder, ignore_errors=True), lambda _: None, None, self._pool
        )

    @Slot(object)
    def _reopened(self, sheet: Sheet) -> None:
        """It is written anew, by a journal of its own."""
        self._kept.pop(sheet.id, None)

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

    def state(self, sheet: Sheet) -> State:
        """A document as it is now; without its graph if that can only be looked at."""
        return State(
            Graph() if sheet.read_only is not None else sheet.graph,
            time.time(),
            sheet.undo_stack.undoText(),
            str(sheet.path or ""),
            sheet.title,
            self.key_of(sheet),
            sheet.stamp,
            sheet.is_modified,
            sheet.from_elsewhere,
        )

    def _states(self) -> dict[str, State]:
        """The open documents as they are now, by id; blank ones aren't worth keeping."""
        return {sheet.id: self.state(sheet) for sheet in self._tabs.sheets if not sheet.is_blank}

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
        self._kept.clear()
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
        states = self._states()
        try:
            self._writer()()
            for id, state in states.items():
                session_files.write_graph(self._folder, id, state.graph)
        except DiptychError as error:
            self.error = error.info()
            return
        for id, state in states.items():
            self._journal(id).end(state)

    def _journal(self, id: str) -> JournalWriter:
        if id not in self._journals:
            self._journals[id] = JournalWriter(session_files.folder_of(self._folder, id))
        return self._journals[id]

    def _writer(self) -> Callable[[], None]:
        """A function that writes the states as they are now; it touches no Qt object."""
        states, folder = self._states(), self._folder
        new = {id: state for id, state in states.items() if not state.is_same(self._kept.get(id))}
        self._kept.update(new)
        workspace, selected = self._view()
        sheets = {sheet.id: sheet for sheet in self._tabs.sheets if sheet.id in states}
        tabs = [
            {"id": id, WORKSPACE: sheet.memory.get(WORKSPACE, "create"), **states[id].about()}
            for id, sheet in sheets.items()
        ]
        about = {
            "format": session_files.FORMAT,
            "tabs": tabs,
            "shown": self._tabs.document.sheet.id,
            WORKSPACE: workspace,
            "selected": selected,
            "results": [result.to_json() for result in self._results.results if result.path],
        }
        journals = {id: self._journal(id) for id in new}
        timed = self._due_for_backup(new)

        def write() -> None:
            for id, state in new.items():
                journals[id].write(state)
            session_files.write_about(folder, about)
            for state in timed:
                self.backups.put(state.key, state.graph, "timed", path=state.path, name=state.name)

        return write

    def _due_for_backup(self, new: Mapping[str, State]) -> list[State]:
        """Of these states those whose document was last backed up, or opened, long ago."""
        now, due = time.monotonic(), []
        for id, state in new.items():
            if now - self._backed.setdefault(id, now) >= EVERY:
                self._backed[id] = now
                due.append(state)
        return due
