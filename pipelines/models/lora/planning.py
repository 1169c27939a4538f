"""Which weights of a pipeline some LoRAs change, and how: all that can be known before any is changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import LoraPartlyUsed, LoraUnsuitable
from pipelines.graph.node import Context
from pipelines.models.files.reading import Reader
from pipelines.models.loaded import LoraFile
from pipelines.models.lora.blocks import Blocks, block_of, read_blocks
from pipelines.models.lora.changes import Change
from pipelines.models.lora.methods import change_of
from pipelines.models.lora.names import Place, Places
from pipelines.models.lora.weights import LoraWeights, Source, read_lora, scale_of
from pipelines.models.quantized.packed_layers import packed

if TYPE_CHECKING:
    import torch

ENOUGH: Final = 0.9
"""The part of a LoRA's layers that must be there: it is used with a warning if some are missing, refused if
more are."""
_FIRST: Final = ("conv_in", "x_embedder", "img_in", "pos_embed.proj")
"""Layers that have more inputs in models for inpainting and editing: behind those that the others have."""


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """A parameter of a layer. ``packed``: it is kept in fewer bits, and stays as it is."""

    network: torch.nn.Module
    layer: torch.nn.Module
    parameter: torch.nn.Parameter
    packed: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Out × in × kernel, however it is kept."""
        layer: Any = self.layer
        return (layer.out_features, layer.in_features) if self.packed else tuple(self.parameter.shape)

    @property
    def bytes(self) -> int:
        return self.parameter.numel() * self.parameter.element_size()


@dataclass(slots=True, eq=False)
class Module:
    """A module of a LoRA file: what it does to a weight, and the layers that this weight is in."""

    change: Change
    strength: float
    file: int
    """Which of the files it is of."""
    layers: Sequence[tuple[Place, Weight]]


@dataclass(slots=True, eq=False)
class Target:
    """A weight that is changed, by modules of one or more files; with each, the place that is meant."""

    weight: Weight
    modules: list[tuple[Module, Place]] = field(default_factory=list)


Plan = dict[int, Target]
"""Targets by the id of their parameter: what two layers share is changed once."""


def plan_of(pipeline: Any, files: Sequence[LoraFile], model: str, context: Context, reader: Reader) -> Plan:
    """What the LoRAs in ``files`` change in a pipeline of diffusers.

    Args:
        model: what to call the model in an error.

    Raises:
        LoraUnsuitable: its layers are not those of the model.
        LoraBlocksUnreadable: the strengths of blocks make no sense.
        ModelMissing, ModelUnsafe, ModelUnreadable: the file, see
            :func:`pipelines.models.lora.weights.read_lora`.
        Cancelled: between two LoRAs.
    """
    plan: Plan = {}
    if not files:
        return plan
    places = Places(pipeline)
    for number, file in enumerate(files):
        context.cancel.check()
        reader.read([file.path])
        if not places.networks:
            raise unsuitable(file, model, "Models of its kind take no LoRAs.")
        weights = read_lora(file.path, file.lora.id, next(iter(places.networks)))
        for module in _modules(places, weights, file, model, context):
            module.file = number
            for place, weight in module.layers:
                target = plan.setdefault(id(weight.parameter), Target(weight))
                target.modules.append((module, place))
    return plan


def strength_of(file: LoraFile, blocks: Blocks, network: str, path: str, module: torch.nn.Module) -> float:
    """How strong a LoRA is in a layer.

    Args:
        network, path: the names of the network in its pipeline, and of the layer in it.
        module: the network.
    """
    strength = file.lora.text_strength if network.startswith("text_encoder") else file.lora.strength
    return strength * blocks.factor(block_of(network, path, module))


def unsuitable(file: LoraFile, model: str, reason: str) -> LoraUnsuitable:
    return LoraUnsuitable(lora=file.lora.id, model=model, reason=reason, family="this model")


def _modules(
    places: Places, weights: LoraWeights, file: LoraFile, model: str, context: Context
) -> Iterator[Module]:
    """The modules of a file that change something, where enough of them are there."""
    blocks = read_blocks(file.lora.blocks)
    shapes = {source.name: _shape(source, file, model) for source in weights.sources}
    found = places.find(weights.sources, shapes)
    made = []
    there = 0
    for source in weights.sources:
        layers = found.get(source.name)
        if layers is None:
            continue
        there += 1
        changes = _changes(source, layers[0], weights)
        for name, change in changes.items():
            made.append(_module(places, name, change, layers, blocks, file, model))
    _check_found(there, len(weights.sources), file, model, context)
    return (module for module in made if module.strength and module.layers)


def _shape(source: Source, file: LoraFile, model: str) -> tuple[int, ...]:
    """The shape of what a source adds to its weight; () where it isn't known what it does."""
    try:
        changes = change_of(source.tensors, lambda _: 1.0, {})
        return changes["weight"].shape if "weight" in changes else ()
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        name = type(error).__name__
        reason = f"Its layers have tensors that can't be read ({source.name}; {name}: {str(error)[:200]})."
        raise unsuitable(file, model, reason) from error


def _changes(source: Source, place: Place, weights: LoraWeights) -> dict[str, Change]:
    """What a source does to a layer, with its scale."""
    network, path = place.network, place.module
    return change_of(
        source.tensors,
        lambda rank: scale_of(source, rank, weights.settings, network, path),
        _settings(weights, network),
    )


def _settings(weights: LoraWeights, network: str) -> Mapping[str, Any]:
    start = f"{network}."
    return {
        key.removeprefix(start): value for key, value in weights.settings.items() if key.startswith(start)
    }


def _module(
    places: Places,
    name: str,
    change: Change,
    layers: Sequence[Place],
    blocks: Blocks,
    file: LoraFile,
    model: str,
) -> Module:
    """One module with its strength: where its blocks have others, those of its first layer."""
    first = layers[0]
    strength = strength_of(file, blocks, first.network, first.module, places.networks[first.network])
    known = []
    for place in layers:
        network = places.networks[place.network]
        weight = _weight(network, network.get_submodule(place.module), name)
        if weight is None:
            continue  # a shift of a layer that has none
        if not weight.packed and not weight.parameter.is_floating_point():
            raise unsuitable(file, model, "Its weights are kept in a way that nothing can be added to.")
        if not _fits(change.shape, place, weight.shape):
            raise unsuitable(file, model, "Its layers have other sizes than those of this model.")
        known.append((place, weight))
    return Module(change, strength, 0, known)


def _weight(network: torch.nn.Module, layer: torch.nn.Module, name: str) -> Weight | None:
    parameter = getattr(layer, name, None)
    if parameter is None:
        return None
    return Weight(network, layer, parameter, name == "weight" and packed(layer))


def _fits(shape: Sequence[int], place: Place, wanted: Sequence[int]) -> bool:
    """Whether what is added is as large as the weight, as far as its sides are known."""
    if place.to is None and shape[0] not in (0, wanted[0]):
        return False
    if 0 in shape:
        known = prod(shape[1:])
        return known in (0, wanted[1], prod(wanted[1:]))
    inner, have = prod(shape[1:]), prod(wanted[1:])
    return inner == have or (place.module in _FIRST and inner < have and inner % (have // wanted[1]) == 0)


def _check_found(there: int, total: int, file: LoraFile, model: str, context: Context) -> None:
    """Whether enough of a LoRA's layers are there.

    Raises:
        LoraUnsuitable: too few are.
    """
    if not there:
        raise unsuitable(file, model, f"None of the {total} layers it changes is there.")
    if there < ENOUGH * total:
        raise unsuitable(file, model, f"Only {there} of the {total} layers it changes are there.")
    if there < total:
        partly = LoraPartlyUsed(lora=file.lora.id, model=model, missing=total - there, total=total)
        context.warn(dataclasses.replace(partly.info(), severity="warning"))
