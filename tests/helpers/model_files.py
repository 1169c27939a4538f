"""Model files made by tests: headers without weights, hostile files, checkpoints in the original layout."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pipelines import paths
from pipelines.errors import ErrorInfo
from pipelines.graph.node import FlagToken

SIZES = {"F16": 2, "BF16": 2, "F32": 4}


def sparse(
    path: Path, shapes: Mapping[str, tuple[int, ...]], dtype: str = "F16", metadata: Mapping[str, str] = {}
) -> Path:
    """A safetensors file with true names and shapes whose tensors take no room on the disk."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    position = 0
    for name, shape in shapes.items():
        size = SIZES[dtype]
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [position, position + size]}
        position += size
    return raw(path, json.dumps(header).encode(), position)


def raw(path: Path, header: bytes, data_bytes: int = 0, length: int | None = None) -> Path:
    """A file with any header text, any claimed length and ``data_bytes`` zeros."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write((len(header) if length is None else length).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + data_bytes)
    return path


U = "model.diffusion_model."
SD1 = {
    U + "input_blocks.0.0.weight": (320, 4, 3, 3),
    U + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
    "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
    "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight": (77, 768),
}
SD2 = {
    U + "input_blocks.0.0.weight": (320, 4, 3, 3),
    U + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 1024),
    "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
    "cond_stage_model.model.token_embedding.weight": (49408, 1024),
}
SDXL = {
    U + "input_blocks.0.0.weight": (320, 4, 3, 3),
    U + "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (640, 2048),
    U + "label_emb.0.0.weight": (1280, 2816),
    "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
    "conditioner.embedders.0.transformer.text_model.embeddings.position_embedding.weight": (77, 768),
    "conditioner.embedders.1.model.positional_embedding": (77, 1280),
}
REFINER = {
    U + "input_blocks.0.0.weight": (384, 4, 3, 3),
    U + "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (768, 1280),
    U + "label_emb.0.0.weight": (1536, 2560),
    "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
    "conditioner.embedders.0.model.text_projection": (1280, 1280),
}


# --- the original layout: the inverse of diffusers' conversion ---------------------------------------------

_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
_TOP = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
}  # fmt: skip


def original_unet(unet: Any) -> dict[str, torch.Tensor]:
    """A diffusers U-Net's weights under the names of the original code."""
    layers = unet.config.layers_per_block
    state = unet.state_dict()
    attended = {match[1] for key in state if (match := re.match(r"up_blocks\.(\d+)\.attentions", key))}
    return {U + _unet_name(key, layers, attended): tensor for key, tensor in state.items()}


def _unet_name(key: str, layers: int, attended: set[str]) -> str:
    for new, old in _TOP.items():
        if key.startswith(new + "."):
            return key.replace(new, old, 1)
    side, number, part, index, rest = re.match(
        r"(down|up|mid)_block[s]?(?:\.(\d+))?\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", key
    ).groups()
    if part == "resnets":
        first = rest.split(".")[0]
        rest = rest.replace(first, _RESNET[first], 1)
    if side == "mid":
        return f"middle_block.{1 if part == 'attentions' else 2 * int(index)}.{rest}"
    if part == "downsamplers":
        return f"input_blocks.{(int(number) + 1) * (layers + 1)}.0.op.{rest.removeprefix('conv.')}"
    if part == "upsamplers":
        place = int(number) * (layers + 1) + layers
        return f"output_blocks.{place}.{2 if number in attended else 1}.{rest}"
    place = int(number) * (layers + 1) + int(index)
    slot = 1 if part == "attentions" else 0
    return (
        f"input_blocks.{place + 1}.{slot}.{rest}"
        if side == "down"
        else f"output_blocks.{place}.{slot}.{rest}"
    )


_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def original_vae(vae: Any) -> dict[str, torch.Tensor]:
    """A diffusers VAE's weights under the names of the original code."""
    last = len(vae.config.block_out_channels) - 1
    result = {}
    for key, tensor in vae.state_dict().items():
        name = key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        name = re.sub(r"down_blocks\.(\d+)\.resnets", r"down.\1.block", name)
        name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", name)
        name = re.sub(r"up_blocks\.(\d+)\.resnets", lambda m: f"up.{last - int(m[1])}.block", name)
        name = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{last - int(m[1])}.upsample", name)
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
        if "mid_block.attentions.0" in name:
            name = name.replace("mid_block.attentions.0", "mid.attn_1")
            for new, old in _ATTENTION.items():
                name = name.replace(f"attn_1.{new}.", f"attn_1.{old}.")
            if tensor.ndim == 2:
                tensor = tensor[:, :, None, None]
        result["first_stage_model." + name] = tensor
    return result


def original_clip(encoder: Any, prefix: str) -> dict[str, torch.Tensor]:
    """A CLIP text encoder's weights as the original checkpoints hold them."""
    return {
        f"{prefix}text_model.{key.removeprefix('text_model.')}": tensor
        for key, tensor in encoder.state_dict().items()
    }


def original_open_clip(encoder: Any, prefix: str) -> dict[str, torch.Tensor]:
    """A CLIP text encoder's weights under OpenCLIP's names, with query, key and value in one matrix."""
    state = {key.removeprefix("text_model."): tensor for key, tensor in encoder.state_dict().items()}
    result = {
        prefix + "positional_embedding": state.pop("embeddings.position_embedding.weight"),
        prefix + "token_embedding.weight": state.pop("embeddings.token_embedding.weight"),
        prefix + "ln_final.weight": state.pop("final_layer_norm.weight"),
        prefix + "ln_final.bias": state.pop("final_layer_norm.bias"),
    }
    if "text_projection.weight" in state:
        result[prefix + "text_projection"] = state.pop("text_projection.weight").T.contiguous()
    for kind in ("weight", "bias"):
        for key in [key for key in state if key.endswith(f"q_proj.{kind}")]:
            parts = [state.pop(key.replace("q_proj", f"{part}_proj")) for part in "qkv"]
            name = key.replace("encoder.layers.", "transformer.resblocks.")
            name = name.replace(f"self_attn.q_proj.{kind}", f"attn.in_proj_{kind}")
            result[prefix + name] = torch.cat(parts)
    for key, tensor in state.items():
        name = key.replace("encoder.layers.", "transformer.resblocks.").replace("layer_norm", "ln_")
        name = name.replace("self_attn", "attn").replace("fc1", "c_fc").replace("fc2", "c_proj")
        result[prefix + name] = tensor
    return result


class LoadingContext:
    """The part of a node's context that reading a model needs; it notes progress and cancels on demand."""

    def __init__(self, device: str = "cpu", cancel_after: int | None = None) -> None:
        self.device = device
        self.cache_dir = paths.cache_dir()
        self.cancel = FlagToken()
        self.reports: list[tuple[int, int, str]] = []
        self.warnings: list[ErrorInfo] = []
        self._cancel_after = cancel_after

    def progress(
        self, step: int, total: int, *, phase: str = "", preview: Any = None, text: str | None = None
    ) -> None:
        self.reports.append((step, total, phase))
        if self._cancel_after is not None and len(self.reports) >= self._cancel_after:
            self.cancel.cancel()

    def warn(self, warning: ErrorInfo) -> None:
        self.warnings.append(warning)
