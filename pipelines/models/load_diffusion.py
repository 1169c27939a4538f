"""Opening a diffusion model: a diffusers folder part by part, or a single-file checkpoint from our own
shapes.

What isn't a network that draws (safety checker, image encoders) is left out: nothing here uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import ModelUnreadable, UnknownModelFamily
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.adapters import add_loras, stories_of
from pipelines.models.catalogue import Entry
from pipelines.models.device import resolve_dtype
from pipelines.models.families import family
from pipelines.models.libraries import import_diffusers, import_transformers
from pipelines.models.limits import zero_snr_changes
from pipelines.models.loaded import LoadedDiffusion, LoraFile, Target
from pipelines.models.packed import PackedFiles, without_weights
from pipelines.models.pipeline_classes import PIPELINES, UNUSED
from pipelines.models.quantization import PACKED, method_of, quantize
from pipelines.models.reading import Reader, explained
from pipelines.models.safety import read_json

if TYPE_CHECKING:
    import torch

DENOISERS: Final = ("unet", "transformer")
TOKENIZER: Final = "clip_tokenizer"


def load_diffusion(
    entry: Entry,
    handle: ModelHandle,
    target: Target,
    context: Context,
    configs: Path,
    loras: Sequence[LoraFile] = (),
) -> LoadedDiffusion:
    """Open the model of ``entry`` in the handle's precision, with ``loras`` added to its weights; see
    :meth:`pipelines.models.loading.ModelLoader.load`.
    """
    import torch

    dtype = resolve_dtype(handle.dtype, target.name, torch)
    reader = Reader(entry.probe.bytes + sum(lora.path.stat().st_size for lora in loras), context)
    with explained(handle.id, target.name):
        # What is kept packed is the model without LoRAs: those are added before anything is packed.
        kept = None if loras else kept_packed(entry, handle, target, dtype)
        if entry.weights.is_dir():
            pipeline = load_folder(entry.weights, handle.id, dtype, reader, kept)
        else:
            name = family(entry.probe.family).config
            if not name:
                reason = "Single files of its kind can't be opened; use the diffusers folder of it."
                raise UnknownModelFamily(model=handle.id, reason=reason)
            facts = dict(entry.probe.facts)
            pipeline = load_checkpoint(entry.weights, handle.id, configs / name, dtype, reader, facts, kept)
        context.cancel.check()
        add_loras(pipeline, loras, handle.id, context, reader)
        _quantize_parts(pipeline, handle, target, dtype, kept)
        for name, network in pipeline.components.items():
            if isinstance(network, torch.nn.Module):
                packed = method_of(handle.quantization, name) in PACKED
                network.requires_grad_(False).eval().to(target.compute if packed else target.weights)
    card = {**_card(entry), "loras": stories_of(loras)} if loras else _card(entry)
    return LoadedDiffusion(handle, pipeline, target.compute, dtype, card)


def _quantize_parts(
    pipeline: Any, handle: ModelHandle, target: Target, dtype: torch.dtype, kept: PackedFiles | None
) -> None:
    """Quantize the denoiser and the text encoders as the handle says; keep what took long."""
    import torch

    for name, network in pipeline.components.items():
        method = method_of(handle.quantization, name)
        if method == "none" or not isinstance(network, torch.nn.Module):
            continue
        if kept is not None and name in DENOISERS and kept.has(name):
            continue  # it came packed
        numbers = sum(weight.numel() for weight in network.parameters())
        quantize(network.requires_grad_(False).eval(), method, str(target.compute), dtype)
        if kept is not None and name in DENOISERS:
            kept.keep(name, network, numbers)


def kept_packed(entry: Entry, handle: ModelHandle, target: Target, dtype: torch.dtype) -> PackedFiles | None:
    """The packed weights that may be kept of a model."""
    method = method_of(handle.quantization, "model")
    if method not in PACKED:
        return None
    name = str(dtype).removeprefix("torch.")
    return PackedFiles(entry.weights, entry.fingerprint, method, name, str(target.compute))


def _card(entry: Entry) -> dict[str, Any]:
    info = entry.info
    return {
        "title": info.title, "family": info.family, "native_size": info.native_size,
        "size_multiple": info.size_multiple, "defaults": dict(info.defaults), **entry.probe.facts,
    }  # fmt: skip


def load_folder(
    folder: Path, model: str, dtype: torch.dtype, reader: Reader, kept: PackedFiles | None = None
) -> Any:
    """A pipeline from a diffusers folder that passed the safety check, on the CPU; networks that are ``kept``
    packed come as they are.

    Raises:
        ModelUnreadable: a part lacks weights.
        Cancelled: between two parts, or within the reading of one.
    """
    diffusers = import_diffusers()
    transformers = import_transformers()
    index = read_json(folder / "model_index.json", model)
    parts: dict[str, Any] = {}
    for name, value in sorted(index.items()):
        if not isinstance(value, list) or value[0] is None:
            continue
        if name in UNUSED:
            parts[name] = None
            continue
        files = sorted((folder / name).glob("*.safetensors"))
        if not files:
            continue  # a scheduler or tokenizer, which the pipeline reads itself
        library = diffusers if value[0] == "diffusers" else transformers
        if kept is not None and name in DENOISERS and kept.has(name):
            reader.read([kept.path(name)])
            parts[name] = kept.load(
                name, partial(_skeleton, getattr(library, value[1]), folder / name, dtype)
            )
            if parts[name] is not None:
                continue
            kept.forget(name)
        chosen, variant = variant_files(files)
        reader.read(chosen)
        parts[name], report = getattr(library, value[1]).from_pretrained(
            str(folder), subfolder=name, dtype=dtype, variant=variant, use_safetensors=True,
            local_files_only=True, output_loading_info=True,
        )  # fmt: skip
        check_complete(model, name, report["missing_keys"])
    pipeline = getattr(diffusers, PIPELINES[index["_class_name"]].opened_as)
    return pipeline.from_pretrained(
        str(folder), local_files_only=True, use_safetensors=True, dtype=dtype, **parts
    )


def _skeleton(kind: Any, folder: Path, dtype: torch.dtype, **changes: Any) -> torch.nn.Module:
    """A network of diffusers in the shapes of its settings, without weights."""
    with without_weights():
        made = kind.from_config({**kind.load_config(str(folder), local_files_only=True), **changes})
    network: torch.nn.Module = made.to(dtype)
    return network


def variant_files(files: list[Path]) -> tuple[list[Path], str | None]:
    """The files of one precision: the plain ones, else those of ``fp16``."""
    plain = [file for file in files if ".fp16" not in file.name and ".non_ema" not in file.name]
    half = [file for file in files if ".fp16" in file.name]
    return (plain, None) if plain else (half, "fp16")


def check_complete(model: str, part: str, missing: Any) -> None:
    """Raise :class:`ModelUnreadable` if weights were missing: libraries fill them with random numbers."""
    names = sorted(missing)
    if names:
        reason = f"{len(names)} weights of its {part} are missing, the first is {names[0]}."
        raise ModelUnreadable(model=model, reason=reason)


def load_checkpoint(
    file: Path,
    model: str,
    config: Path,
    dtype: torch.dtype,
    reader: Reader,
    facts: dict[str, Any],
    kept: PackedFiles | None = None,
) -> Any:
    """A pipeline from a checkpoint in the original layout, on the CPU, without a network.

    Args:
        config: a diffusers folder without weights: the shapes and settings of the family.
        facts: ``prediction_type`` and ``zero_snr`` of the probe overrule the family's scheduler,
            ``in_channels`` its denoiser (models made for inpainting see a mask and a picture as well).

    Raises:
        ModelUnreadable: weights are missing.
        Cancelled: while the file was read.
    """
    import torch

    diffusers = import_diffusers()
    index = read_json(config / "model_index.json", model)
    pipeline_class = getattr(diffusers, index["_class_name"])
    tokenizers = {name: _tokenizer(config, name) for name in ("tokenizer", "tokenizer_2") if name in index}
    reader.read([file])
    common = {"config": str(config), "local_files_only": True, "dtype": dtype}
    parts: dict[str, Any] = dict(tokenizers)
    changes = {"in_channels": facts["in_channels"]} if facts.get("in_channels", 4) != 4 else {}
    if kept is not None and kept.has("unet"):
        unet = partial(_skeleton, diffusers.UNet2DConditionModel, config / "unet", dtype, **changes)
        parts["unet"] = kept.load("unet", unet)
        if parts["unet"] is None:
            del parts["unet"]
            kept.forget("unet")
    if changes and "unet" not in parts:
        parts["unet"] = diffusers.UNet2DConditionModel.from_single_file(
            str(file), subfolder="unet", **changes, **common
        )
    pipeline = pipeline_class.from_single_file(str(file), **common, **parts)
    for name, network in pipeline.components.items():
        if isinstance(network, torch.nn.Module):
            missing = [key for key, tensor in network.state_dict().items() if tensor.is_meta]
            check_complete(model, name, missing)
    pipeline.scheduler = _scheduler(diffusers, config, model, facts)
    return pipeline


def _tokenizer(config: Path, name: str) -> Any:
    """CLIP's tokenizer. The OpenCLIP encoders of SD 2.x and SDXL were trained with ``!`` (0) as padding."""
    second = name == "tokenizer_2" or config.name == "sd2"
    return import_transformers().CLIPTokenizer.from_pretrained(
        str(config.parent / TOKENIZER), local_files_only=True, pad_token="!" if second else "<|endoftext|>"
    )


def _scheduler(diffusers: Any, config: Path, model: str, facts: dict[str, Any]) -> Any:
    """The family's scheduler with what the checkpoint itself says of its prediction and terminal SNR."""
    settings = dict(read_json(config / "scheduler" / "scheduler_config.json", model))
    settings["prediction_type"] = facts.get("prediction_type", settings["prediction_type"])
    if facts.get("zero_snr"):
        settings |= zero_snr_changes(settings)
    return getattr(diffusers, settings["_class_name"]).from_config(settings)
