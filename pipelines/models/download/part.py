"""A file that is still arriving: what there is of it, and of which version of the file it is a part.

Beside ``name.part`` lies ``name.part.json`` with the address, the validator (entity tag or date) and the
size that the server gave: a part of another version must never be gone on with.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from pipelines.files import atomic_write
from pipelines.graph.node import CancelToken

PART_ENDINGS: Final = (".part", ".part.json")

_PIECE: Final = 4 * 2**20
_MAX_NOTE: Final = 64 * 2**10

Algorithm = Literal["sha256", "git-sha1"]


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file to fetch: where from, under which name below the target folder, and what is known of it.

    ``digest`` is in hexadecimal digits; ``git-sha1`` is git's of a blob, by which the hub knows small files.
    """

    url: str
    name: str
    size: int | None = None
    digest: str = ""
    algorithm: Algorithm = "sha256"

    def matches(self, path: Path, cancel: CancelToken) -> bool:
        """Whether a whole file is this one: by its digest; never without one. Raises Cancelled."""
        size = path.stat().st_size
        if not self.digest or self.size not in (None, size):
            return False
        hasher = self.hasher(size)
        for piece in pieces_of(path):
            cancel.check()
            hasher.update(piece)
        return str(hasher.hexdigest()) == self.digest

    def hasher(self, size: int) -> Any:
        """A hash to feed the bytes of the file to; it has ``size`` of them."""
        if self.algorithm == "sha256":
            return hashlib.sha256()
        return hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)


@dataclass(frozen=True, slots=True)
class Note:
    """What the server said of the version that a part is of."""

    url: str
    validator: str = ""
    total: int | None = None


class Part:
    """The part of ``target`` that is there."""

    def __init__(self, target: Path, url: str) -> None:
        self.target = target
        self.path = target.with_name(target.name + PART_ENDINGS[0])
        self._note_path = target.with_name(target.name + PART_ENDINGS[1])
        self._url = url

    @property
    def size(self) -> int:
        """Bytes that are there."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def note(self) -> Note:
        """Of which version it is; without a validator if nothing is known, or it is of another address."""
        try:
            if self._note_path.stat().st_size <= _MAX_NOTE:
                found = Note(**json.loads(self._note_path.read_bytes()))
                sound = isinstance(found.validator, str) and (found.total is None or type(found.total) is int)
                if found.url == self._url and sound:
                    return found
        except (OSError, ValueError, TypeError, RecursionError):
            return Note(self._url)
        return Note(self._url)

    def begin(self, validator: str, total: int | None) -> None:
        """Forget what is there: a new version arrives."""
        self.path.unlink(missing_ok=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(self._note_path, json.dumps(asdict(Note(self._url, validator, total))))

    def open(self) -> BinaryIO:
        """To write behind what is there."""
        return self.path.open("ab")

    def pieces(self) -> Iterator[bytes]:
        """What is there, piece by piece."""
        return pieces_of(self.path)

    def discard(self) -> None:
        """Delete what is there."""
        for path in (self.path, self._note_path):
            path.unlink(missing_ok=True)

    def publish(self) -> Path:
        """Give it its name: it is whole."""
        with self.path.open("rb") as file, contextlib.suppress(OSError):
            os.fsync(file.fileno())
        self.path.replace(self.target)
        self._note_path.unlink(missing_ok=True)
        return self.target


def pieces_of(path: Path) -> Iterator[bytes]:
    """A file, piece by piece."""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
