"""Opening a diffusion model: its files (:mod:`.folder`, :mod:`.checkpoint`), then what changes its weights:
LoRAs and quantization.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import QuantizationUnavailable, UnknownModelFamily
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.catalogue.catalogue import Entry
from pipelines.models.device import resolve_dtype
from pipelines.models.files.reading import Reader, explained
from pipelines.models.libraries import without_notices
from pipelines.models.loaded import EmbeddingFile, LoadedDiffusion, LoraFile, Target
from pipelines.models.loading.checkpoint import load_checkpoint
from pipelines.models.loading.folder import load_folder
from pipelines.models.loading.part import Parts, read_classes
from pipelines.models.loading.single import SingleFile, load_single
from pipelines.models.lora.adding import Additions, stories_of
from pipelines.models.parts.files import bytes_beside, sources_of
from pipelines.models.probing.single_file import blueprint
from pipelines.models.quantized.packed import PackedFiles
from pipelines.models.quantized.quantization import PACKED, choices, method_of, methods_of, quantize

if TYPE_CHECKING:
    import torch


def load_diffusion(
    entry: Entry,
    handle: ModelHandle,
    target: Target,
    context: Context,
    configs: Path,
    loras: Sequence[LoraFile] = (),
    embeddings: Sequence[EmbeddingFile] = (),
) -> LoadedDiffusion:
    """Open the model of ``entry`` in the handle's precision, with ``loras`` added to its weights and the
    words of ``embeddings``; see :meth:`pipelines.models.loading.ModelLoader.load`.

    Where FP8 rounds the weights, they are added before, for good: nothing would be left of a small change
    otherwise.
    """
    import torch

    dtype = resolve_dtype(handle.dtype, target.name, torch)
    exact = resolve_dtype(handle.vae_dtype, target.name, torch) if handle.vae_dtype != "auto" else None
    reader = Reader(entry.probe.bytes + bytes_beside(handle), context)
    with explained(handle.id, target.name), without_notices():
        rounded = "fp8" in methods_of(handle.quantization)
        first = rounded and bool(loras or embeddings)
        kept = None if first else kept_packed(entry, handle, target, dtype)
        pipeline = _opened(entry, handle, Parts(configs, handle.id, dtype, reader, exact), kept)
        context.cancel.check()
        additions = Additions(pipeline, handle.id)
        if first:
            additions.change(loras, embeddings, context, lambda _: False)
        _quantize_parts(pipeline, handle, target, dtype, kept)
        if (loras or embeddings) and not first:
            additions.change(loras, embeddings, context, lambda _: False)
        for network in pipeline.components.values():
            if isinstance(network, torch.nn.Module):
                network.requires_grad_(False).eval().to(target.weights)
    card = {**_card(entry), **stories_of(loras, embeddings)}
    additions.fixed = additions.fixed or rounded
    return LoadedDiffusion(handle, pipeline, target.compute, dtype, card, additions=additions)


def _opened(entry: Entry, handle: ModelHandle, parts: Parts, kept: PackedFiles | None) -> Any:
    """The pipeline of a model, from its own files and those of the parts that its handle names.

    Raises:
        UnknownModelFamily: single files of its family can't be opened.
        ModelMissing, ModelChanged: a part is gone, or another one.
    """
    file, sources = entry.weights, sources_of(handle)
    if file.is_dir():
        given = parts.given(sources, read_classes(file, handle.id), file)
        return load_folder(file, handle.id, parts.dtype, parts.reader, kept, given, parts.vae_dtype)
    plan = blueprint(entry.probe, parts.configs)
    if plan is None:
        reason = "Single files of its kind can't be opened; use the diffusers folder of it."
        raise UnknownModelFamily(model=handle.id, reason=reason)
    given = parts.given(sources, {name: cls for name, (_, cls) in plan.parts.items()}, plan.folder)
    if plan.denoiser == "transformer":
        return load_single(SingleFile(file, handle.id, entry.probe, plan, given), parts, kept)
    facts = dict(entry.probe.facts)
    return load_checkpoint(
        file, handle.id, plan.folder, parts.dtype, parts.reader, facts, kept, given, parts.vae_dtype
    )


def _quantize_parts(
    pipeline: Any, handle: ModelHandle, target: Target, dtype: torch.dtype, kept: PackedFiles | None
) -> None:
    """Quantize the denoiser and the text encoders as the handle says; keep what took long."""
    import torch

    for name, network in pipeline.components.items():
        method = method_of(handle.quantization, name)
        if method == "none" or not isinstance(network, torch.nn.Module):
            continue
        if _is_packed(network):
            continue  # it came so
        numbers = sum(weight.numel() for weight in network.parameters())
        try:
            quantize(network.requires_grad_(False).eval(), method, str(target.compute), dtype, target.weights)
        except QuantizationUnavailable:
            if not name.startswith("text_encoder"):
                raise
            continue  # a small one whose layers can't be packed: little would be gained
        if kept is not None:
            kept.keep(name, network, numbers)


def _is_packed(network: torch.nn.Module) -> bool:
    return any(type(layer).__module__.startswith("bitsandbytes") for layer in network.modules())


def kept_packed(entry: Entry, handle: ModelHandle, target: Target, dtype: torch.dtype) -> PackedFiles | None:
    """The packed weights that may be kept of a model."""
    main, named = choices(handle.quantization)
    if PACKED.isdisjoint({main, *named.values()}):
        return None
    name = str(dtype).removeprefix("torch.")
    source = "-".join((entry.fingerprint, *(part.fingerprint for part in handle.parts)))
    return PackedFiles(entry.weights, source, handle.quantization, name, str(target.weights))


def _card(entry: Entry) -> dict[str, Any]:
    info = entry.info
    return {
        "title": info.title, "family": info.family, "native_size": info.native_size,
        "size_multiple": info.size_multiple, "defaults": dict(info.defaults), **entry.probe.facts,
    }  # fmt: skip
