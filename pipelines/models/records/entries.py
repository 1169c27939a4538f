"""From what is known of a model to what is told of it: the entry of a catalogue."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pipelines.engine.protocol import ModelInfo
from pipelines.errors import DiptychError, ModelUnsuitable
from pipelines.models.families.controls import layer_limits
from pipelines.models.families.facts import family
from pipelines.models.probing.limits import unavailable
from pipelines.models.probing.probe import Kind, Probe
from pipelines.models.records.cards import Card, read_card
from pipelines.models.records.examine import TASKS, Record
from pipelines.models.records.index import Digests, Notes
from pipelines.models.records.same_shapes import told_apart
from pipelines.models.records.unopened import likely_kind, size_of
from pipelines.models.records.walk import Place

_NO_CARD: Final = Card()
STEERING_KINDS: Final = frozenset({"control", "adapter"})
"""The kinds whose models decide which layers a model that draws can use."""


@dataclass(frozen=True, slots=True)
class Root:
    """A folder that is searched. Ids of its models begin with ``prefix``; ``kind`` is what is expected
    there. ``program``: whose folder it is, empty for one of ours or the user's.
    """

    path: Path
    prefix: str = ""
    kind: Kind | None = None
    program: str = ""


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


def entry_of(record: Record, place: Place, root: Root, fingerprint: str) -> Entry:
    """The entry of a model that was examined."""
    path, error, about = Path(place.path), record.error, record.about
    card = read_card(path) if place.beside else _NO_CARD
    probe = told_apart(record.probe, card.variant, about.base_model)
    facts = family("" if probe.kind == "control" else probe.family)  # those are of what it steers
    kind = probe.kind or root.kind or likely_kind(path, root.path) or "diffusion"
    size = card.native_size or probe.native_size or facts.native_size
    defaults = facts.defaults_of(probe.variant)
    if size and defaults:
        defaults |= {"width": size[0], "height": size[1]}
    info = ModelInfo(
        kind=kind, id=id_of(path, root), title=card.title or about.title or title_of(path), path=place.path,
        family=probe.family, bytes=probe.bytes or size_of(path),
        problem=" ".join(filter(None, error.info().sentences()[1:])) if error else "",
        problem_code=error.info().code if error else "", modified=_written(place),
        native_size=size, size_multiple=max(facts.size_multiple, probe.size_multiple),
        defaults={**defaults, **card.defaults}, examples=card.examples, card=card.text or about.description,
        unavailable=dict(_unavailable(probe)) if kind == "diffusion" and not error else {},
        variant=probe.variant, base=probe.base, layout=probe.layout, dtype=probe.dtype,
        parameters=probe.elements, origin=root.program, author=about.author, licence=about.licence,
        base_model=about.base_model, trigger_words=_words(probe, about.trigger_words), tags=about.tags,
        strength=about.strength, source=about.source, preview=place.preview,
    )  # fmt: skip
    return Entry(info, probe, Path(record.weights), fingerprint, error)


def told_of(info: ModelInfo) -> str:
    """What is told of a model as JSON, for the index: what isn't usual of it, to keep that small."""
    return info.model_dump_json(exclude_defaults=True)


def _words(probe: Probe, stated: tuple[str, ...]) -> tuple[str, ...]:
    """What calls it in a prompt: the word an embedding is stored under, then those said beside the file."""
    token = str(probe.facts.get("token", ""))
    return tuple(dict.fromkeys(filter(None, (token, *stated))))


def _unavailable(probe: Probe) -> Mapping[str, str]:
    """The same limits for all models that differ in nothing they depend on: thousands share a few."""
    known = ("text_encoder", "prediction_type", "zero_snr")
    if "scheduler" in probe.facts:
        return unavailable(probe)
    facts = tuple((name, probe.facts[name]) for name in known if name in probe.facts)
    return _limits(probe.family, probe.variant, facts)


@lru_cache(maxsize=256)
def _limits(family_name: str, variant: str, facts: tuple[tuple[str, Any], ...]) -> Mapping[str, str]:
    return unavailable(Probe("diffusion", family_name, variant=variant, facts=dict(facts)))


def _written(place: Place) -> float:
    """When a file was written, or the newest file at the top of a folder."""
    if not place.folder:
        return place.mtime_ns / 1e9
    try:
        with os.scandir(place.path) as listing:
            return max((item.stat().st_mtime for item in listing), default=0.0)
    except OSError:
        return 0.0


def with_notes(info: ModelInfo, digests: Digests | None, notes: Mapping[str, Notes]) -> ModelInfo:
    """With the hashes of its file, and with what the user noted of that content."""
    if digests is None:
        return info
    changes: dict[str, Any] = {
        "sha256": digests.sha256, "blake3": digests.blake3,
        "autov1": digests.autov1, "autov3": digests.autov3,
    }  # fmt: skip
    found = notes.get(digests.sha256)
    if found is not None:
        changes |= {
            "notes": found.text, "user_tags": found.tags, "favourite": found.favourite,
            "trigger_words": found.trigger_words or info.trigger_words,
            "defaults": {**info.defaults, **found.defaults},
        }  # fmt: skip
    return info.model_copy(update=changes)


def controls_among(entries: Sequence[Entry]) -> list[tuple[str, Mapping[str, Any]]]:
    """Family and facts of the control models that can be used, and of the adapters that read references."""
    usable = [entry.probe for entry in entries if entry.info.kind in STEERING_KINDS and entry.error is None]
    return [
        (probe.base, {**probe.facts, "reads": "references"}) if probe.kind == "adapter"
        else (probe.family, probe.facts)
        for probe in usable
    ]  # fmt: skip


def with_layers(
    info: ModelInfo, entry: Entry, controls: Sequence[tuple[str, Mapping[str, Any]]]
) -> ModelInfo:
    """With the kinds of canvas layers that a model that draws can't use with these control models."""
    if info.kind != "diffusion" or entry.error is not None:
        return info
    limits = layer_limits((entry.probe.family, entry.probe.facts), controls, entry.probe.variant)
    return info.model_copy(update={"unavailable": {**info.unavailable, **limits}}) if limits else info


def id_of(path: Path, root: Root) -> str:
    """The path below its root, after the root's prefix; a path as it is below none."""
    if path == root.path:
        return path.name
    below, whole = f"{root.path}{os.sep}", str(path)  # as text: pathlib takes its time, thousands of times
    if not whole.startswith(below):
        return whole
    return root.prefix + whole[len(below) :].replace(os.sep, "/")


def title_of(path: Path) -> str:
    """What a model is called that says nothing itself: its name, or a repository's."""
    repository = path.parent.parent
    if path.parent.name == "snapshots" and repository.name.startswith("models--"):
        return repository.name.removeprefix("models--").replace("--", "/")
    return path.name if path.is_dir() else path.stem
