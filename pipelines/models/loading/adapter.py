"""Opening what lets a model follow a picture; the encoder that it looks through is opened by :mod:`.vision`.

An IP-Adapter (Ye et al. 2023, "IP-Adapter: Text Compatible Image Prompt Adapter for Text-to-Image Diffusion
Models") is a projection of what the encoder sees to a few tokens, and keys and values of its own for each
cross-attention of a U-Net, or for blocks of FLUX.1. FLUX.1 Redux is a projection to tokens of the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pipelines.errors import ModelUnreadable
from pipelines.graph.node import Context
from pipelines.graph.values import ModelHandle
from pipelines.models.catalogue.catalogue import Entry
from pipelines.models.device import resolve_dtype
from pipelines.models.files.reading import Reader, explained
from pipelines.models.libraries import import_diffusers
from pipelines.models.loaded import LoadedAdapter, Target
from pipelines.models.loading.folder import variant_files
from pipelines.models.probing.folders import ADAPTER_PART

if TYPE_CHECKING:
    import torch

    State = Mapping[str, torch.Tensor]

PROJECTION: Final = "image_proj."
_KEYS: Final = re.compile(r"ip_adapter\.(\d+)\.to_k_ip\.weight")
_XLABS: Final = (
    (r"^ip_adapter_proj_model\.", PROJECTION),
    (r"^double_blocks\.(\d+)\.processor\.ip_adapter_double_stream_([kv])_proj\.", r"ip_adapter.\1.to_\2_ip."),
)
_REDUX: Final = "redux_up.weight"
_PLAIN: Final = (("proj.", "image_embeds."),)
_FULL: Final = (("proj.0.", "ff.net.0.proj."), ("proj.2.", "ff.net.2."), ("proj.3.", "norm."))
_PLUS: Final = (
    (r"^(layers\.\d+)\.0\.norm1\.", r"\1.ln0."), (r"^(layers\.\d+)\.0\.norm2\.", r"\1.ln1."),
    (r"^(layers\.\d+)\.0\.to_q\.", r"\1.attn.to_q."), (r"^(layers\.\d+)\.0\.to_out\.", r"\1.attn.to_out.0."),
    (r"^(layers\.\d+)\.1\.0\.", r"\1.ff.0."), (r"^(layers\.\d+)\.1\.1\.", r"\1.ff.1.net.0.proj."),
    (r"^(layers\.\d+)\.1\.3\.", r"\1.ff.1.net.2."),
)  # fmt: skip
"""Names in the original layout, and what diffusers' classes call the same."""
_HEAD: Final = 64
"""Width of one attention head of the projection with layers."""
_FLUX_HEAD: Final = 128
"""Width of one attention head of FLUX.1."""


def load_adapter(entry: Entry, handle: ModelHandle, target: Target, context: Context) -> LoadedAdapter:
    """Open the adapter of ``entry``; see :meth:`pipelines.models.loading.ModelLoader.load`.

    Raises:
        ModelUnreadable: weights are missing, or of other sizes than the rest says.
    """
    import torch
    from safetensors.torch import load_file

    dtype = resolve_dtype(handle.dtype, target.name, torch)
    with explained(handle.id, target.name):
        files = [entry.weights]
        if entry.weights.is_dir():
            files, _ = variant_files(sorted((entry.weights / ADAPTER_PART).glob("*.safetensors")))
        Reader(entry.probe.bytes, context).read(files)
        state = {name: tensor for file in files for name, tensor in load_file(file).items()}
        context.cancel.check()
        model = build_adapter(state, handle.id).to(dtype)
        model.requires_grad_(False).eval().to(target.weights)
    facts = entry.probe.facts
    return LoadedAdapter(
        handle, model, target.compute, dtype, str(facts.get("sees", "embedding")), int(facts.get("width", 0))
    )


def build_adapter(state: State, model: str, head: int = _FLUX_HEAD) -> torch.nn.Module:
    """An adapter from its tensors: see :mod:`pipelines.models.networks.ip_adapter`.

    Args:
        head: the width of an attention head of the transformer that it is for.

    Raises:
        ModelUnreadable: tensors are missing.
    """
    from pipelines.models.networks.ip_adapter import IPAdapter

    if _REDUX in state:
        return _redux(state, model)
    state = _renamed_by(state, _XLABS)
    numbers = sorted(int(found[1]) for name in state if (found := _KEYS.fullmatch(name)))
    biased = f"ip_adapter.{min(numbers, default=0)}.to_k_ip.bias" in state
    kinds = ("weight", "bias") if biased else ("weight",)
    parts = [
        [_held(state, f"ip_adapter.{number}.to_{part}_ip.{kind}", model) for number in numbers]
        for kind in kinds for part in "kv"
    ]  # fmt: skip
    if not numbers:
        raise ModelUnreadable(model=model, reason="ip_adapter is missing.")
    rest = {name.removeprefix(PROJECTION): state[name] for name in state if name.startswith(PROJECTION)}
    # Those for U-Nets have odd numbers: the even ones are of attentions that see the picture alone.
    if 0 not in numbers:
        return IPAdapter(_projection(rest), *parts)
    if biased:
        return IPAdapter(_projection(rest), *parts, enters="beside")
    return IPAdapter(_wide_projection(rest, model), *parts, enters="within", head=head)


def _held(state: State, name: str, model: str) -> torch.Tensor:
    if name not in state:
        raise ModelUnreadable(model=model, reason=f"{name} is missing.")
    return state[name]


def _redux(state: State, model: str) -> torch.nn.Module:
    import_diffusers()
    from diffusers.pipelines.flux.modeling_flux import ReduxImageEncoder

    from pipelines.models.networks.ip_adapter import Redux

    for name in ("redux_up.bias", "redux_down.weight", "redux_down.bias"):
        _held(state, name, model)
    width, seen = state["redux_down.weight"].shape[0], state[_REDUX].shape[1]
    layers = ReduxImageEncoder(redux_dim=seen, txt_in_features=width)
    layers.load_state_dict(dict(state))
    return Redux(layers)


def _wide_projection(state: State, model: str) -> torch.nn.Module:
    from pipelines.models.networks.ip_adapter import WideProjection

    inner, seen = _held(state, "proj.0.weight", model).shape
    width = len(_held(state, "norm.weight", model))
    made = WideProjection(seen, inner, width, len(_held(state, "proj.2.weight", model)) // width)
    made.load_state_dict(dict(state))
    return made


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


def _renamed_by(state: State, patterns: tuple[tuple[str, str], ...]) -> dict[str, torch.Tensor]:
    result = {}
    for name, tensor in state.items():
        for old, new in patterns:
            name = re.sub(old, new, name)
        result[name] = tensor
    return result


def _with_layers(state: State) -> dict[str, torch.Tensor]:
    """The projection with layers: keys and values are one matrix in the original layout."""
    result = {}
    for name, tensor in state.items():
        if ".0.to_kv." in name:
            for part, half in zip(("to_k", "to_v"), tensor.chunk(2), strict=True):
                result[name.replace(".0.to_kv.", f".attn.{part}.")] = half
            continue
        result |= _renamed_by({name: tensor}, _PLUS)
    return result
