"""The cache's second tier: results of nodes as files, bounded by bytes and checked when they are read."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections import OrderedDict
from pathlib import Path

from pipelines.graph.entry import Entry, decode, encode

BROKEN = (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError)
"""What reading a damaged file can raise."""
_NAME_LENGTH = 64


class DiskCache:
    """Entries of :class:`pipelines.graph.cache.Cache` in a folder of their own, least recently used first
    out.

    Nothing here raises: a disk that is full or a file that is broken means that a node runs again.

    Args:
        folder: made if it isn't there; only files ending in ``.entry`` are touched.
        limit: bytes of all files together.
        min_seconds: results that took less time aren't worth a file.
    """

    def __init__(self, folder: Path, limit: int = 4 * 2**30, min_seconds: float = 0.1) -> None:
        self.folder, self.limit, self.min_seconds = folder, limit, min_seconds
        self.bytes = 0
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()
        self._scan()

    def __len__(self) -> int:
        return len(self._sizes)

    def get(self, key: bytes) -> Entry | None:
        """The entry of ``key``; a damaged file is deleted."""
        name = key.hex()
        with self._lock:
            if name not in self._sizes:
                return None
            self._sizes.move_to_end(name)
        path = self._path(name)
        try:
            data = path.read_bytes()
            entry = decode(data, key)
            os.utime(path)
        except BROKEN:
            self.discard(key)
            return None
        return entry

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep an entry, if it can be kept, and drop the least recently used ones over the limit."""
        if entry.seconds < self.min_seconds:
            return
        try:
            data = encode(entry, key)
        except (TypeError, ValueError):
            return
        if len(data) > self.limit or not self._write(key.hex(), data):
            return
        with self._lock:
            self.bytes += len(data) - self._sizes.pop(key.hex(), 0)
            self._sizes[key.hex()] = len(data)
        self._shrink()

    def discard(self, key: bytes) -> None:
        """Forget an entry and delete its file."""
        with self._lock:
            self.bytes -= self._sizes.pop(key.hex(), 0)
        _unlink(self._path(key.hex()))

    def resize(self, limit: int) -> None:
        """Keep so many bytes at most from now on."""
        self.limit = limit
        self._shrink()

    def clear(self) -> tuple[int, int]:
        """Delete everything; gives how many files went, and their bytes. What can't be deleted stays."""
        gone = freed = 0
        with self._lock:
            for name, size in list(self._sizes.items()):
                if _unlink(self._path(name)):
                    del self._sizes[name]
                    gone, freed = gone + 1, freed + size
            self.bytes -= freed
        return gone, freed

    def _scan(self) -> None:
        """Take stock of the folder, oldest first, and sweep up what an interrupted write left."""
        found = []
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in self.folder.glob("*.entry*"):
                if path.suffix != ".entry":
                    _unlink(path)
                elif len(path.stem) == _NAME_LENGTH:
                    stat = path.stat()
                    found.append((stat.st_mtime_ns, path.stem, stat.st_size))
        except OSError:  # a folder that can't be read is an empty one
            found.clear()
        for _, name, size in sorted(found):
            self._sizes[name] = size
            self.bytes += size
        self._shrink()

    def _shrink(self) -> None:
        """Delete the least recently used entries over the limit."""
        dropped = []
        with self._lock:
            while self.bytes > self.limit:
                name, size = self._sizes.popitem(last=False)
                self.bytes -= size
                dropped.append(name)
        for name in dropped:
            _unlink(self._path(name))

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.entry"

    def _write(self, name: str, data: bytes) -> bool:
        """Write a whole file or none."""
        part = self.folder / f"{name}.entry-{secrets.token_hex(4)}"
        try:
            part.write_bytes(data)
            part.replace(self._path(name))
        except OSError:
            _unlink(part)
            return False
        return True


def _unlink(path: Path) -> bool:
    """Delete a file if that is possible, and say whether it is gone; else the next scan finds it again."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        return True
    return False
