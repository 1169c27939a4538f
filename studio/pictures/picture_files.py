"""Files of pictures: copy, convert, paste, bin, and the graph inside. For worker threads, except where
noted."""

from __future__ import annotations

from pathlib import Path

from blake3 import blake3
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMimeData, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication, QImage

from pipelines import paths
from pipelines.errors import FileMissing, SaveFailed
from pipelines.files import atomic_write
from pipelines.graph.document import Graph
from studio.pictures.results import Result, read_image

OURS = "application/x-diptych-picture"
"""Marks what we put on the clipboard."""
SUFFIXES = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPG", ".jpeg": "JPG"}


def graph_inside(path: str) -> Graph | None:
    """The graph that made a picture.

    Raises:
        FileMissing, ImageUnreadable, GraphUnreadable, GraphFromTheFuture: see
        :func:`pipelines.metadata.graph_of`.
    """
    from pipelines.metadata import graph_of

    return graph_of(Path(path))


def copy_picture(source: str, goal: str) -> str:
    """Write a copy. The same format is copied byte by byte, with its data; another one is converted, without.

    Raises:
        FileMissing, ImageUnreadable, SaveFailed, DiskFull: nothing is left half-written.
    """
    path = Path(goal) if Path(goal).suffix else Path(goal + Path(source).suffix)
    kinds = SUFFIXES.get(Path(source).suffix.lower()), SUFFIXES.get(path.suffix.lower())
    if kinds[0] == kinds[1] or kinds[1] is None:
        try:
            data = Path(source).read_bytes()
        except OSError as error:
            raise FileMissing(path=source) from error
    else:
        data = encoded(read_image(source), kinds[1], str(path))
    return str(atomic_write(path, data))


def encoded(image: QImage, kind: str, path: str) -> bytes:
    """A picture as a file's bytes. Raises :class:`SaveFailed` if this system can't write the format."""
    store = QByteArray()
    buffer = QBuffer(store)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not image.save(buffer, kind, 95):  # type: ignore[call-overload]
        raise SaveFailed(path=path, reason=f"The format {kind} can't be written here.")
    return bytes(store.data())


def keep_pasted(image: QImage) -> str:
    """A pasted picture as a file of its own, named by its content, so that pasting it twice keeps one."""
    data = encoded(image, "PNG", "")
    path = paths.data_dir() / "pasted" / f"{blake3(data).hexdigest()[:16]}.png"
    return str(path) if path.is_file() else str(atomic_write(path, data))


def write_picture(image: QImage, kind: str, path: Path) -> Path:
    """Write a picture as ``PNG``, ``WEBP`` or ``JPG``. Raises SaveFailed, DiskFull."""
    return atomic_write(path, encoded(image, kind, str(path)))


def to_bin(path: str) -> None:
    """Move a file to the system's bin. Raises :class:`SaveFailed` with the system's reason."""
    from send2trash import send2trash

    try:
        send2trash(path)
    except OSError as error:
        raise SaveFailed(path=path, reason=f"{error.strerror or error}.") from error


def clipboard_data(result: Result, image: QImage) -> QMimeData:
    """A picture for the clipboard: pixels for editors, the file for file managers. Main thread."""
    data = QMimeData()
    data.setData(OURS, QByteArray(b"1"))
    data.setImageData(image)
    if result.path:
        data.setUrls([QUrl.fromLocalFile(result.path)])
    return data


def leave_clipboard() -> None:
    """Before the end: leave the picture on the clipboard, but no object of ours behind it.

    Qt takes clipboard data made in Python apart after Python has ended, and crashes then. Main thread.
    """
    clipboard = QGuiApplication.clipboard()
    data: QMimeData | None = clipboard.mimeData()  # an empty clipboard has none
    if data is not None and data.hasFormat(OURS):
        clipboard.setImage(clipboard.image())


def show_in_folder(path: str) -> None:
    """Open the folder of a file. Main thread."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(path).parent)))
