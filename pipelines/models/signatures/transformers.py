"""Diffusion transformers that draw pictures: Stable Diffusion 3, PixArt, Sana, AuraFlow, Lumina 2, Z-Image,
HiDream, Qwen-Image, Kandinsky 5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pipelines.models.signatures.base import (
    ANY,
    DENOISER,
    Found,
    Key,
    Signature,
    View,
    encoders,
    keys,
    parts,
    stated,
)  # fmt: skip


def _found(view: View, family: str, variant: str, layout: str, **facts: Any) -> Found:
    held = {"parts": parts(view)} | ({"encoders": found} if (found := encoders(view)) else {})
    return Found("diffusion", family, variant, "", layout, {**facts, **held})


def _sd3(view: View) -> Found:
    """Medium has 24 blocks and positions for 192² patches, 3.5 medium for 384², 3.5 large 38 blocks."""
    original = view.has("x_embedder.proj.weight")
    blocks = view.count("joint_blocks." if original else "transformer_blocks.")
    entry = "x_embedder.proj.weight" if original else "pos_embed.proj.weight"
    positions = view.side("pos_embed" if original else "pos_embed.pos_embed", 1)
    variant = "3.5-large" if blocks == 38 else "3.5-medium" if positions > 192**2 else "medium"
    names = (("joint_blocks.", ".x_block.attn2.", "joint_blocks.0.x_block.attn.ln_q.weight") if original else
             ("transformer_blocks.", ".attn2.", "transformer_blocks.0.attn.norm_q.weight"))  # fmt: skip
    start, second, norm = names
    dual = tuple(block for block in range(blocks) if view.holds(f"\n{start}{block}{second}"))
    return _found(
        view, "sd3", variant, "original" if original else "diffusers", blocks=blocks,
        in_channels=view.side(entry, 1), width=view.side(entry, 0), latent_channels=16,
        positions=math.isqrt(positions), dual_layers=dual, qk_norm="rms_norm" if view.has(norm) else "",
    )  # fmt: skip


def _pixart(view: View) -> Found:
    """Alpha at 1024 px is told the size and the shape of the picture, Sigma isn't. Of files in the original
    layout, the number of words that stand for no prompt tells them apart as well: 120, and 300.
    """
    original = view.has("x_embedder.proj.weight")
    entry = "x_embedder.proj.weight" if original else "pos_embed.proj.weight"
    text = "y_embedder.y_proj.fc1.weight" if original else "caption_projection.linear_1.weight"
    sized = view.has("csize_embedder.mlp.0.weight") or view.has(
        "adaln_single.emb.resolution_embedder.linear_1.weight"
    )
    alpha = sized or view.side("y_embedder.y_embedding", 0) == _ALPHA_WORDS
    found = _found(
        view, "pixart", "alpha" if alpha else "sigma", "original" if original else "diffusers",
        in_channels=view.side(entry, 1), width=view.side(entry, 0), latent_channels=4, sized=sized,
        blocks=view.count("blocks." if original else "transformer_blocks."), context_dim=view.side(text, 1),
    )  # fmt: skip
    return _sampled(view, found, patch=2, factor=8)


_ALPHA_WORDS: Final = 120


def _sampled(view: View, found: Found, patch: int, factor: int) -> Found:
    """With the size it was trained at, as its places tell it, one for each token of a square picture.

    Args:
        patch: latent pixels of a token's side.
        factor: px of the picture for each of those.
    """
    side = patch * math.isqrt(view.side("pos_embed", 1))
    if not side:
        return found
    size = (side * factor, side * factor)
    return replace(found, facts={**found.facts, "sample_size": side}, native_size=size)


def _sana(view: View) -> Found:
    original = view.has("x_embedder.proj.weight")
    entry = "x_embedder.proj.weight" if original else "patch_embed.proj.weight"
    text = "y_embedder.y_proj.fc1.weight" if original else "caption_projection.linear_1.weight"
    norm = "blocks.0.attn.q_norm.weight" if original else "transformer_blocks.0.attn1.norm_q.weight"
    width, blocks = view.side(entry, 0), view.count("blocks." if original else "transformer_blocks.")
    guided = view.has("time_embed.guidance_embedder.linear_1.weight") or view.has("cfg_embedder.mlp.0.weight")
    variant = "sprint" if guided else {1152: "0.6b", 2240: "4.8b" if blocks > 40 else "1.6b"}.get(width, "")
    heads, head_width = _SANA_CROSS.get(width, (0, 0))
    found = _found(
        view, "sana", variant, "original" if original else "diffusers", width=width, latent_channels=32,
        in_channels=view.side(entry, 1), blocks=blocks, context_dim=view.side(text, 1), cross_heads=heads,
        cross_head_width=head_width, qk_norm="rms_norm_across_heads" if view.has(norm) else "",
    )  # fmt: skip
    found = _sampled(view, found, patch=1, factor=32)
    placed = _SANA_PLACED.get(found.facts.get("sample_size", 0), 0.0)
    return replace(found, facts={**found.facts, "interpolation": placed})


_SANA_CROSS: Final[Mapping[int, tuple[int, int]]] = {1152: (16, 72), 2240: (20, 112)}
"""Width -> heads of the attention to words, and how wide each is: no tensor's shape tells that."""
_SANA_PLACED: Final[Mapping[int, float]] = {64: 1.0, 128: 2.0}
"""Size it was trained at -> the scale of its places: only the ones for 2048 and 4096 px have any."""


def _auraflow(view: View) -> Found:
    original = view.has("cond_seq_linear.weight")
    return _found(
        view, "auraflow", "", "original" if original else "diffusers", latent_channels=4,
        blocks=view.count("double_layers." if original else "joint_transformer_blocks."),
        single_blocks=view.count("single_layers." if original else "single_transformer_blocks."),
        positions=view.side("positional_encoding" if original else "pos_embed.pos_embed", 1),
    )  # fmt: skip


def _next_dit(view: View) -> Found:
    """Lumina 2 and Z-Image grew from one architecture; the width and the text encoder's tell them apart."""
    caption = "time_caption_embed.caption_embedder" if view.has(_LUMINA_CAPTION) else "cap_embedder"
    width, context = view.side(f"{caption}.1.weight", 0), view.side(f"{caption}.1.weight", 1)
    family = "z-image" if view.has("layers.0.adaLN_modulation.0.weight") else "lumina2"
    diffusers = view.has("layers.0.attention.to_q.weight") or view.has("layers.0.attn.to_q.weight")
    variant = "omni" if view.holds("\nsiglip_") else ""
    found = _found(
        view, family, variant, "diffusers" if diffusers else "original", width=width, context_dim=context,
        latent_channels=16, blocks=view.count("layers."),
    )  # fmt: skip
    return replace(found, problem=_LOOKS) if variant else found


_LOOKS: Final = "It looks at pictures with an encoder of its own, which can't be done here."
_LUMINA_CAPTION: Final = "time_caption_embed.caption_embedder.1.weight"


def _hidream(view: View) -> Found:
    edits = stated(view, "e1", "edit")
    layout = "original" if view.prefix else "diffusers"  # both use the same names
    found = _found(
        view, "hidream", "e1" if edits else "i1", layout, width=view.side("x_embedder.proj.weight", 0),
        latent_channels=16, blocks=view.count("double_stream_blocks."),
        single_blocks=view.count("single_stream_blocks."),
    )  # fmt: skip
    return replace(found, problem=_CHANGES) if edits else found


_CHANGES: Final = "It changes pictures in a way of its own, which can't be done here."


def _qwen_image(view: View) -> Found:
    """Qwen-Image-Edit has the shapes of Qwen-Image; a mark of the latest, or the metadata, names it."""
    marked = view.has("__index_timestep_zero__")
    edits = marked or stated(view, "edit")
    layered = view.has("time_text_embed.addition_t_embedding.weight")
    several = marked or stated(view, "plus", "2509", "2511")
    variant = "layered" if layered else "plus" if edits and several else "edit" if edits else ""
    more: Mapping[str, Any] = {"zero_cond": marked} if variant else {"same_shapes": ("edit", "plus")}
    family, layout = "qwen-image-edit" if edits else "qwen-image", "original" if view.prefix else "diffusers"
    found = _found(
        view, family, variant, layout,
        in_channels=view.side("img_in.weight", 1), width=view.side("img_in.weight", 0), latent_channels=16,
        context_dim=view.side("txt_in.weight", 1), blocks=view.count("transformer_blocks."), **more,
    )  # fmt: skip
    return replace(found, problem=_LAYERS) if layered else found


_LAYERS: Final = "It draws pictures in layers, which can't be done here."


def _kandinsky5(view: View) -> Found:
    """One made for editing sees a picture's latents and a mark beside those it draws."""
    entry, block = "visual_embeddings.in_layer.weight", "visual_transformer_blocks.0."
    width, seen = view.side(entry, 0), view.side(entry, 1)
    variant = {1792: "lite-video", 2560: "lite-image", 4096: "pro-video"}.get(width, "")
    film, sees = variant.endswith("video"), seen > view.side("out_layer.out_layer.weight", 0)
    edits = sees and not film
    found = _found(
        view, "kandinsky5-edit" if edits else "kandinsky5", "edit" if edits else variant,
        "original" if view.prefix else "diffusers", width=width, in_channels=seen, sees=sees,
        blocks=view.count("visual_transformer_blocks."), text_blocks=view.count("text_transformer_blocks."),
        inner_width=view.side(f"{block}feed_forward.in_layer.weight", 0),
        time_width=view.side("time_embeddings.in_layer.weight", 0), latent_channels=16,
        context_dim=view.side("text_embeddings.in_layer.weight", 1),
        pooled_dim=view.side("pooled_text_embeddings.in_layer.weight", 1),
    )  # fmt: skip
    return replace(found, problem=_FILM) if film else found


_FILM: Final = "It makes video, and Diptych makes pictures."


def _qwen_image_2(view: View) -> Found:
    return _found(view, "qwen-image-2.1", "", "original")


SIGNATURES: Final = (
    Signature(
        "Stable Diffusion 3",
        (
            Key("x_embedder.proj.weight", (ANY, 16, 2, 2)),
            Key("joint_blocks.0.context_block.adaLN_modulation.1.bias"),
            Key("context_embedder.weight", (ANY, 4096)),
        ),
        _sd3,
        prefixes=DENOISER,
    ),
    Signature(
        "Stable Diffusion 3 in diffusers' layout",
        (
            Key("pos_embed.proj.weight", (ANY, 16, 2, 2)),
            Key("time_text_embed.text_embedder.linear_1.weight", (ANY, 2048)),
            Key("transformer_blocks.0.norm1_context.linear.weight"),
            Key("context_embedder.weight", (ANY, 4096)),
        ),
        _sd3,
        prefixes=DENOISER,
        absent=("controlnet_blocks.0.weight",),
    ),
    Signature(
        "Sana",
        (
            Key("x_embedder.proj.weight", (ANY, ANY, 1, 1)),
            Key("attention_y_norm.weight"),
            Key("blocks.0.cross_attn.q_linear.weight"),
            Key("y_embedder.y_proj.fc1.weight"),
        ),
        _sana,
        prefixes=DENOISER,
    ),
    Signature(
        "Sana in diffusers' layout",
        (
            Key("patch_embed.proj.weight", (ANY, ANY, 1, 1)),
            Key("caption_norm.weight"),
            Key("transformer_blocks.0.ff.conv_inverted.weight"),
        ),
        _sana,
        prefixes=DENOISER,
        absent=("controlnet_blocks.0.weight",),
    ),
    Signature(
        "PixArt",
        (
            Key("x_embedder.proj.weight", (1152, 4, 2, 2)),
            Key("blocks.0.scale_shift_table"),
            Key("blocks.0.cross_attn.q_linear.weight"),
            Key("y_embedder.y_proj.fc1.weight", (1152, 4096)),
        ),
        _pixart,
        prefixes=DENOISER,
    ),
    Signature(
        "PixArt in diffusers' layout",
        (
            Key("pos_embed.proj.weight", (1152, 4, 2, 2)),
            Key("adaln_single.emb.timestep_embedder.linear_1.weight"),
            Key("transformer_blocks.0.scale_shift_table", (6, 1152)),
        ),
        _pixart,
        prefixes=DENOISER,
    ),
    Signature(
        "AuraFlow",
        keys("double_layers.0.attn.w1q.weight", "double_layers.0.attn.w2q.weight", "cond_seq_linear.weight"),
        _auraflow,
        prefixes=DENOISER,
    ),
    Signature(
        "AuraFlow in diffusers' layout",
        keys(
            "register_tokens",
            "joint_transformer_blocks.0.ff_context.linear_1.weight",
            "context_embedder.weight",
        ),
        _auraflow,
        prefixes=DENOISER,
    ),
    Signature(
        "Lumina 2 or Z-Image",
        (
            Key("cap_embedder.1.weight", (ANY, ANY)),
            Key("noise_refiner.0.attention.qkv.weight"),
            Key("layers.0.feed_forward.w1.weight"),
        ),
        _next_dit,
        prefixes=DENOISER,
    ),
    Signature(
        "Z-Image in diffusers' layout",
        (
            Key("cap_embedder.1.weight", (ANY, ANY)),
            Key("all_x_embedder.2-1.weight"),
            Key("layers.0.attention.to_q.weight"),
        ),
        _next_dit,
        prefixes=DENOISER,
    ),
    Signature(
        "Lumina 2 in diffusers' layout",
        (
            Key(_LUMINA_CAPTION, (ANY, ANY)),
            Key("noise_refiner.0.attn.to_q.weight"),
            Key("layers.0.attn.to_q.weight"),
        ),
        _next_dit,
        prefixes=DENOISER,
    ),
    Signature(
        "HiDream",
        keys(
            "double_stream_blocks.0.block.adaLN_modulation.1.weight",
            "single_stream_blocks.0.block.ff_i.gate.weight",
            "caption_projection.0.linear.weight",
        ),
        _hidream,
        prefixes=DENOISER,
    ),
    Signature(
        "Qwen-Image",
        (
            Key("txt_norm.weight", (3584,)),
            Key("img_in.weight", (3072, ANY)),
            Key("transformer_blocks.0.img_mod.1.weight"),
        ),
        _qwen_image,
        prefixes=DENOISER,
        absent=("controlnet_blocks.0.weight",),
    ),
    Signature("Qwen-Image 2.1", keys("txt_in.text_norm.weight"), _qwen_image_2, prefixes=DENOISER),
    Signature(
        "Kandinsky 5",
        keys(
            "visual_embeddings.in_layer.weight",
            "visual_transformer_blocks.0.visual_modulation.out_layer.weight",
            "text_embeddings.in_layer.weight",
        ),
        _kandinsky5,
        prefixes=DENOISER,
    ),
)
