"""Tiny control networks with random weights for each kind of denoiser; real ones begin with zeros."""

from __future__ import annotations

import inspect
import re
import warnings
from typing import Any

import torch
from diffusers import (
    ControlNetUnionModel,
    FluxControlNetModel,
    QwenImageControlNetModel,
    SanaControlNetModel,
    SD3ControlNetModel,
    T2IAdapter,
)
from diffusers.models.controlnets import ZImageControlNetModel

from tests.helpers.model_files import original_unet
from tests.helpers.tiny_pipelines import control_net


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
    known = inspect.signature(ControlNetUnionModel.__init__).parameters
    config = {name: value for name, value in unet.config.items() if name in known}
    config |= {"conditioning_embedding_out_channels": (4, 8, 8, 8)}
    config |= {"num_trans_channel": first, "num_trans_head": 2, "num_proj_channel": first}
    config |= {"num_control_type": 6, "addition_time_embed_dim": config["addition_time_embed_dim"] or 8}
    return saying_something(ControlNetUnionModel.from_config(config))


def sd3_net(transformer: Any, **config: Any) -> Any:
    """A ControlNet for Stable Diffusion 3."""
    torch.manual_seed(4)
    same = (
        "sample_size", "patch_size", "in_channels", "attention_head_dim", "num_attention_heads",
        "joint_attention_dim", "caption_projection_dim", "pooled_projection_dim", "pos_embed_max_size",
    )  # fmt: skip
    settings = {name: transformer.config[name] for name in same}
    return saying_something(SD3ControlNetModel(**{**settings, "num_layers": 1, **config}))


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
        return saying_something(FluxControlNetModel(**{**settings, **config}))


def qwen_net(transformer: Any, **config: Any) -> Any:
    """A ControlNet for Qwen-Image; ``extra_condition_channels`` of 4 is one made for inpainting."""
    torch.manual_seed(6)
    same = (
        "in_channels", "out_channels", "attention_head_dim", "num_attention_heads", "joint_attention_dim",
        "axes_dims_rope",
    )  # fmt: skip
    settings = {name: transformer.config[name] for name in same}
    return saying_something(QwenImageControlNetModel(**{**settings, "num_layers": 1, **config}))


def sana_net(transformer: Any, **config: Any) -> Any:
    """A ControlNet for Sana."""
    torch.manual_seed(7)
    same = (
        "in_channels", "out_channels", "num_attention_heads", "attention_head_dim", "caption_channels",
        "num_cross_attention_heads", "cross_attention_head_dim", "cross_attention_dim", "sample_size",
        "patch_size",
    )  # fmt: skip
    settings = {name: transformer.config[name] for name in same}
    return saying_something(SanaControlNetModel(**{**settings, "num_layers": 1, **config}))


def z_image_net(transformer: Any, **config: Any) -> Any:
    """A control network for Z-Image, of the first form; see :func:`z_image_later`."""
    torch.manual_seed(8)
    given = transformer.config
    settings = {
        "control_layers_places": [0], "control_refiner_layers_places": [0], "dim": given.dim,
        "control_in_dim": given.in_channels, "n_refiner_layers": given.n_refiner_layers,
        "n_heads": given.n_heads, "n_kv_heads": given.n_kv_heads,
    }  # fmt: skip
    return saying_something(ZImageControlNetModel(**{**settings, **config}))


def z_image_later(transformer: Any, refines: str = "control_noise_refiner") -> Any:
    """One that also sees a picture to repaint, and refines the noisy latents."""
    channels = 2 * transformer.config.in_channels + 1
    return z_image_net(transformer, control_in_dim=channels, add_control_noise_refiner=refines)


def original(network: Any) -> dict[str, torch.Tensor]:
    """Its weights under the names of the original code."""
    own = re.compile(r"controlnet_(down_blocks|mid_block|cond_embedding)\.")
    state = network.state_dict()

    class Rest:
        config = network.config

        def state_dict(self) -> dict[str, torch.Tensor]:
            return {key: tensor for key, tensor in state.items() if not own.match(key)}

    result = {
        key.replace("model.diffusion_model.", "control_model."): tensor
        for key, tensor in original_unet(Rest()).items()
    }
    for key, tensor in state.items():
        name = re.sub(r"controlnet_down_blocks\.(\d+)", r"zero_convs.\1.0", key)
        name = name.replace("controlnet_mid_block", "middle_block_out.0")
        name = name.replace("controlnet_cond_embedding.conv_in", "input_hint_block.0")
        name = name.replace("controlnet_cond_embedding.conv_out", "input_hint_block.14")
        blocks = r"controlnet_cond_embedding\.blocks\.(\d+)"
        name = re.sub(blocks, lambda match: f"input_hint_block.{2 * int(match[1]) + 2}", name)
        if own.match(key):
            result[f"control_model.{name}"] = tensor
    return result


def control_lora(unet: Any, rank: int = 2) -> tuple[dict[str, torch.Tensor], Any]:
    """A Control-LoRA for a U-Net of two layers in a block, as it is published, and the ControlNet it stands
    for. Most of its layers are small matrices; the first norm is whole, and so is the time's first layer.
    """
    torch.manual_seed(9)
    dense = control_net(unet)
    named = original(dense)
    names = {tensor.data_ptr(): name.removeprefix("control_model.") for name, tensor in named.items()}
    state = {"lora_controlnet": torch.zeros(0)}
    whole = ("time_embedding.linear_1", "down_blocks.0.resnets.0.norm1")
    for key, weight in dense.state_dict().items():
        old = names[weight.data_ptr()]
        if key.startswith("controlnet_"):
            state[old] = weight
        elif key.startswith(whole):
            state[old] = weight.add_(torch.randn_like(weight) / 4)
        elif weight.ndim > 1:
            down, up = torch.randn(rank, *weight.shape[1:]) / 8, torch.randn(len(weight), rank)
            weight += (up @ down.flatten(1)).view_as(weight)
            layer = old.removesuffix(".weight")
            state |= {f"{layer}.down": down, f"{layer}.up": up.view(*up.shape, *([1] * (weight.ndim - 2)))}
        elif key.endswith("conv1.bias"):
            state[old] = weight.add_(0.5)
    return {name: tensor.clone() for name, tensor in state.items()}, dense


def lllite(width: int, rank: int = 3) -> dict[str, torch.Tensor]:
    """A ControlNet-LLLite for two attentions as wide as said, in blocks one place of which is 16 px."""
    torch.manual_seed(10)
    state = {}
    for attention in ("input_blocks_5_1_transformer_blocks_0_attn1_to_v",
                      "middle_block_1_transformer_blocks_0_attn2_to_q"):  # fmt: skip
        shapes = {
            "conditioning1.0": (2, 3, 4, 4), "conditioning1.2": (4, 2, 4, 4), "down.0": (rank, width),
            "mid.0": (rank, rank + 4), "up.0": (width, rank),
        }  # fmt: skip
        for part, shape in shapes.items():
            state[f"lllite_unet_{attention}.{part}.weight"] = torch.randn(shape)
            state[f"lllite_unet_{attention}.{part}.bias"] = torch.randn(shape[0])
    return state


def saying_something(network: Any) -> Any:
    """The network, where it has zeros with noise."""
    for weight in network.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.5)
    return network.eval()
