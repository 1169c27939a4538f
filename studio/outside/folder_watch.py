"""Watches the folder of the user's own nodes, and says when it has been quiet again after a change."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal, Slot

from pipelines.outside.sources import is_node_file

SETTLED_MS: Final = 400
"""An editor writes a file in several steps: it is looked at when these are over."""


class FolderWatch(QObject):
    """``changed`` when a file of nodes came, went or was written. Nothing is read here."""

    changed = Signal()

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        self._watcher: QFileSystemWatcher | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLED_MS)
        self._timer.timeout.connect(self._settled)

    @Slot()
    def watch(self) -> None:
        """Watch the folder and its files as they are now: a file that was replaced is another one to the
        system."""
        if not self._folder.is_dir():
            return
        if self._watcher is None:
            self._watcher = QFileSystemWatcher(self)
            self._watcher.directoryChanged.connect(self._timer.start)
            self._watcher.fileChanged.connect(self._timer.start)
        watched = set(self._watcher.files()) | set(self._watcher.directories())
        wanted = {str(self._folder)}
        wanted |= {str(path) for path in self._folder.iterdir() if is_node_file(path.name) and path.is_file()}
        if gone := watched - wanted:
            self._watcher.removePaths(sorted(gone))
        if new := wanted - watched:
            self._watcher.addPaths(sorted(new))

    @Slot()
    def _settled(self) -> None:
        self.watch()
        self.changed.emit()
