"""Transformers under the names of the original code: the inverse of diffusers' conversion, and GGUF files.

diffusers converts FLUX.1 and Chroma with their true width written into the code; :func:`as_wide_as` lets it
convert tiny ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

import gguf
import numpy as np
import torch

_FLUX = {
    "time_text_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_text_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
    "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
    "time_text_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
    "time_text_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
    "context_embedder": "txt_in", "x_embedder": "img_in", "proj_out": "final_layer.linear",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
}  # fmt: skip
_FLUX_DOUBLE = {
    "norm1.linear": "img_mod.lin", "norm1_context.linear": "txt_mod.lin",
    "attn.norm_q": "img_attn.norm.query_norm", "attn.norm_k": "img_attn.norm.key_norm",
    "attn.norm_added_q": "txt_attn.norm.query_norm", "attn.norm_added_k": "txt_attn.norm.key_norm",
    "ff.net.0.proj": "img_mlp.0", "ff.net.2": "img_mlp.2", "ff_context.net.0.proj": "txt_mlp.0",
    "ff_context.net.2": "txt_mlp.2", "attn.to_out.0": "img_attn.proj", "attn.to_add_out": "txt_attn.proj",
}  # fmt: skip
_FLUX_SINGLE = {
    "norm.linear": "modulation.lin", "attn.norm_q": "norm.query_norm", "attn.norm_k": "norm.key_norm",
    "proj_out": "linear2",
}  # fmt: skip
_FUSED: dict[str, tuple[str, ...]] = {
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
}
_SD3 = {
    "pos_embed.pos_embed": "pos_embed", "pos_embed.proj": "x_embedder.proj",
    "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
    "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
    "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0",
    "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2",
    "context_embedder": "context_embedder", "proj_out": "final_layer.linear",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
}  # fmt: skip
_SD3_BLOCK = {
    "norm1.linear": "x_block.adaLN_modulation.1", "norm1_context.linear": "context_block.adaLN_modulation.1",
    "attn.to_out.0": "x_block.attn.proj", "attn.to_add_out": "context_block.attn.proj",
    "ff.net.0.proj": "x_block.mlp.fc1", "ff.net.2": "x_block.mlp.fc2",
    "ff_context.net.0.proj": "context_block.mlp.fc1", "ff_context.net.2": "context_block.mlp.fc2",
    "attn.norm_q": "x_block.attn.ln_q", "attn.norm_k": "x_block.attn.ln_k",
    "attn.norm_added_q": "context_block.attn.ln_q", "attn.norm_added_k": "context_block.attn.ln_k",
    "attn2.to_out.0": "x_block.attn2.proj", "attn2.norm_q": "x_block.attn2.ln_q",
    "attn2.norm_k": "x_block.attn2.ln_k",
}  # fmt: skip
_SD3_FUSED: dict[str, tuple[str, ...]] = {
    "x_block.attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "context_block.attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "x_block.attn2.qkv": ("attn2.to_q", "attn2.to_k", "attn2.to_v"),
}


def original_flux(transformer: Any) -> dict[str, torch.Tensor]:
    """A FLUX.1 transformer's weights under the names of Black Forest Labs' code."""
    state = dict(transformer.state_dict())
    for kind in ("weight", "bias"):
        state[f"norm_out.linear.{kind}"] = _swapped(state[f"norm_out.linear.{kind}"])
    single = {"linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")}
    found = _blocks(state, "transformer_blocks.", "double_blocks.", _FLUX_DOUBLE, _FUSED)
    found |= _blocks(state, "single_transformer_blocks.", "single_blocks.", _FLUX_SINGLE, single)
    found |= _renamed(state, _FLUX)
    return {re.sub(r"(query_norm|key_norm)\.weight$", r"\1.scale", key): t for key, t in found.items()}


_FLUX_2 = {
    "time_guidance_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_guidance_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "time_guidance_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
    "time_guidance_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
    "double_stream_modulation_img.linear": "double_stream_modulation_img.lin",
    "double_stream_modulation_txt.linear": "double_stream_modulation_txt.lin",
    "single_stream_modulation.linear": "single_stream_modulation.lin",
    "context_embedder": "txt_in", "x_embedder": "img_in", "proj_out": "final_layer.linear",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
}  # fmt: skip
_FLUX_2_DOUBLE = {
    **{new: old for new, old in _FLUX_DOUBLE.items() if new.startswith("attn.")},
    "ff.linear_in": "img_mlp.0", "ff.linear_out": "img_mlp.2", "ff_context.linear_in": "txt_mlp.0",
    "ff_context.linear_out": "txt_mlp.2",
}  # fmt: skip
_FLUX_2_SINGLE = {
    "attn.to_qkv_mlp_proj": "linear1", "attn.to_out": "linear2", "attn.norm_q": "norm.query_norm",
    "attn.norm_k": "norm.key_norm",
}  # fmt: skip


def original_flux2(transformer: Any) -> dict[str, torch.Tensor]:
    """A FLUX.2 transformer's weights under the names of Black Forest Labs' code."""
    state = dict(transformer.state_dict())
    state["norm_out.linear.weight"] = _swapped(state["norm_out.linear.weight"])
    found = _blocks(state, "transformer_blocks.", "double_blocks.", _FLUX_2_DOUBLE, _FUSED)
    found |= _blocks(state, "single_transformer_blocks.", "single_blocks.", _FLUX_2_SINGLE, {})
    found |= _renamed(state, _FLUX_2)
    return {re.sub(r"(query_norm|key_norm)\.weight$", r"\1.scale", key): t for key, t in found.items()}


_CAPTION = {
    "caption_projection.linear_1": "y_embedder.y_proj.fc1",
    "caption_projection.linear_2": "y_embedder.y_proj.fc2",
    "proj_out": "final_layer.linear", "scale_shift_table": "final_layer.scale_shift_table",
}  # fmt: skip
_PIXART = {
    **_CAPTION, "pos_embed.proj": "x_embedder.proj", "adaln_single.linear": "t_block.1",
    **{
        f"adaln_single.emb.{new}.linear_{layer}": f"{old}.mlp.{place}"
        for new, old in (("timestep_embedder", "t_embedder"), ("resolution_embedder", "csize_embedder"),
                         ("aspect_ratio_embedder", "ar_embedder"))
        for layer, place in ((1, 0), (2, 2))
    },
}  # fmt: skip
_SANA = {
    **_CAPTION, "patch_embed.proj": "x_embedder.proj", "time_embed.linear": "t_block.1",
    "caption_norm": "attention_y_norm",
    **{
        f"time_embed.{new}.linear_{layer}": f"{old}.mlp.{place}"
        for new, old in (("emb.timestep_embedder", "t_embedder"), ("timestep_embedder", "t_embedder"),
                         ("guidance_embedder", "cfg_embedder"))
        for layer, place in ((1, 0), (2, 2))
    },
}  # fmt: skip
_CROSSED = {
    "scale_shift_table": "scale_shift_table", "attn1.to_out.0": "attn.proj", "attn1.norm_q": "attn.q_norm",
    "attn1.norm_k": "attn.k_norm", "attn2.to_q": "cross_attn.q_linear", "attn2.to_out.0": "cross_attn.proj",
    "attn2.norm_q": "cross_attn.q_norm", "attn2.norm_k": "cross_attn.k_norm", "ff.net.0.proj": "mlp.fc1",
    "ff.net.2": "mlp.fc2", "ff.conv_inverted": "mlp.inverted_conv.conv",
    "ff.conv_depth": "mlp.depth_conv.conv", "ff.conv_point": "mlp.point_conv.conv",
}  # fmt: skip
_CROSSED_FUSED = {
    "attn.qkv": ("attn1.to_q", "attn1.to_k", "attn1.to_v"),
    "cross_attn.kv_linear": ("attn2.to_k", "attn2.to_v"),
}


def original_pixart(transformer: Any) -> dict[str, torch.Tensor]:
    """A PixArt transformer's weights under the names of its makers' code, with what that keeps beside them:
    the places of its tokens, and words that stand for no prompt.
    """
    config, state = transformer.config, dict(transformer.state_dict())
    found = _blocks(state, "transformer_blocks.", "blocks.", _CROSSED, _CROSSED_FUSED) | _renamed(
        state, _PIXART
    )
    width, words = len(found["x_embedder.proj.weight"]), 120 if config.use_additional_conditions else 300
    return found | {
        "pos_embed": torch.zeros(1, (config.sample_size // config.patch_size) ** 2, width),
        "y_embedder.y_embedding": torch.zeros(words, config.caption_channels),
    }


def original_sana(transformer: Any) -> dict[str, torch.Tensor]:
    """The same of a Sana transformer, or one of Sana Sprint."""
    config, state = transformer.config, dict(transformer.state_dict())
    found = _blocks(state, "transformer_blocks.", "blocks.", _CROSSED, _CROSSED_FUSED) | _renamed(
        state, _SANA
    )
    width = len(found["x_embedder.proj.weight"])
    return found | {
        "pos_embed": torch.zeros(1, config.sample_size**2, width),
        "logvar_linear.weight": torch.zeros(1, width),
        "y_embedder.y_embedding": torch.zeros(300, config.caption_channels),
    }  # fmt: skip


def original_xlabs(network: Any) -> dict[str, torch.Tensor]:
    """A control network for FLUX.1 that sees pixels, under the names of XLabs' code."""
    state = network.state_dict()
    hint = {"conv_in": "0", "conv_out": "14"} | {f"blocks.{place}": f"{2 * place + 2}" for place in range(6)}
    names = {f"input_hint_block.{new}": f"input_hint_block.{old}" for new, old in hint.items()}
    found = _blocks(state, "transformer_blocks.", "double_blocks.", _FLUX_DOUBLE, _FUSED)
    found |= _renamed(state, {**_FLUX, **names, "controlnet_x_embedder": "pos_embed_input"})
    found |= {name: tensor for name, tensor in state.items() if name.startswith("controlnet_blocks.")}
    return {re.sub(r"(query_norm|key_norm)\.weight$", r"\1.scale", key): t for key, t in found.items()}


_KREA_2 = {
    "img_in.": "first.", "time_embed.linear_1.": "tmlp.0.", "time_embed.linear_2.": "tmlp.2.",
    "time_mod_proj.": "tproj.1.", "txt_in.norm.weight": "txtmlp.0.scale", "txt_in.linear_1.": "txtmlp.1.",
    "txt_in.linear_2.": "txtmlp.3.", "text_fusion.": "txtfusion.", "transformer_blocks.": "blocks.",
    "final_layer.linear.": "last.linear.", "final_layer.norm.weight": "last.norm.scale",
    "final_layer.scale_shift_table": "last.modulation.lin",
}  # fmt: skip
_KREA_2_WITHIN = {
    ".attn.to_q.": ".attn.wq.", ".attn.to_k.": ".attn.wk.", ".attn.to_v.": ".attn.wv.",
    ".attn.to_out.0.": ".attn.wo.", ".attn.to_gate.": ".attn.gate.",
    ".attn.norm_q.weight": ".attn.qknorm.qnorm.scale", ".attn.norm_k.weight": ".attn.qknorm.knorm.scale",
    ".ff.": ".mlp.", ".norm1.weight": ".prenorm.scale", ".norm2.weight": ".postnorm.scale",
    ".scale_shift_table": ".mod.lin",
}  # fmt: skip


def original_krea2(transformer: Any) -> dict[str, torch.Tensor]:
    """A Krea 2 transformer's weights under the names of its makers' code, what steers a block in one row."""
    found = {}
    for key, tensor in transformer.state_dict().items():
        start = next((new for new in _KREA_2 if key.startswith(new)), "")
        name = _KREA_2.get(start, "") + key[len(start) :]
        for new, old in _KREA_2_WITHIN.items():
            name = name.replace(new, old)
        found[name] = tensor.flatten() if name.endswith(".mod.lin") else tensor
    return found


def original_sd3(transformer: Any) -> dict[str, torch.Tensor]:
    """A Stable Diffusion 3 transformer's weights under the names of Stability AI's code."""
    state = dict(transformer.state_dict())
    last = f"transformer_blocks.{transformer.config.num_layers - 1}.norm1_context.linear"
    for kind in ("weight", "bias"):
        for name in ("norm_out.linear", last):
            state[f"{name}.{kind}"] = _swapped(state[f"{name}.{kind}"])
    found = _blocks(state, "transformer_blocks.", "joint_blocks.", _SD3_BLOCK, _SD3_FUSED)
    return found | _renamed(state, _SD3)


def _swapped(tensor: torch.Tensor) -> torch.Tensor:
    return torch.cat(tensor.chunk(2)[::-1])


def _renamed(state: Mapping[str, torch.Tensor], names: Mapping[str, str]) -> dict[str, torch.Tensor]:
    found = {}
    for new, old in names.items():
        for ending in ("", ".weight", ".bias"):
            if new + ending in state:
                found[old + ending] = state[new + ending]
    return found


def _blocks(
    state: Mapping[str, torch.Tensor], start: str, target: str, names: Mapping[str, str],
    fused: Mapping[str, tuple[str, ...]],
) -> dict[str, torch.Tensor]:  # fmt: skip
    numbers = {int(match[1]) for key in state if (match := re.match(rf"{re.escape(start)}(\d+)\.", key))}
    found = {}
    for number in numbers:
        head = f"{start}{number}."
        inside = {key.removeprefix(head): tensor for key, tensor in state.items() if key.startswith(head)}
        renamed = _renamed(inside, names)
        for old, parts in fused.items():
            for kind in ("weight", "bias"):
                if f"{parts[0]}.{kind}" in inside:
                    renamed[f"{old}.{kind}"] = torch.cat([inside[f"{part}.{kind}"] for part in parts])
        found |= {f"{target}{number}.{key}": tensor for key, tensor in renamed.items()}
    return found


def as_wide_as(convert: Callable[..., Any], width: int) -> Callable[..., Any]:
    """A conversion of diffusers that has the width 3072 in its code, for another width."""
    code = convert.__code__
    constants = tuple(width if value == 3072 else value for value in code.co_consts)
    return FunctionType(code.replace(co_consts=constants), convert.__globals__, closure=convert.__closure__)


def write_gguf(
    path: Path, state: Mapping[str, torch.Tensor], kind: str = "Q8_0", architecture: str = "flux",
    settings: Mapping[str, int] = {},
) -> Path:  # fmt: skip
    """A GGUF file: matrices of whole blocks packed as ``kind``, all else in 32 bits."""
    packing = gguf.GGMLQuantizationType[kind]
    block, _ = gguf.GGML_QUANT_SIZES[packing]
    writer = gguf.GGUFWriter(str(path), architecture)
    for name, value in settings.items():
        writer.add_uint32(f"{architecture}.{name}", value)
    for name, tensor in state.items():
        array = np.ascontiguousarray(tensor.detach().float().numpy())
        if array.ndim == 2 and array.shape[1] % block == 0 and name.endswith(".weight"):
            packed = gguf.quants.quantize(array, packing)
            writer.add_tensor(name, packed, raw_dtype=packing)
        else:
            writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


_T5_PARTS = {
    "SelfAttention.q": "attn_q", "SelfAttention.k": "attn_k", "SelfAttention.v": "attn_v",
    "SelfAttention.o": "attn_o", "SelfAttention.relative_attention_bias": "attn_rel_b",
    "layer.0.layer_norm": "attn_norm", "layer.1.layer_norm": "ffn_norm", "DenseReluDense.wi_0": "ffn_gate",
    "DenseReluDense.wi_1": "ffn_up", "DenseReluDense.wo": "ffn_down",
}  # fmt: skip
_T5_WHOLE = {
    "shared.weight": "token_embd.weight",
    "encoder.final_layer_norm.weight": "enc.output_norm.weight",
}


def write_t5_gguf(path: Path, encoder: Any) -> Path:
    """A T5 encoder under the names of llama.cpp, packed as Q8_0, with its settings as far as those go."""
    config, state = encoder.config, {}
    for key, tensor in encoder.state_dict().items():
        match = re.fullmatch(r"encoder\.block\.(\d+)\.layer\.\d\.(.*)\.weight", key)
        if match is not None:
            part = next(new for old, new in _T5_PARTS.items() if old in key)
            state[f"enc.blk.{match[1]}.{part}.weight"] = tensor
        elif key in _T5_WHOLE:
            state[_T5_WHOLE[key]] = tensor
    settings = {
        "context_length": 512, "embedding_length": config.d_model, "feed_forward_length": config.d_ff,
        "block_count": config.num_layers, "attention.head_count": config.num_heads,
        "attention.key_length": config.d_kv, "attention.relative_buckets_count": 32,
    }  # fmt: skip
    return write_gguf(path, state, architecture="t5encoder", settings=settings)
