"""Examining one model: what it is, what is said of it, what keeps it from being used; as a record to keep.

Files of one structure are common: a trainer writes the same tensors again and again, and only the metadata
differ. What is behind the metadata is known by its digest, and probed once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from blake3 import blake3

from pipelines import errors
from pipelines.errors import (
    DiptychError,
    ModelFormatUnsupported,
    ModelUnreadable,
    ModelUnsuitable,
    UnknownModelFamily,
)
from pipelines.files import safe_join
from pipelines.models.families.facts import WHOLE_FOLDER, family
from pipelines.models.files.gguf_header import GgufHeader
from pipelines.models.files.gguf_header import read_header as read_gguf
from pipelines.models.files.header import read_text
from pipelines.models.files.header_text import header_of, parted
from pipelines.models.files.safety import check_folder
from pipelines.models.pipeline_classes import PIPELINES
from pipelines.models.probing.folders import probe_folder, recognise_folder
from pipelines.models.probing.gguf_language import refusal
from pipelines.models.probing.lora_families import problem_of as lora_problem
from pipelines.models.probing.probe import PROBED_METADATA, Kind, Probe, probe_file, probe_gguf
from pipelines.models.records.cards import read_card
from pipelines.models.records.sidecars import About, describe
from pipelines.models.records.walk import Place

TASKS: Final[Mapping[Kind, str]] = {
    "diffusion": "drawing from a prompt",
    "language": "writing text",
    "upscale": "enlarging pictures",
    "control": "steering a drawing by a picture",
    "inpaint": "filling gaps in pictures",
    "lora": "changing the style of another model",
    "embedding": "adding words to another model",
    "vae": "turning latents into pictures",
    "text_encoder": "reading prompts for another model",
    "adapter": "steering another model by a picture",
    "vision": "looking at pictures for another model",
    "depth": "telling how far things in a picture are",
    "pose": "finding the joints of people",
    "detector": "finding people in pictures",
}
MAX_STRUCTURES: Final = 4_096
_QUANTIZED: Final = frozenset({"NF4", "FP4", "INT8"})
"""What other programs packed with bitsandbytes, in layouts of their own."""
_NOTHING: Final = About()


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one model. ``weights`` is what is opened: its own path, or a file of its folder."""

    probe: Probe
    weights: str
    about: About = _NOTHING
    error: DiptychError | None = None

    def dumps(self) -> str:
        """As JSON, for the index."""
        data: dict[str, Any] = {"probe": self.probe.to_json(), "weights": self.weights}
        about = self.about.to_json()
        if about:
            data["about"] = about
        if self.error is not None:
            data["error"] = [type(self.error).__name__, self.error.arguments]
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)

    @classmethod
    def loads(cls, text: str) -> Record:
        """The record that :meth:`dumps` wrote.

        Raises:
            ValueError, TypeError, LookupError, AttributeError: it was not written by it.
        """
        data = json.loads(text)
        error = None
        if "error" in data:
            name, arguments = data["error"]
            kind = getattr(errors, name)
            if not (isinstance(kind, type) and issubclass(kind, DiptychError)):
                raise ValueError(name)
            error = kind(**arguments)
        about = About.from_json(data["about"]) if "about" in data else _NOTHING
        return cls(Probe.from_json(data["probe"]), data["weights"], about, error)


class Structures:
    """Probes of files by what stands behind their metadata."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Probe] = {}
        self._asked = 0

    def differ(self) -> bool:
        """Whether most files so far had a structure of their own."""
        return 2 * len(self._known) > self._asked

    def probe(self, path: Path, name: str) -> tuple[Probe, Mapping[str, str]]:
        """What a safetensors file is, and its metadata.

        Raises:
            ModelMissing, ModelUnsafe, ModelFormatUnsupported, ModelUnreadable: as for the header.
        """
        text, size = read_text(path, name)
        parts = parted(text)
        if parts is None:
            header = header_of(text, size, name)
            return probe_file(header), header.metadata
        metadata, rest = parts
        self._asked += 1
        key = (blake3(rest).digest(), size - len(text), *map(metadata.get, PROBED_METADATA))
        known = self._known.get(key)
        if known is None:
            known = probe_file(header_of(text, size, name, parts))
            if len(self._known) < MAX_STRUCTURES:
                self._known[key] = known
        return (known if known.bytes == size else replace(known, bytes=size)), metadata


def examine(place: Place, name: str, structures: Structures, roots: Sequence[Path] = ()) -> Record:
    """What a model is; never an error: what is wrong with it is part of the record.

    Args:
        place: where it is.
        name: what to call it in an error.
        structures: what is known of other files.
        roots: folders of models: links of a model's folder may lead there.
    """
    path = weights = Path(place.path)
    error: DiptychError
    try:
        card = read_card(path) if place.beside else None
        if place.folder and card is not None and card.weights:
            weights = safe_join(path, card.weights)
        if place.folder and weights.is_dir():
            return _folder(weights, name, roots)
        return _file(weights, name, structures, place)
    except DiptychError as caught:
        error = caught
    except OSError as caught:
        error = ModelUnreadable(model=name, reason=f"{caught.strerror or caught}.")
    except (TypeError, ValueError, AttributeError, LookupError, OverflowError) as caught:
        # Settings of another shape than any library writes: one odd folder must not hide all other models.
        error = ModelUnreadable(model=name, reason=f"Its settings make no sense ({str(caught)[:200]}).")
    return Record(Probe(None), str(weights), error=error)


def _file(path: Path, name: str, structures: Structures, place: Place) -> Record:
    if path.suffix.lower() == ".gguf":
        gguf = read_gguf(path)
        probe = probe_gguf(gguf)
        return Record(probe, str(path), describe({}, place.notes), packed_obstacle(probe, name, gguf))
    probe, metadata = structures.probe(path, name)
    if path.suffix.lower() != ".safetensors":
        reason = f"It is a safetensors file named “{path.suffix}”. Rename it to .safetensors."
        raise ModelUnreadable(model=name, reason=reason)
    return Record(probe, str(path), describe(metadata, place.notes), obstacle(probe, name, single=True))


def _folder(folder: Path, name: str, roots: Sequence[Path]) -> Record:
    try:
        headers = check_folder(folder, name, roots)
    except UnknownModelFamily as error:
        probe = recognise_folder(folder, name) if (folder / "model_index.json").is_file() else None
        if probe is None:
            raise
        opened = probe.facts.get("pipeline") in PIPELINES  # then it is a part that is refused
        return Record(probe, str(folder), error=error if opened else obstacle(probe, name) or error)
    probe = probe_folder(folder, headers, name)
    return Record(probe, str(folder), error=obstacle(probe, name))


def packed_obstacle(probe: Probe, name: str, gguf: GgufHeader) -> DiptychError | None:
    """What keeps a GGUF file from being used: of some families, and of T5, packed weights can be opened."""
    if probe.kind == "language":
        reason = refusal(gguf.architecture, {tensor.type for tensor in gguf.tensors.values()})
        return ModelFormatUnsupported(model=name, reason=reason) if reason else None
    opened = probe.kind == "diffusion" and family(probe.family).packed
    if opened or (probe.kind == "text_encoder" and probe.layout == "gguf"):
        return obstacle(probe, name, single=True)
    return ModelFormatUnsupported(model=name, reason="It is a GGUF file.")


def obstacle(probe: Probe, name: str, single: bool = False) -> DiptychError | None:
    """What keeps a model that was read without a fault from being used; ``single``: it is one file."""
    if probe.reason:
        return UnknownModelFamily(model=name, reason=probe.reason)
    problem = probe.problem
    if probe.kind == "lora":
        problem = problem or lora_problem(probe)
    if probe.kind == "diffusion":
        facts = family(probe.family)
        problem = problem or facts.problem or (WHOLE_FOLDER if single and not facts.config else "")
        if single and probe.dtype in _QUANTIZED:
            quantized = f"Its weights are already quantized ({probe.dtype}); use the version that isn't."
            problem = problem or quantized
    if not problem:
        return None
    return ModelUnsuitable(model=name, reason=problem, task=TASKS[probe.kind or "diffusion"])
