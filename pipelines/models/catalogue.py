"""Which models there are: the folders that are searched, and what is known of each model found.

An id is the path below its root (``starter/text-to-image``, ``dreamy.safetensors``); an absolute path works
as an id too. A model is examined once and remembered by path, size and time, so that searching again is
cheap.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blake3 import blake3

from pipelines.engine.protocol import ModelInfo
from pipelines.errors import (
    ControlModelMissing,
    DiptychError,
    InpaintModelMissing,
    ModelMissing,
    ModelUnreadable,
    ModelUnsuitable,
    PathNotAllowed,
    StarterTextModelMissing,
    UnknownModelFamily,
)
from pipelines.files import is_folder, is_there, safe_join
from pipelines.graph.node import file_fingerprint
from pipelines.models.cards import Card, card_path, read_card
from pipelines.models.controls import layer_limits
from pipelines.models.families import family
from pipelines.models.folders import is_model_folder, probe_folder
from pipelines.models.limits import unavailable
from pipelines.models.probe import Kind, Probe, probe_file
from pipelines.models.safety import check_file, check_folder, files_of
from pipelines.models.unopened import likely_kind, size_of
from pipelines.paths import RESOURCES

MODEL_SUFFIXES: Final = frozenset({".safetensors", ".ckpt", ".pt", ".pth", ".gguf"})
MAX_ENTRIES: Final = 50_000
MAX_DEPTH: Final = 6
DEFAULTS: Final = {"diffusion": "starter/text-to-image", "upscale": "starter/upscaler"}
TASKS: Final = {
    "diffusion": "drawing from a prompt",
    "language": "writing text",
    "upscale": "enlarging pictures",
    "control": "steering a drawing by a picture",
    "inpaint": "filling gaps in pictures",
}


@dataclass(frozen=True, slots=True)
class Root:
    """A folder that is searched. Ids of its models begin with ``prefix``; ``kind`` is what is expected
    there.
    """

    path: Path
    prefix: str = ""
    kind: Kind | None = None


NOWHERE: Final = Root(Path())
"""Root of what lies below none: such a model's id is its path."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model: what is told of it, what its tensors say, what to load, and why it can't be used if so."""

    info: ModelInfo
    probe: Probe
    weights: Path
    fingerprint: str
    error: DiptychError | None = None

    def check(self, kind: Kind) -> None:
        """Raise what keeps this model from being used as a ``kind`` of model."""
        if self.error is not None:
            # A new one each time: the traceback of a remembered error would grow with every use.
            raise type(self.error)(**self.error.arguments)
        if self.info.kind != kind:
            reason = f"It is a model for {TASKS[self.info.kind]}."
            raise ModelUnsuitable(model=self.info.id, reason=reason, task=TASKS[kind])


def default_roots(models: Path, folders: Sequence[str | Path] = ()) -> tuple[Root, ...]:
    """The starter models, the five folders below ``models``, and what the user added."""
    own: tuple[Kind, ...] = ("diffusion", "language", "upscale", "control", "inpaint")
    return (
        Root(RESOURCES / "starter", "starter/"),
        *(Root(models / kind, kind=kind) for kind in own),
        *(Root(Path(folder).expanduser()) for folder in folders),
    )


def fingerprint(path: Path) -> str:
    """A digest of path, size and time of a file, or of every file of a folder; it changes as they do."""
    digest = blake3()
    for file in files_of(path) if path.is_dir() else (path,):
        digest.update(file_fingerprint(file).encode() + b"\0")
    return digest.hexdigest(16)


class Catalogue:
    """The models below some roots. Safe to use from several threads."""

    def __init__(self, roots: Sequence[Root]) -> None:
        self._roots = tuple(roots)
        self._known: dict[tuple[Path, str, str], Entry] = {}
        self._lock = threading.Lock()

    def list(self) -> tuple[ModelInfo, ...]:
        """All models, usable or not, in the order of the roots and then by name."""
        found: dict[tuple[str, str], tuple[ModelInfo, Entry]] = {}
        for root in self._roots:
            for path in _models_below(root.path):
                entry = self._examine(path, root)
                info = entry.info
                if (
                    info.kind,
                    info.id,
                ) in found:  # another root has one of this name: the path tells them apart
                    info = info.model_copy(update={"id": str(path)})
                found.setdefault((info.kind, info.id), (info, entry))
        entries = [entry for _, entry in found.values()]
        return tuple(_with_layers(info, entry, entries) for info, entry in found.values())

    def describe(self, path: str) -> ModelInfo:
        """What :meth:`list` would tell of a model that draws, at any path. Raises as :meth:`find`."""
        entry = self.find("diffusion", path)
        others = (self._examine(below, root) for root in self._roots for below in _models_below(root.path))
        return _with_layers(entry.info, entry, list(others))

    def find(self, kind: Kind, model: str) -> Entry:
        """The model with an id or a path; ``""`` is the default of its kind.

        Raises:
            ModelMissing: there is none.
            StarterTextModelMissing, ControlModelMissing, InpaintModelMissing: no model of that kind was
                named, and there is none to choose.
        """
        model = model or DEFAULTS.get(kind, "")
        if not model:
            return self._first(kind)
        roots = sorted(self._roots, key=lambda root: root.kind != kind)
        for root in roots:
            path = _inside(root, model)
            if path is not None:
                return self._examine(path, root)
        path = Path(model).expanduser()
        if not path.is_absolute() or not is_there(path):
            raise ModelMissing(model=model)
        owner = next((root for root in roots if path.is_relative_to(root.path)), NOWHERE)
        return self._examine(path, owner)

    def _first(self, kind: Kind) -> Entry:
        for root in sorted(self._roots, key=lambda root: root.kind != kind):
            for path in _models_below(root.path):
                entry = self._examine(path, root)
                if entry.info.kind == kind and entry.error is None:
                    return entry
        missing: dict[Kind, DiptychError] = {
            "language": StarterTextModelMissing(), "control": ControlModelMissing(),
            "inpaint": InpaintModelMissing(),
        }  # fmt: skip
        raise missing.get(kind, ModelMissing(model=kind))

    def _examine(self, path: Path, root: Root) -> Entry:
        card_file = card_path(path)
        try:
            state = fingerprint(path)
        except DiptychError as error:
            return _entry(path, path, root, Probe(None), "", Card(), error)
        key = (path, state, file_fingerprint(card_file) if card_file else "")
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = _examined(path, root, state)
            with self._lock:
                for old in [old for old in self._known if old[0] == path]:
                    del self._known[old]
                self._known[key] = known
        return known


def _examined(path: Path, root: Root, state: str) -> Entry:
    card = read_card(path)
    name = _id(path, root)
    weights = path
    error: DiptychError
    try:
        if path.is_dir() and card.weights:
            weights = safe_join(path, card.weights)
        if weights.is_dir():
            probe = probe_folder(weights, check_folder(weights, name), name)
        else:
            probe = probe_file(check_file(weights, name))
        return _entry(path, weights, root, probe, state, card, _obstacle(probe, name))
    except DiptychError as caught:
        error = caught
    except OSError as caught:
        error = ModelUnreadable(model=name, reason=f"{caught.strerror or caught}.")
    except (TypeError, ValueError, AttributeError, LookupError, OverflowError) as caught:
        # Settings of another shape than any library writes: one odd folder must not hide all other models.
        error = ModelUnreadable(model=name, reason=f"Its settings make no sense ({str(caught)[:200]}).")
    return _entry(path, weights, root, Probe(None), state, card, error)


def _obstacle(probe: Probe, name: str) -> DiptychError | None:
    """What keeps a model that was read without a fault from being used."""
    if probe.reason:
        return UnknownModelFamily(model=name, reason=probe.reason)
    problem = family(probe.family).problem
    if problem:
        return ModelUnsuitable(model=name, reason=problem, task=TASKS["diffusion"])
    return None


def _entry(
    path: Path, weights: Path, root: Root, probe: Probe, state: str, card: Card, error: DiptychError | None
) -> Entry:
    facts = family("" if probe.kind == "control" else probe.family)  # those are of what it steers
    kind = probe.kind or root.kind or likely_kind(path, root.path) or "diffusion"
    size = card.native_size or probe.native_size or facts.native_size
    defaults = dict(facts.defaults)
    if size and defaults:
        defaults |= {"width": size[0], "height": size[1]}
    info = ModelInfo(
        kind=kind, id=_id(path, root), title=card.title or _title(path), path=str(path), family=probe.family,
        bytes=probe.bytes or size_of(path),
        problem=" ".join(filter(None, error.info().sentences()[1:])) if error else "",
        native_size=size, size_multiple=max(facts.size_multiple, probe.size_multiple),
        defaults={**defaults, **card.defaults}, examples=card.examples, card=card.text,
        unavailable=unavailable(probe) if kind == "diffusion" and not error else {},
    )  # fmt: skip
    return Entry(info, probe, weights, state, error)


def _with_layers(info: ModelInfo, entry: Entry, others: Sequence[Entry]) -> ModelInfo:
    """With the kinds of canvas layers that a model that draws can't use, given the other models."""
    if info.kind != "diffusion" or entry.error is not None:
        return info
    controls = [
        (other.probe.family, other.probe.facts)
        for other in others
        if other.info.kind == "control" and other.error is None
    ]
    limits = layer_limits((entry.probe.family, entry.probe.facts), controls)
    return info.model_copy(update={"unavailable": {**info.unavailable, **limits}})


def _id(path: Path, root: Root) -> str:
    if path == root.path:
        return path.name
    if not path.is_relative_to(root.path):
        return str(path)
    return root.prefix + path.relative_to(root.path).as_posix()


def _title(path: Path) -> str:
    repository = path.parent.parent
    if path.parent.name == "snapshots" and repository.name.startswith("models--"):
        return repository.name.removeprefix("models--").replace("--", "/")
    return path.name if path.is_dir() else path.stem


def _inside(root: Root, model: str) -> Path | None:
    """The path of an id below a root, if it is there."""
    if not model.startswith(root.prefix):
        return None
    if model == root.path.name and _is_model(root.path):
        return root.path
    rest = model.removeprefix(root.prefix)
    try:
        path = safe_join(root.path, rest)
    except PathNotAllowed:
        # A link the user put there: it counts if the search finds it, not because a name leads through it.
        below = _models_below(root.path)
        return next((path for path in below if path.relative_to(root.path).as_posix() == rest), None)
    return path if path != root.path and is_there(path) else None


def _is_model(folder: Path) -> bool:
    return is_model_folder(folder) or bool(read_card(folder).weights)


def _models_below(root: Path) -> Iterator[Path]:
    """Every model folder and model file below ``root``, bounded; a folder that can't be read is left out."""
    pending, seen, count = [(root, 0)], set(), 0
    while pending:
        folder, depth = pending.pop()
        real = os.path.realpath(folder)
        if real in seen or depth > MAX_DEPTH or not is_folder(folder):
            continue
        seen.add(real)
        if _is_model(folder):
            yield folder
            continue
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name.casefold())
        except OSError:
            continue
        folders = []
        for entry in entries:
            count += 1
            if entry.name.startswith(".") or count > MAX_ENTRIES:
                continue
            if is_folder(Path(entry.path)):  # never an error, as a link to itself would be
                folders.append((Path(entry.path), depth + 1))
            elif Path(entry.name).suffix.lower() in MODEL_SUFFIXES:
                yield Path(entry.path)
        pending.extend(reversed(folders))
