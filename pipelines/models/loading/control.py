"""Opening a control model: a diffusers folder, or a single file.

A plain ControlNet is opened after its family's U-Net, others after the shapes of their own tensors.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import ModelUnreadable, UnknownModelFamily
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.catalogue.catalogue import Entry
from pipelines.models.device import resolve_dtype
from pipelines.models.families.facts import family
from pipelines.models.files.reading import Reader, explained
from pipelines.models.files.safety import read_json
from pipelines.models.libraries import import_diffusers
from pipelines.models.loaded import LoadedControl, Target
from pipelines.models.loading.folder import check_complete, variant_files
from pipelines.models.networks.control_names import xlabs_renamed
from pipelines.models.networks.control_shapes import SETTINGS, t2i_renamed, t2i_settings, union_settings
from pipelines.models.probing.probe import Probe
from pipelines.models.quantized.packed import without_weights
from pipelines.models.signatures.controls import CONTROL_LORA, LITE

if TYPE_CHECKING:
    import torch

PREFIX = "control_model."


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
    with explained(handle.id, target.name), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of classes that moved within diffusers
        if entry.weights.is_dir():
            model = _from_folder(entry.weights, handle.id, dtype, reader)
        else:
            model = _from_single_file(entry.weights, entry.probe, handle.id, configs, dtype, reader)
        context.cancel.check()
        model.requires_grad_(False).eval().to(target.weights)
    return LoadedControl(handle, model, target.compute, dtype)


def _from_folder(folder: Path, model: str, dtype: torch.dtype, reader: Reader) -> Any:
    """Its class is one of :data:`pipelines.models.families.controls.CLASSES`: the probe refuses any other."""
    files, variant = variant_files(sorted(folder.glob("*.safetensors")))
    reader.read(files)
    kind = getattr(import_diffusers(), read_json(folder / "config.json", model)["_class_name"])
    network, report = kind.from_pretrained(
        str(folder), dtype=dtype, variant=variant, use_safetensors=True, local_files_only=True,
        output_loading_info=True,
    )  # fmt: skip
    check_complete(model, "network", report["missing_keys"])
    return network


def _from_single_file(
    file: Path, probe: Probe, model: str, configs: Path, dtype: torch.dtype, reader: Reader
) -> Any:
    if probe.variant == CONTROL_LORA:
        from pipelines.models.networks.control_lora import ControlLora

        network = ControlLora(_state(file, reader))
        check_complete(model, "network", network.missing())
        return network.to(dtype)
    if probe.variant == LITE:
        from pipelines.models.networks.control_lllite import ControlLLLite, missing_parts

        state = _state(file, reader)
        check_complete(model, "network", missing_parts(state))
        return ControlLLLite(state).to(dtype)
    if probe.variant.startswith("t2i"):
        state = t2i_renamed(_state(file, reader))
        return _built("T2IAdapter", t2i_settings(state), state, model, dtype)
    if probe.family in SETTINGS:
        state = xlabs_renamed(_state(file, reader))
        name, settings = SETTINGS[probe.family]
        return _built(name, settings(state), state, model, dtype)
    config = family(probe.family).config
    if not config or not (configs / config / "unet").is_dir():
        reason = "Single files of its kind can't be opened; use the diffusers folder of it."
        raise UnknownModelFamily(model=model, reason=reason)
    if probe.variant == "union":
        state, name = _state(file, reader), "ControlNetUnionModel"
        unet = read_json(configs / config / "unet" / "config.json", model)
        known = frozenset(inspect.signature(getattr(import_diffusers(), name).__init__).parameters)
        return _built(name, union_settings(state, unet, known), state, model, dtype)
    return _from_file(file, model, configs / config, dtype, reader)


def _state(file: Path, reader: Reader) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    reader.read([file])
    return {name.removeprefix(PREFIX): tensor for name, tensor in load_file(file).items()}


def _built(
    kind: str, settings: Mapping[str, Any], state: Mapping[str, torch.Tensor], model: str, dtype: torch.dtype
) -> Any:
    """A network of diffusers in these shapes, with these weights.

    Raises:
        ModelUnreadable: weights are missing.
    """
    with without_weights():
        network = getattr(import_diffusers(), kind).from_config(dict(settings))
    found = network.load_state_dict(dict(state), strict=False, assign=True)
    check_complete(model, "network", found.missing_keys)
    return network.to(dtype)


def _from_file(file: Path, model: str, config: Path, dtype: torch.dtype, reader: Reader) -> Any:
    """A ControlNet has the shapes of its family's U-Net, so that the configuration of that one tells them."""
    reader.read([file])
    try:
        return import_diffusers().ControlNetModel.from_single_file(
            str(file), config=str(config), subfolder="unet", local_files_only=True, dtype=dtype
        )
    except NotImplementedError as error:  # torch's word for a weight that was given no value
        raise ModelUnreadable(model=model, reason="Some of its weights are missing.") from error
