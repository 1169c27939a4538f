"""The tensors of control networks in the layouts they were first published in, under diffusers' names.

XLabs' networks for FLUX.1 have the names of Black Forest Labs' code, ControlNets and Control-LoRAs for U-Nets
those of the code of Stable Diffusion.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

    State = Mapping[str, torch.Tensor]

OWN: Final = ("controlnet_cond_embedding", "controlnet_down_blocks", "controlnet_mid_block")
"""The parts of a ControlNet that a U-Net doesn't have."""
_LAYERS: Final = 2
"""ResNets in a block of the encoder of every U-Net of Stable Diffusion."""
_XLABS: Final = {
    "time_in.in_layer": "time_text_embed.timestep_embedder.linear_1",
    "time_in.out_layer": "time_text_embed.timestep_embedder.linear_2",
    "vector_in.in_layer": "time_text_embed.text_embedder.linear_1",
    "vector_in.out_layer": "time_text_embed.text_embedder.linear_2",
    "guidance_in.in_layer": "time_text_embed.guidance_embedder.linear_1",
    "guidance_in.out_layer": "time_text_embed.guidance_embedder.linear_2",
    "txt_in": "context_embedder", "img_in": "x_embedder", "pos_embed_input": "controlnet_x_embedder",
    "input_hint_block.0": "input_hint_block.conv_in", "input_hint_block.14": "input_hint_block.conv_out",
}  # fmt: skip
_DOUBLE: Final = {
    "img_mod.lin": "norm1.linear", "txt_mod.lin": "norm1_context.linear",
    "img_attn.norm.query_norm": "attn.norm_q", "img_attn.norm.key_norm": "attn.norm_k",
    "txt_attn.norm.query_norm": "attn.norm_added_q", "txt_attn.norm.key_norm": "attn.norm_added_k",
    "img_attn.proj": "attn.to_out.0", "txt_attn.proj": "attn.to_add_out",
    "img_mlp.0": "ff.net.0.proj", "img_mlp.2": "ff.net.2", "txt_mlp.0": "ff_context.net.0.proj",
    "txt_mlp.2": "ff_context.net.2",
}  # fmt: skip
_QKV: Final = {
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
}
_RESNET: Final = {
    "in_layers.0": "norm1", "in_layers.2": "conv1", "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2", "out_layers.3": "conv2", "skip_connection": "conv_shortcut",
}  # fmt: skip
_TOP: Final = {
    "time_embed.0": "time_embedding.linear_1", "time_embed.2": "time_embedding.linear_2",
    "label_emb.0.0": "add_embedding.linear_1", "label_emb.0.2": "add_embedding.linear_2",
    "input_blocks.0.0": "conv_in", "middle_block_out.0": "controlnet_mid_block",
    "input_hint_block.0": "controlnet_cond_embedding.conv_in",
    "input_hint_block.14": "controlnet_cond_embedding.conv_out",
}  # fmt: skip


def xlabs_renamed(state: State) -> dict[str, torch.Tensor]:
    """The tensors of a ``FluxControlNetModel``, whichever of both layouts ``state`` has."""
    if not any(name.startswith("double_blocks.") for name in state):
        return dict(state)
    result: dict[str, torch.Tensor] = {}
    for name, tensor in state.items():
        owner, _, kind = name.rpartition(".")
        kind = "weight" if kind == "scale" else kind
        block, inner = _split(owner, r"double_blocks\.(\d+)\.")
        if inner in _QKV:
            for part, values in zip(_QKV[inner], tensor.chunk(3), strict=True):
                result[f"transformer_blocks.{block}.{part}.{kind}"] = values
        elif block:
            result[f"transformer_blocks.{block}.{_DOUBLE.get(inner, inner)}.{kind}"] = tensor
        else:
            result[f"{_XLABS.get(owner, _hint(owner, 'input_hint_block'))}.{kind}"] = tensor
    return result


def u_net_layer(name: str) -> str:
    """What diffusers calls a layer of a ControlNet for a U-Net that the code of Stable Diffusion calls so."""
    if name in _TOP:
        return _TOP[name]
    number, inner = _split(name, r"zero_convs\.(\d+)\.")
    if number:
        return f"controlnet_down_blocks.{number}"
    number, inner = _split(name, r"input_blocks\.(\d+)\.")
    if number:
        stage, place = divmod(int(number) - 1, _LAYERS + 1)
        slot, _, rest = inner.partition(".")
        if place == _LAYERS:
            return f"down_blocks.{stage}.downsamplers.0.conv"
        if slot == "1":
            return f"down_blocks.{stage}.attentions.{place}.{rest}"
        return f"down_blocks.{stage}.resnets.{place}.{_RESNET.get(rest, rest)}"
    number, inner = _split(name, r"middle_block\.(\d+)\.")
    if number == "1":
        return f"mid_block.attentions.0.{inner}"
    if number:
        return f"mid_block.resnets.{int(number) // 2}.{_RESNET.get(inner, inner)}"
    return _hint(name, "input_hint_block").replace("input_hint_block", "controlnet_cond_embedding")


def _hint(name: str, hint: str) -> str:
    """The layers that see the picture: every second one is a convolution."""
    number, _ = _split(name + ".", re.escape(hint) + r"\.(\d+)\.")
    return f"{hint}.blocks.{int(number) // 2 - 1}" if number else name


def _split(name: str, pattern: str) -> tuple[str, str]:
    """The number that ``pattern`` finds at a name's beginning, and the rest; nothing if it doesn't."""
    found = re.match(pattern, name)
    return (found[1], name[found.end() :]) if found else ("", "")
