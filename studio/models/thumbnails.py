"""Small pictures of models, read in a thread of their own: what came into view last is read first."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from PySide6.QtCore import QObject, QSize, Qt, QThreadPool, Signal
from PySide6.QtGui import QImage, QImageReader

from studio.background import in_background

SIDE: Final = 96
"""Pixels of a side; twice what a row shows, for dense screens."""
KEPT: Final = 600
WAITING: Final = 64
"""So many that came into view last wait to be read; the rest is asked for again when it is shown."""
LARGE: Final = 640


def read(path: str, side: int) -> QImage:
    """A picture that fits into a square; a null image if it can't be read. For worker threads."""
    reader = QImageReader(path)
    reader.setAutoTransform(True)
    size = reader.size()
    if size.isValid() and max(size.width(), size.height()) > side:
        reader.setScaledSize(size.scaled(QSize(side, side), Qt.AspectRatioMode.KeepAspectRatio))
    return reader.read()


class Thumbnails(QObject):
    """``arrived`` after one or several were read."""

    arrived = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known: OrderedDict[str, QImage] = OrderedDict()
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._reading = ""
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)

    def get(self, path: str) -> QImage | None:
        """The picture of a file, or ``None`` while it isn't read (it will be) or can't be."""
        found = self._known.get(path)
        if found is not None:
            self._known.move_to_end(path)
            return None if found.isNull() else found
        if path != self._reading:
            self._waiting[path] = None
            self._waiting.move_to_end(path)
            while len(self._waiting) > WAITING:
                self._waiting.popitem(last=False)
            self._read()
        return None

    def _read(self) -> None:
        if self._reading or not self._waiting:
            return
        path = self._reading = self._waiting.popitem()[0]
        in_background(
            self, lambda: read(path, SIDE), lambda image: self._put(path, image),
            lambda _: self._put(path, QImage()), pool=self._pool,
        )  # fmt: skip

    def _put(self, path: str, image: QImage) -> None:
        self._reading = ""
        self._known[path] = image
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        self.arrived.emit()
        self._read()
