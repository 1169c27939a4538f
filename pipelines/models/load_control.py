"""Opening a control model (ControlNet): a diffusers folder, or a single file after its family's U-Net."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import ModelUnreadable, UnknownModelFamily
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.catalogue import Entry
from pipelines.models.device import resolve_dtype
from pipelines.models.families import family
from pipelines.models.libraries import import_diffusers
from pipelines.models.load_diffusion import check_complete, variant_files
from pipelines.models.loaded import LoadedControl, Target
from pipelines.models.reading import Reader, explained

if TYPE_CHECKING:
    import torch


def load_control(
    entry: Entry, handle: ModelHandle, target: Target, context: Context, configs: Path
) -> LoadedControl:
    """Open the model of ``entry``; see :meth:`pipelines.models.loading.ModelLoader.load`.

    Raises:
        ModelUnreadable: weights are missing.
        UnknownModelFamily: a single file of a family without a configuration of ours.
    """
    import torch

    dtype = resolve_dtype(handle.dtype, target.name, torch)
    reader = Reader(entry.probe.bytes, context)
    with explained(handle.id, target.name):
        if entry.weights.is_dir():
            model = _from_folder(entry.weights, handle.id, dtype, reader)
        else:
            config = family(entry.probe.family).config
            if not config:
                reason = "Single files of its kind can't be opened; use the diffusers folder of it."
                raise UnknownModelFamily(model=handle.id, reason=reason)
            model = _from_file(entry.weights, handle.id, configs / config, dtype, reader)
        context.cancel.check()
        model.requires_grad_(False).eval().to(target.weights)
    return LoadedControl(handle, model, target.compute, dtype)


def _from_folder(folder: Path, model: str, dtype: torch.dtype, reader: Reader) -> Any:
    files, variant = variant_files(sorted(folder.glob("*.safetensors")))
    reader.read(files)
    network, report = import_diffusers().ControlNetModel.from_pretrained(
        str(folder), dtype=dtype, variant=variant, use_safetensors=True, local_files_only=True,
        output_loading_info=True,
    )  # fmt: skip
    check_complete(model, "network", report["missing_keys"])
    return network


def _from_file(file: Path, model: str, config: Path, dtype: torch.dtype, reader: Reader) -> Any:
    """A ControlNet has the shapes of its family's U-Net, so that the configuration of that one tells them."""
    reader.read([file])
    try:
        return import_diffusers().ControlNetModel.from_single_file(
            str(file), config=str(config), subfolder="unet", local_files_only=True, dtype=dtype
        )
    except NotImplementedError as error:  # torch's word for a weight that was given no value
        raise ModelUnreadable(model=model, reason="Some of its weights are missing.") from error
