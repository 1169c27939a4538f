"""The sha256 of a model's weights: what other programs know it by. Made once per model, and remembered on
disk."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pipelines.errors import DiptychError
from pipelines.files import atomic_write

INLINE_BYTES: Final = 512 * 2**20
"""Weights up to this size are hashed at once (well under a second); larger ones in the background."""
SHORT: Final = 10
"""Digits that A1111 shows of a hash ("Model hash")."""
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
