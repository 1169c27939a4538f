"""Stable Diffusion 1.x, 2.x and XL: checkpoints in the original layout, whole or in part, and denoisers in
diffusers' own. The width of the cross-attention tells them apart.
"""

from __future__ import annotations

from typing import Any, Final

from pipelines.models.signatures.base import ANY, DENOISER, Found, Key, Signature, View

UNET: Final = "model.diffusion_model."
_CONV_IN: Final = "input_blocks.0.0.weight"
_VAE: Final = "first_stage_model.decoder.conv_in.weight"
_CLIP: Final = "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight"
_OPEN_CLIP: Final = "cond_stage_model.model.token_embedding.weight"
_XL_CLIP: Final = "conditioner.embedders.0.transformer.text_model.embeddings.position_embedding.weight"
_XL_OPEN_CLIP: Final = "conditioner.embedders.1.model.positional_embedding"
_REFINER_CLIP: Final = "conditioner.embedders.0.model.text_projection"
_ENCODERS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "sd1": ((_CLIP, "the text encoder"),),
    "sd2": ((_OPEN_CLIP, "the text encoder"),),
    "sdxl": ((_XL_CLIP, "the first text encoder"), (_XL_OPEN_CLIP, "the second text encoder")),
    "sdxl-refiner": ((_REFINER_CLIP, "the text encoder"),),
}
_SIZES: Final = "Its denoiser is of no known size: Stable Diffusion 1.x, 2.x and XL were tried."


def _original(view: View) -> Found:
    """A U-Net in the original layout, with all that belongs to it or not."""
    channels = view.side(_CONV_IN, 1)
    facts: dict[str, Any] = {"in_channels": channels}
    if channels == 7:  # latents, and a small picture in colour
        problem = "It is Stable Diffusion's upscaler; use the diffusers folder of it."
        return Found("upscale", "sd-x4-upscaler", "", "", "original", facts, problem)
    base = _base(view)
    if not base:
        return Found("diffusion", layout="original", facts=facts, reason=_SIZES)
    family, variant, problem = _by_channels(base, channels)
    if not family:
        return Found("diffusion", base=base, layout="original", facts=facts, reason=problem)
    if base == "sdxl" and view.header.shape("edm_mean"):
        variant = "playground-2.5"
    missing = [
        title for key, title in ((_VAE, "the VAE"), *_ENCODERS[base]) if key not in view.header.tensors
    ]
    facts |= {"parts": _parts(view, base)} | _prediction(view, base if channels == 4 else "sd1")
    if missing and not problem:
        problem = f"It holds only a part of a {base} checkpoint; missing: {', '.join(missing)}."
    return Found("diffusion", family, variant, "", "original", facts, problem)


def _by_channels(base: str, channels: int) -> tuple[str, str, str]:
    """Family, variant and problem: the denoiser sees more than latents in models made for something else."""
    match channels:
        case 4:
            return base, "", ""
        case 9 if base != "sdxl-refiner":
            return f"{base}-inpaint", "inpaint", ""
        case 8:
            problem = (
                "Its denoiser takes 8 channels: it edits a picture by instructions, which can't be done yet."
            )
            return f"{base}-edit", "edit", problem
        case 5 if base == "sd2":
            return "sd2-depth", "depth", ""
    return "", "", f"Its denoiser takes {channels} channels, so it needs another picture as input."


def _base(view: View) -> str:
    """The base model by the width of its cross-attention; SD 1.x and 2.x have it in the first block."""
    if view.has("label_emb.0.0.weight"):
        width = view.side("input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight", -1)
        return {2048: "sdxl", 1280: "sdxl-refiner"}.get(width, "")
    width = view.side("input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", -1)
    return {768: "sd1", 1024: "sd2"}.get(width, "")


def _parts(view: View, base: str) -> tuple[str, ...]:
    tensors = view.header.tensors
    held = [name for name, (key, _) in zip(("text_encoder", "text_encoder_2"), _ENCODERS[base], strict=False)
            if key in tensors]  # fmt: skip
    return ("denoiser", *(("vae",) if _VAE in tensors else ()), *held)


def _prediction(view: View, base: str) -> dict[str, Any]:
    """What the denoiser predicts.

    By rule: a ``v_pred`` marker tensor or the ModelSpec metadata decides; without them SD 2.x is taken for
    the 768 px v-prediction model (the one most checkpoints derive from), everything else for epsilon: all
    SD 2.x models for inpainting and depth derive from the one that predicts the noise. ``ztsnr`` marks zero
    terminal SNR.
    """
    stated = view.header.metadata.get("modelspec.prediction_type", "").lower()
    if "v_pred" in view.header.tensors or stated.startswith("v"):
        kind = "v_prediction"
    elif stated.startswith("eps"):
        kind = "epsilon"
    else:
        kind = "v_prediction" if base == "sd2" else "epsilon"
    return {"prediction_type": kind, "zero_snr": "ztsnr" in view.header.tensors}


def _diffusers(view: View) -> Found:
    """A U-Net alone under diffusers' names, as trainers and ComfyUI keep it."""
    channels = view.side("conv_in.weight", 1)
    widths = {
        view.side(f"down_blocks.{block}.attentions.0.transformer_blocks.0.attn2.to_k.weight", -1)
        for block in (0, 1)
    }
    base = {768: "sd1", 1024: "sd2", 2048: "sdxl", 1280: "sdxl-refiner"}.get(max(widths), "")
    facts = {"in_channels": channels, "parts": ("denoiser",)}
    if not base:
        return Found("diffusion", layout="diffusers", facts=facts, reason=_SIZES)
    family, variant, problem = _by_channels(base, channels)
    problem = problem or f"It holds only the denoiser of a {base} model; use its checkpoint or whole folder."
    return Found("diffusion", family or base, variant, "", "diffusers", facts, problem)


def _cascade(view: View) -> Found:
    stage = "c" if view.has("clip_txt_mapper.weight") else "b"
    return Found("diffusion", "stable-cascade", f"stage-{stage}", layout="original")


SIGNATURES: Final = (
    Signature(
        "a Stable Diffusion 1.x, 2.x or XL checkpoint",
        (Key(_CONV_IN, (ANY, ANY, 3, 3)),),
        _original,
        prefixes=(UNET, "", "diffusion_model."),
        absent=("input_hint_block.0.weight", "control_model.input_hint_block.0.weight"),
    ),
    Signature(
        "a Stable Diffusion U-Net in diffusers' layout",
        (
            Key("conv_in.weight", (ANY, ANY, 3, 3)),
            Key("time_embedding.linear_1.weight"),
            Key("down_blocks.0.resnets.0.conv1.weight"),
            Key("up_blocks.0.resnets.0.conv1.weight"),
        ),
        _diffusers,
        prefixes=DENOISER,
        absent=("controlnet_cond_embedding.conv_in.weight",),
    ),
    Signature(
        "a Stable Cascade model",
        (Key("clip_txt_mapper.weight"), Key("clip_txt_pooled_mapper.weight")),
        _cascade,
        prefixes=DENOISER,
    ),
    Signature(
        "a Stable Cascade decoder",
        (Key("down_blocks.1.0.channelwise.0.weight"), Key("clip_mapper.weight")),
        _cascade,
        prefixes=DENOISER,
    ),
)
