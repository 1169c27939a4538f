"""What a graph from elsewhere may touch: paths outside the user's folders are asked about before it runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pipelines import paths
from pipelines.graph.outside import OutsidePath, outside_paths
from studio.documents.document import GraphDocument
from studio.settings import SettingsStore


class Consent:
    """Remembers, for as long as the studio is open, which sets of paths the user agreed to."""

    def __init__(self, document: GraphDocument, settings: SettingsStore) -> None:
        self._document, self._settings = document, settings
        self._agreed: set[str] = set()

    def to_ask(self) -> tuple[OutsidePath, ...]:
        """The paths to ask about before the document runs as it is now; empty if it may run."""
        document = self._document
        if not document.from_elsewhere:
            return ()
        base = document.path.parent if document.path is not None else None
        found = outside_paths(document.graph, document.registry, self._roots(), base)
        return () if not found or _digest(found) in self._agreed else found

    def agree(self, found: Sequence[OutsidePath]) -> None:
        """These may be read and written: they are not asked about again."""
        self._agreed.add(_digest(found))

    def _roots(self) -> tuple[Path, ...]:
        """Where the user keeps things."""
        values = self._settings.values
        own = (values.output_dir, paths.data_dir(), paths.models_dir(), paths.pictures_dir())
        return (*own, *(Path(folder) for folder in values.model_folders))


def _digest(found: Sequence[OutsidePath]) -> str:
    """A name for a set of paths, and of what is done to them."""
    lines = sorted({f"{'write' if item.writes else 'read'} {item.path}" for item in found})
    return hashlib.sha256("\0".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
