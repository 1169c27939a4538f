"""Writes ``tests/helpers/family_headers.json``: names and shapes of the tensors of each family, from the
classes of diffusers and transformers themselves, made on the meta device at the sizes that were published.

    python -m tests.tools.make_family_headers
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import diffusers
import torch
import transformers

TARGET: Final = Path(__file__).resolve().parents[1] / "helpers" / "family_headers.json"
_VAE: Final = {
    "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
}  # fmt: skip
_XL: Final = {
    "cross_attention_dim": 2048, "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "transformer_layers_per_block": (1, 2, 10), "attention_head_dim": (5, 10, 20),
    "use_linear_projection": True, "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}  # fmt: skip
_KANDINSKY: Final = {
    "in_visual_dim": 16, "out_visual_dim": 16, "model_dim": 2560, "ff_dim": 10_240, "num_visual_blocks": 50,
    "axes_dims": (32, 48, 48),
}  # fmt: skip
MODELS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "sd1-unet": ("UNet2DConditionModel", {"sample_size": 64, "cross_attention_dim": 768}),
    "sdxl-unet": (
        "UNet2DConditionModel",
        {**_XL, "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D")},
    ),
    "sd3-medium": (
        "SD3Transformer2DModel",
        {
            "num_layers": 24,
            "num_attention_heads": 24,
            "caption_projection_dim": 1536,
            "pos_embed_max_size": 192,
        },
    ),
    "sd3.5-medium": (
        "SD3Transformer2DModel",
        {
            "num_layers": 24,
            "num_attention_heads": 24,
            "caption_projection_dim": 1536,
            "pos_embed_max_size": 384,
            "qk_norm": "rms_norm",
            "dual_attention_layers": tuple(range(13)),
        },
    ),
    "sd3.5-large": (
        "SD3Transformer2DModel",
        {
            "num_layers": 38,
            "num_attention_heads": 38,
            "caption_projection_dim": 2432,
            "pos_embed_max_size": 192,
            "qk_norm": "rms_norm",
        },
    ),
    "pixart-alpha": (
        "PixArtTransformer2DModel",
        {"sample_size": 128, "use_additional_conditions": True, "caption_channels": 4096},
    ),
    "pixart-sigma": (
        "PixArtTransformer2DModel",
        {"sample_size": 128, "use_additional_conditions": False, "caption_channels": 4096},
    ),
    "sana-1.6b": ("SanaTransformer2DModel", {}),
    "sana-0.6b": (
        "SanaTransformer2DModel",
        {
            "num_layers": 28,
            "num_attention_heads": 36,
            "num_cross_attention_heads": 16,
            "cross_attention_head_dim": 72,
            "cross_attention_dim": 1152,
        },
    ),
    "sana-sprint": ("SanaTransformer2DModel", {"guidance_embeds": True, "qk_norm": "rms_norm_across_heads"}),
    "flux-dev": ("FluxTransformer2DModel", {"guidance_embeds": True}),
    "flux-schnell": ("FluxTransformer2DModel", {}),
    "flux-fill": (
        "FluxTransformer2DModel",
        {"guidance_embeds": True, "in_channels": 384, "out_channels": 64},
    ),
    "flux-control": (
        "FluxTransformer2DModel",
        {"guidance_embeds": True, "in_channels": 128, "out_channels": 64},
    ),
    "flux2-dev": ("Flux2Transformer2DModel", {}),
    "flux2-klein-4b": (
        "Flux2Transformer2DModel",
        {
            "num_layers": 5,
            "num_single_layers": 20,
            "num_attention_heads": 24,
            "joint_attention_dim": 7680,
            "guidance_embeds": False,
        },
    ),
    "flux2-klein-9b": (
        "Flux2Transformer2DModel",
        {
            "num_single_layers": 24,
            "num_attention_heads": 32,
            "joint_attention_dim": 12_288,
            "guidance_embeds": False,
        },
    ),
    "qwen-image": ("QwenImageTransformer2DModel", {}),
    "krea2": ("Krea2Transformer2DModel", {}),
    "z-image": ("ZImageTransformer2DModel", {}),
    "chroma": ("ChromaTransformer2DModel", {}),
    "lumina2": ("Lumina2Transformer2DModel", {"cap_feat_dim": 2304}),
    "hidream": (
        "HiDreamImageTransformer2DModel",
        {
            "patch_size": 2,
            "in_channels": 16,
            "num_layers": 16,
            "num_single_layers": 32,
            "attention_head_dim": 128,
            "num_attention_heads": 20,
            "caption_channels": [4096, 4096],
            "text_emb_dim": 2048,
            "num_routed_experts": 4,
            "num_activated_experts": 2,
            "axes_dims_rope": (64, 32, 32),
            "max_resolution": (128, 128),
            "llama_layers": [0] * 48,
        },
    ),
    "kandinsky5": ("Kandinsky5Transformer3DModel", _KANDINSKY),
    "kandinsky5-edit": ("Kandinsky5Transformer3DModel", {**_KANDINSKY, "visual_cond": True}),
    "auraflow": ("AuraFlowTransformer2DModel", {}),
    "wan-t2v-14b": ("WanTransformer3DModel", {}),
    "wan-t2v-1.3b": ("WanTransformer3DModel", {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30}),
    "wan-i2v-14b": (
        "WanTransformer3DModel",
        {"in_channels": 36, "image_dim": 1280, "added_kv_proj_dim": 5120},
    ),
    "wan-ti2v-5b": (
        "WanTransformer3DModel",
        {
            "in_channels": 48,
            "out_channels": 48,
            "num_attention_heads": 24,
            "ffn_dim": 14336,
            "num_layers": 30,
        },
    ),
    "ltx": ("LTXVideoTransformer3DModel", {}),
    "ltx2": ("LTX2VideoTransformer3DModel", {}),
    "vae-4": ("AutoencoderKL", {**_VAE}),
    "vae-16": (
        "AutoencoderKL",
        {**_VAE, "latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False},
    ),
    "vae-flux2": ("AutoencoderKLFlux2", {}),
    "vae-tiny": ("AutoencoderTiny", {}),
    "vae-tiny-16": ("AutoencoderTiny", {"latent_channels": 16}),
    "vae-wan": ("AutoencoderKLWan", {}),
    "vae-qwen": ("AutoencoderKLQwenImage", {}),
    "vae-ltx": ("AutoencoderKLLTXVideo", {}),
    "vae-sana": ("AutoencoderDC", {}),
    "controlnet-sd1": ("ControlNetModel", {"cross_attention_dim": 768}),
    "controlnet-sdxl": ("ControlNetModel", _XL),
    "controlnet-flux": (
        "FluxControlNetModel",
        {"num_layers": 5, "num_single_layers": 10, "guidance_embeds": True, "num_mode": 10},
    ),
    "controlnet-sd3": ("SD3ControlNetModel", {"num_layers": 6}),
    "controlnet-qwen": ("QwenImageControlNetModel", {"num_layers": 5}),
    "controlnet-sana": ("SanaControlNetModel", {}),
    "t2i-adapter-sd1": ("T2IAdapter", {"adapter_type": "full_adapter"}),
    "t2i-adapter-light": ("T2IAdapter", {"adapter_type": "light_adapter"}),
    "t2i-adapter-sdxl": ("T2IAdapter", {"adapter_type": "full_adapter_xl", "downscale_factor": 16}),
}


def main() -> None:
    """Make every model without its weights, and write down what it would hold."""
    found: dict[str, Any] = {}
    with torch.device("meta"):
        for name, (kind, settings) in MODELS.items():
            state = getattr(diffusers, kind)(**settings).state_dict()
            if "down_blocks.0.resnets.0.conv1.weight" in state and "transformer_blocks" in str(state.keys()):
                state = {key: tensor for key, tensor in state.items() if _tells(key)}
            found[name] = compact(state)
        for name, network in _encoders().items():
            found[name] = compact(network.state_dict())
    TARGET.write_text(
        json.dumps(found, separators=(",", ":")).replace("]],", "]],\n") + "\n", encoding="utf-8"
    )


def _tells(name: str) -> bool:
    """Leaves out most of a U-Net, which is hundreds of names that share no pattern."""
    return name.endswith(".weight") and (".transformer_blocks." not in name or ".attn2.to_k." in name)


def _encoders() -> dict[str, torch.nn.Module]:
    clip, t5 = transformers.CLIPTextConfig, transformers.T5Config
    large = clip(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    huge = clip(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20)
    xxl = t5(d_model=4096, d_ff=10240, num_heads=64, num_layers=24, d_kv=64, feed_forward_proj="gated-gelu")
    vision = transformers.CLIPVisionConfig(
        hidden_size=1280, num_hidden_layers=32, num_attention_heads=16, patch_size=14
    )
    qwen = transformers.Qwen3Config(hidden_size=2560, num_hidden_layers=36, vocab_size=151_936)
    return {
        "clip-l": transformers.CLIPTextModel(large), "clip-g": transformers.CLIPTextModelWithProjection(huge),
        "t5-xxl": transformers.T5EncoderModel(xxl), "qwen3-4b": transformers.Qwen3ForCausalLM(qwen),
        "clip-vision-h": transformers.CLIPVisionModelWithProjection(vision),
    }  # fmt: skip


def compact(state: dict[str, torch.Tensor]) -> list[list[Any]]:
    """Names and shapes, those that differ by one number in one row: ``blocks.{0-18}.to_q.weight``."""
    groups: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    order: dict[tuple[str, tuple[int, ...]], None] = {}
    for name, tensor in state.items():
        match = re.search(r"(?<=\.)\d+(?=\.)", name)
        pattern = name[: match.start()] + "{}" + name[match.end() :] if match else name
        key = (pattern, tuple(tensor.shape))
        order[key] = None
        if match:
            groups.setdefault(key, []).append(int(match[0]))
    rows = []
    for pattern, shape in order:
        numbers = groups.get((pattern, shape), [])
        rows.append([pattern, list(shape), _ranges(numbers)] if numbers else [pattern, list(shape)])
    return rows


def _ranges(numbers: list[int]) -> list[list[int]]:
    """Sorted numbers as first and last of each run."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs


if __name__ == "__main__":
    main()
