"""LoRA files for tiny pipelines, in the layouts in use, with what each adds to every weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

NETWORKS = {"unet": "lora_unet_", "text_encoder": "lora_te_", "text_encoder_2": "lora_te2_"}
RANK, ALPHA = 2, 4.0


@dataclass(frozen=True)
class LoraMatrices:
    """``matrices``: (network, module) -> down, up; ``added``: (network, weight) -> what they add at 1."""

    matrices: Mapping[tuple[str, str], tuple[torch.Tensor, torch.Tensor]]
    added: Mapping[tuple[str, str], torch.Tensor]


def attention_lora(pipeline: Any, seed: int = 0, *networks: str) -> LoraMatrices:
    """Random matrices for every linear layer of the attention in these networks (all by default)."""
    generator = torch.Generator().manual_seed(seed)
    matrices, added = {}, {}
    for network in networks or NETWORKS:
        module = getattr(pipeline, network, None)
        for name, layer in module.named_modules() if module is not None else ():
            if isinstance(layer, torch.nn.Linear) and "attn" in name:
                down = torch.randn(RANK, layer.in_features, generator=generator) * 0.2
                up = torch.randn(layer.out_features, RANK, generator=generator) * 0.2
                matrices[network, name] = down, up
                added[network, f"{name}.weight"] = up @ down * (ALPHA / RANK)
    return LoraMatrices(matrices, added)


def kohya(lora: LoraMatrices) -> dict[str, torch.Tensor]:
    """As the sd-scripts write it: underscores, and an alpha for each module."""
    state = {}
    xl = any(network == "text_encoder_2" for network, _ in lora.matrices)
    for (network, name), (down, up) in lora.matrices.items():
        start = "lora_te1_" if xl and network == "text_encoder" else NETWORKS[network]
        text = "" if network == "unet" or name.startswith("text_model") else "text_model."
        module = start + (text + name).replace(".", "_")
        state[f"{module}.lora_down.weight"], state[f"{module}.lora_up.weight"] = down, up
        state[f"{module}.alpha"] = torch.tensor(ALPHA)
    return state


def diffusers(lora: LoraMatrices) -> dict[str, torch.Tensor]:
    """As diffusers writes it without settings: alpha is the rank, so the rest is in the matrices."""
    return _pairs(lora, lambda network, name: f"{network}.{name}", ALPHA / RANK)


def with_settings(lora: LoraMatrices) -> dict[str, torch.Tensor]:
    """As diffusers writes it with settings in the metadata (:data:`SETTINGS`)."""
    return _pairs(lora, lambda network, name: f"{network}.{name}", 1.0)


def old_diffusers(lora: LoraMatrices) -> dict[str, torch.Tensor]:
    """As diffusers wrote attention processors once; of a U-Net only."""
    state = {}
    for (network, name), (down, up) in lora.matrices.items():
        block, _, leaf = name.removesuffix(".0").rpartition(".")
        module = f"{network}.{block}.processor.{leaf}_lora"
        state[f"{module}.down.weight"], state[f"{module}.up.weight"] = down, up * (ALPHA / RANK)
    return state


def peft(lora: LoraMatrices) -> dict[str, torch.Tensor]:
    """As PEFT writes one network: no word of which."""
    return _pairs(lora, lambda _, name: f"base_model.model.{name}", ALPHA / RANK)


def _pairs(lora: LoraMatrices, module: Any, scale: float) -> dict[str, torch.Tensor]:
    state = {}
    for (network, name), (down, up) in lora.matrices.items():
        state[f"{module(network, name)}.lora_A.weight"] = down
        state[f"{module(network, name)}.lora_B.weight"] = up * scale
    return state


SETTINGS = {
    "lora_adapter_metadata": (
        '{"unet.r": 2, "unet.lora_alpha": 4, "text_encoder.lora_alpha": 4, "text_encoder_2.lora_alpha": 4}'
    )
}


def written(path: Path, state: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> Path:
    """The state in a safetensors file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    copies = {name: tensor.clone() for name, tensor in state.items()}
    save_file(copies, path, metadata=dict(metadata) if metadata else None)
    return path
