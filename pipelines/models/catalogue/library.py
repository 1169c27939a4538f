"""What is done with a collection of models: hashing, checking, finding duplicates, noting, removing.

All of it may last; nothing of it is done while a catalogue is listed. What a user notes belongs to the
content of a file, so it needs the file's hash.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal

from pipelines.engine.protocol import ModelInfo
from pipelines.errors import (
    DiptychError,
    ModelMissing,
    ModelNotRemoved,
    ModelThereAlready,
    ModelUnreadable,
    ModelUnsuitable,
)
from pipelines.files import atomic_write, is_there, reason_of, sanitise_name
from pipelines.graph.node import CancelToken, NeverCancelled
from pipelines.models.catalogue.catalogue import TASKS, Catalogue, fingerprint
from pipelines.models.files.safety import check_file, check_folder
from pipelines.models.records.entries import Entry
from pipelines.models.records.hashes import digests_of
from pipelines.models.records.index import Digests, Notes
from pipelines.models.records.sidecars import note_names, preview_names, stated_sha256
from pipelines.models.records.walk import place_at
from pipelines.paths import RESOURCES

How = Literal["copy", "move", "link"]
_PIECE: Final = 8 * 2**20
_START: Final = 2**20
"""Bytes of two files of one size that are compared before either is hashed: LoRAs of one shape have one size,
and a collection has hundreds, but their headers differ."""
Tell = Callable[[int, int], None]
"""Bytes done, and bytes in all."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check of a model found. ``compared``: with what its hash was; ``problem``: empty if none."""

    path: str
    sha256: str
    compared: tuple[str, ...] = ()
    problem: str = ""


class Library:
    """The models of a catalogue as a collection."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._index = catalogue.index

    def models(self) -> tuple[ModelInfo, ...]:
        """All of them, as the catalogue tells of them."""
        return self._catalogue.list()

    def path_of(self, model: str) -> Path:
        """Where a model is, by its id or path. Raises :class:`ModelMissing`."""
        return Path(self._entry(model).info.path)

    def known_digests(self, path: Path) -> Digests | None:
        """The hashes of a file if they were made of what it is now."""
        state, digests = self._index.digests().get(str(path), ("", None))
        return digests if digests is not None and state == _state(path) else None

    def hash(self, path: Path, cancel: CancelToken | None = None, tell: Tell | None = None) -> Digests:
        """The hashes of a model, made if they are not known.

        Raises:
            ModelMissing, ModelUnreadable: it isn't there, or can't be read.
            Cancelled: by the user.
        """
        known = self.known_digests(path)
        return known if known is not None else self._hash(path, cancel, tell)

    def hash_all(
        self,
        models: Iterable[ModelInfo] | None = None,
        cancel: CancelToken | None = None,
        tell: Callable[[ModelInfo, Digests], None] | None = None,
    ) -> None:
        """Hash what isn't hashed, the small ones first; for a thread in the background. What can't be read is
        left out.
        """
        cancel = cancel or NeverCancelled()
        wanted = sorted(models or self._catalogue.list(), key=lambda info: info.bytes)
        for info in wanted:
            cancel.check()
            if info.sha256:
                continue
            try:
                digests = self.hash(Path(info.path), cancel)
            except (ModelMissing, ModelUnreadable):
                continue
            if tell is not None:
                tell(info, digests)

    def duplicates(self, cancel: CancelToken | None = None) -> list[tuple[ModelInfo, ...]]:
        """Models whose files are the same, byte for byte; only those of one size are read."""
        by_size: dict[int, list[ModelInfo]] = {}
        for info in self._catalogue.list():
            path = Path(info.path)
            if path.is_file():
                by_size.setdefault(path.stat().st_size, []).append(info)
        groups: dict[str, list[ModelInfo]] = {}
        for alike in by_size.values():
            for info in alike if len(alike) > 1 else ():
                try:
                    groups.setdefault(self.hash(Path(info.path), cancel).sha256, []).append(info)
                except (ModelMissing, ModelUnreadable):
                    continue
        return [tuple(group) for group in groups.values() if len(group) > 1]

    def verify(self, path: Path, cancel: CancelToken | None = None, tell: Tell | None = None) -> Verified:
        """Read a model through and compare it: with its own header, with the hash it had, with a published
        one.

        Raises:
            ModelMissing, ModelUnreadable: it can't be read.
            Cancelled: by the user.
        """
        before = self.known_digests(path)
        digests = self._hash(path, cancel, tell)
        try:
            check_folder(path) if path.is_dir() else check_file(path)
        except DiptychError as error:
            return Verified(
                str(path), digests.sha256, (), " ".join(filter(None, error.info().sentences()[1:]))
            )
        wanted = [("its last hash", before.sha256)] if before is not None else []
        wanted += [(name, value) for name, value in _published(path)]
        wrong = [name for name, value in wanted if value != digests.sha256]
        problem = f"Its content differs from {' and from '.join(wrong)}." if wrong else ""
        return Verified(str(path), digests.sha256, tuple(name for name, _ in wanted), problem)

    # --- notes --------------------------------------------------------------------------------------------

    def notes(self, path: Path) -> Notes:
        """What the user noted of a model; empty while it isn't hashed."""
        known = self.known_digests(path)
        return self._index.notes().get(known.sha256, Notes()) if known is not None else Notes()

    def note(self, path: Path, notes: Notes, cancel: CancelToken | None = None) -> str:
        """Keep what the user noted of a model; it is hashed first (raises as that). Returns its sha256."""
        content = self.hash(path, cancel).sha256
        self._index.store_notes(content, notes)
        return content

    # --- files --------------------------------------------------------------------------------------------

    def take_in(
        self, source: Path, models: Path, how: How = "copy", cancel: CancelToken | None = None,
        tell: Tell | None = None,
    ) -> Path:  # fmt: skip
        """Bring a model file into the user's own folder for its kind, with what lies beside it.

        Args:
            source: the file; it is checked first, by its content.
            models: the user's own folder.
            how: ``link`` makes a second name for the same bytes, where the disk allows it.

        Returns:
            Where it is now; a number is added to the name if there is one of it.

        Raises:
            ModelMissing, ModelUnsafe, ModelUnreadable…: it can't be opened, so it isn't taken in.
            ModelUnsuitable: it is a folder; the folder it is in can be added instead.
            ModelThereAlready: one of the models has the same bytes; nothing is done.
            DiskFull, SaveFailed: it can't be written. Cancelled: nothing is left behind.
        """
        entry = self._catalogue.find("diffusion", str(source.absolute()))
        if source.is_dir():
            reason = "It is a folder; add the folder it is in, and it is found there."
            raise ModelUnsuitable(model=str(source), reason=reason, task=TASKS["diffusion"])
        if entry.probe.kind is None and entry.error is not None:
            raise type(entry.error)(**entry.error.arguments)
        there = self.same_as(source, models, cancel)
        if there is not None:
            raise ModelThereAlready(name=source.name, path=str(there))
        folder = models / entry.info.kind
        name = sanitise_name(source.name)
        target = _placed(source, folder / name, how, cancel or NeverCancelled(), tell)
        for beside in _beside(source):
            suffix = beside.name[len(source.stem) :]
            _placed(beside, folder / f"{target.stem}{suffix}", how, cancel or NeverCancelled(), None)
        if how == "move":
            for old in (*_beside(source), source):
                old.unlink(missing_ok=True)
        return target

    def same_as(self, source: Path, models: Path, cancel: CancelToken | None = None) -> Path | None:
        """A model whose file is the same as ``source``, byte for byte; None if there is none.

        Sizes are compared first, then how the files begin, then their hashes. The file itself counts only
        where it lies in ``models``, the user's own folder: from another that is searched it may be taken in.

        Raises:
            ModelMissing, ModelUnreadable: ``source`` can't be read. Cancelled: by the user.
        """
        found = [Path(info.path) for info in self._catalogue.list()]
        alike = [path for path in found if _same_start(path, source)]
        alike.sort(key=lambda path: self.known_digests(path) is None)
        for path in alike:
            if path.samefile(source):
                if path.absolute().is_relative_to(models.absolute()):
                    return path
                continue
            try:
                content = self.hash(path, cancel).sha256
            except (ModelMissing, ModelUnreadable):
                continue  # it went, or can't be read: then it can't be told to be the same
            if content == self.hash(source.absolute(), cancel).sha256:
                return path
        return None

    def remove(self, model: str) -> list[Path]:
        """Move a model and what lies beside it to the bin; returns what went.

        Raises:
            ModelMissing: there is no such model.
            ModelNotRemoved: it belongs to the program, or lies outside every folder of models; the system
                has no bin there, or refuses.
        """
        from send2trash import send2trash

        entry = self._entry(model)
        path = Path(entry.info.path)
        inside = any(path.is_relative_to(root.path) for root in self._catalogue.roots)
        if not inside or path.is_relative_to(RESOURCES):
            reason = "It came with the program, or lies in none of the folders for models."
            raise ModelNotRemoved(model=entry.info.id, reason=reason)
        gone: list[Path] = []
        for item in (*(_beside(path) if path.is_file() else ()), path):
            try:
                send2trash(str(item))
            except OSError as error:
                raise ModelNotRemoved(model=entry.info.id, reason=reason_of(error)) from error
            gone.append(item)
        return gone

    def _entry(self, model: str) -> Entry:
        """The model with an id or path, of whatever kind."""
        for info in self._catalogue.list():
            if model in (info.id, info.path):
                return self._catalogue.find(info.kind, info.path)
        return self._catalogue.find("diffusion", str(Path(model).expanduser().absolute()))

    def _hash(self, path: Path, cancel: CancelToken | None, tell: Tell | None) -> Digests:
        if not is_there(path):
            raise ModelMissing(model=str(path))
        try:
            total, done = _bytes_of(path), 0

            def count(piece: int) -> None:
                nonlocal done
                done += piece
                if tell is not None:
                    tell(done, total)

            state = _state(path)
            digests = digests_of(path, cancel, count)
        except OSError as error:
            raise ModelUnreadable(model=path.name, reason=f"{error.strerror or error}.") from error
        if _state(path) == state:  # or it was written meanwhile: the hash is of neither
            self._index.store_digests(str(path), state, digests)
        return digests


def _same_start(path: Path, other: Path) -> bool:
    """Whether two files have one size and begin alike; False where one can't be read."""
    try:
        if not path.is_file() or path.stat().st_size != other.stat().st_size:
            return False
        with path.open("rb") as first, other.open("rb") as second:
            return path.samefile(other) or first.read(_START) == second.read(_START)
    except OSError:
        return False


def _state(path: Path) -> str:
    try:
        return fingerprint(path)
    except DiptychError:
        return ""


def _bytes_of(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*.safetensors"))


def _published(path: Path) -> Iterable[tuple[str, str]]:
    """Hashes that others state of a file: its blob's name in a Hugging Face cache, the page it came from."""
    if path.is_symlink():
        blob = Path(os.path.realpath(path)).name
        if len(blob) == 64 and all(letter in "0123456789abcdef" for letter in blob):
            yield "the hash in the Hugging Face cache", blob
    if path.is_file():
        stated = stated_sha256(place_at(path).notes)
        if stated:
            yield "the hash its page states", stated


def _beside(path: Path) -> Sequence[Path]:
    """What lies beside a model file and belongs to it: a card, notes of other programs, pictures."""
    names = (f"{path.stem}.diptych.json", *note_names(path.stem), *preview_names(path.stem))
    return [found for name in names if (found := path.with_name(name)).is_file()]


def _placed(source: Path, target: Path, how: How, cancel: CancelToken, tell: Tell | None) -> Path:
    """A copy of a file, or another name of it, under the first name that is free."""
    if how != "copy":
        target.parent.mkdir(parents=True, exist_ok=True)
        number, free = 2, target
        while True:
            try:
                os.link(source, free)
                return free
            except FileExistsError:
                free = target.with_name(f"{target.stem}-{number}{target.suffix}")
                number += 1
            except OSError:  # another disk: it is copied
                break
    total, done = source.stat().st_size, 0

    def copy(out: BinaryIO) -> None:
        nonlocal done
        with source.open("rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                cancel.check()
                out.write(piece)
                done += len(piece)
                if tell is not None:
                    tell(done, total)

    return atomic_write(target, copy, unique=True)
