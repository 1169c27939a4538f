"""Whether somebody else changed the file of the document: before a save, and told when it happens."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal, Slot

from pipelines.errors import DiptychError
from pipelines.files import is_there
from pipelines.graph.storage import Stored, read_any, read_data
from studio.documents.document import GraphDocument
from studio.documents.sheet import stamp_of

SETTLED_MS = 400
"""A file is looked at when its writer has been quiet for so long."""


class Elsewhere(NamedTuple):
    """What another program wrote into the file of a document; ``stored`` is ``None`` if that is no graph."""

    stored: Stored | None


def look(path: Path, known: bytes | None) -> Elsewhere | None:
    """What another program wrote into ``path``; ``None`` if it holds what Diptych last read or wrote there,
    whatever its time says. For worker threads.

    Args:
        known: the graph's text as it was read or written last.
    """
    if not is_there(path):
        return None
    try:
        stored = read_any(read_data(path), path.name)
    except DiptychError:
        return Elsewhere(None)
    return None if stored.graph.dumps() == known else Elsewhere(stored)


class FileWatch(QObject):
    """Watches the file of a document. ``changed_elsewhere`` when somebody else changed or deleted it."""

    changed_elsewhere = Signal(Path)

    def __init__(self, document: GraphDocument, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._watcher: QFileSystemWatcher | None = None
        self._told: tuple[int, int] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLED_MS)
        self._timer.timeout.connect(self._look)
        document.path_changed.connect(self._watch)
        document.saved.connect(self._watch)
        document.replaced.connect(self._timer.start)  # it may have been changed behind another tab
        self._watch()

    @Slot()
    def _watch(self) -> None:
        """Watch the file as it is now: a file that was replaced is another one to the system."""
        path = self._document.path
        watcher = self._watcher
        if watcher is None:
            if path is None:
                return
            watcher = self._watcher = QFileSystemWatcher(self)
            watcher.fileChanged.connect(self._changed)
        for old in watcher.files():
            watcher.removePath(old)
        if path is not None and path.is_file():
            watcher.addPath(str(path))

    @Slot()
    def _changed(self) -> None:
        self._timer.start()

    @Slot()
    def _look(self) -> None:
        path = self._document.path
        self._watch()
        sheet = self._document.sheet
        if sheet.goal is not None:  # it is Diptych that writes it
            return
        if path is not None and sheet.is_changed_on_disk() and self._told != stamp_of(path):
            self._told = stamp_of(path)
            self.changed_elsewhere.emit(path)
