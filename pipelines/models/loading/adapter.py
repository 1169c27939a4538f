"""Opening what lets a model follow a picture: an IP-Adapter, and the encoder that it looks through.

An IP-Adapter (Ye et al. 2023, "IP-Adapter: Text Compatible Image Prompt Adapter for Text-to-Image Diffusion
Models") is a projection of what the encoder sees to a few tokens, and keys and values of its own for each
cross-attention of the U-Net.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import ModelUnreadable
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.catalogue import Entry
from pipelines.models.device import resolve_dtype
from pipelines.models.libraries import import_diffusers, import_transformers
from pipelines.models.loaded import LoadedAdapter, LoadedVision, Target
from pipelines.models.loading.folder import check_complete, variant_files
from pipelines.models.loading.reading import Reader, explained

if TYPE_CHECKING:
    import torch

    State = Mapping[str, torch.Tensor]

PROJECTION: Final = "image_proj."
_KEYS: Final = re.compile(r"ip_adapter\.(\d+)\.to_k_ip\.weight")
_PLAIN: Final = (("proj.", "image_embeds."),)
_FULL: Final = (("proj.0.", "ff.net.0.proj."), ("proj.2.", "ff.net.2."), ("proj.3.", "norm."))
_PLUS: Final = (
    (r"^(layers\.\d+)\.0\.norm1\.", r"\1.ln0."), (r"^(layers\.\d+)\.0\.norm2\.", r"\1.ln1."),
    (r"^(layers\.\d+)\.0\.to_q\.", r"\1.attn.to_q."), (r"^(layers\.\d+)\.0\.to_out\.", r"\1.attn.to_out.0."),
    (r"^(layers\.\d+)\.1\.0\.", r"\1.ff.0."), (r"^(layers\.\d+)\.1\.1\.", r"\1.ff.1.net.0.proj."),
    (r"^(layers\.\d+)\.1\.3\.", r"\1.ff.1.net.2."),
)  # fmt: skip
"""Names in the original layout, and what diffusers' classes call the same."""
_LAYER: Final = re.compile(r"vision_model\.encoder\.layers\.(\d+)\.")
_HEAD: Final = 64
"""Width of one attention head of the projection with layers."""
HEADS: Final = 16
"""Attention heads of every CLIP encoder of pictures that adapters are made for (ViT-L, H and bigG)."""
_QUICK: Final = 1024
"""The width whose CLIP came from OpenAI, with the approximate GELU; the others are OpenCLIP's."""


def load_adapter(entry: Entry, handle: ModelHandle, target: Target, context: Context) -> LoadedAdapter:
    """Open the IP-Adapter of ``entry``; see :meth:`pipelines.models.loading.ModelLoader.load`.

    Raises:
        ModelUnreadable: weights are missing, or of other sizes than the rest says.
    """
    import torch
    from safetensors.torch import load_file

    dtype = resolve_dtype(handle.dtype, target.name, torch)
    with explained(handle.id, target.name):
        Reader(entry.probe.bytes, context).read([entry.weights])
        state = load_file(entry.weights)
        context.cancel.check()
        model = build_adapter(state, handle.id).to(dtype)
        model.requires_grad_(False).eval().to(target.weights)
    facts = entry.probe.facts
    return LoadedAdapter(
        handle, model, target.compute, dtype, str(facts.get("sees", "embedding")), int(facts.get("width", 0))
    )


def build_adapter(state: State, model: str) -> torch.nn.Module:
    """An IP-Adapter from its tensors: see :class:`pipelines.models.ip_adapter.IPAdapter`.

    Raises:
        ModelUnreadable: tensors are missing.
    """
    from pipelines.models.ip_adapter import IPAdapter

    numbers = sorted(int(found[1]) for name in state if (found := _KEYS.fullmatch(name)))
    names = {part: [f"ip_adapter.{number}.to_{part}_ip.weight" for number in numbers] for part in "kv"}
    missing = [name for name in names["v"] if name not in state]
    if missing or not numbers:
        raise ModelUnreadable(model=model, reason=f"{(missing or ['ip_adapter'])[0]} is missing.")
    rest = {name.removeprefix(PROJECTION): state[name] for name in state if name.startswith(PROJECTION)}
    keys, values = ([state[name] for name in names[part]] for part in "kv")
    return IPAdapter(_projection(rest), keys, values)


def _projection(state: State) -> torch.nn.Module:
    """diffusers' class for a projection, by the names of its tensors."""
    import_diffusers()
    from diffusers.models import embeddings

    made: torch.nn.Module
    if "latents" in state:
        queries, hidden = state["latents"].shape[1:]
        depth = len({name.split(".")[1] for name in state if name.startswith("layers.")})
        made = embeddings.IPAdapterPlusImageProjection(
            embed_dims=state["proj_in.weight"].shape[1], output_dims=state["proj_out.weight"].shape[0],
            hidden_dims=hidden, depth=depth, num_queries=queries,
            heads=state["layers.0.0.to_q.weight"].shape[0] // _HEAD,
        )  # fmt: skip
        made.load_state_dict(_with_layers(state))
        return made
    if "proj.3.weight" in state:
        made = embeddings.IPAdapterFullImageProjection(
            image_embed_dim=state["proj.0.weight"].shape[1],
            cross_attention_dim=state["proj.3.weight"].shape[0],
        )
        made.load_state_dict(_renamed(state, _FULL))
        return made
    width = state["norm.weight"].shape[0]
    made = embeddings.ImageProjection(
        image_embed_dim=state["proj.weight"].shape[1], cross_attention_dim=width,
        num_image_text_embeds=state["proj.weight"].shape[0] // width,
    )  # fmt: skip
    made.load_state_dict(_renamed(state, _PLAIN))
    return made


def _renamed(state: State, names: tuple[tuple[str, str], ...]) -> dict[str, torch.Tensor]:
    def other(name: str) -> str:
        return next((new + name.removeprefix(old) for old, new in names if name.startswith(old)), name)

    return {other(name): tensor for name, tensor in state.items()}


def _with_layers(state: State) -> dict[str, torch.Tensor]:
    """The projection with layers: keys and values are one matrix in the original layout."""
    result = {}
    for name, tensor in state.items():
        if ".0.to_kv." in name:
            for part, half in zip(("to_k", "to_v"), tensor.chunk(2), strict=True):
                result[name.replace(".0.to_kv.", f".attn.{part}.")] = half
            continue
        for old, new in _PLUS:
            name = re.sub(old, new, name)
        result[name] = tensor
    return result


def load_vision(entry: Entry, handle: ModelHandle, target: Target, context: Context) -> LoadedVision:
    """Open the encoder of pictures of ``entry``: a transformers folder, or a file with CLIP's tensors.

    Raises:
        ModelUnreadable: weights are missing.
    """
    import torch

    dtype = resolve_dtype(handle.dtype, target.name, torch)
    reader = Reader(entry.probe.bytes, context)
    with explained(handle.id, target.name):
        if entry.weights.is_dir():
            model = _vision_folder(entry.weights, handle.id, dtype, reader)
        else:
            model = _vision_file(entry.weights, handle.id, dtype, reader)
        context.cancel.check()
        model.requires_grad_(False).eval().to(target.weights)
    return LoadedVision(handle, model, target.compute, dtype)


def _vision_folder(folder: Path, model: str, dtype: torch.dtype, reader: Reader) -> Any:
    files, variant = variant_files(sorted(folder.glob("*.safetensors")))
    reader.read(files)
    network, report = import_transformers().CLIPVisionModelWithProjection.from_pretrained(
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
    own = network.vision_model.embeddings
    own.position_ids = torch.arange(side * side + 1)[None]  # the one buffer that no file holds
    found = network.load_state_dict(state, strict=False)
    check_complete(model, "network", found.missing_keys)
    return network
