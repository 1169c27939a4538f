"""Tiny models of the families that open from single files as users have them: a denoiser alone, encoders and
VAE beside it, or all in one; with our configurations in small numbers to open them by.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from pipelines.models.loading import CONFIGS
from pipelines.models.parts import needed as parts
from pipelines.models.probing import single_file
from pipelines.models.signatures import registry
from pipelines.models.signatures.base import Key
from tests.helpers.model_files import original_clip, original_vae
from tests.helpers.original_transformers import (
    as_wide_as,
    original_flux,
    original_flux2,
    original_krea2,
    original_pixart,
    original_sana,
    original_sd3,
)

WIDTH = 32
"""Of every tiny network."""
_VAE = {
    "block_out_channels": [8, 16], "down_block_types": ["DownEncoderBlock2D"] * 2, "layers_per_block": 1,
    "norm_num_groups": 4, "up_block_types": ["UpDecoderBlock2D"] * 2, "sample_size": 16,
}  # fmt: skip
_CLIP = {
    "hidden_size": WIDTH, "intermediate_size": 48, "num_attention_heads": 4, "num_hidden_layers": 2,
    "projection_dim": WIDTH,
}  # fmt: skip
_T5 = {"d_model": WIDTH, "d_ff": 48, "d_kv": 8, "num_heads": 4, "num_layers": 1, "num_decoder_layers": 1}
_BOTH = {"num_layers": 1, "attention_head_dim": 16, "num_attention_heads": 2, "joint_attention_dim": WIDTH}
_QWEN_VL = {
    "text_config": {
        "vocab_size": 200, "hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]},
    },
    "vision_config": {
        "depth": 1, "hidden_size": WIDTH, "out_hidden_size": WIDTH, "intermediate_size": 48,
        "num_heads": 4, "fullatt_block_indexes": [0],
    },
    "image_token_id": 190, "video_token_id": 191, "vision_start_token_id": 192,
    "vision_end_token_id": 193,
}  # fmt: skip
_QWEN_VAE = {"base_dim": 8, "dim_mult": [1, 1], "temperal_downsample": [True], "num_res_blocks": 1}
_LANGUAGE = {
    "vocab_size": 200, "hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16,
}  # fmt: skip
_FLUX_2 = {
    "transformer": {**_BOTH, "axes_dims_rope": [4, 4, 4, 4], "num_single_layers": 1},
    "text_encoder": _LANGUAGE, "vae": {**_VAE, "latent_channels": 32},
}  # fmt: skip
_PIXART = {
    "transformer": {
        "num_layers": 1, "attention_head_dim": 16, "num_attention_heads": 2, "cross_attention_dim": WIDTH,
        "caption_channels": WIDTH, "sample_size": 16,
    },
    "vae": {**_VAE, "latent_channels": 4}, "text_encoder": _T5,
}  # fmt: skip
_SANA = {
    "transformer": {
        "num_layers": 1, "attention_head_dim": 16, "num_attention_heads": 2, "cross_attention_dim": WIDTH,
        "cross_attention_head_dim": 16, "num_cross_attention_heads": 2, "caption_channels": WIDTH,
        "sample_size": 4,
    },
    "vae": {
        "attention_head_dim": 8, "encoder_block_out_channels": [8, 16], "encoder_layers_per_block": [1, 1],
        "decoder_block_out_channels": [8, 16], "decoder_layers_per_block": [1, 1],
        "encoder_block_types": ["ResBlock", "EfficientViTBlock"], "encoder_qkv_multiscales": [[], [5]],
        "decoder_block_types": ["ResBlock", "EfficientViTBlock"], "decoder_qkv_multiscales": [[], [5]],
    },
    "text_encoder": {**_LANGUAGE, "num_hidden_layers": 1},
}  # fmt: skip
TINY: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "flux": {
        "transformer": {
            **_BOTH, "axes_dims_rope": [4, 4, 8], "num_single_layers": 1, "pooled_projection_dim": WIDTH,
        },
        "vae": _VAE, "text_encoder": _CLIP, "text_encoder_2": _T5,
    },
    "sd3": {
        "transformer": {
            **_BOTH, "caption_projection_dim": WIDTH, "pooled_projection_dim": 3 * WIDTH,
            "pos_embed_max_size": 16, "sample_size": 16,
        },
        "vae": _VAE, "text_encoder": _CLIP, "text_encoder_3": _T5,
        "text_encoder_2": {**_CLIP, "hidden_size": 2 * WIDTH, "projection_dim": 2 * WIDTH},
    },
    "qwen-image": {
        "transformer": {**_BOTH, "axes_dims_rope": [4, 6, 6]},
        "vae": _QWEN_VAE,
        "text_encoder": _QWEN_VL,
    },
    "flux2": {**_FLUX_2, "transformer": {**_FLUX_2["transformer"], "guidance_embeds": True}},
    "flux2-klein-4b": _FLUX_2,
    "pixart-alpha": {**_PIXART, "transformer": {**_PIXART["transformer"], "use_additional_conditions": True}},
    "pixart-sigma": _PIXART, "sana": _SANA,
    "sana-sprint": _SANA,
    "krea2": {
        "transformer": {
            "num_layers": 1, "attention_head_dim": 16, "num_attention_heads": 2, "num_key_value_heads": 1,
            "intermediate_size": 48, "timestep_embed_dim": 8, "text_hidden_dim": WIDTH, "num_text_layers": 2,
            "text_num_attention_heads": 2, "text_num_key_value_heads": 2, "text_intermediate_size": 48,
            "num_layerwise_text_blocks": 1, "num_refiner_text_blocks": 1, "axes_dims_rope": [8, 4, 4],
        },
        "vae": _QWEN_VAE,
        "text_encoder": {
            "text_config": {**_QWEN_VL["text_config"], "head_dim": 16},
            "vision_config": {
                "depth": 1, "hidden_size": WIDTH, "out_hidden_size": WIDTH, "intermediate_size": 48,
                "num_heads": 2, "deepstack_visual_indexes": [0],
            },
        },
    },
    "hidream": {
        "transformer": {
            "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 16, "num_attention_heads": 2,
            "caption_channels": [WIDTH, WIDTH], "text_emb_dim": 3 * WIDTH, "axes_dims_rope": [8, 4, 4],
            "llama_layers": [0, 1], "max_resolution": [16, 16],
        },
        "vae": _VAE, "text_encoder": _CLIP, "text_encoder_3": _T5, "text_encoder_4": _LANGUAGE,
        "text_encoder_2": {**_CLIP, "hidden_size": 2 * WIDTH, "projection_dim": 2 * WIDTH},
    },
    "kandinsky5": {
        "transformer": {
            "model_dim": WIDTH, "ff_dim": 48, "time_dim": 16, "num_text_blocks": 1, "num_visual_blocks": 1,
            "axes_dims": [8, 4, 4], "in_text_dim": WIDTH, "in_text_dim2": WIDTH,
        },
        "vae": _VAE, "text_encoder": _QWEN_VL, "text_encoder_2": _CLIP,
    },
}  # fmt: skip


def tiny_configs(folder: Path) -> Path:
    """Our configurations, those of :data:`TINY` with small numbers."""
    shutil.copytree(CONFIGS, folder)
    for name, changes in TINY.items():
        for part, settings in changes.items():
            file = folder / name / part / "config.json"
            file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
    return folder


def tiny_signatures(patch: pytest.MonkeyPatch) -> None:
    """Have files of this size recognised, and converted, as those of the true size are."""
    from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES as CLASSES

    def of_any_size(signature: Any) -> Any:
        if signature.name not in ("FLUX.1", "Stable Diffusion 3", "Qwen-Image", "PixArt"):
            return signature
        return replace(signature, keys=tuple(Key(key.name) for key in signature.keys))

    patch.setattr(registry, "SIGNATURES", tuple(map(of_any_size, registry.SIGNATURES)))
    clip = ("clip-l", "clip-g", "clip")  # as which one of this width is recognised
    encoders = {cls: clip if cls.startswith("CLIP") else known for cls, known in parts._ENCODERS.items()}
    patch.setattr(parts, "_ENCODERS", encoders)
    language = ("t5", "qwen2.5-vl", "qwen3", "gemma2", "mistral", "llama3", "qwen3-vl")
    widths = {"clip-l": WIDTH, "clip": WIDTH, "clip-g": 2 * WIDTH, **dict.fromkeys(language, WIDTH)}
    patch.setattr(parts, "_WIDTHS", widths)
    patch.setattr(single_file, "_HEADS", dict.fromkeys(TINY, ("num_attention_heads", 16)))
    wide = CLASSES["FluxTransformer2DModel"]
    patch.setitem(wide, "checkpoint_mapping_fn", as_wide_as(wide["checkpoint_mapping_fn"], WIDTH))


def networks(config: Path) -> dict[str, Any]:
    """Random networks of a configuration folder, by their names in a pipeline."""
    import diffusers
    import transformers

    torch.manual_seed(0)
    index = json.loads((config / "model_index.json").read_text())
    found = {}
    for name in sorted(index):
        if not (config / name / "config.json").is_file():
            continue
        library, cls = index[name]
        kind = getattr(diffusers if library == "diffusers" else transformers, cls)
        if library == "diffusers":
            found[name] = kind.from_config(kind.load_config(config / name)).eval()
        else:
            found[name] = kind(kind.config_class.from_pretrained(config / name)).eval()
    return found


_ORIGINAL: Mapping[str, Callable[[Any], dict[str, torch.Tensor]]] = {
    "flux": original_flux, "sd3": original_sd3, "flux2": original_flux2, "pixart": original_pixart,
    "sana": original_sana, "krea2": original_krea2,
}  # fmt: skip
"""The others have the same names in both layouts."""
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "flux": ("clip_l", "t5xxl"), "sd3": ("clip_l", "clip_g", "t5xxl"), "qwen": ("qwen25_7b",),
    "flux2": ("mistral3_24b",), "flux2-klein": ("qwen3_4b",), "pixart": ("t5xxl",), "sana": ("gemma2_2b",),
    "hidream": ("clip_l", "clip_g", "t5xxl", "llama"), "kandinsky5": ("qwen25_7b", "clip_l"),
    "krea2": ("qwen3vl_4b",),
}  # fmt: skip


def _named(rows: Mapping[str, Any], name: str) -> Any:
    """What is said of the longest beginning of a family's name."""
    return rows.get(max((start for start in rows if name.startswith(start)), key=len, default=""))


def original_denoiser(name: str, transformer: Any) -> dict[str, torch.Tensor]:
    """A denoiser's weights under the names of the original code."""
    invert = _named(_ORIGINAL, name)
    return invert(transformer) if invert else dict(transformer.state_dict())


def checkpoint(name: str, made: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """All of a model in one state, as ComfyUI's checkpoints hold it."""
    state = {f"model.diffusion_model.{key}": tensor for key, tensor in
             original_denoiser(name, made["transformer"]).items()}  # fmt: skip
    if type(made["vae"]).__name__ in ("AutoencoderKLQwenImage", "AutoencoderDC"):
        state |= {f"vae.{key}": tensor for key, tensor in made["vae"].state_dict().items()}
    else:
        state |= original_vae(made["vae"])
    if name.startswith("flux2"):  # whose code has these within its halves
        for half, layer in (("encoder", "quant_conv"), ("decoder", "post_quant_conv")):
            for kind in ("weight", "bias"):
                start = "first_stage_model."
                state[f"{start}{half}.{layer}.{kind}"] = state.pop(f"{start}{layer}.{kind}")
    encoders = [made[part] for part in sorted(made) if part.startswith("text_encoder")]
    for alias, encoder in zip(_named(_ALIASES, name), encoders, strict=True):
        start = f"text_encoders.{alias}.transformer."
        if not alias.startswith("clip"):
            bare = type(encoder).__name__ in ("MistralModel", "Qwen3Model", "LlamaModel")
            inner = f"{start}model." if bare else start
            state |= {inner + key: tensor for key, tensor in encoder.state_dict().items()}
        else:
            found = original_clip(encoder, start)
            projection = f"{start}text_model.text_projection.weight"
            if projection in found:
                found[f"{start}text_projection.weight"] = found.pop(projection)
            state |= found
    return state


def save(path: Path, state: Mapping[str, torch.Tensor]) -> Path:
    """A safetensors file of a state, tensors that share their memory each by itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: tensor.detach().contiguous().clone() for key, tensor in state.items()}, path)
    return path
