"""Pictures that were made: one record each, and the list the filmstrip shows. Undo never reaches them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSize,
    Qt,
    QUrl,
)
from PySide6.QtGui import QColorSpace, QImage, QImageReader

from pipelines.errors import ErrorInfo, ImageUnreadable
from studio.background import in_background
from studio.translate import tr

KEPT = 500
THUMBNAIL = 160
"""Pixels on the longer side: a tile at twice the resolution."""
SCALED_AT_ONCE = 1_000_000
"""Pixels of a picture that is reduced in no time; the thumbnail of a larger one is read from its file."""
READ_AT_ONCE = 2048
"""MB that Qt may take for one picture: as many pixels as are allowed at all, with 16 bits a channel."""
LATEST = 1e11
"""Seconds since 1970 that no clock shows yet."""
THUMBNAIL_ROLE = Qt.ItemDataRole.UserRole + 1
MISSING_ROLE = Qt.ItemDataRole.UserRole + 2
_NO_INDEX = QModelIndex()
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Result:
    """One picture. ``settings`` are the graph's exposed values it was made with; ``path`` is empty if it
    wasn't saved."""

    path: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    job: str = ""
    node: str = ""
    index: int = 0
    made: float = field(default_factory=time.time)

    @property
    def seed(self) -> int | None:
        """The seed it was drawn with, as far as it is known."""
        found = self.info.get("seed", self.settings.get("seed"))
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    @property
    def prompt(self) -> str:
        """The prompt, as the model got it."""
        found = self.info.get("prompt", self.settings.get("prompt", ""))
        return found if isinstance(found, str) else ""

    def to_json(self) -> dict[str, Any]:
        """For the session file."""
        return {
            "path": self.path,
            "settings": dict(self.settings),
            "info": dict(self.info),
            "made": self.made,
        }

    @classmethod
    def from_json(cls, data: Any) -> Result | None:
        """From the session file; ``None`` for what isn't a result."""
        if not isinstance(data, Mapping) or not isinstance(data.get("path"), str) or not data["path"]:
            return None
        settings, info, made = data.get("settings"), data.get("info"), data.get("made")
        return cls(
            data["path"],
            settings if isinstance(settings, Mapping) else {},
            info if isinstance(info, Mapping) else {},
            made=float(made) if isinstance(made, int | float) and 0 < made < LATEST else 0.0,
        )


def read_image(path: str, side: int | None = None) -> QImage:
    """A picture from its file, upright and in sRGB, at most ``side`` pixels wide and high. Meant for worker
    threads.

    Raises:
        ImageUnreadable: with the reader's reason.
        ImageTooLarge: it has more pixels than allowed, by its header.
    """
    from pipelines.graph.values import check_size

    QImageReader.setAllocationLimit(READ_AT_ONCE)  # Qt's own is less than a picture of ours may have
    reader = QImageReader(path)
    reader.setAutoTransform(True)
    size = reader.size()
    check_size(size.width(), size.height())
    if side is not None and size.isValid() and max(size.width(), size.height()) > side:
        reader.setScaledSize(size.scaled(QSize(side, side), Qt.AspectRatioMode.KeepAspectRatio))
    image = reader.read()
    if image.isNull():
        raise ImageUnreadable(path=Path(path).name, reason=reader.errorString() + ".")
    return _in_srgb(image)


def _in_srgb(image: QImage) -> QImage:
    """The colours as they are shown: a profile is applied, and inks become light."""
    srgb = QColorSpace(QColorSpace.NamedColorSpace.SRgb)
    if image.colorSpace().isValid() and image.colorSpace() != srgb:
        converted = image.convertedToColorSpace(srgb)
        image = image if converted.isNull() else converted
    if image.format() == QImage.Format.Format_CMYK8888:
        image = image.convertToFormat(QImage.Format.Format_RGB32)
    return image


def thumbnail_of(image: QImage) -> QImage:
    """A picture small enough for a tile."""
    if max(image.width(), image.height()) <= THUMBNAIL:
        return image
    return image.scaled(
        THUMBNAIL, THUMBNAIL, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )


class ResultList(QAbstractListModel):
    """Results, oldest first. Thumbnails are read in the background, the first time they are asked for."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._results: list[Result] = []
        self._thumbnails: dict[int, QImage | None] = {}
        self._unsaved: dict[int, QImage] = {}
        self._keys: list[int] = []
        self._count = itertools.count()

    @property
    def results(self) -> tuple[Result, ...]:
        """All of them, oldest first."""
        return tuple(self._results)

    def result(self, row: int) -> Result | None:
        """The result of a row."""
        return self._results[row] if 0 <= row < len(self._results) else None

    def add(self, result: Result, image: QImage | None = None) -> int:
        """Append a result and give its row; the oldest goes (from the list, not the disk) beyond
        :data:`KEPT`.

        A picture that wasn't saved is kept in memory until it is.
        """
        if len(self._results) >= KEPT:
            self.remove(0)
        row = len(self._results)
        self.beginInsertRows(QModelIndex(), row, row)
        key = next(self._count)
        self._results.append(result)
        self._keys.append(key)
        if image is not None and not image.isNull():
            self._keep(key, result, image)
        self.endInsertRows()
        return row

    def _keep(self, key: int, result: Result, image: QImage) -> None:
        if not result.path:
            self._unsaved[key] = image
        if not result.path or image.width() * image.height() <= SCALED_AT_ONCE:
            self._thumbnails[key] = thumbnail_of(image)

    def unsaved_image(self, row: int) -> QImage | None:
        """The picture of a result that has no file yet."""
        return self._unsaved.get(self._keys[row]) if 0 <= row < len(self._keys) else None

    def row_of(self, path: str) -> int | None:
        """The row of a file."""
        return next((row for row, item in enumerate(self._results) if path and item.path == path), None)

    def set_results(self, results: list[Result]) -> None:
        """Show others (the session of last time)."""
        self.beginResetModel()
        self._results = results[-KEPT:]
        self._keys = [next(self._count) for _ in self._results]
        self._thumbnails, self._unsaved = {}, {}
        self.endResetModel()

    def replace(self, row: int, result: Result) -> None:
        """Change a record (it was saved elsewhere)."""
        self._results[row] = result
        self._thumbnails.pop(self._keys[row], None)
        self._unsaved.pop(self._keys[row], None)
        self.dataChanged.emit(self.index(row), self.index(row))

    def remove(self, row: int) -> None:
        """Take a result off the list; its file stays."""
        self.beginRemoveRows(QModelIndex(), row, row)
        self._results.pop(row)
        key = self._keys.pop(row)
        self._thumbnails.pop(key, None)
        self._unsaved.pop(key, None)
        self.endRemoveRows()

    # --- for the view ----------------------------------------------------------------------------------

    def rowCount(self, parent: Index = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(self._results)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        result = self.result(index.row())
        if result is None:
            return None
        if role == THUMBNAIL_ROLE:
            return self._thumbnail(index.row())
        if role == MISSING_ROLE:
            key = self._keys[index.row()]
            return key in self._thumbnails and self._thumbnails[key] is None
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            name = Path(result.path).name if result.path else tr("Not saved")
            seed = tr("Seed {seed}", seed=result.seed) if result.seed is not None else ""
            prompt = result.prompt if len(result.prompt) <= 200 else result.prompt[:199] + "…"
            return "\n".join(part for part in (prompt, name, seed) if part)
        return None

    def _thumbnail(self, row: int) -> QImage | None:
        key, result = self._keys[row], self._results[row]
        if key in self._thumbnails:
            image = self._thumbnails[key]
            return image if image is not None and not image.isNull() else None
        self._thumbnails[key] = QImage()
        if result.path:
            in_background(
                self,
                lambda: read_image(result.path, THUMBNAIL),
                lambda image: self._arrived(key, image),
                lambda error: self._failed(key, error),
            )
        return None

    def _arrived(self, key: int, image: QImage | None) -> None:
        if key in self._keys:
            self._thumbnails[key] = image
            at = self.index(self._keys.index(key))
            self.dataChanged.emit(at, at)

    def _failed(self, key: int, error: ErrorInfo) -> None:
        self._arrived(key, None)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled

    def mimeTypes(self) -> list[str]:
        return ["text/uri-list"]

    def mimeData(self, indexes: Any) -> QMimeData:
        return mime_of([result for at in indexes if (result := self.result(at.row())) is not None])


def mime_of(results: list[Result]) -> QMimeData:
    """The files of these results, to be dragged into other programs."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(result.path) for result in results if result.path])
    return data
