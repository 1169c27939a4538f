"""Pixels of a document: files named by the blake3 hash of what they hold, stored once.

The graph's JSON only names them: any object in a node's params with a field ``asset``. The store is a folder
that the studio, the command line and the engine share, so that a queued job finds its pixels after a restart.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from blake3 import blake3

from pipelines.errors import AssetMissing
from pipelines.files import atomic_write, open_file, safe_join
from pipelines.graph.document import Graph

FIELD: Final = "asset"
FOLDER: Final = "assets/"
SUFFIX: Final = ".png"
KEPT_DAYS: Final = 30
"""How long pixels that nothing names any more are kept."""
_NAME: Final = re.compile(r"[0-9a-f]{64}")


def asset_name(data: bytes) -> str:
    """The name of an asset: 64 hexadecimal digits."""
    return blake3(data).hexdigest()


def is_asset_name(text: object) -> bool:
    """Whether this can be the name of an asset."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def entry_name(asset: str) -> str:
    """What an asset is called inside a ``.diptych`` archive."""
    return f"{FOLDER}{asset}{SUFFIX}"


def asset_of_entry(entry: str) -> str | None:
    """The asset that a file of an archive is by its name; ``None`` for other files."""
    name = entry.removeprefix(FOLDER).removesuffix(SUFFIX)
    return name if is_asset_name(name) and entry == entry_name(name) else None


def assets_of(graph: Graph) -> frozenset[str]:
    """The assets that the nodes of a document name, those in its subgraphs too."""
    found: set[str] = set()
    waiting: list[Any] = [record.params for record in graph.nodes.values()]
    waiting.append(graph.fields.get("subgraphs"))
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            name = value.get(FIELD)
            if is_asset_name(name):
                found.add(str(name))
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
    return frozenset(found)


class AssetStore:
    """The assets below ``folder``. Any thread and any process may use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Where an asset lies, if it is there. Raises :class:`AssetMissing` for what is no asset's name."""
        if not is_asset_name(name):
            raise AssetMissing(name=name[:80])
        return safe_join(self.folder, name[:2], name + SUFFIX)

    def put(self, data: bytes) -> str:
        """Keep these bytes and give their name; what is there already is only marked as used.

        Raises:
            DiskFull, SaveFailed: they could not be kept.
        """
        name = asset_name(data)
        path = self.path(name)
        try:
            self.get(name)  # a damaged one is written again
            os.utime(path)
        except (AssetMissing, OSError):
            atomic_write(path, data)
        return name

    def get(self, name: str) -> bytes:
        """The bytes of an asset, checked against its name.

        Raises:
            AssetMissing: it isn't there, or is damaged.
        """
        try:
            with open_file(self.path(name)) as file:
                data = file.read()
        except OSError as error:
            raise AssetMissing(name=name) from error
        if asset_name(data) != name:
            raise AssetMissing(name=name)
        return data

    def __contains__(self, name: object) -> bool:
        return is_asset_name(name) and self.path(str(name)).is_file()

    def take_in(self, entries: Mapping[str, bytes]) -> None:
        """Keep the assets among the files of an archive; what isn't what its name says is left out."""
        for entry, data in entries.items():
            name = asset_of_entry(entry)
            if name is not None and asset_name(data) == name:
                self.put(data)

    def entries(self, names: Iterable[str]) -> dict[str, bytes]:
        """The files of an archive for these assets. Raises :class:`AssetMissing`."""
        return {entry_name(name): self.get(name) for name in sorted(names)}

    def sweep(self, keep: Iterable[str], days: float = KEPT_DAYS) -> int:
        """Delete assets not used for ``days``, except those to ``keep``; gives how many."""
        kept, before, swept = set(keep), time.time() - days * 86_400, 0
        for path in self.folder.glob(f"??/*{SUFFIX}"):
            try:
                if path.stem not in kept and path.stat().st_mtime < before:
                    path.unlink()
                    swept += 1
            except OSError:
                continue
        return swept
