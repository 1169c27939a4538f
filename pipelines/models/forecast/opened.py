"""The models that a graph opens, looked up and read once: what they are made of, and what changes them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pipelines.diffusion.prompts.prompt_tags import has_tags, read_tags
from pipelines.errors import DiptychError, InpaintModelMissing
from pipelines.graph.planned import PlannedNode
from pipelines.models.catalogue.catalogue import Catalogue, Entry
from pipelines.models.files.header import Header, read_header
from pipelines.models.forecast.components import Component, components_of
from pipelines.models.forecast.graphs import LOADERS, PARTS, PREPROCESS, REMOVE, Nodes, steering
from pipelines.models.forecast.loras import Loras, loras_of
from pipelines.models.networks.picture_encoders import facts_wanted
from pipelines.models.probing.probe import Kind

_DERIVED: Final[dict[str, tuple[tuple[Kind, str, str], ...]]] = {
    "depth": (("depth", "model", "auto"),), "normals": (("depth", "model", "auto"),),
    "pose": (("pose", "pose_model", "fp32"), ("detector", "detector", "fp32")),
}  # fmt: skip
"""For each method of deriving a control picture by models: their kinds, the params that name them, and the
precision they work in."""
_BY_MODEL: Final = frozenset({"auto", "model"})
"""Methods of removing things that may use a model."""

PATCHES: Final = 27 * 27
"""What SigLIP says of a picture, a token for each patch of 14 px of 384 × 384."""
LATELY: Final = 10.0
"""Seconds for which what a search through all folders found is taken to be there."""

Chosen = tuple[tuple[str, str, str], ...]
"""Parts that a graph gives a model: name, path and fingerprint of each."""


class Opener:
    """Looks models up in a catalogue, and remembers what their files say."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._components = lru_cache(maxsize=64)(self._read)
        self._loras = lru_cache(maxsize=64)(_loras)
        self._searched: dict[tuple[Kind, tuple[Any, ...]], tuple[float, Entry | DiptychError | None]] = {}

    def _read(self, kind: Kind, model: str, fingerprint: str, chosen: Chosen) -> tuple[Component, ...]:
        entry = self._catalogue.find(kind, model)
        own = {part.name: Path(part.path) for part in self._catalogue.parts_of(entry).parts}
        return components_of(entry, own | {name: Path(path) for name, path, _ in chosen})

    def parts(self, entry: Entry, chosen: Chosen = ()) -> tuple[Component, ...]:
        """What a model is made of, with some parts of other files.

        Raises:
            DiptychError: a file can't be read.
        """
        return self._components(entry.info.kind, entry.info.path, entry.fingerprint, chosen)

    def _found(self, kind: Kind, model: str) -> Entry:
        """A model by its name, or the first of its kind. Raises as :meth:`Catalogue.find`."""
        if model:
            return self._catalogue.find(kind, model)

        def first() -> Entry | DiptychError:
            try:
                return self._catalogue.find(kind, "")
            except DiptychError as error:
                return error

        found = self._lately(kind, (), first)
        if isinstance(found, DiptychError):
            raise type(found)(**found.arguments)  # the traceback of a remembered one would grow
        assert found is not None
        return found

    def _fitting(self, kind: Kind, facts: Mapping[str, Any]) -> Entry | None:
        """The first model of a kind whose tensors say ``facts``."""
        found = self._lately(kind, tuple(facts.items()), lambda: self._catalogue.fitting(kind, facts))
        return found if isinstance(found, Entry) else None

    def _lately(
        self, kind: Kind, wanted: tuple[Any, ...], search: Callable[[], Entry | DiptychError | None]
    ) -> Entry | DiptychError | None:
        """What was found by going through all folders, which takes too long for each forecast."""
        when, found = self._searched.get((kind, wanted), (-math.inf, None))
        if time.monotonic() - when > LATELY:
            found = search()
            self._searched[kind, wanted] = time.monotonic(), found
        return found

    def model(
        self, loader: PlannedNode, changes: Sequence[PlannedNode] = ()
    ) -> tuple[Entry, tuple[Component, ...]]:
        """What a node names, and what it is made of after ``changes``.

        Raises:
            DiptychError: it isn't there, or can't be used, or a part that was chosen.
        """
        kind = LOADERS[loader.record.type]
        entry = self._found(kind, str(loader.literals.get("model", "")))
        entry.check(kind)
        chosen: dict[str, tuple[str, str, str]] = {}
        for node in changes:
            part = PARTS.get(node.record.type)
            if part is not None and (name := str(node.literals.get(part, ""))):
                given = self._catalogue.find(part, name)
                given.check(part)
                found = self._catalogue.part_of(entry, given)
                chosen[found.name] = (found.name, found.path, found.fingerprint)
        return entry, self.parts(entry, tuple(chosen.values()))

    def loras(self, node: PlannedNode, changes: Sequence[PlannedNode]) -> Loras:
        """What the LoRAs take that a node's model is given, by nodes and by its prompt.

        Of those a prompt names, the ones are counted whose name is that of a file at the top of a folder; one
        that can't be read is told of when it is used.
        """
        names = [
            str(change.literals.get("lora", ""))
            for change in changes
            if change.record.type == "model.lora" and _counts(change)
        ]
        prompt = node.literals.get("prompt")
        tags = read_tags(prompt) if isinstance(prompt, str) and has_tags(prompt) else ()
        names += [f"{tag.name}.safetensors" for tag in tags if tag.kind == "lora" and tag.strength]
        files = []
        for name in filter(None, names):
            with suppress(DiptychError):
                entry = self._catalogue.find("lora", name)
                files.append((str(entry.weights), entry.fingerprint))
        return self._loras(tuple(files))

    def controls(self, node: PlannedNode, nodes: Nodes) -> Iterator[tuple[Component, str]]:
        """Networks of the control models that steer a node, with their precision."""
        for found in steering(node, nodes, "model.control"):
            for part in self.model(found)[1]:
                yield part, str(found.literals.get("dtype", "auto"))

    def readers(self, node: PlannedNode, nodes: Nodes) -> Iterator[Component]:
        """Networks that read references before anything is drawn, and leave again as text encoders do."""
        for found in steering(node, nodes, "model.adapter"):
            entry, parts = self.model(found)
            facts = entry.probe.facts
            wanted = facts_wanted(str(facts.get("sees", "embedding")), int(facts.get("width") or 0))
            vision = self._fitting("vision", wanted)
            seeing = self.parts(vision) if vision else ()
            for name, networks in (("adapter", parts), ("vision", seeing)):
                yield from (replace(part, name=f"{name}_{found.id}", stage="encode") for part in networks)

    def appended(self, node: PlannedNode, nodes: Nodes) -> int:
        """Tokens that an adapter puts after those of the prompt for each reference, as FLUX.1 Redux does."""
        for found in steering(node, nodes, "model.adapter"):
            if (
                self._found("adapter", str(found.literals.get("model", ""))).probe.facts.get("sees")
                == "patches"
            ):
                return PATCHES
        return 0

    def by_params(self, node: PlannedNode) -> Iterator[tuple[Entry, str]]:
        """The models that a node's own params name, or that it finds by itself, with their precision.

        Raises:
            DiptychError: one isn't there that it needs.
        """
        method = str(node.literals.get("method", "auto"))
        if node.record.type == PREPROCESS:
            for kind, param, dtype in _DERIVED.get(method, ()):
                name = str(node.literals.get(param, ""))
                if kind == "detector" and not name:  # it does without
                    found = self._fitting(kind, {})
                else:
                    found = self._found(kind, name)
                    found.check(kind)
                if found is not None:
                    yield found, dtype
        elif node.record.type == REMOVE and method in _BY_MODEL:
            try:
                found = self._found("inpaint", str(node.literals.get("model", "")))
            except InpaintModelMissing:
                if method == "model":
                    raise
                return
            found.check("inpaint")
            yield found, "fp32"


def _counts(lora: PlannedNode) -> bool:
    """Whether a node of a LoRA changes anything."""
    strengths: list[Any] = [lora.literals.get(name, 1.0) for name in ("strength", "text_strength")]
    return strengths[0] != 0 or strengths[1] not in (0, None)


def _loras(files: tuple[tuple[str, str], ...]) -> Loras:
    headers: list[Header] = []
    for path, _ in files:
        with suppress(DiptychError):
            headers.append(read_header(Path(path), Path(path).name))
    return loras_of(headers)
