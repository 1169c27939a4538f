"""Transformers that draw videos: Wan, LTX, and the others that are known by one name of a tensor."""

from __future__ import annotations

from typing import Final

from pipelines.models.signatures.base import ANY, DENOISER, Found, Key, Signature, View, keys, named, parts


def _wan(view: View) -> Found:
    """Text-to-video sees 16 channels of latents, image-to-video 36 (a mask and the picture's latents too)."""
    original = view.has("head.modulation")
    width, channels = (view.side("patch_embedding.weight", axis) for axis in (0, 1))
    size = {1536: "1.3b", 3072: "5b", 5120: "14b"}.get(width, "")
    if view.has("vace_blocks.0.after_proj.weight") or view.has("vace_blocks.0.proj_out.weight"):
        task = "vace"
    elif view.has("motion_encoder.dec.direction.weight") or view.holds("\nmotion_encoder.motion_synthesis"):
        task = "animate"
    elif channels == 48 and width == 3072:
        task = "ti2v"
    else:
        task = {16: "t2v", 36: "i2v"}.get(channels, "control" if channels > 16 else "")
    facts = {
        "in_channels": channels, "width": width, "blocks": view.count("blocks."), "parts": parts(view),
        "latent_channels": 48 if task == "ti2v" else 16,
    }  # fmt: skip
    variant = "-".join(filter(None, (task, size)))
    return Found("diffusion", "wan", variant, "", "original" if original else "diffusers", facts)


def _ltx(view: View) -> Found:
    original = view.has("patchify_proj.weight")
    entry = "patchify_proj.weight" if original else "proj_in.weight"
    width = view.side(entry, 0)
    second = view.has("audio_patchify_proj.weight") or view.has("audio_proj_in.weight")
    facts = {
        "in_channels": view.side(entry, 1), "width": width, "latent_channels": 128,
        "blocks": view.count("transformer_blocks."), "parts": parts(view),
    }  # fmt: skip
    family, variant = ("ltx2", "") if second else ("ltx", {2048: "2b", 4096: "13b"}.get(width, ""))
    return Found("diffusion", family, variant, "", "original" if original else "diffusers", facts)


SIGNATURES: Final = (
    Signature(
        "Wan",
        (
            Key("patch_embedding.weight", (ANY, ANY, 1, 2, 2)),
            Key("head.modulation"),
            Key("blocks.0.self_attn.q.weight"),
            Key("text_embedding.0.weight"),
        ),
        _wan,
        prefixes=DENOISER,
    ),
    Signature(
        "Wan in diffusers' layout",
        (
            Key("patch_embedding.weight", (ANY, ANY, 1, 2, 2)),
            Key("condition_embedder.text_embedder.linear_1.weight"),
            Key("blocks.0.attn1.to_q.weight"),
        ),
        _wan,
        prefixes=DENOISER,
    ),
    Signature(
        "LTX-Video",
        (
            Key("patchify_proj.weight", (ANY, 128)),
            Key("transformer_blocks.0.scale_shift_table"),
            Key("adaln_single.emb.timestep_embedder.linear_1.weight"),
        ),
        _ltx,
        prefixes=DENOISER,
    ),
    Signature(
        "LTX-Video in diffusers' layout",
        (
            Key("proj_in.weight", (ANY, 128)),
            Key("scale_shift_table"),
            Key("time_embed.emb.timestep_embedder.linear_1.weight"),
            Key("transformer_blocks.0.attn2.to_q.weight"),
        ),
        _ltx,
        prefixes=DENOISER,
    ),
    Signature("Mochi", keys("blocks.0.attn.qkv_x.weight"), named("mochi"), prefixes=DENOISER),
    Signature(
        "Cosmos",
        keys("x_embedder.proj.1.weight", "pos_embedder.dim_spatial_range"),
        named("cosmos"),
        prefixes=DENOISER,
    ),
)
