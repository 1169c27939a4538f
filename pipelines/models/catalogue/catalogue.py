"""Which models there are: the folders that are searched, and what is known of each model found.

An id is the path below its root (``starter/text-to-image``, ``dreamy.safetensors``); an absolute path works
as an id too. A model is examined once and kept in an index by path, size and time, so that searching again
takes one look at each file. What is *listed* may come from the index; what is *found* to be used was examined
by this process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, Final

from pipelines import paths
from pipelines.engine.protocol import ModelInfo
from pipelines.errors import (
    AdapterMissing,
    ControlModelMissing,
    DepthModelMissing,
    DiptychError,
    InpaintModelMissing,
    ModelMissing,
    PartUnsuitable,
    PathNotAllowed,
    PoseModelMissing,
    StarterTextModelMissing,
)
from pipelines.files import is_there, safe_join
from pipelines.graph.node import CancelToken
from pipelines.graph.values import Part
from pipelines.models.catalogue.layouts import folders_of, usual_places
from pipelines.models.catalogue.scanning import Report, Scan
from pipelines.models.parts.choice import chosen_part, folder_needs
from pipelines.models.parts.needed import needs_of, with_missing
from pipelines.models.parts.search import Found, find_parts
from pipelines.models.probing.folders import is_model_folder
from pipelines.models.probing.probe import Kind
from pipelines.models.probing.single_file import blueprint
from pipelines.models.records.cards import read_card
from pipelines.models.records.entries import (
    NOWHERE,
    STEERING_KINDS,
    Entry,
    Root,
    controls_among,
    id_of,
    with_layers,
    with_notes,
)
from pipelines.models.records.examine import TASKS
from pipelines.models.records.index import NAME, ModelIndex
from pipelines.models.records.known import Known, Memory, fingerprint
from pipelines.models.records.walk import Place, Seen, place_at, places_below
from pipelines.paths import RESOURCES

__all__ = [
    "TASKS", "Catalogue", "Entry", "Root", "Scan", "default_roots", "fingerprint", "open_catalogue",
    "searched_roots",
]  # fmt: skip

CONFIGS: Final = RESOURCES / "configs"
GIVERS: Final = frozenset({"diffusion", "vae", "text_encoder", "language"})
"""Kinds of models that a part may be taken from."""
DEFAULTS: Final = {"diffusion": "starter/text-to-image", "upscale": "starter/upscaler"}
OWN: Final[tuple[Kind, ...]] = (
    "diffusion", "language", "upscale", "control", "inpaint",
    "lora", "embedding", "vae", "text_encoder", "adapter", "vision", "depth",
    "pose", "detector",
)  # fmt: skip
"""The folders below the user's own, one for each kind."""


def default_roots(
    models: Path, folders: Sequence[str | Path] = (), others: Sequence[Root] = ()
) -> tuple[Root, ...]:
    """The starter models, the folders below ``models``, what the user added, and ``others``."""
    return (
        Root(RESOURCES / "starter", "starter/"),
        *(Root(models / kind, kind=kind) for kind in OWN),
        *(
            Root(found.path, found.prefix, program=found.program)
            for folder in folders
            for found in folders_of(Path(folder).expanduser())
        ),
        *others,
    )


def open_catalogue(models: Path, folders: Sequence[str | Path] = ()) -> Catalogue:
    """The catalogue of the program: the starters, the user's folder ``models``, the ``folders`` they added,
    and the libraries of other programs in their usual places; its index is kept beside ``models``.

    A portable installation (``DIPTYCH_HOME``) looks nowhere else.
    """
    index = ModelIndex(models.parent / NAME if models.is_absolute() else None)
    return Catalogue(searched_roots(models, folders), index)


def searched_roots(models: Path, folders: Sequence[str | Path] = ()) -> tuple[Root, ...]:
    """The roots of :func:`open_catalogue`."""
    others = () if paths.is_portable() else tuple(usual_places())
    return default_roots(
        models, folders, [Root(found.path, found.prefix, program=found.program) for found in others]
    )


class Catalogue:
    """The models below some roots; ``index`` None keeps what is known in memory. For several threads.

    ``configs`` holds the settings of families, which say what parts a model in a single file is made of.
    """

    def __init__(
        self, roots: Sequence[Root], index: ModelIndex | None = None, configs: Path = CONFIGS
    ) -> None:
        self.index = index or ModelIndex()
        self._configs = configs
        self._memory = Memory(self.index, roots)
        self._searching = threading.Lock()
        self.seen = Seen()
        """The folders that the last search went through, for a watch."""

    @property
    def roots(self) -> tuple[Root, ...]:
        return self._memory.roots

    def search_in(self, roots: Sequence[Root]) -> None:
        """Search other roots from now on; what is known of files stays."""
        with self._searching:
            self._memory.roots = tuple(roots)

    def list(self) -> tuple[ModelInfo, ...]:
        """All models, usable or not, in the order of the roots and then by name."""
        return self.scan()

    def scan(
        self, tell: Callable[[Scan], None] | None = None, cancel: CancelToken | None = None
    ) -> tuple[ModelInfo, ...]:
        """Search all roots; what has not changed since it was examined is not opened.

        Args:
            tell: called with what was found, a few times a second.
            cancel: polled at each file.

        Raises:
            Cancelled: what was examined until then is kept.
        """
        with self._searching:
            found: dict[tuple[str, str], tuple[ModelInfo, Known]] = {}
            seen, report = Seen(), Report(tell)
            places = list(self._places(seen))
            try:
                with closing(self._memory.prepared(places)) as prepared:
                    for place, root, known in prepared:
                        if cancel is not None:
                            cancel.check()
                        known = known or self._memory.look(place, root)
                        info = _named(known.info, found)
                        found.setdefault((info.kind, info.id), (info, known))
                        report.found(info, len(found), self._memory.unwritten)
            finally:
                self._memory.write()
            report.end(len(found))
            self.seen = seen
            self._memory.forget({place.path for place, _ in places})
        return self._told(list(found.values()))

    def describe(self, path: str) -> ModelInfo:
        """What :meth:`list` would tell of a model that draws, at any path. Raises as :meth:`find`."""
        entry = self.find("diffusion", path)
        with self._searching:
            known = [self._memory.look(*found) for found in self._places()]
            self._memory.write()
        missing = self._parts(entry, lambda: self._giving(known)).missing
        return with_missing(with_layers(entry.info, entry, self._controls(known)), missing)

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
        roots = sorted(self._memory.roots, key=lambda root: root.kind != kind)
        for root in roots:
            path = _inside(root, model)
            if path is not None:
                return self._at(path, root)
        path = Path(model).expanduser()
        if not path.is_absolute() or not is_there(path):
            raise ModelMissing(model=model)
        owner = next((root for root in roots if path.is_relative_to(root.path)), NOWHERE)
        return self._at(path, owner)

    def parts_of(self, entry: Entry) -> Found:
        """The parts that a model in a single file lacks, among all models; none for any other model."""

        def givers() -> Iterator[Entry]:
            return self._giving(self._memory.look(place, root) for place, root in self._places())

        return self._parts(entry, givers)

    def _parts(self, entry: Entry, givers: Callable[[], Iterable[Entry]]) -> Found:
        single = entry.weights.suffix.lower() in (".safetensors", ".gguf")
        if entry.info.kind != "diffusion" or entry.error is not None or not single:
            return Found()
        plan = blueprint(entry.probe, self._configs)
        return Found() if plan is None else find_parts(entry, plan, givers)

    def part_of(self, entry: Entry, chosen: Entry) -> Part:
        """The part of a model that draws that another file is to be, chosen by the user.

        Raises:
            PartUnsuitable: the model is made with nothing of its kind.
        """
        if entry.weights.is_dir():
            return chosen_part(entry, folder_needs(entry.weights, entry.info.id), chosen)
        plan = blueprint(entry.probe, self._configs)
        if plan is None:
            reason = "Single files of its family can't be opened."
            raise PartUnsuitable(
                part=chosen.info.id, model=entry.info.id, reason=reason, wanted="no other part"
            )
        return chosen_part(entry, needs_of(plan), chosen)

    def _giving(self, found: Iterable[Known]) -> Iterator[Entry]:
        """The models that may give another one a part: folders of diffusers, and parts in files."""
        for known in found:
            if known.info.kind in GIVERS and (known.info.kind != "diffusion" or known.place.folder):
                yield self._memory.entry(known)

    def fitting(self, kind: Kind, facts: Mapping[str, object]) -> Entry | None:
        """The first usable model of a kind whose tensors say ``facts``; None if there is none."""

        def fits(entry: Entry) -> bool:
            return all(entry.probe.facts.get(name) == value for name, value in facts.items())

        return next(filter(fits, self._usable(kind)), None)

    def _first(self, kind: Kind) -> Entry:
        entry = next(self._usable(kind), None)
        if entry is not None:
            return entry
        missing: dict[Kind, DiptychError] = {
            "language": StarterTextModelMissing(), "control": ControlModelMissing(),
            "inpaint": InpaintModelMissing(), "adapter": AdapterMissing(),
            "depth": DepthModelMissing(), "pose": PoseModelMissing(),
        }  # fmt: skip
        raise missing.get(kind, ModelMissing(model=kind))

    def _usable(self, kind: Kind) -> Iterator[Entry]:
        """The models of a kind that can be used, those in its own folders first."""
        for root in sorted(self._memory.roots, key=lambda root: root.kind != kind):
            for place in places_below(root.path):
                known = self._memory.look(place, root)
                if known.info.kind == kind and not known.info.problem:
                    entry = self._memory.entry(self._memory.look(place, root, itself=True))
                    if entry.info.kind == kind and entry.error is None:
                        self._memory.write()
                        yield entry

    def _at(self, path: Path, root: Root) -> Entry:
        try:
            place = place_at(path)
        except OSError as error:
            raise ModelMissing(model=id_of(path, root)) from error
        known = self._memory.look(place, root, itself=True)
        self._memory.write()
        return self._memory.entry(known)

    def _places(self, seen: Seen | None = None) -> Iterator[tuple[Place, Root]]:
        for root in self._memory.roots:
            for place in places_below(root.path, seen):
                yield place, root

    def _controls(self, found: Sequence[Known]) -> Sequence[tuple[str, Mapping[str, Any]]]:
        steering = [known for known in found if known.info.kind in STEERING_KINDS]
        return controls_among([self._memory.entry(known) for known in steering])

    def _told(self, found: Sequence[tuple[ModelInfo, Known]]) -> tuple[ModelInfo, ...]:
        controls = self._controls([known for _, known in found])
        digests, notes, uses = self.index.digests(), self.index.notes(), self.index.uses()

        @cache
        def givers() -> list[Entry]:
            return list(self._giving(known for _, known in found))

        def told(info: ModelInfo, known: Known) -> ModelInfo:
            if info.kind == "diffusion" and not info.problem:
                entry = self._memory.entry(known)
                info = with_layers(info, entry, controls)
                info = with_missing(info, self._parts(entry, givers).missing)
            if info.path in uses:
                info = info.model_copy(update={"used": uses[info.path]})
            state, found = digests.get(info.path, ("", None))
            return with_notes(info, found, notes) if found and state == known.fingerprint else info

        return tuple(told(info, known) for info, known in found)


def _named(info: ModelInfo, found: Container[tuple[str, str]]) -> ModelInfo:
    """With an id of its own: where another root has one of this name, the path tells them apart."""
    if (info.kind, info.id) in found:
        return info.model_copy(update={"id": info.path})
    return info


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
        below = (Path(place.path) for place in places_below(root.path))
        return next((path for path in below if path.relative_to(root.path).as_posix() == rest), None)
    return path if path != root.path and is_there(path) else None


def _is_model(folder: Path) -> bool:
    return is_model_folder(folder) or bool(read_card(folder).weights)
