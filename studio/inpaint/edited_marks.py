"""What was taken of the files that are edited elsewhere: a mark beside each says how it was then.

Light on purpose: it is asked at the start, when nothing of the canvas is loaded.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from pipelines import paths

SUFFIX = ".taken"


def default_folder() -> Path:
    """Where the files lie."""
    return paths.data_dir() / "edited"


def mark_of(path: Path) -> Path:
    """The mark of a file."""
    return path.with_name(f".{path.name}{SUFFIX}")


def _state(path: Path) -> str:
    """A file as it is now, in one line; empty if it isn't there."""
    with contextlib.suppress(OSError):
        status = path.stat()
        return f"{status.st_mtime_ns} {status.st_size}"
    return ""


def note_taken(path: Path) -> None:
    """What is in a file now is known here. Without room for that, it is offered once more."""
    with contextlib.suppress(OSError):
        mark_of(path).write_text(_state(path), encoding="ascii")


def remove_mark(path: Path) -> None:
    with contextlib.suppress(OSError):
        mark_of(path).unlink(missing_ok=True)


def changed_since(folder: Path) -> list[Path]:
    """The files that were saved after they were last taken, the oldest save first; none without a folder."""
    found: list[tuple[int, Path]] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry.path)
            if not entry.is_file(follow_symlinks=False) or entry.name.startswith("."):
                continue
            with contextlib.suppress(OSError, UnicodeDecodeError):
                taken = mark_of(path).read_text(encoding="ascii")
                if taken and taken != _state(path):
                    found.append((entry.stat(follow_symlinks=False).st_mtime_ns, path))
    return [path for _, path in sorted(found)]
