"""Adding LoRAs to the weights of a pipeline that was just opened and is in main memory.

diffusers reads every layout it knows and finds the layers; what comes of it is added to the weights in fp32,
all LoRAs of a layer before it is rounded once, and the layers are as plain as before: whatever moves,
streams or quantizes weights needs to know nothing of LoRAs. The model without them is another one, opened
from its own files; nothing is ever subtracted, so that there is nothing to restore.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import LoraPartlyUsed, LoraUnsuitable, ModelUnreadable
from pipelines.graph.node import Context
from pipelines.models.hashes import digests_of
from pipelines.models.loaded import LoraFile
from pipelines.models.lora_weights import modules_of, read_lora
from pipelines.models.reading import Reader

if TYPE_CHECKING:
    import torch

ENOUGH: Final = 0.9
"""The part of a LoRA's layers that must be there: it is used with a warning if some are missing, refused if
more are."""


def add_loras(pipeline: Any, loras: Sequence[LoraFile], model: str, context: Context, reader: Reader) -> None:
    """Add LoRAs, in their order, to the weights of a pipeline of diffusers, in place.

    Args:
        pipeline: in main memory, with dense weights in any precision.
        model: what to call the model in an error.

    Raises:
        LoraUnsuitable: its layers are not those of the model, or the pipeline takes none.
        ModelMissing, ModelUnsafe, ModelUnreadable: the file, see
            :func:`pipelines.models.lora_weights.read_lora`.
        Cancelled: between two LoRAs.
    """
    if not loras:
        return
    networks = _networks(pipeline)
    names = [f"diptych_{number}" for number in range(len(loras))]
    for file, name in zip(loras, names, strict=True):
        context.cancel.check()
        reader.read([file.path])
        if not networks:
            raise _unsuitable(file, model, "Models of its kind take no LoRAs.")
        state = read_lora(file.path, file.lora.id, networks)
        _load(pipeline, state, name, file, model)
        _check_found(networks, name, len(modules_of(state)), file, model, context)
    for part, network in networks.items():
        text = part.startswith("text_encoder")
        strengths = {
            name: file.lora.text_strength if text else file.lora.strength
            for name, file in zip(names, loras, strict=True)
        }
        _merge(network, strengths, loras)
    pipeline.unload_lora_weights()


def stories_of(loras: Iterable[LoraFile]) -> list[dict[str, Any]]:
    """What pictures remember of their LoRAs: name, the hash A1111 knows it by, and strengths."""
    return [
        {
            "name": file.path.stem, "hash": digests_of(file.path).autov3, "strength": file.lora.strength,
            "text_strength": file.lora.text_strength,
        }
        for file in loras
    ]  # fmt: skip


def _networks(pipeline: Any) -> dict[str, torch.nn.Module]:
    """The networks of a pipeline that diffusers puts LoRAs into, the denoiser first."""
    found = (
        (name, getattr(pipeline, name, None)) for name in getattr(pipeline, "_lora_loadable_modules", ())
    )
    return {name: network for name, network in found if network is not None}


def _load(pipeline: Any, state: Mapping[str, torch.Tensor], name: str, file: LoraFile, model: str) -> None:
    """Put a LoRA into the layers it names, as diffusers does.

    Raises:
        LoraUnsuitable: in diffusers' own words, where it isn't that sizes differ.
    """
    unet = getattr(pipeline, "unet", None)
    # For XL it is done by itself: blocks that are numbered as in the original code are found by their depths.
    options = (
        {"unet_config": unet.config} if unet is not None and not hasattr(pipeline, "tokenizer_2") else {}
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of layers that aren't there: those are counted afterwards
            pipeline.load_lora_weights(dict(state), adapter_name=name, **options)
    except (ValueError, RuntimeError, TypeError, KeyError, IndexError, AttributeError) as error:
        text = str(error).strip()
        if "size mismatch" in text:
            reason = "Its layers have other sizes than those of this model."
        elif "not found in the base model" in text:
            reason = _none_of(len(modules_of(state)))
        else:
            reason = f"Its layers have names that can't be read ({type(error).__name__}: {text[:300]})."
        raise _unsuitable(file, model, reason) from error


def _unsuitable(file: LoraFile, model: str, reason: str) -> LoraUnsuitable:
    return LoraUnsuitable(lora=file.lora.id, model=model, reason=reason, family="this model")


def _none_of(total: int) -> str:
    return f"None of the {total} layers it changes is there."


def _check_found(
    networks: Mapping[str, torch.nn.Module],
    name: str,
    total: int,
    file: LoraFile,
    model: str,
    context: Context,
) -> None:
    """Whether the layers of a LoRA were found; diffusers itself would go on without a word.

    Raises:
        LoraUnsuitable: too few were.
    """
    found = sum(name in _adapters(layer) for network in networks.values() for layer in _changed(network))
    missing = total - min(found, total)  # one that changes joined layers is more than one here
    if not total or found < ENOUGH * total:
        only = f"Only {found} of the {total} layers it changes are there."
        raise _unsuitable(file, model, only if found else _none_of(total))
    if missing:
        partly = LoraPartlyUsed(lora=file.lora.id, model=model, missing=missing, total=total)
        context.warn(dataclasses.replace(partly.info(), severity="warning"))


def _changed(network: torch.nn.Module) -> list[Any]:
    """The layers that hold LoRAs."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return [layer for layer in network.modules() if isinstance(layer, BaseTunerLayer)]


def _adapters(layer: Any) -> set[str]:
    return {*layer.lora_A, *layer.lora_embedding_A}


def _merge(network: torch.nn.Module, strengths: Mapping[str, float], loras: Sequence[LoraFile]) -> None:
    """Add what the layers of a network hold to their weights: computed in fp32, rounded once.

    PEFT rounds each product and each sum. In bf16, of the change that three LoRAs of 2 % of the weights make,
    8.3 % are lost that way and 4.8 % this way, which is what one rounding of the exact sum loses (matrices of
    1280 × 1280, rank 16).

    Raises:
        ModelUnreadable: a sum is no number, or too large for the precision.
    """
    import torch

    with torch.no_grad():
        for layer in _changed(network):
            base = layer.get_base_layer()
            dtype = base.weight.dtype
            layer.float()
            here = [name for name in strengths if name in _adapters(layer)]
            for name in here:
                layer.set_scale(name, strengths[name])
            layer.merge(adapter_names=here)
            base.to(dtype)
            if not base.weight.isfinite().all():
                names = ", ".join(file.lora.id for file in loras)
                reason = f"With it, weights become too large for {str(dtype).removeprefix('torch.')}."
                raise ModelUnreadable(model=names, reason=reason)
