"""Architectures of the families for the table of cards: classes and settings, and how far they were checked.

Where a family's settings don't ship with Diptych they are those of diffusers' class, or what its makers have
published, written down by hand; none of them was compared with the files of a model. ``stated`` is the size
that the makers state for the denoiser, in billions: a row whose count is off by more than
:data:`CLOSE` says so, and so does one without.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pipelines.models.forecast.components import Component, component_of
from pipelines.models.libraries import import_diffusers, import_transformers
from pipelines.paths import RESOURCES

CLOSE: Final = 0.05
"""Share by which a count may differ from what was stated."""

OURS, CLASS, PUBLISHED = "shipped", "class defaults", "published settings"
_VAE: Final = {
    "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
}  # fmt: skip
_VAE_16: Final = {**_VAE, "latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``family`` is its id in the forecast's figures; ``frames`` of a video count as
    latent ones, all of which its transformer sees at once.

    ``factor``: px of a side that a latent one stands for, where the VAE's names don't tell. ``config``: a
    folder of ``resources/configs`` instead of classes; ``source``: where the settings are from. ``looks``:
    how many pictures it looks at, of the size it draws; ``read``: tokens its text encoder makes of each.
    """

    title: str
    family: str
    denoiser: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    text: tuple[str, ...] = ()
    vae: str = "kl16"
    side: tuple[int, int] = (1024, 1024)
    steps: int = 28
    doubled: bool = True
    frames: int = 1
    factor: int = 0
    stated: float | None = None
    source: str = CLASS
    config: str = ""
    looks: int = 0
    read: int = 0


_SD3: Final = {"num_layers": 24, "num_attention_heads": 24, "caption_projection_dim": 1536}
_CLIPS: Final = ("clip-l", "clip-g", "t5-xxl")
_HIDREAM: Final = {
    "patch_size": 2, "caption_channels": [4096, 4096], "text_emb_dim": 2048, "axes_dims_rope": (64, 32, 32),
    "llama_layers": [0] * 48,
}  # fmt: skip
_KLEIN: Final = {
    "num_layers": 5, "num_single_layers": 20, "num_attention_heads": 24, "joint_attention_dim": 7680,
    "guidance_embeds": False,
}  # fmt: skip
_FLUX: Final[dict[str, Any]] = {
    "denoiser": "FluxTransformer2DModel", "text": ("clip-l", "t5-xxl"), "doubled": False, "stated": 12.0,
}  # fmt: skip
_WAN: Final[dict[str, Any]] = {
    "denoiser": "WanTransformer3DModel", "text": ("umt5-xxl",), "vae": "AutoencoderKLWan", "steps": 50,
    "side": (832, 480), "frames": 21,
}  # fmt: skip

ROWS: Final = (
    Row("Stable Diffusion 1.5", "sd1", config="sd1", side=(512, 512), steps=25, source=OURS, stated=0.86),
    Row("Stable Diffusion 2.1", "sd2", config="sd2", side=(768, 768), steps=25, source=OURS, stated=0.87),
    Row("Stable Diffusion XL", "sdxl", config="sdxl", steps=30, source=OURS, stated=2.6),
    Row("Stable Diffusion 3 Medium", "sd3", "SD3Transformer2DModel", {**_SD3, "pos_embed_max_size": 192},
        _CLIPS, stated=2.0, source=PUBLISHED),
    Row("Stable Diffusion 3.5 Medium", "sd3", "SD3Transformer2DModel",
        {**_SD3, "pos_embed_max_size": 384, "qk_norm": "rms_norm",
         "dual_attention_layers": tuple(range(13))}, _CLIPS, stated=2.5, source=PUBLISHED),
    Row("Stable Diffusion 3.5 Large", "sd3", "SD3Transformer2DModel",
        {"num_layers": 38, "num_attention_heads": 38, "caption_projection_dim": 2432,
         "pos_embed_max_size": 192, "qk_norm": "rms_norm"}, _CLIPS, stated=8.1, source=PUBLISHED),
    Row("PixArt-Σ", "pixart", "PixArtTransformer2DModel",
        {"sample_size": 128, "use_additional_conditions": False, "caption_channels": 4096}, ("t5-xxl",),
        "kl4", steps=20, stated=0.6, source=PUBLISHED),
    Row("Sana 1.6B", "sana", "SanaTransformer2DModel", {}, ("gemma2-2b",), "AutoencoderDC", steps=20,
        stated=1.6),
    Row("FLUX.1 dev", "flux", settings={"guidance_embeds": True}, **_FLUX),
    Row("FLUX.1 schnell", "flux", steps=4, **_FLUX),
    Row("FLUX.1 Fill", "flux-fill", settings={"guidance_embeds": True, "in_channels": 384,
        "out_channels": 64}, source=PUBLISHED, **_FLUX),
    Row("FLUX.1 Kontext", "flux", settings={"guidance_embeds": True}, looks=1, **_FLUX),
    Row("FLUX.1 Control", "flux-control", settings={"guidance_embeds": True, "in_channels": 128,
        "out_channels": 64}, source=PUBLISHED, **_FLUX),
    Row("FLUX.2 dev", "flux2", "Flux2Transformer2DModel", {}, ("mistral-24b",), "AutoencoderKLFlux2",
        steps=50, doubled=False, stated=32.0),
    Row("FLUX.2 klein 4B", "flux2", "Flux2Transformer2DModel", _KLEIN, ("qwen3-4b",), "AutoencoderKLFlux2",
        steps=4, doubled=False, stated=4.0, source=PUBLISHED),
    Row("Chroma1", "chroma", "ChromaTransformer2DModel", {}, ("t5-xxl",), steps=40, stated=8.9),
    Row("Qwen-Image", "qwen-image", "QwenImageTransformer2DModel", {}, ("qwen2.5-vl-7b",),
        "AutoencoderKLQwenImage", side=(1328, 1328), steps=50, stated=20.0),
    Row("Qwen-Image-Edit", "qwen-image-edit", "QwenImageTransformer2DModel", {}, ("qwen2.5-vl-7b",),
        "AutoencoderKLQwenImage", steps=50, stated=20.0, looks=1, read=1024**2 // 28**2),
    Row("Z-Image", "z-image", "ZImageTransformer2DModel", {}, ("qwen3-4b",), steps=9, doubled=False,
        stated=6.0),
    Row("Lumina Image 2", "lumina2", "Lumina2Transformer2DModel", {"cap_feat_dim": 2304}, ("gemma2-2b",),
        steps=30, stated=2.6, source=PUBLISHED),
    Row("HiDream I1", "hidream", "HiDreamImageTransformer2DModel", _HIDREAM,
        (*_CLIPS, "llama-3.1-8b"), steps=50, stated=17.0, source=PUBLISHED),
    Row("Kandinsky 5", "kandinsky5", "Kandinsky5Transformer3DModel", {}, ("clip-l", "qwen2.5-vl-7b"),
        steps=50),
    Row("AuraFlow", "auraflow", "AuraFlowTransformer2DModel", {}, ("pile-t5-xl",), "kl4", steps=50,
        stated=6.8),
    Row("Wan 2.1 1.3B, 81 frames", "wan", settings={"num_attention_heads": 12, "ffn_dim": 8960,
        "num_layers": 30}, stated=1.3, source=PUBLISHED, **_WAN),
    Row("Wan 2.1 14B, 81 frames", "wan", stated=14.0, **_WAN),
    Row("LTX-Video 2B, 161 frames", "ltx", "LTXVideoTransformer3DModel", {}, ("t5-xxl",),
        "AutoencoderKLLTXVideo", (704, 480), 50, frames=21, factor=32, stated=2.0),
)  # fmt: skip

_TEXT: Final[Mapping[str, tuple[str, str, Mapping[str, Any]]]] = {
    "clip-l": ("CLIPTextModel", "CLIPTextConfig", {
        "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}),
    "clip-g": ("CLIPTextModelWithProjection", "CLIPTextConfig", {
        "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20,
        "projection_dim": 1280}),
    "t5-xxl": ("T5EncoderModel", "T5Config", {
        "d_model": 4096, "d_ff": 10240, "num_heads": 64, "num_layers": 24, "d_kv": 64,
        "feed_forward_proj": "gated-gelu"}),
    "umt5-xxl": ("UMT5EncoderModel", "UMT5Config", {
        "vocab_size": 256_384, "d_model": 4096, "d_ff": 10240, "num_heads": 64, "num_layers": 24, "d_kv": 64,
        "feed_forward_proj": "gated-gelu"}),
    "pile-t5-xl": ("UMT5EncoderModel", "UMT5Config", {
        "vocab_size": 32_128, "d_model": 2048, "d_ff": 5120, "num_heads": 32, "num_layers": 24, "d_kv": 64,
        "feed_forward_proj": "gated-gelu"}),
    "gemma2-2b": ("Gemma2Model", "Gemma2Config", {}),
    "qwen3-4b": ("Qwen3Model", "Qwen3Config", {
        "vocab_size": 151_936, "hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128}),
    "qwen2.5-vl-7b": ("Qwen2ForCausalLM", "Qwen2Config", {
        "vocab_size": 152_064, "hidden_size": 3584, "intermediate_size": 18_944, "num_hidden_layers": 28,
        "num_attention_heads": 28, "num_key_value_heads": 4}),
    "llama-3.1-8b": ("LlamaForCausalLM", "LlamaConfig", {
        "vocab_size": 128_256, "hidden_size": 4096, "intermediate_size": 14_336, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8}),
    "mistral-24b": ("MistralForCausalLM", "MistralConfig", {
        "vocab_size": 131_072, "hidden_size": 5120, "intermediate_size": 32_768, "num_hidden_layers": 40,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128}),
}  # fmt: skip
"""Text encoders by name: class, class of its settings, settings as published. What some of them see pictures
with isn't counted."""


def components(row: Row) -> tuple[Component, ...]:
    """The networks of a row, made without weights."""
    import torch

    with torch.device("meta"):
        if row.config:
            return tuple(_ours(row.config))
        parts = [_of("transformer", _network(row.denoiser, row.settings), row.denoiser)]
        parts += [_text(f"text_encoder_{number}", name) for number, name in enumerate(row.text, 1)]
        vae = {"kl4": ("AutoencoderKL", _VAE), "kl16": ("AutoencoderKL", _VAE_16)}
        kind, settings = vae.get(row.vae, (row.vae, {}))
        made = _of("vae", _network(kind, settings), kind)
        if row.frames > 1:
            made = replace(made, width=0)  # frames are decoded bit by bit; nothing was fitted for that
        if row.factor:
            made = replace(made, factor=row.factor)
        parts.append(made)
    return tuple(parts)


def _network(kind: str, settings: Mapping[str, Any]) -> Any:
    return getattr(import_diffusers(), kind)(**settings)


def _of(name: str, network: Any, kind: str) -> Component:
    shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    config = dict(network.config) if isinstance(network.config, dict) else network.config.to_dict()
    return component_of(name, shapes, {**config, "_class_name": kind})


def _text(name: str, which: str) -> Component:
    transformers = import_transformers()
    kind, config, settings = _TEXT[which]
    make: Callable[[Any], Any] = getattr(transformers, kind)
    return _of(name, make(getattr(transformers, config)(**settings)), kind)


def _ours(family: str) -> list[Component]:
    """From the configurations that ship with Diptych."""
    diffusers, transformers = import_diffusers(), import_transformers()
    folder, found = RESOURCES / "configs" / family, []
    for part in sorted(item.name for item in folder.iterdir() if (item / "config.json").is_file()):
        config = json.loads((folder / part / "config.json").read_text(encoding="utf-8"))
        if part.startswith("text_encoder"):
            kind = str(config["architectures"][0])
            network = getattr(transformers, kind)(transformers.CLIPTextConfig(**config))
        else:
            kind = "UNet2DConditionModel" if part == "unet" else "AutoencoderKL"
            network = getattr(diffusers, kind).from_config(config)
        found.append(_of(part, network, kind))
    return found
