"""Files and names: the one place that joins paths, writes files whole or not at all, and cleans up names.

A file appears under its name only when it is complete and on the disk (temporary file in the same folder,
fsync, rename). Whatever stops a save, a kill included, leaves an existing file as it was.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import sys
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from pipelines.errors import DiskFull, FolderUnusable, PathNotAllowed, SaveFailed

MAX_NAME_BYTES: Final = 255
"""Longest file name, in bytes of UTF-8, that every file system in use takes."""

STALE_SECONDS: Final = 3600.0
"""A temporary file older than this belongs to nobody any more."""

_TEMPORARY = re.compile(r"\.diptych-[0-9a-f]{16}\.tmp")
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|]')
_DIRECTION = re.compile("[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)
_NO_SPACE = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_NO_LINKS = frozenset(
    {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, getattr(errno, "ENOTSUP", 0)}
)
_REASONS: Final[dict[int, str]] = {
    errno.EACCES: "The folder can't be written to.",
    errno.EPERM: "The folder can't be written to.",
    errno.EROFS: "The disk is read-only.",
    errno.ENOENT: "The folder is not there.",
    errno.ENOTDIR: "A part of the path is a file, not a folder.",
    errno.EEXIST: "A part of the path is a file, not a folder.",
    errno.EISDIR: "There is a folder of this name.",
    errno.ENAMETOOLONG: "The name is too long.",
    errno.EFBIG: "The file is larger than the disk or the system allows.",
    errno.EIO: "The disk reported an error.",
    errno.EBUSY: "Another program is using the file.",
    errno.EMFILE: "Too many files are open.",
}


def safe_join(base: Path, *parts: str) -> Path:
    """``base`` with ``parts`` below it; the only way to make a path from a name that comes from outside.

    The same names are refused on every system, so that a document made on one works on all: absolute parts,
    drives and streams (``:``), ``..``, control characters, the device names of Windows, trailing dots and
    spaces, and symbolic links that lead out of ``base``. Parts may hold ``/`` and ``\\``.

    Raises:
        PathNotAllowed: naming the part.
    """
    names: list[str] = []
    for part in parts:
        pieces = re.split(r"[/\\]", part)
        if not pieces[0] and part:
            raise PathNotAllowed(path=part)
        for piece in pieces:
            if piece in ("", "."):
                continue
            if piece == ".." or not _is_portable(piece):
                raise PathNotAllowed(path=part)
            names.append(piece)
    path = base.joinpath(*names)
    try:
        inside = path.resolve().is_relative_to(base.resolve())
    except (OSError, RuntimeError) as error:  # a link that leads to itself
        raise PathNotAllowed(path=str(Path(*names))) from error
    if not inside:
        raise PathNotAllowed(path=str(Path(*names)))
    return path


def _is_portable(name: str) -> bool:
    """Whether ``name`` means the same file on every system."""
    return not (
        ":" in name
        or any(character < " " for character in name)
        or name[-1] in " ."
        or _RESERVED.fullmatch(name.split(".")[0].rstrip(" "))
    )


def sanitise_name(text: str, limit: int = MAX_NAME_BYTES, fallback: str = "untitled") -> str:
    """``text`` as one file name that every system takes; applying it twice changes nothing more.

    Separators, control characters and what Windows forbids become ``_``, characters that turn the direction
    of text round (a way to hide an extension) go, leading and trailing dots and spaces go, a device name
    gets a ``_`` in front, and at most ``limit`` bytes of UTF-8 are kept, cut between characters.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    text = _DIRECTION.sub("", unicodedata.normalize("NFC", text))
    text = _FORBIDDEN.sub("_", text).strip(" .")
    if _RESERVED.fullmatch(text.split(".")[0].rstrip(" ")):
        text = "_" + text
    text = text.encode("utf-8")[: max(limit, 8)].decode("utf-8", "ignore").strip(" .")
    return text or fallback


def bytes_text(count: float) -> str:
    """A number of bytes for people: ``3.2 MB`` (powers of 1000)."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def is_there(path: Path) -> bool:
    """Whether there is something of this name; a name that no file can have is not there."""
    with contextlib.suppress(OSError, ValueError):
        return path.exists()
    return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder of this name; see :func:`is_there`."""
    with contextlib.suppress(OSError, ValueError):
        return path.is_dir()
    return False


def is_file(path: Path) -> bool:
    """Whether there is a plain file of this name; see :func:`is_there`."""
    with contextlib.suppress(OSError, ValueError):
        return path.is_file()
    return False


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading. Never a pipe or a device: what comes out of these may have no end.

    Raises:
        OSError: the system's own, or one whose ``strerror`` says what it is instead of a file.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "It is a folder", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "It is a pipe or a device, not a file", str(path))
    return path.open("rb")


def atomic_write(
    path: Path,
    data: bytes | str | Callable[[BinaryIO], None],
    *,
    unique: bool = False,
    failure: type[SaveFailed] = SaveFailed,
) -> Path:
    """Write a file so that it is either complete or not there; missing folders above it are made.

    Args:
        path: the file; a symbolic link is followed. An existing file keeps its permissions.
        data: bytes, text (written as UTF-8), or a function that writes to an open binary file (seekable).
        unique: never replace a file: the first free name of ``name``, ``name-2``, ``name-3``… is taken.
        failure: the error to raise for what is not a full disk.

    Returns:
        The path that was written.

    Raises:
        DiskFull: no space or quota left, with numbers.
        SaveFailed: anything else the system refuses, with its reason. The temporary file is removed.
    """
    temporary: Path | None = None
    try:
        if path.is_symlink() and not unique:
            path = Path(os.path.realpath(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".diptych-{secrets.token_hex(8)}.tmp"
        _write(temporary, data)
        if unique:
            path = _publish_unique(temporary, path)
        else:
            _publish(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise save_error(error, path, _size_of(data, temporary), failure) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
    return path


def save_error(
    error: OSError, path: Path, needed: int = 0, failure: type[SaveFailed] = SaveFailed
) -> DiskFull | SaveFailed:
    """The error to show for what the system said while ``path`` was written (``needed`` bytes)."""
    if error.errno in _NO_SPACE:
        return DiskFull(path=str(path), needed=bytes_text(needed), free=bytes_text(_free_space(path.parent)))
    return failure(path=str(path), reason=reason_of(error))


def folder_error(error: OSError, folder: Path) -> FolderUnusable:
    """The error to show for what the system said of a folder that Diptych keeps its own files in."""
    return FolderUnusable(path=str(folder), reason=reason_of(error))


def reason_of(error: OSError) -> str:
    """What the system said, as a sentence for the user."""
    if error.errno in _NO_SPACE:
        return "The disk is full."
    return _REASONS.get(error.errno or 0) or f"{error.strerror or error}."


def unique_path(path: Path) -> Path:
    """Claim a name that is free: ``path`` itself, else with ``-2``, ``-3``… before the suffix.

    The name is claimed by an empty file made with O_EXCL, so that two programs never get the same one; the
    caller writes it (:func:`atomic_write`) or removes it. :func:`atomic_write` with ``unique=True`` needs
    no claim.

    Raises:
        DiskFull, SaveFailed: as :func:`atomic_write`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _first_free(path, _claim)
    except OSError as error:
        raise save_error(error, path) from error


def sweep_temporary(folder: Path, older_than: float = STALE_SECONDS) -> int:
    """Remove temporary files that a killed program left in ``folder``, ``older_than`` seconds or more ago.

    By age rather than by process: the folder may be on a share that another computer is writing to. Returns
    how many were removed; a folder that can't be read has none.
    """
    removed = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not _TEMPORARY.fullmatch(entry.name):
                continue
            with contextlib.suppress(OSError):
                if time.time() - entry.stat(follow_symlinks=False).st_mtime >= older_than:
                    Path(entry.path).unlink()
                    removed += 1
    return removed


def _write(temporary: Path, data: bytes | str | Callable[[BinaryIO], None]) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    # Not tempfile: its 0600 would stay on the finished file, where the user's umask belongs.
    with os.fdopen(os.open(temporary, flags, 0o666), "w+b") as file:
        if callable(data):
            data(file)
        else:
            file.write(data.encode() if isinstance(data, str) else data)
        file.flush()
        os.fsync(file.fileno())


def _publish(temporary: Path, path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        temporary.chmod(stat.S_IMODE(path.stat().st_mode))
    temporary.replace(path)


def _publish_unique(temporary: Path, path: Path) -> Path:
    """Give the temporary file its name without ever replacing another."""
    if sys.platform == "win32":  # where a rename never replaces

        def give(target: Path) -> None:
            temporary.rename(target)
    else:

        def give(target: Path) -> None:
            os.link(temporary, target)

    try:
        return _first_free(path, give)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        claimed = _first_free(path, _claim)  # a file system without hard links
        temporary.replace(claimed)
        return claimed


def _first_free(path: Path, take: Callable[[Path], None]) -> Path:
    """Try ``take`` on one name after another until it doesn't raise :class:`FileExistsError`."""
    with contextlib.suppress(FileExistsError):
        take(path)
        return path
    taken = {entry.name for entry in path.parent.iterdir()}
    number = 2
    while True:
        ending = f"-{number}{path.suffix}"
        room = MAX_NAME_BYTES - len(ending.encode())
        stem = path.stem.encode()[:room].decode("utf-8", "ignore")
        if f"{stem}{ending}" not in taken:
            with contextlib.suppress(FileExistsError):
                take(path.with_name(f"{stem}{ending}"))
                return path.with_name(f"{stem}{ending}")
        number += 1


def _claim(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can: it is not needed for consistency."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _size_of(data: bytes | str | Callable[[BinaryIO], None], temporary: Path | None) -> int:
    if not callable(data):
        return len(data.encode()) if isinstance(data, str) else len(data)
    with contextlib.suppress(OSError):
        return temporary.stat().st_size if temporary else 0
    return 0


def _free_space(folder: Path) -> int:
    for existing in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(existing).free
    return 0
