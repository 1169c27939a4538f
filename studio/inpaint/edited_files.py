"""The files of pictures that are edited elsewhere: written, looked at, read, and swept when nobody came for
them."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Final, NamedTuple

from PySide6.QtGui import QImage

from pipelines.files import atomic_write, folder_error, sanitise_name, sweep_temporary, unique_path
from pipelines.image.open_raster import OraPicture, recalled, write_open_raster
from pipelines.image.open_raster_reading import read_open_raster
from studio.inpaint import edited_marks
from studio.inpaint.reading import encode_png, picture_from

KEPT_SECONDS: Final = 30 * 24 * 3600.0
"""How long a file that nobody closed is kept after it was last saved."""
_NAME_BYTES: Final = 120


class Stamp(NamedTuple):
    """What tells one state of a file from another."""

    modified: int
    size: int
    inode: int


class Edited(NamedTuple):
    """A picture that came back, and its file before and after it was read."""

    picture: QImage | OraPicture
    before: Stamp | None
    after: Stamp | None


def stamp(path: Path) -> Stamp | None:
    """The state of a file; none while there is no such file (programs replace it when they save)."""
    with contextlib.suppress(OSError):
        status = path.stat()
        return Stamp(status.st_mtime_ns, status.st_size, status.st_ino)
    return None


def write(folder: Path, name: str, picture: QImage | OraPicture) -> tuple[Path, Stamp | None]:
    """Write a picture under a name like ``name`` that no file has yet. For worker threads.

    Raises:
        FolderUnusable, SaveFailed, DiskFull: as their texts say; nothing is left behind.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)  # also if it was there, made by hand or by a backup
    except OSError as error:
        raise folder_error(error, folder) from error
    sweep(folder)
    suffix = ".ora" if isinstance(picture, OraPicture) else ".png"
    path = unique_path(folder / (sanitise_name(name, _NAME_BYTES) + suffix))
    try:
        if isinstance(picture, OraPicture):
            write_open_raster(path, picture)
        else:
            atomic_write(path, encode_png(picture))
    except BaseException:
        remove(path)
        raise
    edited_marks.note_taken(path)
    return path, stamp(path)


def read(path: Path, known: OraPicture | None) -> Edited:
    """Read a picture that was saved elsewhere; with ``known`` as layers. For worker threads.

    Raises:
        FileMissing, ImageUnreadable, ImageTooLarge, OpenRasterUnreadable, OpenRasterTooLarge: it may not be
            finished yet.
    """
    before = stamp(path)
    picture: QImage | OraPicture
    picture = picture_from(path) if known is None else recalled(read_open_raster(path), known)
    after = stamp(path)
    if before == after:
        edited_marks.note_taken(path)
    return Edited(picture, before, after)


def remove(path: Path) -> None:
    """Delete a file, if the system lets us: on Windows the program may still hold it. It is swept later."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        edited_marks.remove_mark(path)


def sweep(folder: Path, older_than: float = KEPT_SECONDS) -> int:
    """Delete what nobody came for in ``older_than`` seconds, with its mark; gives the number of files."""
    swept = sweep_temporary(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                age = time.time() - entry.stat(follow_symlinks=False).st_mtime
                path = Path(entry.path)
                is_mark = path.suffix == edited_marks.SUFFIX
                if entry.is_file(follow_symlinks=False) and age >= older_than and not is_mark:
                    path.unlink()
                    edited_marks.remove_mark(path)
                    swept += 1
    return swept
