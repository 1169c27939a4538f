"""Tiny control networks with random weights for each kind of denoiser; real ones begin with zeros."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from diffusers import ControlNetUnionModel, FluxControlNetModel, SD3ControlNetModel, T2IAdapter


def t2i_adapter(unet: Any, channels: int = 3, blocks: int = 1) -> Any:
    """A T2I-Adapter for a U-Net whose first block has attention, or for SDXL's, whose first has none."""
    torch.manual_seed(2)
    large = unet.config.addition_embed_type == "text_time"
    return T2IAdapter(
        in_channels=channels, channels=list(unet.config.block_out_channels), num_res_blocks=blocks,
        downscale_factor=16 if large else 8, adapter_type="full_adapter_xl" if large else "full_adapter",
    ).eval()  # fmt: skip


def union_net(unet: Any) -> Any:
    """A ControlNet Union for a U-Net."""
    torch.manual_seed(3)
    first = unet.config.block_out_channels[0]
    network = ControlNetUnionModel.from_unet(unet, conditioning_embedding_out_channels=(4, 8, 8, 8))
    config = {name: value for name, value in network.config.items() if not name.startswith("_")}
    config |= {"num_trans_channel": first, "num_trans_head": 2, "num_proj_channel": first}
    config |= {"num_control_type": 6}
    return _saying_something(ControlNetUnionModel.from_config(config))


def sd3_net(transformer: Any, **config: Any) -> Any:
    """A ControlNet for Stable Diffusion 3."""
    torch.manual_seed(4)
    same = (
        "sample_size", "patch_size", "in_channels", "attention_head_dim", "num_attention_heads",
        "joint_attention_dim", "caption_projection_dim", "pooled_projection_dim", "pos_embed_max_size",
    )  # fmt: skip
    settings = {name: transformer.config[name] for name in same}
    return _saying_something(SD3ControlNetModel(**{**settings, "num_layers": 1, **config}))


def flux_net(transformer: Any, **config: Any) -> Any:
    """A ControlNet for FLUX.1."""
    torch.manual_seed(5)
    same = (
        "patch_size", "attention_head_dim", "num_attention_heads", "joint_attention_dim",
        "pooled_projection_dim", "axes_dims_rope",
    )  # fmt: skip
    settings = {name: transformer.config[name] for name in same}
    settings |= {"in_channels": transformer.out_channels, "num_layers": 1, "num_single_layers": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a class that moved within the library
        return _saying_something(FluxControlNetModel(**{**settings, **config}))


def _saying_something(network: Any) -> Any:
    for weight in network.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.5)
    return network.eval()
