"""Finding models below a folder: which files and folders may be one, with one look at each and no more.

Everything a catalogue needs to know whether something has changed is taken from the listing of a folder:
size and time of the file, and those of what lies beside it (its card, what other programs noted of it).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from pipelines.models.records.cards import read_card
from pipelines.models.records.sidecars import note_names, preview_names

MODEL_SUFFIXES: Final = frozenset({".safetensors", ".ckpt", ".pt", ".pth", ".gguf"})
MAX_ENTRIES: Final = 200_000
MAX_DEPTH: Final = 8
_INDEXES: Final = ("model_index.json", "config.json")
_CARD: Final = "diptych.json"
_BLOBS: Final = "blobs"
"""What a Hugging Face cache keeps under names of hashes; the models are in ``snapshots``."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file or folder that may be a model.

    ``size`` and ``mtime_ns`` are those of a file (0 of a folder). ``beside`` is what the state of the files
    beside it looks like, as text that changes when they do. ``preview`` and ``notes`` are paths of those.
    """

    path: str
    folder: bool = False
    size: int = 0
    mtime_ns: int = 0
    beside: str = ""
    preview: str = ""
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Seen:
    """What a walk went through: the folders with their times (for a watch), and how many entries."""

    folders: dict[str, int] = field(default_factory=dict)
    entries: int = 0


def places_below(root: Path, seen: Seen | None = None) -> Iterator[Place]:
    """Every model folder and model file below ``root``, bounded; a folder that can't be read is left out."""
    seen = seen or Seen()
    pending, visited, limit = [(str(root), 0, True)], set(), seen.entries + MAX_ENTRIES
    while pending:
        folder, depth, carded = pending.pop()
        real = os.path.realpath(folder)
        if real in visited or depth > MAX_DEPTH:
            continue
        visited.add(real)
        listing = _listing(folder, seen)
        if listing is None:
            continue
        seen.entries += len(listing)
        if any(name in listing for name in _INDEXES) or (
            (carded or _CARD in listing) and bool(read_card(Path(folder)).weights)
        ):
            yield _folder_place(folder)
            continue
        folders = []
        for name, entry in listing.items():
            if name.startswith(".") or seen.entries > limit:
                continue
            suffix = _split(name)[1]
            if suffix in MODEL_SUFFIXES and not _is_folder(entry):
                yield _file_place(name, entry.path, _stat(entry), partial(_listed, listing))
            elif (suffix not in _PLAIN or not suffix) and name != _BLOBS and _is_folder(entry):
                folders.append((entry.path, depth + 1, f"{name}.{_CARD}" in listing))
        pending.extend(reversed(folders))


_PLAIN: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".json", ".txt", ".info", ".yaml", ".md"})


def place_at(path: Path) -> Place:
    """The same for one path that is known to be there, without a look at the rest of its folder.

    Raises:
        OSError: it isn't.
    """
    if path.is_dir():
        return _folder_place(str(path))
    found = path.stat()
    return _file_place(path.name, str(path), found, lambda name: _there(path.with_name(name)))


def _there(path: Path) -> _Beside | None:
    try:
        return _Beside(str(path), path.stat())
    except (OSError, ValueError):
        return None


def _listing(folder: str, seen: Seen) -> dict[str, os.DirEntry[str]] | None:
    try:
        with os.scandir(folder) as entries:
            listing = {entry.name: entry for entry in sorted(entries, key=_by_name)}
        seen.folders[folder] = Path(folder).stat().st_mtime_ns
    except OSError:
        return None
    return listing


@dataclass(frozen=True, slots=True)
class _Beside:
    path: str
    found: os.stat_result | None

    def state(self) -> str:
        size, mtime = (self.found.st_size, self.found.st_mtime_ns) if self.found else (0, 0)
        return f"{self.path}:{size}:{mtime}"


def _listed(listing: Mapping[str, os.DirEntry[str]], name: str) -> _Beside | None:
    entry = listing.get(name)
    return None if entry is None else _Beside(entry.path, _stat(entry))


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:
        return None


def _split(name: str) -> tuple[str, str]:
    """A file's name without its suffix, and the suffix in small letters."""
    stem, _, suffix = name.rpartition(".")
    return (stem, f".{suffix.lower()}") if stem else (name, "")


def _by_name(entry: os.DirEntry[str]) -> str:
    return entry.name.casefold()


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _file_place(
    name: str, path: str, found: os.stat_result | None, beside: Callable[[str], _Beside | None]
) -> Place:
    """A model file, and what ``beside`` finds next to it by name."""
    stem = _split(name)[0]
    card = beside(f"{stem}.{_CARD}")
    notes = [note for note_name in note_names(stem) if (note := beside(note_name)) is not None]
    preview = next((seen.path for name in preview_names(stem) if (seen := beside(name)) is not None), "")
    states = [seen.state() for seen in (card, *notes) if seen is not None]
    if preview:
        states.append(preview)
    size, mtime = (found.st_size, found.st_mtime_ns) if found else (0, 0)
    return Place(path, False, size, mtime, "|".join(states), preview, tuple(note.path for note in notes))


def _folder_place(folder: str) -> Place:
    """A folder with an index, or with a card of ours, inside or beside it."""
    cards = (_there(Path(folder) / _CARD), _there(Path(f"{folder}.{_CARD}")))
    return Place(folder, True, beside="|".join(card.state() for card in cards if card is not None))
