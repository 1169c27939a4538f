"""Opening a diffusers folder part by part.

What isn't a network that draws (safety checker, image encoders) is left out: nothing here uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pipelines.errors import ModelUnreadable
from pipelines.models.files.reading import Reader
from pipelines.models.files.safety import read_json
from pipelines.models.libraries import import_diffusers, import_transformers
from pipelines.models.pipeline_classes import PIPELINES, UNUSED
from pipelines.models.quantized.packed import PackedFiles, without_weights

if TYPE_CHECKING:
    import torch


def load_folder(
    folder: Path,
    model: str,
    dtype: torch.dtype,
    reader: Reader,
    kept: PackedFiles | None = None,
    given: Mapping[str, Any] = MappingProxyType({}),
    vae_dtype: torch.dtype | None = None,
) -> Any:
    """A pipeline from a diffusers folder that passed the safety check, on the CPU; networks that are ``kept``
    packed come as they are, and parts that are ``given`` instead of the folder's own. The VAE may have a
    precision of its own.

    Raises:
        ModelUnreadable: a part lacks weights.
        Cancelled: between two parts, or within the reading of one.
    """
    diffusers = import_diffusers()
    transformers = import_transformers()
    index = read_json(folder / "model_index.json", model)
    known = PIPELINES[index["_class_name"]]
    parts: dict[str, Any] = {name: None for name in known.optional if not (folder / name).is_dir()}
    parts.update(given)
    for name, value in sorted(index.items()):
        if not isinstance(value, list) or value[0] is None:
            continue
        if name in UNUSED:
            parts[name] = None
        if name in parts or name in known.apart:
            continue
        files = sorted((folder / name).glob("*.safetensors"))
        if not files:
            continue  # a scheduler or tokenizer, which the pipeline reads itself
        library = diffusers if value[0] == "diffusers" else transformers
        if kept is not None and kept.has(name):
            reader.read([kept.path(name)])
            parts[name] = kept.load(name, partial(skeleton, getattr(library, value[1]), folder / name, dtype))
            if parts[name] is not None:
                continue
            kept.forget(name)
        chosen, variant = variant_files(files)
        reader.read(chosen)
        parts[name], report = getattr(library, value[1]).from_pretrained(
            str(folder), subfolder=name, dtype=vae_dtype or dtype if name == "vae" else dtype,
            variant=variant, use_safetensors=True, local_files_only=True, output_loading_info=True,
        )  # fmt: skip
        check_complete(model, name, report["missing_keys"])
    pipeline = getattr(diffusers, known.opened_as)
    return pipeline.from_pretrained(
        str(folder), local_files_only=True, use_safetensors=True, dtype=dtype, **parts
    )


def skeleton(kind: Any, folder: Path, dtype: torch.dtype, **changes: Any) -> torch.nn.Module:
    """A network of diffusers or transformers in the shapes of its settings, without weights."""
    with without_weights():
        if hasattr(kind, "load_config"):
            made = kind.from_config({**kind.load_config(str(folder), local_files_only=True), **changes})
        else:
            made = kind(kind.config_class.from_pretrained(str(folder), local_files_only=True))
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
