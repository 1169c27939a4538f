"""What the user agreed to: one file of the profile, with the hash of each source as it was seen then."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from pipelines.errors import AgreementsNotKept
from pipelines.files import atomic_write
from pipelines.outside.sources import Source

FORMAT: Final = 1
Standing = Literal["agreed", "new", "changed"]


class Agreement(NamedTuple):
    """``date`` is the day in ISO format."""

    digest: str
    version: str
    date: str


class Agreements:
    """Reads and writes the file at ``path``. One that can't be understood agrees to nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Agreement]:
        """All of them by the sources' keys."""
        try:
            tree = json.loads(self.path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        entries = tree.get("agreed") if isinstance(tree, dict) and tree.get("format") == FORMAT else None
        if not isinstance(entries, dict):
            return {}
        found = {key: _agreement(entry) for key, entry in entries.items()}
        return {key: agreement for key, agreement in found.items() if agreement is not None}

    def agree(self, key: str, digest: str, version: str = "") -> None:
        """Agree to a source as it was seen. Raises :class:`AgreementsNotKept`."""
        today = datetime.now(UTC).date().isoformat()
        self._write(self.read() | {key: Agreement(digest, version, today)})

    def withdraw(self, key: str) -> bool:
        """Agree no longer; whether there was an agreement. Raises :class:`AgreementsNotKept`."""
        known = self.read()
        if known.pop(key, None) is None:
            return False
        self._write(known)
        return True

    def _write(self, agreed: dict[str, Agreement]) -> None:
        entries = {
            key: {
                "date": item.date,
                "hash": item.digest,
                **({"version": item.version} if item.version else {}),
            }
            for key, item in sorted(agreed.items())
        }
        text = json.dumps({"agreed": entries, "format": FORMAT}, indent=2, ensure_ascii=False)
        atomic_write(self.path, text + "\n", failure=AgreementsNotKept)


def standing(source: Source, agreed: dict[str, Agreement]) -> Standing:
    """Whether a source, as it is now, was agreed to."""
    known = agreed.get(source.key)
    if known is None:
        return "new"
    return "agreed" if source.digest and known.digest == source.digest else "changed"


def _agreement(entry: Any) -> Agreement | None:
    if not isinstance(entry, dict):
        return None
    values = (entry.get("hash"), entry.get("version", ""), entry.get("date", ""))
    if not all(isinstance(value, str) for value in values) or not values[0]:
        return None
    return Agreement(*map(str, values))
