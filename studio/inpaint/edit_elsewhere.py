"""*Edit in…*: a picture goes to the user's own painting program, and comes back each time it is saved there.

The files lie in a folder of the user's alone. What is not closed when Diptych ends stays there for a month,
and what was saved meanwhile is offered at the next start (:mod:`studio.inpaint.left_elsewhere`).
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QFileSystemWatcher, QObject, QProcess, QStandardPaths, QTimer, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QImage

from pipelines.errors import ErrorInfo, ProgramNotStarted
from pipelines.image.open_raster import OraPicture
from studio.background import in_background
from studio.inpaint import edited_files, edited_marks
from studio.inpaint.edited_files import Edited, Stamp
from studio.settings import SettingsStore
from studio.translate import tr

QUIET: Final = 1_000
"""Milliseconds between two looks at files that nothing happens to (the system tells of most changes)."""
BUSY: Final = 150
"""Milliseconds a file must stay as it is before it is read: programs write in pieces, or replace it."""
RETRIES: Final = (0.3, 0.6, 1.2, 2.4)
"""Seconds to wait before a file that can't be read is read again: it may not be finished yet."""
LAYERED: Final = ("krita", "gimp", "mypaint", "pinta", "drawpile", "lazpaint")
"""Programs that open OpenRaster, by how the names of their files begin."""


@dataclass(slots=True)
class _Edit:
    """A picture that is elsewhere. ``known``: the layers as they went."""

    name: str
    path: Path
    known: OraPicture | None
    taken: Stamp | None
    seen: Stamp | None = None
    reading: bool = False
    failures: int = 0
    not_before: float = 0.0

    @property
    def is_settled(self) -> bool:
        return self.seen in (None, self.taken) and not self.reading


class EditElsewhere(QObject):
    """One for a canvas. Pictures have names, which the caller chooses: opening a name again starts it anew.

    ``opened(name, path)`` when the file is written and the program asked for. ``saved(name, path, picture)``
    for each save: a QImage, or an :class:`OraPicture` if layers were opened, with what the program forgot of
    them. ``failed(name, error)``: it could not be written, opened or read; what is open stays open.
    """

    opened = Signal(str, str)
    saved = Signal(str, str, object)
    failed = Signal(str, object)

    def __init__(
        self, settings: SettingsStore, parent: QObject | None = None, folder: Path | None = None
    ) -> None:
        super().__init__(parent)
        self._settings, self._folder = settings, folder or edited_marks.default_folder()
        self._opening: dict[str, object] = {}
        self._edits: dict[str, _Edit] = {}
        self._watcher = QFileSystemWatcher(self)
        self._watcher.fileChanged.connect(self._look_soon)
        self._watcher.directoryChanged.connect(self._look_soon)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)

    @property
    def names(self) -> tuple[str, ...]:
        """The pictures that are elsewhere."""
        return tuple(self._edits)

    @property
    def takes_layers(self) -> bool:
        """Whether the user's program is known to open OpenRaster; else a picture is better sent as one."""
        return Path(self._settings.values.painting_program).stem.casefold().startswith(LAYERED)

    @property
    def program_name(self) -> str:
        """What to call the program in a menu; empty if the system chooses it."""
        return Path(self._settings.values.painting_program).stem

    def open(self, picture: QImage | OraPicture, name: str) -> None:
        """Write a picture (PNG, or OpenRaster with its layers) and open it in the user's program."""
        self.close(name)
        known = picture if isinstance(picture, OraPicture) else None
        opening = self._opening[name] = object()
        in_background(
            self,
            partial(edited_files.write, self._folder, name, picture),
            lambda written: self._written(name, opening, known, *written),
            lambda error: self._unwritten(name, opening, error),
        )

    def close(self, name: str) -> None:
        """Stop looking, and delete the file; one with a save that was not taken yet is kept."""
        self._opening.pop(name, None)
        edit = self._edits.pop(name, None)
        if edit is None:
            return
        self._watcher.removePath(str(edit.path))
        if edited_files.stamp(edit.path) == edit.taken and not edit.reading:
            edited_files.remove(edit.path)
        if not self._edits:
            self._timer.stop()

    def _written(
        self, name: str, opening: object, known: OraPicture | None, path: Path, taken: Stamp | None
    ) -> None:
        if self._opening.get(name) is not opening:  # closed, or opened anew, before it was written
            edited_files.remove(path)
            return
        del self._opening[name]
        error = self._start(path)
        if error is not None:
            edited_files.remove(path)
            self.failed.emit(name, error)
            return
        self._edits[name] = _Edit(name, path, known, taken)
        self._watcher.addPaths([str(path), str(path.parent)])
        self._timer.start(QUIET)
        self.opened.emit(name, str(path))

    def _unwritten(self, name: str, opening: object, error: ErrorInfo) -> None:
        if self._opening.get(name) is opening:
            del self._opening[name]
            self.failed.emit(name, error)

    def _start(self, path: Path) -> ErrorInfo | None:
        """Open a file in the user's program, which then lives on its own."""
        program = self._settings.values.painting_program
        if not program:
            if QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
                return None
            reason = tr("The system knows no program for this kind of file.")
            return ProgramNotStarted(program=path.name, reason=reason).info()
        if sys.platform == "darwin" and program.endswith(".app"):
            started = QProcess.startDetached("open", ["-a", program, str(path)])
        elif found := QStandardPaths.findExecutable(program):
            started = QProcess.startDetached(found, [str(path)], str(path.parent))
        else:
            reason = tr("It is not there, or it is not a program.")
            return ProgramNotStarted(program=program, reason=reason).info()
        if started[0]:
            return None
        return ProgramNotStarted(program=program, reason=tr("The system refused to start it.")).info()

    @Slot()
    def _look_soon(self) -> None:
        if self._edits:
            self._timer.start(BUSY)

    @Slot()
    def _look(self) -> None:
        """Take what has changed and stayed as it is since the last look."""
        watched = set(self._watcher.files())
        for edit in self._edits.values():
            now = edited_files.stamp(edit.path)
            if now is not None and str(edit.path) not in watched:
                self._watcher.addPath(str(edit.path))  # it was replaced, and the system forgot it
            changed, edit.seen = now != edit.seen, now
            if changed and now is not None:
                edit.failures, edit.not_before = 0, 0.0
            elif not edit.is_settled and not edit.reading and time.monotonic() >= edit.not_before:
                self._read(edit)
        settled = all(edit.is_settled for edit in self._edits.values())
        self._timer.start(QUIET if settled else BUSY)

    def _read(self, edit: _Edit) -> None:
        edit.reading = True
        path, known = edit.path, edit.known
        in_background(
            self,
            lambda: edited_files.read(path, known),
            partial(self._taken, edit),
            partial(self._unread, edit),
        )

    def _taken(self, edit: _Edit, found: Edited) -> None:
        edit.reading = False
        if self._edits.get(edit.name) is not edit:
            return
        if found.before != found.after:  # written to while it was read: once more, when that is over
            edit.seen = None
            self._timer.start(BUSY)
            return
        edit.taken, edit.failures = found.after, 0
        self.saved.emit(edit.name, str(edit.path), found.picture)

    def _unread(self, edit: _Edit, error: ErrorInfo) -> None:
        edit.reading = False
        if self._edits.get(edit.name) is not edit:
            return
        if edit.failures < len(RETRIES):
            edit.not_before = time.monotonic() + RETRIES[edit.failures]
            edit.failures += 1
            return
        edit.taken = edit.seen  # told once; the next save is another matter
        self.failed.emit(edit.name, error)
