"""Opening an encoder of pictures, through which an adapter looks: a CLIP or a SigLIP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import ModelUnreadable
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.catalogue.catalogue import Entry
from pipelines.models.device import resolve_dtype
from pipelines.models.files.reading import Reader, explained
from pipelines.models.libraries import import_transformers
from pipelines.models.loaded import LoadedVision, Target
from pipelines.models.loading.folder import check_complete, variant_files
from pipelines.models.networks.picture_encoders import SIGLIP

if TYPE_CHECKING:
    import torch

_LAYER: Final = re.compile(r"(?:vision_model\.)?encoder\.layers\.(\d+)\.")
_OUTER: Final = "vision_model."
"""Before the names of a vision model's tensors, where it has a projection or once was a part."""
HEADS: Final = 16
"""Attention heads of every CLIP encoder of pictures that adapters are made for (ViT-L, H and bigG)."""
_QUICK: Final = 1024
"""The width whose CLIP came from OpenAI, with the approximate GELU; the others are OpenCLIP's."""
_SMALL: Final = (768, 12)
"""The width of the one SigLIP with fewer attention heads, and their number."""


def load_vision(entry: Entry, handle: ModelHandle, target: Target, context: Context) -> LoadedVision:
    """Open the encoder of pictures of ``entry``: a transformers folder, or a file with its tensors.

    Raises:
        ModelUnreadable: weights are missing.
    """
    import torch

    dtype = resolve_dtype(handle.dtype, target.name, torch)
    reader = Reader(entry.probe.bytes, context)
    siglip = SIGLIP in entry.probe.facts
    with explained(handle.id, target.name):
        if entry.weights.is_dir():
            model = _vision_folder(entry.weights, handle.id, dtype, reader, siglip)
        else:
            model = (_siglip_file if siglip else _vision_file)(entry.weights, handle.id, dtype, reader)
        context.cancel.check()
        model.requires_grad_(False).eval().to(target.weights)
    return LoadedVision(handle, model, target.compute, dtype)


def _vision_folder(folder: Path, model: str, dtype: torch.dtype, reader: Reader, siglip: bool) -> Any:
    files, variant = variant_files(sorted(folder.glob("*.safetensors")))
    reader.read(files)
    transformers = import_transformers()
    kind = transformers.SiglipVisionModel if siglip else transformers.CLIPVisionModelWithProjection
    network, report = kind.from_pretrained(
        str(folder), dtype=dtype, variant=variant, use_safetensors=True, local_files_only=True,
        output_loading_info=True,
    )  # fmt: skip
    check_complete(model, "network", report["missing_keys"])
    return network


def _vision_file(file: Path, model: str, dtype: torch.dtype, reader: Reader) -> Any:
    """CLIP's encoder of pictures from its tensors alone: their shapes say all that its settings would.

    Raises:
        ModelUnreadable: weights are missing.
    """
    import torch
    from safetensors.torch import load_file

    reader.read([file])
    state = {name: tensor.to(dtype) for name, tensor in load_file(file).items() if "position_ids" not in name}
    transformers = import_transformers()
    patches = state["vision_model.embeddings.patch_embedding.weight"]
    width, patch = patches.shape[0], patches.shape[-1]
    side = round((len(state["vision_model.embeddings.position_embedding.weight"]) - 1) ** 0.5)
    layers = {found[1] for name in state if (found := _LAYER.match(name))}
    projection = state.get("visual_projection.weight")
    if projection is None:
        raise ModelUnreadable(model=model, reason="visual_projection.weight is missing.")
    config = transformers.CLIPVisionConfig(
        hidden_size=width, patch_size=patch, image_size=side * patch, num_hidden_layers=len(layers),
        intermediate_size=len(state["vision_model.encoder.layers.0.mlp.fc1.weight"]),
        num_attention_heads=HEADS, projection_dim=len(projection),
        hidden_act="quick_gelu" if width == _QUICK else "gelu",
    )  # fmt: skip
    with torch.device("meta"):
        network = transformers.CLIPVisionModelWithProjection(config)
    network.to_empty(device="cpu").to(dtype)
    return _filled(network, network.vision_model.embeddings, side * side + 1, state, model)


def _siglip_file(file: Path, model: str, dtype: torch.dtype, reader: Reader) -> Any:
    """SigLIP's encoder of pictures, in the same way; its patches alone have places."""
    import torch
    from safetensors.torch import load_file

    reader.read([file])
    state = {
        name.removeprefix(_OUTER): tensor.to(dtype)
        for name, tensor in load_file(file).items()
        if "position_ids" not in name
    }
    patches = state["embeddings.patch_embedding.weight"]
    width, patch = patches.shape[0], patches.shape[-1]
    places = len(state["embeddings.position_embedding.weight"])
    config = import_transformers().SiglipVisionConfig(
        hidden_size=width, patch_size=patch, image_size=round(places**0.5) * patch,
        num_hidden_layers=len({found[1] for name in state if (found := _LAYER.match(name))}),
        intermediate_size=len(state["encoder.layers.0.mlp.fc1.weight"]),
        num_attention_heads=_SMALL[1] if width == _SMALL[0] else HEADS,
    )  # fmt: skip
    with torch.device("meta"):
        network = import_transformers().SiglipVisionModel(config)
    network.to_empty(device="cpu").to(dtype)
    return _filled(network, network.embeddings, places, state, model)


def _filled(network: Any, embeddings: Any, places: int, state: Mapping[str, torch.Tensor], model: str) -> Any:
    """A network with the weights of a file, and the one buffer that no file holds."""
    import torch

    embeddings.position_ids = torch.arange(places)[None]
    found = network.load_state_dict(dict(state), strict=False)
    check_complete(model, "network", found.missing_keys)
    return network
