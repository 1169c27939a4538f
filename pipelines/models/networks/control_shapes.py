"""The settings of a control network that is a single file, from the shapes of its tensors.

Plain ControlNets have those of their family's U-Net (see :mod:`pipelines.models.loading.control`); these
have settings of their own, and all that matter can be told from the tensors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import torch

    State = Mapping[str, torch.Tensor]

_ROPE: Final = (16, 56, 56)
_HEAD: Final = {"flux": 128, "sd3": 64}
"""Width of an attention head of each family."""
_SD3_LATENT: Final = 16
"""Channels of the latents of Stable Diffusion 3; a network that sees more sees a mask as well."""
_SANA_HEAD: Final = {2240: 112, 1152: 72}
"""Width of a head of the cross-attention of each size of Sana, by the width of its layers."""
_SANA_SELF: Final = 32
_Z_BLOCKS: Final = 30
"""Blocks of Z-Image, over which those of a control network are spread evenly."""
_T2I: Final = (
    (r"^body\.(\d+)\.block1\.", "body.{}.resnets.{}.block1."),
    (r"^body\.(\d+)\.block2\.", "body.{}.resnets.{}.block2."),
    (r"^body\.(\d+)\.in_conv\.", "body.{}.in_conv."),
)


def count(state: State, start: str) -> int:
    """How many numbered parts begin so."""
    pattern = re.compile(re.escape(start) + r"(\d+)\.")
    return len({found[1] for name in state if (found := pattern.match(name))})


def _side(state: State, name: str, axis: int) -> int | None:
    return int(state[name].shape[axis]) if name in state else None


def flux_settings(state: State) -> dict[str, Any]:
    """Of a ``FluxControlNetModel``."""
    width = int(state["x_embedder.weight"].shape[0])
    pixels = _side(state, "input_hint_block.conv_out.weight", 0)
    return {
        "num_layers": count(state, "transformer_blocks."),
        "num_single_layers": count(state, "single_transformer_blocks."),
        "in_channels": _side(state, "x_embedder.weight", 1), "patch_size": 2 if pixels else 1,
        "attention_head_dim": _HEAD["flux"], "num_attention_heads": width // _HEAD["flux"],
        "joint_attention_dim": _side(state, "context_embedder.weight", 1),
        "pooled_projection_dim": _side(state, "time_text_embed.text_embedder.linear_1.weight", 1),
        "guidance_embeds": "time_text_embed.guidance_embedder.linear_1.weight" in state,
        "axes_dims_rope": _ROPE, "num_mode": _side(state, "controlnet_mode_embedder.weight", 0),
        "conditioning_embedding_channels": pixels,
    }  # fmt: skip


def sd3_settings(state: State) -> dict[str, Any]:
    """Of an ``SD3ControlNetModel``. Those that read the prompt were trained without its pooled form."""
    width = int(state["pos_embed_input.proj.weight"].shape[0])
    reads = "context_embedder.weight" in state
    places = _side(state, "pos_embed.pos_embed", 1)
    normed = "transformer_blocks.0.attn.norm_q.weight" in state
    blocks = count(state, "transformer_blocks.")
    doubled = (f"transformer_blocks.{number}.attn2.to_q.weight" for number in range(blocks))
    shown = _side(state, "pos_embed_input.proj.weight", 1) or _SD3_LATENT
    return {
        "num_layers": blocks, "patch_size": _side(state, "pos_embed_input.proj.weight", 2),
        "in_channels": min(shown, _SD3_LATENT), "extra_conditioning_channels": max(shown - _SD3_LATENT, 0),
        "attention_head_dim": _HEAD["sd3"], "num_attention_heads": width // _HEAD["sd3"],
        "joint_attention_dim": _side(state, "context_embedder.weight", 1),
        "caption_projection_dim": _side(state, "context_embedder.weight", 0) or width,
        "pooled_projection_dim": _side(state, "time_text_embed.text_embedder.linear_1.weight", 1),
        "pos_embed_max_size": round((places or 96**2) ** 0.5),
        "use_pos_embed": "pos_embed.proj.weight" in state,
        "qk_norm": "rms_norm" if normed else None, "force_zeros_for_pooled_projection": reads,
        "dual_attention_layers": tuple(number for number, name in enumerate(doubled) if name in state),
    }  # fmt: skip


def qwen_settings(state: State) -> dict[str, Any]:
    """Of a ``QwenImageControlNetModel``; those made for inpainting see more than latents."""
    width, latent = (int(side) for side in state["img_in.weight"].shape)
    head = _side(state, "transformer_blocks.0.attn.norm_q.weight", 0) or width
    return {
        "num_layers": count(state, "transformer_blocks."), "in_channels": latent, "out_channels": latent // 4,
        "attention_head_dim": head, "num_attention_heads": width // head,
        "joint_attention_dim": _side(state, "txt_in.weight", 1), "axes_dims_rope": _ROPE,
        "extra_condition_channels": (_side(state, "controlnet_x_embedder.weight", 1) or latent) - latent,
    }  # fmt: skip


def sana_settings(state: State) -> dict[str, Any]:
    """Of a ``SanaControlNetModel``."""
    width = int(state["input_block.weight"].shape[0])
    head = _SANA_HEAD.get(width, _SANA_SELF)
    inner = _side(state, "transformer_blocks.0.ff.conv_inverted.weight", 0) or 5 * width
    return {
        "num_layers": count(state, "transformer_blocks."),
        "in_channels": _side(state, "patch_embed.proj.weight", 1),
        "patch_size": _side(state, "patch_embed.proj.weight", 2),
        "attention_head_dim": _SANA_SELF, "num_attention_heads": width // _SANA_SELF,
        "cross_attention_head_dim": head, "num_cross_attention_heads": width // head,
        "cross_attention_dim": width,
        "caption_channels": _side(state, "caption_projection.linear_1.weight", 1),
        "mlp_ratio": inner / (2 * width), "attention_bias": "transformer_blocks.0.attn1.to_q.bias" in state,
    }  # fmt: skip


def z_image_settings(state: State) -> dict[str, Any]:
    """Of a ``ZImageControlNetModel``, in its three forms (alibaba-pai).

    The first sees latents of 16 channels. Those that see a picture to repaint as well (33) refine the noisy
    latents, too, with blocks of their own or, where those were never trained, with the others.
    """
    width, entry = (int(side) for side in state["control_all_x_embedder.2-1.weight"].shape)
    head = _side(state, "control_layers.0.attention.norm_q.weight", 0) or width
    blocks = count(state, "control_layers.")
    refiners = count(state, "control_noise_refiner.") or 2
    refines = None
    if entry // 4 > _SD3_LATENT:
        trained = state.get("control_noise_refiner.0.before_proj.weight")
        own = trained is not None and bool(trained.any())
        refines = "control_noise_refiner" if own else "control_layers"
    return {
        "control_in_dim": entry // 4, "dim": width, "n_heads": width // head, "n_kv_heads": width // head,
        "control_layers_places": [_Z_BLOCKS // blocks * number for number in range(blocks)],
        "control_refiner_layers_places": list(range(refiners)), "n_refiner_layers": refiners,
        "add_control_noise_refiner": refines,
    }  # fmt: skip


def t2i_settings(state: State) -> dict[str, Any]:
    """Of a ``T2IAdapter``, whose tensors have diffusers' names (see :func:`t2i_renamed`)."""
    light = "adapter.conv_in.weight" not in state
    blocks = count(state, "adapter.body.")
    if light:
        channels = [int(state[f"adapter.body.{number}.out_conv.weight"].shape[0]) for number in range(blocks)]
        entry, factor, channels = int(state["adapter.body.0.in_conv.weight"].shape[1]), 8, channels[:-1]
        kind = "light_adapter"
    else:
        channels = [
            int(state[f"adapter.body.{number}.resnets.0.block2.weight"].shape[0]) for number in range(blocks)
        ]
        entry = int(state["adapter.conv_in.weight"].shape[1])
        factor = 16 if entry in (256, 768) else 8
        kind = "full_adapter_xl" if factor == 16 else "full_adapter"
    return {
        "in_channels": entry // factor**2, "channels": channels, "downscale_factor": factor,
        "num_res_blocks": count(state, "adapter.body.0.resnets."), "adapter_type": kind,
    }  # fmt: skip


def t2i_renamed(state: State) -> dict[str, torch.Tensor]:
    """The tensors of a T2I-Adapter under diffusers' names, whichever they have.

    In the original layout (TencentARC) the blocks of one size follow each other, two for each; the first of
    a size may have ``in_conv``.
    """
    bare = {
        re.sub(r"^(body\.\d+)\.body\.", r"\1.resnets.", name.removeprefix("adapter.")): tensor
        for name, tensor in state.items()
    }
    if not any(re.match(r"body\.\d+\.block1\.", name) for name in bare):
        return {f"adapter.{name}": tensor for name, tensor in bare.items()}
    total = count(bare, "body.")
    depth = total // 4 if total % 4 == 0 else 1
    result = {}
    for name, tensor in bare.items():
        for pattern, new in _T2I:
            found = re.match(pattern, name)
            if found:
                stage, number = divmod(int(found[1]), depth)
                name = new.format(stage, number) + name[found.end() :]
                break
        result[f"adapter.{name}"] = tensor
    return result


def union_settings(state: State, unet: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Of a ``ControlNetUnionModel``: those of its family's U-Net that it has too, and its own."""
    entry = "controlnet_cond_embedding.conv_in.weight"
    inner = (f"controlnet_cond_embedding.blocks.{number}.weight" for number in (1, 3, 5))
    kinds = _side(state, "task_embedding", 0) or 1
    own = {
        "conditioning_embedding_out_channels": tuple(
            int(state[name].shape[0]) for name in (entry, *inner) if name in state
        ),
        "num_control_type": kinds,
        "addition_time_embed_dim": (_side(state, "control_add_embedding.linear_1.weight", 1) or 0) // kinds,
        "num_trans_channel": _side(state, "task_embedding", 1),
        "num_proj_channel": _side(state, "spatial_ch_projs.weight", 0),
        "num_trans_layer": count(state, "transformer_layes."),
    }
    return {**{name: value for name, value in unet.items() if name in known}, **own}


SETTINGS: Final[Mapping[str, tuple[str, Callable[[State], dict[str, Any]]]]] = {
    "flux": ("FluxControlNetModel", flux_settings),
    "sd3": ("SD3ControlNetModel", sd3_settings),
    "qwen-image": ("QwenImageControlNetModel", qwen_settings),
    "sana": ("SanaControlNetModel", sana_settings),
    "z-image": ("ZImageControlNetModel", z_image_settings),
}
"""By family: the class of diffusers, and what its settings are told from."""
