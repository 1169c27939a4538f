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


LINEAR = ("unet", "mid_block.attentions.0.transformer_blocks.0.attn1.to_q")
CONVOLUTION = ("unet", "mid_block.resnets.0.conv1")
NORM = ("unet", "mid_block.resnets.0.norm1")
ENCODER = ("text_encoder", "encoder.layers.0.self_attn.q_proj")
METHODS = (
    "loha", "loha_tucker", "lokr", "lokr_low", "lokr_tucker", "ia3", "ia3_input", "oft", "boft", "dylora",
    "full", "norm", "dora", "dora_input", "tucker", "peft_oft", "peft_ia3", "peft_boft", "glora",
    "glora_before",
)  # fmt: skip
"""Relatives of LoRA, by their tensors."""


def relative(method: str, weight: torch.Tensor, seed: int = 0) -> dict[str, torch.Tensor]:
    """Tensors of one module, by the ends of their names, for a weight of this shape."""
    out, into, *kernel = (*weight.shape, 1)[: max(weight.ndim, 2)]
    random = torch.Generator().manual_seed(seed)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random) * 0.3

    pair = {
        "lora_down.weight": some(RANK, into, *kernel),
        "lora_up.weight": some(out, RANK, *(1 for _ in kernel)),
    }
    hada = {
        f"hada_w{n}_{side}": (out, RANK) if side == "a" else (RANK, weight[0].numel())
        for n in (1, 2)
        for side in "ab"
    }
    match method:
        case "loha":
            return {**{name: some(*shape) for name, shape in hada.items()}, "alpha": torch.tensor(ALPHA)}
        case "loha_tucker":
            sides = {
                f"hada_w{n}_{side}": some(RANK, out if side == "a" else into) for n in (1, 2) for side in "ab"
            }
            return sides | {f"hada_t{n}": some(RANK, RANK, *kernel) for n in (1, 2)}
        case "lokr":
            return {
                "lokr_w1": some(4, 4),
                "lokr_w2": some(out // 4, into // 4, *kernel),
                "alpha": torch.tensor(99.0),
            }
        case "lokr_low":
            low = {"lokr_w1_a": some(4, 1), "lokr_w1_b": some(1, 4), "lokr_w2_a": some(out // 4, 1)}
            return low | {"lokr_w2_b": some(1, weight[0].numel() // 4), "alpha": torch.tensor(0.5)}
        case "lokr_tucker":
            core = {"lokr_t2": some(RANK, RANK, *kernel), "lokr_w2_a": some(RANK, out // 4)}
            return core | {"lokr_w1": some(4, 4), "lokr_w2_b": some(RANK, into // 4)}
        case "ia3" | "ia3_input":
            on_input = method == "ia3_input"
            return {"weight": some(into if on_input else out), "on_input": torch.tensor(int(on_input))}
        case "oft":
            return {"oft_blocks": some(out // 4, 4, 4), "alpha": torch.tensor(0.01)}
        case "boft":
            return {"oft_blocks": some(2, out // 4, 4, 4), "rescale": 1 + some(out, 1)}
        case "dylora":
            slices = {f"down_list.{n}": pair["lora_down.weight"].flatten(1)[n : n + 1] for n in range(RANK)}
            return slices | {
                f"up_list.{n}": pair["lora_up.weight"].flatten(1)[:, n : n + 1] for n in range(RANK)
            }
        case "full":
            return {"diff": some(*weight.shape), "diff_b": some(out)}
        case "norm":
            return {"w_norm": some(out), "b_norm": some(out)}
        case "dora":
            return pair | {"dora_scale": 1 + some(out, 1).abs(), "alpha": torch.tensor(ALPHA)}
        case "dora_input":
            return pair | {"dora_scale": 1 + some(1, into, *(1 for _ in kernel)).abs()}
        case "tucker":
            ends = {
                "lora_down.weight": some(RANK, into, *(1 for _ in kernel)),
                "lora_mid.weight": some(RANK, RANK, *kernel),
            }
            return ends | {"lora_up.weight": pair["lora_up.weight"]}
        case "peft_oft":
            return {"oft_R.weight": some(into // 4, 6)}
        case "peft_boft":
            return {"boft_R": some(2, weight[0].numel() // 4, 4, 4), "boft_s": 1 + some(out, 1)}
        case "glora" | "glora_before":
            a1, b2, alpha = some(into, RANK), some(RANK, into, *kernel), {"alpha": torch.tensor(ALPHA)}
            a2, b1 = some(RANK, into), some(out, RANK)
            if method == "glora_before":
                a1, a2, b1, b2 = a2, a1, b2, b1
            return alpha | {"a1.weight": a1, "a2.weight": a2, "b1.weight": b1, "b2.weight": b2}
        case "peft_ia3":
            return {"ia3_l": 1 + some(out, 1)}
    raise ValueError(method)
