"""Results by key: least recently used, bounded by bytes, safe to use from several threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from blake3 import blake3

from pipelines.graph import jsontext
from pipelines.graph.disk_cache import DiskCache
from pipelines.graph.entry import Entry as Entry
from pipelines.graph.values import nbytes

OVERHEAD = 512
"""Bytes counted for an entry beyond its values."""


def key_of(*parts: Any) -> bytes:
    """A 32-byte key of JSON parts, in which ``1``, ``1.0`` and ``true`` are different."""
    return blake3(jsontext.canonical(parts).encode("utf-8", "surrogatepass")).digest()


class Cache:
    """An LRU of :class:`Entry` and memos. An entry larger than the whole limit is not kept.

    Args:
        limit: bytes in memory.
        disk: a second tier that every entry is also given to, and looked up in.
    """

    def __init__(self, limit: int = 512 * 2**20, disk: DiskCache | None = None) -> None:
        self.limit = limit
        self.disk = disk
        self.bytes = 0
        self._entries: OrderedDict[object, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> Entry | None:
        """The entry of ``key``, unless a file it wrote is gone or changed."""
        entry = self._get(key)
        if entry is None and self.disk is not None:
            entry = self.disk.get(key)
            if entry is not None:
                self._put(key, entry, _held(entry))
        if isinstance(entry, Entry):
            if entry.is_valid():
                return entry
            self.discard(key)
        return None

    def peek(self, key: bytes) -> Entry | None:
        """The entry of ``key`` if it is in memory, without counting as a use."""
        with self._lock:
            entry = self._entries.get(key, (None, 0))[0]
        return entry if isinstance(entry, Entry) else None

    def look(self, key: bytes) -> Entry | None:
        """What :meth:`get` would give, from the disk too; nothing is taken into memory or dropped for it."""
        entry = self.peek(key)
        if entry is None and self.disk is not None:
            entry = self.disk.get(key)
        return entry if entry is not None and entry.is_valid() else None

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep an entry, and drop the least recently used ones over the limit."""
        self._put(key, entry, _held(entry))
        if self.disk is not None:
            self.disk.put(key, entry)

    def memo(self, key: tuple[object, ...], make: Callable[[], Any]) -> Any:
        """``make()`` once per key while it stays in the cache; concurrent callers may each make it."""
        value = self._get(("memo", *key))
        if value is None:
            value = make()
            self._put(("memo", *key), value, OVERHEAD + nbytes(value))
        return value

    def discard(self, key: object) -> None:
        with self._lock:
            _, size = self._entries.pop(key, (None, 0))
            self.bytes -= size
        if self.disk is not None and isinstance(key, bytes):
            self.disk.discard(key)

    def clear(self) -> None:
        """Forget everything in memory; the disk keeps what it has."""
        with self._lock:
            self._entries.clear()
            self.bytes = 0

    def _get(self, key: object) -> Any:
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def _put(self, key: object, value: Any, size: int) -> None:
        with self._lock:
            self.bytes -= self._entries.pop(key, (None, 0))[1]
            if size > self.limit:
                return
            self._entries[key] = (value, size)
            self.bytes += size
            while self.bytes > self.limit:
                _, (_, dropped) = self._entries.popitem(last=False)
                self.bytes -= dropped


def _held(entry: Entry) -> int:
    """Bytes an entry holds in memory."""
    return OVERHEAD + sum(nbytes(value) for value in (*entry.outputs.values(), entry.shown))
