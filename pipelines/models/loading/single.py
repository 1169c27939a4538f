"""Opening a model whose denoiser is in a single file, safetensors or GGUF, with or without its other parts.

Each part comes from where it is: the model's own file, the files and folders that its handle names, or the
tokenizers that come with the program. What is put together is a pipeline of diffusers like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.models.libraries import import_diffusers
from pipelines.models.loading.folder import skeleton
from pipelines.models.loading.original import CONVERTED, load_original
from pipelines.models.loading.part import Parts
from pipelines.models.loading.states import ENCODERS, VAE, below, denoiser_of, read_state, unpacked
from pipelines.models.loading.weights import from_state
from pipelines.models.parts.needed import (
    OWN_TOKENIZERS,
    PROCESSORS,
    Need,
    held,
    missing_error,
    needs_of,
)
from pipelines.models.probing.probe import Probe
from pipelines.models.probing.single_file import Blueprint, schedule_settings
from pipelines.models.quantized.packed import PackedFiles

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class SingleFile:
    """A model to be opened: its file, what it is called and what its tensors say, the blueprint of its
    family, and the parts that were opened from elsewhere.
    """

    file: Path
    model: str
    probe: Probe
    plan: Blueprint
    given: Mapping[str, Any]

    @property
    def packed(self) -> bool:
        """Whether the weights of its denoiser stay packed."""
        return self.file.suffix.lower() == ".gguf"


def check_parts(single: SingleFile) -> None:
    """Raise :class:`ModelPartMissing` if a model lacks a part that was given to it from nowhere else."""
    missing = [
        need
        for need in needs_of(single.plan)
        if need.name not in single.given and not held(need, single.probe) and not need.optional
    ]
    if missing:
        raise missing_error(single.model, missing)


def load_single(single: SingleFile, parts: Parts, kept: PackedFiles | None = None) -> Any:
    """A pipeline of diffusers, in main memory; weights of a GGUF file stay packed.

    Args:
        parts: opens what the file itself holds, in the precision that is wanted.
        kept: packed weights of the denoiser that may be there from before.

    Raises:
        ModelPartMissing: it lacks a part.
        ModelUnreadable, ModelUnsuitable: its weights, as their texts say.
        Cancelled: while the file was read.
    """
    check_parts(single)
    needs = {need.name: need for need in needs_of(single.plan)}
    diffusers = import_diffusers()
    parts.reader.read([single.file])
    state = read_state(single.file, single.model)
    opened: dict[str, Any] = dict(single.given)
    for name, (_, cls) in sorted(single.plan.parts.items(), key=_turn):
        if name in opened:
            continue
        if name == single.plan.denoiser:
            opened[name] = _denoiser(getattr(diffusers, cls), state, single, parts.dtype, kept)
        elif name == "scheduler":
            settings = schedule_settings(single.probe, single.plan.folder.parent)
            opened[name] = getattr(diffusers, cls).from_config(settings)
        elif cls in PROCESSORS:
            opened[name] = parts.processor(cls, opened["tokenizer"])
        elif cls in OWN_TOKENIZERS:
            opened[name] = parts.tokenizer(name, cls)
        elif name in needs and held(needs[name], single.probe):
            opened[name] = _within(parts, needs[name], state, single)
        else:
            opened[name] = None
    return getattr(diffusers, single.plan.pipeline)(**opened)


def _turn(item: tuple[str, object]) -> int:
    """Networks first: what is wrong is mostly in those, and a tokenizer takes its time. What is made round a
    tokenizer comes after it.
    """
    name = item[0]
    return 2 if name == "processor" else 1 if name.startswith("tokenizer") else 0


def _denoiser(
    kind: Any, state: Mapping[str, Any], single: SingleFile, dtype: torch.dtype, kept: PackedFiles | None
) -> Any:
    name, changes = single.plan.denoiser, dict(single.plan.changes)
    settings = single.plan.folder / name
    if kept is not None and kept.has(name):
        network = kept.load(name, partial(skeleton, kind, settings, dtype, **changes))
        if network is not None:
            return network
        kept.forget(name)
    weights = denoiser_of(state)
    if single.packed:
        from diffusers import GGUFQuantizationConfig

        weights = unpacked(weights, dtype)
        if kind.__name__ in CONVERTED:
            return load_original(kind, weights, settings, dtype, single.model, name, packed=True, **changes)
        changes["quantization_config"] = GGUFQuantizationConfig(compute_dtype=dtype)
    if kind.__name__ in CONVERTED:
        return load_original(kind, weights, settings, dtype, single.model, name, **changes)
    return from_state(kind, weights, settings, dtype, single.model, name, **changes)


def _within(parts: Parts, need: Need, state: Mapping[str, Any], single: SingleFile) -> Any:
    """A part that the model's own file holds."""
    settings = single.plan.folder / need.name
    if need.sort == "vae":
        return parts.vae(below(state, VAE), settings, single.model)
    prefixes = [f"{ENCODERS[0]}{alias}{end}" for alias in need.within for end in (".transformer.", ".")]
    return parts.encoder(need.name, need.cls, below(state, prefixes), settings)
