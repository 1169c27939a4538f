"""Tiny IP-Adapters, FLUX.1 Redux and encoders of pictures with random weights, and their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from blake3 import blake3
from safetensors.torch import save_file
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    SiglipVisionConfig,
    SiglipVisionModel,
)

SEEN = 32
"""Width of the tiny encoder's hidden states and of its embedding."""


def vision(projection: int = SEEN) -> Any:
    """An encoder of 8 × 8 patches of 4 px, with sixteen heads as all real ones have."""
    torch.manual_seed(5)
    config = CLIPVisionConfig(
        hidden_size=SEEN, intermediate_size=24, num_hidden_layers=2, num_attention_heads=16, image_size=32,
        patch_size=4, projection_dim=projection, hidden_act="gelu",
    )  # fmt: skip
    return CLIPVisionModelWithProjection(config).eval()


def ip_adapter(unet: Any, variant: str = "") -> dict[str, torch.Tensor]:
    """The tensors of an IP-Adapter for a U-Net in their original layout: plain, ``plus`` or ``full``."""
    torch.manual_seed(6)
    width = unet.config.cross_attention_dim
    makers = {"": _plain, "plus": _plus, "full": _full}
    state = {f"image_proj.{name}": tensor for name, tensor in makers[variant](width).items()}
    names = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    for number, name in enumerate(names):
        inner = unet.get_submodule(name.removesuffix(".processor")).inner_dim
        for part in "kv":
            state[f"ip_adapter.{2 * number + 1}.to_{part}_ip.weight"] = torch.randn(inner, width)
    return state


def _plain(width: int) -> dict[str, torch.Tensor]:
    return {
        "proj.weight": torch.randn(4 * width, SEEN), "proj.bias": torch.randn(4 * width),
        "norm.weight": torch.ones(width), "norm.bias": torch.zeros(width),
    }  # fmt: skip


def _full(width: int) -> dict[str, torch.Tensor]:
    return {
        "proj.0.weight": torch.randn(SEEN, SEEN), "proj.0.bias": torch.randn(SEEN),
        "proj.2.weight": torch.randn(width, SEEN), "proj.2.bias": torch.randn(width),
        "proj.3.weight": torch.ones(width), "proj.3.bias": torch.zeros(width),
    }  # fmt: skip


def _plus(width: int) -> dict[str, torch.Tensor]:
    """Four layers with one head of 64 numbers."""
    hidden = 16
    state = {
        "latents": torch.randn(1, 4, hidden), "proj_in.weight": torch.randn(hidden, SEEN),
        "proj_in.bias": torch.randn(hidden), "proj_out.weight": torch.randn(width, hidden),
        "proj_out.bias": torch.randn(width), "norm_out.weight": torch.ones(width),
        "norm_out.bias": torch.zeros(width),
    }  # fmt: skip
    for layer in (f"layers.{number}" for number in range(4)):
        state |= {
            f"{layer}.0.to_q.weight": torch.randn(64, hidden),
            f"{layer}.0.to_kv.weight": torch.randn(128, hidden),
            f"{layer}.0.to_out.weight": torch.randn(hidden, 64),
            f"{layer}.1.1.weight": torch.randn(64, hidden),
            f"{layer}.1.3.weight": torch.randn(hidden, 64),
        }  # fmt: skip
        for name in (f"{layer}.0.norm1", f"{layer}.0.norm2", f"{layer}.1.0"):
            state |= {f"{name}.weight": torch.ones(hidden), f"{name}.bias": torch.zeros(hidden)}
    return state


def save(path: Path, state: dict[str, torch.Tensor]) -> Path:
    """Write a file; gives its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    return path


def digest(pipeline: Any) -> list[object]:
    """What must not have changed after a run: weights bit by bit, processors, hooks."""
    name = "unet" if "unet" in vars(pipeline) else "transformer"
    denoiser, hasher = vars(pipeline)[name], blake3()
    for weight in (*denoiser.parameters(), *denoiser.buffers()):
        hasher.update(weight.detach().numpy().tobytes())
    processors = [id(processor) for processor in denoiser.attn_processors.values()]
    hooks = [len(module._forward_pre_hooks) + len(module._forward_hooks) for module in denoiser.modules()]
    return [hasher.hexdigest(), processors, hooks, getattr(pipeline, name) is denoiser]


def siglip() -> Any:
    """A SigLIP of 4 × 4 patches of 8 px, as wide as the tiny CLIP."""
    torch.manual_seed(7)
    config = SiglipVisionConfig(
        hidden_size=SEEN, intermediate_size=24, num_hidden_layers=1, num_attention_heads=16, image_size=32,
        patch_size=8,
    )  # fmt: skip
    return SiglipVisionModel(config).eval()


def flux_adapter(transformer: Any, layout: str) -> dict[str, torch.Tensor]:
    """What lets FLUX.1 follow references: an IP-Adapter of ``xlabs`` or ``instantx``, or ``redux``."""
    torch.manual_seed(8)
    config = transformer.config
    width, inner = config.joint_attention_dim, transformer.inner_dim
    if layout == "redux":
        return {
            "redux_up.weight": torch.randn(3 * width, SEEN), "redux_up.bias": torch.randn(3 * width),
            "redux_down.weight": torch.randn(width, 3 * width), "redux_down.bias": torch.randn(width),
        }  # fmt: skip
    if layout == "xlabs":
        state = {f"ip_adapter_proj_model.{name}": tensor for name, tensor in _plain(width).items()}
        for block in range(config.num_layers):
            for part in "kv":
                name = f"double_blocks.{block}.processor.ip_adapter_double_stream_{part}_proj."
                state |= {name + "weight": torch.randn(inner, width), name + "bias": torch.randn(inner)}
        return state
    wide = {
        "proj.0.weight": torch.randn(2 * SEEN, SEEN), "proj.0.bias": torch.randn(2 * SEEN),
        "proj.2.weight": torch.randn(8 * width, 2 * SEEN), "proj.2.bias": torch.randn(8 * width),
        "norm.weight": torch.ones(width), "norm.bias": torch.zeros(width),
    }  # fmt: skip
    state = {f"image_proj.{name}": tensor for name, tensor in wide.items()}
    for block in range(config.num_layers + config.num_single_layers):
        for part in "kv":
            state[f"ip_adapter.{block}.to_{part}_ip.weight"] = torch.randn(inner, width)
    return state
