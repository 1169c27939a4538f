"""Text encoders and encoders of pictures, alone in a file: CLIP, T5, and language models without settings."""

from __future__ import annotations

from typing import Final

from pipelines.models.networks.picture_encoders import SIGLIP
from pipelines.models.signatures.base import ANY, Found, Key, Signature, View, keys

_PREFIXES: Final = (
    "", "text_encoder.", "model.", "language_model.", "model.language_model.", "transformer.",
    "language_model.model.",
)  # fmt: skip
_CLIP: Final = tuple(f"{outer}{inner}" for outer in _PREFIXES[:3] for inner in ("", "text_model."))
_VISION: Final = ("", "vision_model.", "model.vision_model.", "visual.vision_model.")
_KNOWN: Final = frozenset(
    {
        ("qwen3", 2560), ("qwen3", 4096), ("qwen3-vl", 2560), ("gemma2", 2304), ("qwen2.5-vl", 3584),
        ("mistral", 5120), ("llama3", 4096),
    }
)  # fmt: skip
"""Language models whose settings come with the program: those that read prompts for a model that draws."""
_SEEING: Final = frozenset({"visual.patch_embed.proj.weight", "model.visual.patch_embed.proj.weight"})
"""What a model that looks at pictures as well has, by the names of its makers and of transformers."""
_WHOLE: Final = "It is a part of a language model, without its settings; open the whole folder it belongs to."


def _clip(view: View) -> Found:
    width = view.side("embeddings.position_embedding.weight", 1)
    length = view.side("embeddings.position_embedding.weight", 0)
    family = {768: "clip-l", 1024: "clip-h", 1280: "clip-g"}.get(width, "clip")
    variant = "long" if length > 77 else ""
    facts = {"width": width, "layers": view.count("encoder.layers."), "length": length}
    return Found("text_encoder", family, variant, "", "transformers", facts)


def _open_clip(view: View) -> Found:
    width = view.side("token_embedding.weight", 1)
    family = {768: "clip-l", 1024: "clip-h", 1280: "clip-g"}.get(width, "clip")
    return Found("text_encoder", family, "", "", "open-clip", {"width": width})


def _t5(view: View) -> Found:
    """T5's vocabulary has 32,128 words, that of its multilingual sister 256,384; Pile-T5 has the sister's
    architecture, in which each block has positions of its own, and T5's number of words.
    """
    words, width = view.side("shared.weight", 0), view.side("shared.weight", 1)
    size = {768: "base", 1024: "large", 2048: "xl", 4096: "xxl"}.get(width, "")
    own_bias = view.has("encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight")
    family = "umt5" if words > 200_000 else "pile-t5" if own_bias else "t5"
    facts = {"width": width, "layers": view.count("encoder.block.")}
    return Found("text_encoder", family, size, "", "transformers", facts)


def _causal(view: View) -> Found:
    """A language model: what it is by the norms and biases of its first layer."""
    width, words = view.side("embed_tokens.weight", 1), view.side("embed_tokens.weight", 0)
    if view.has("layers.0.pre_feedforward_layernorm.weight"):
        family = "gemma3" if view.has("layers.0.self_attn.q_norm.weight") else "gemma2"
    elif view.has("layers.0.self_attn.q_norm.weight"):
        family = "qwen3-vl" if _SEEING & view.header.tensors.keys() else "qwen3"
    elif view.has("layers.0.self_attn.q_proj.bias"):
        family = "qwen2.5-vl" if "visual.blocks.0.attn.qkv.weight" in view.header.tensors else "qwen2.5"
    else:
        family = {131_072: "mistral", 128_256: "llama3"}.get(words, "llama")
    facts = {"width": width, "layers": view.count("layers."), "vocabulary": words}
    problem = "" if (family, width) in _KNOWN else _WHOLE
    return Found("text_encoder", family, "", "", "transformers", facts, problem)


def _gpt(view: View) -> Found:
    return Found("text_encoder", "gpt2", layout="transformers", problem=_WHOLE)


def _vision(view: View) -> Found:
    name = "embeddings.patch_embedding.weight"
    width = view.side(name, 0)
    siglip = view.has("head.probe") or view.has("embeddings.patch_embedding.bias")
    size = {1024: "l", 1280: "h", 1664: "g"}.get(width, "")
    family = "siglip" if siglip else f"clip-vision-{size}".rstrip("-")
    outside = view.header.tensors.get("visual_projection.weight")
    facts = {
        SIGLIP if siglip else "width": width, "layers": view.count("encoder.layers."),
        "projection": outside.shape[0] if outside is not None and outside.shape else 0,
    }  # fmt: skip
    return Found("vision", family, layout="transformers", facts=facts)


SIGNATURES: Final = (
    Signature(
        "a CLIP text encoder",
        (
            Key("embeddings.position_embedding.weight", (ANY, ANY)),
            Key("encoder.layers.0.self_attn.q_proj.weight"),
        ),
        _clip,
        absent=("embeddings.patch_embedding.weight",),
        prefixes=_CLIP,
    ),
    Signature(
        "an OpenCLIP text encoder",
        keys("token_embedding.weight", "positional_embedding", "transformer.resblocks.0.attn.in_proj_weight"),
        _open_clip,
        prefixes=_PREFIXES,
    ),
    Signature(
        "a T5 text encoder",
        (Key("shared.weight", (ANY, ANY)), Key("encoder.block.0.layer.0.SelfAttention.q.weight")),
        _t5,
        prefixes=_PREFIXES,
    ),
    Signature(
        "an encoder of pictures",
        keys("embeddings.patch_embedding.weight"),
        _vision,
        prefixes=_VISION,
    ),
    Signature("a language model", (Key("embed_tokens.weight", (ANY, ANY)),), _causal, prefixes=_PREFIXES),
    Signature(
        "a language model of the first kind", (Key("wte.weight", (ANY, ANY)),), _gpt, prefixes=_PREFIXES
    ),
)
