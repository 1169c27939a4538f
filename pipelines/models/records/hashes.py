"""The hashes of a model's weights: what other programs know it by. Made once per model, and remembered on
disk."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from blake3 import blake3

from pipelines.errors import DiptychError
from pipelines.files import atomic_write
from pipelines.graph.node import CancelToken
from pipelines.models.files.header import MAX_HEADER
from pipelines.models.records.index import Digests

INLINE_BYTES: Final = 512 * 2**20
"""Weights up to this size are hashed at once (well under a second); larger ones in the background."""
SHORT: Final = 10
"""Digits that A1111 shows of a hash ("Model hash")."""
AUTOV1, AUTOV3 = 8, 12
"""Digits of the hash that A1111 showed before 2023, and of the one that leaves out the header."""
_OLD_START, _OLD_END = 0x100000, 0x110000
_PIECE: Final = 8 * 2**20
_NAME: Final = "model-hashes.json"


def weights_of(path: Path) -> list[Path]:
    """The weight files of a model: the file itself, or the safetensors of a folder in a fixed order."""
    return [path] if path.is_file() else sorted(path.rglob("*.safetensors"))


def sha256_of(files: Sequence[Path]) -> str:
    """The digest of the files' contents, one after another (of a single file: its own sha256)."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    return digest.hexdigest()


class ContentHashes:
    """Hashes by fingerprint (path, size and time of the files), in a file of ``folder``. For several
    threads."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self._lock = threading.Lock()
        self._known = self._read()
        self._working: set[str] = set()

    def of(self, fingerprint: str, path: Path) -> str:
        """The hash of the model at ``path``; empty while it is being made, and where the files can't be
        read."""
        with self._lock:
            known = self._known.get(fingerprint, "")
            if known or fingerprint in self._working:
                return known
            self._working.add(fingerprint)
        files = weights_of(path)
        if not files:
            return ""
        try:
            large = sum(file.stat().st_size for file in files) > INLINE_BYTES
        except OSError:
            return ""
        if large:
            threading.Thread(
                target=self._make, args=(fingerprint, files), name="diptych-hash", daemon=True
            ).start()
            return ""
        return self._make(fingerprint, files)

    def _make(self, fingerprint: str, files: Sequence[Path]) -> str:
        try:
            found = sha256_of(files)
        except OSError:
            return ""
        with self._lock:
            self._known[fingerprint] = found
            text = json.dumps(self._known, indent=1, sort_keys=True)
        try:
            atomic_write(self._path, text)
        except DiptychError:
            return found  # it is made again next time
        return found

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        items = found.items() if isinstance(found, dict) else ()
        return {key: value for key, value in items if isinstance(value, str)}


def digests_of(
    path: Path,
    cancel: CancelToken | None = None,
    tell: Callable[[int], None] | None = None,
) -> Digests:
    """Every hash that a model is known by, in one reading.

    Args:
        path: a file; of a folder, only the sha256 of its weights is made, as :func:`sha256_of`.
        cancel: polled at each piece.
        tell: called with the bytes of each piece.

    Raises:
        OSError: it can't be read.
        Cancelled: by the user.
    """
    files = weights_of(path)
    whole, fast, behind, piece_digest = hashlib.sha256(), blake3(), hashlib.sha256(), hashlib.sha256()
    at = 0
    for file_path in files:
        start = _data_start(file_path)
        with file_path.open("rb", buffering=0) as file:
            at = 0
            while piece := file.read(_PIECE):
                if cancel is not None:
                    cancel.check()
                whole.update(piece)
                fast.update(piece)
                if start is not None and at + len(piece) > start:
                    behind.update(memoryview(piece)[max(start - at, 0) :])
                if len(files) == 1:
                    _update_between(piece_digest, piece, at, _OLD_START, _OLD_END)
                at += len(piece)
                if tell is not None:
                    tell(len(piece))
    if path.is_dir() or not files:
        return Digests(whole.hexdigest())
    autov3 = behind.hexdigest()[:AUTOV3] if _data_start(path) is not None else ""
    return Digests(whole.hexdigest(), fast.hexdigest(), piece_digest.hexdigest()[:AUTOV1], autov3)


def _data_start(path: Path) -> int | None:
    """Where the data of a safetensors file begin; None for another one."""
    with path.open("rb") as file:
        head = file.read(9)
    length = int.from_bytes(head[:8], "little")
    return 8 + length if head[8:] == b"{" and length <= MAX_HEADER else None


def _update_between(digest: Any, piece: bytes, at: int, start: int, end: int) -> None:
    """Add what of ``piece``, which begins at ``at``, lies between two places of the file."""
    first, last = max(start - at, 0), min(end - at, len(piece))
    if first < last:
        digest.update(memoryview(piece)[first:last])
