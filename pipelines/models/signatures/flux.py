"""FLUX.1 and FLUX.2, and Chroma, which was made from FLUX.1: in the original layout and in diffusers'."""

from __future__ import annotations

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
    named,
    parts,
    stated,
)  # fmt: skip

_MORE: Final = "It sees a mask and a reference in each token, which can't be shown to it here."


def _facts(view: View, entry: str, text: str, double: str, single: str) -> dict[str, Any]:
    held: dict[str, Any] = {"encoders": found} if (found := encoders(view)) else {}
    return {
        "in_channels": view.side(entry, 1), "width": view.side(entry, 0), "context_dim": view.side(text, 1),
        "blocks": view.count(double), "single_blocks": view.count(single), "parts": parts(view), **held,
    }  # fmt: skip


def _original(view: View) -> Found:
    facts = _facts(view, "img_in.weight", "txt_in.weight", "double_blocks.", "single_blocks.")
    return _flux(view, facts, "original", view.has("guidance_in.in_layer.weight"))


def _diffusers(view: View) -> Found:
    guided = view.has("time_text_embed.guidance_embedder.linear_1.weight")
    facts = _facts(
        view,
        "x_embedder.weight",
        "context_embedder.weight",
        "transformer_blocks.",
        "single_transformer_blocks.",
    )
    return _flux(view, facts, "diffusers", guided)


def _flux(view: View, facts: dict[str, Any], layout: str, guided: bool) -> Found:
    """By what the first layer sees: latents (64), with a control picture (128), or masked ones (384).

    Kontext is dev in every shape: only a file that says so can be told apart.
    """
    facts |= {"guidance_embeds": guided, "latent_channels": 16}
    match facts["in_channels"]:
        case 384:
            return Found("diffusion", "flux-fill", "fill", "", layout, facts)
        case 128:
            return Found("diffusion", "flux-control", "control", "", layout, facts)
        case 448:  # OpenFLUX-like trainings with a mask and a reference
            return Found("diffusion", "flux-control", "reference", "", layout, facts, _MORE)
    variant = "schnell" if not guided else "kontext" if stated(view, "kontext") else "dev"
    if variant == "dev":
        facts["same_shapes"] = ("kontext", "krea")
    return Found("diffusion", "flux-kontext" if variant == "kontext" else "flux", variant, "", layout, facts)


def _flux2(view: View) -> Found:
    original = view.has("img_in.weight")
    names = ("img_in.weight", "txt_in.weight", "double_blocks.", "single_blocks.")
    if not original:
        names = ("x_embedder.weight", "context_embedder.weight", "transformer_blocks.",
                 "single_transformer_blocks.")  # fmt: skip
    facts = _facts(view, *names) | {"latent_channels": 32}
    guided = view.has("guidance_in.in_layer.weight") or view.has(
        "time_guidance_embed.guidance_embedder.linear_1.weight"
    )
    klein = {7680: "klein-4b", 12288: "klein-9b"}.get(facts["context_dim"], "klein")
    variant = {(8, 48): "dev", (5, 20): "klein-4b", (8, 24): "klein-9b"}.get(
        (facts["blocks"], facts["single_blocks"]), "dev" if guided else klein
    )
    facts["guidance_embeds"] = guided
    return Found("diffusion", "flux2", variant, "", "original" if original else "diffusers", facts)


def _chroma(view: View) -> Found:
    original = view.has("img_in.weight") or view.has("img_in_patch.weight")
    names = ("img_in.weight", "txt_in.weight", "double_blocks.", "single_blocks.")
    if not original:
        names = ("x_embedder.weight", "context_embedder.weight", "transformer_blocks.",
                 "single_transformer_blocks.")  # fmt: skip
    facts = _facts(view, *names) | {"latent_channels": 16}
    radiance = view.holds("\nnerf_")  # draws pixels, without latents
    layout = "original" if original else "diffusers"
    problem = "It draws pixels without latents, which can't be done here." if radiance else ""
    return Found("diffusion", "chroma", "radiance" if radiance else "", "", layout, facts, problem)


def _krea2(view: View) -> Found:
    original = view.has("first.weight")
    entry, text, block = "img_in.weight", "txt_in.linear_1.weight", "transformer_blocks."
    if original:
        entry, text, block = "first.weight", "txtmlp.1.weight", "blocks."
    inner = f"{block}0.{'mlp' if original else 'ff'}.gate.weight"
    facts = _facts(view, entry, text, block, "single_blocks.")
    facts |= {"inner_width": view.side(inner, 0), "latent_channels": 16}
    return Found("diffusion", "krea2", "", "", "original" if original else "diffusers", facts)


SIGNATURES: Final = (
    Signature(
        "Chroma",
        keys("distilled_guidance_layer.in_proj.weight", "distilled_guidance_layer.out_proj.weight"),
        _chroma,
        prefixes=DENOISER,
    ),
    Signature("FLUX.3", keys("early_stream_modulations.image.lin.weight"), named("flux3"), prefixes=DENOISER),
    Signature(
        "FLUX.2",
        (
            Key("double_stream_modulation_img.lin.weight"),
            Key("img_in.weight", (ANY, 128)),
            Key("txt_in.weight", (ANY, ANY)),
        ),
        _flux2,
        prefixes=DENOISER,
    ),
    Signature(
        "FLUX.2 in diffusers' layout",
        (
            Key("double_stream_modulation_img.linear.weight"),
            Key("x_embedder.weight", (ANY, 128)),
            Key("context_embedder.weight", (ANY, ANY)),
        ),
        _flux2,
        prefixes=DENOISER,
    ),
    Signature(
        "FLUX.1",
        (
            Key("double_blocks.0.img_attn.norm.key_norm.scale", (128,)),
            Key("img_in.weight", (3072, ANY)),
            Key("txt_in.weight", (3072, 4096)),
            Key("vector_in.in_layer.weight", (3072, 768)),
        ),
        _original,
        prefixes=DENOISER,
        absent=(
            "txt_in.individual_token_refiner.blocks.0.adaLN_modulation.1.bias",
            "controlnet_blocks.0.weight",
        ),
    ),
    Signature(
        "FLUX.1 in diffusers' layout",
        (
            Key("x_embedder.weight", (3072, ANY)),
            Key("context_embedder.weight", (3072, 4096)),
            Key("time_text_embed.text_embedder.linear_1.weight", (3072, 768)),
            Key("single_transformer_blocks.0.proj_mlp.weight"),
        ),
        _diffusers,
        prefixes=DENOISER,
        absent=("controlnet_blocks.0.weight", "controlnet_x_embedder.weight"),
    ),
    Signature(
        "HunyuanVideo",
        keys("txt_in.individual_token_refiner.blocks.0.adaLN_modulation.1.bias"),
        named("hunyuan-video"),
        prefixes=DENOISER,
    ),
    Signature("Krea 2", keys("txtfusion.projector.weight", "first.weight"), _krea2, prefixes=DENOISER),
    Signature(
        "Krea 2 in diffusers' layout",
        keys("text_fusion.projector.weight", "img_in.weight"),
        _krea2,
        prefixes=DENOISER,
    ),
)
