"""Opening a single-file checkpoint in the original layout, from our own shapes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from pipelines.models.files.reading import Reader
from pipelines.models.files.safety import read_json
from pipelines.models.libraries import import_diffusers, import_transformers
from pipelines.models.loading.folder import check_complete, skeleton
from pipelines.models.probing.limits import zero_snr_changes
from pipelines.models.quantized.packed import PackedFiles

if TYPE_CHECKING:
    import torch

TOKENIZER: Final = "clip_tokenizer"


def load_checkpoint(
    file: Path,
    model: str,
    config: Path,
    dtype: torch.dtype,
    reader: Reader,
    facts: dict[str, Any],
    kept: PackedFiles | None = None,
    given: Mapping[str, Any] = MappingProxyType({}),
    vae_dtype: torch.dtype | None = None,
) -> Any:
    """A pipeline from a checkpoint in the original layout, on the CPU, without a network.

    Args:
        config: a diffusers folder without weights: the shapes and settings of the family.
        facts: ``prediction_type`` and ``zero_snr`` of the probe overrule the family's scheduler,
            ``in_channels`` its denoiser (models made for inpainting see a mask and a picture as well).
        given: parts that were opened from elsewhere, instead of the file's own.
        vae_dtype: the precision of the file's own VAE, if it isn't that of the rest.

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
    parts: dict[str, Any] = {**tokenizers, **given}
    changes = {"in_channels": facts["in_channels"]} if facts.get("in_channels", 4) != 4 else {}
    if kept is not None and kept.has("unet"):
        unet = partial(skeleton, diffusers.UNet2DConditionModel, config / "unet", dtype, **changes)
        parts["unet"] = kept.load("unet", unet)
        if parts["unet"] is None:
            del parts["unet"]
            kept.forget("unet")
    if changes and "unet" not in parts:
        parts["unet"] = diffusers.UNet2DConditionModel.from_single_file(
            str(file), subfolder="unet", **changes, **common
        )
    if vae_dtype is not None and "vae" not in parts:
        exact = {**common, "dtype": vae_dtype}
        parts["vae"] = diffusers.AutoencoderKL.from_single_file(str(file), subfolder="vae", **exact)
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
