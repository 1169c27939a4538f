"""Files dropped on a window, wherever that is: they never become text in a field, or get lost on the way.

Qt gives a drop to whichever widget says it takes one, and text fields say so of files. So the window is asked
before its widgets are: graphs are opened, pickled models offered to be converted, pictures go to the nearest
widget round the place that knows what to do with them, else they are opened too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QWidget

GRAPH_SUFFIXES: Final = (".json", ".diptych")
PICKLED_SUFFIXES: Final = (".ckpt", ".pth", ".pt", ".bin")
_DRAGS: Final = (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop)


@runtime_checkable
class TakesPictures(Protocol):
    """A widget on which a dropped picture means something of its own."""

    def take_pictures(self, files: list[str], at: QPoint, *, own: bool) -> None:
        """Files that are no graphs were dropped ``at`` a point of the screen; ``own``: they were dragged from
        this program."""


def files_of(event: QDropEvent) -> list[str]:
    """The local files that are dragged."""
    return [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]


def is_graph(file: str) -> bool:
    """Whether a file is a graph, by its name."""
    return Path(file).suffix.lower() in GRAPH_SUFFIXES


def is_pickled(file: str) -> bool:
    """Whether a file is a pickled model, by its name."""
    return Path(file).suffix.lower() in PICKLED_SUFFIXES


class FileDrops(QObject):
    """Watches a window, once it is shown. ``open_file`` opens a graph, or the graph inside a picture;
    ``convert_file`` a pickled model, of which a safe copy can be made."""

    def __init__(
        self, window: QWidget, open_file: Callable[[str], object], convert_file: Callable[[str], object]
    ) -> None:
        super().__init__(window)
        self._window, self._open, self._convert = window, open_file, convert_file
        self._watched: QObject | None = None

    def watch(self) -> None:
        """The window is shown."""
        handle = self._window.windowHandle()
        if handle is not None and handle is not self._watched:
            handle.installEventFilter(self)
            self._watched = handle

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() not in _DRAGS or not isinstance(event, QDropEvent):
            return False
        files = files_of(event)
        place = event.position().toPoint()
        if not files or not self._is_wanted(files, place, own=event.source() is not None):
            return False
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        if event.type() == QEvent.Type.Drop:
            self.drop(files, place, own=event.source() is not None)
        return True

    def _is_wanted(self, files: list[str], place: QPoint, *, own: bool) -> bool:
        """What is dragged out of the window and back again is only taken where it means something."""
        return not own or self._taker(place) is not None

    def drop(self, files: list[str], place: QPoint, *, own: bool = False) -> None:
        """Files were dropped at a point of the window."""
        for file in files:
            if is_graph(file):
                self._open(file)
            elif is_pickled(file):
                self._convert(file)
        pictures = [file for file in files if not is_graph(file) and not is_pickled(file)]
        taker = self._taker(place)
        if taker is not None and pictures:
            taker.take_pictures(pictures, self._window.mapToGlobal(place), own=own)
        elif not own:
            for file in pictures:
                self._open(file)

    def _taker(self, place: QPoint) -> TakesPictures | None:
        widget: QWidget | None = self._window.childAt(place)
        while widget is not None and widget is not self._window:
            if isinstance(widget, TakesPictures):
                return widget
            widget = widget.parentWidget()
        return None
