"""What kind of model a file is: from tensor names and shapes. Folders are named in :mod:`.folders`.

Never from a file's name. What can't be named keeps a reason that says what was looked for. No torch import
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pipelines.models.controls import control_file
from pipelines.models.header import FLOAT_DTYPES, Header
from pipelines.models.upscalers import identify, identify_inpainter

Kind = Literal["diffusion", "language", "upscale", "inpaint", "control"]

UNET: Final = "model.diffusion_model."
_CONV_IN: Final = UNET + "input_blocks.0.0.weight"
_VAE: Final = "first_stage_model.decoder.conv_in.weight"
_CLIP: Final = "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight"
_OPEN_CLIP: Final = "cond_stage_model.model.token_embedding.weight"
_XL_CLIP: Final = "conditioner.embedders.0.transformer.text_model.embeddings.position_embedding.weight"
_XL_OPEN_CLIP: Final = "conditioner.embedders.1.model.positional_embedding"
_REFINER_CLIP: Final = "conditioner.embedders.0.model.text_projection"


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found out.

    ``family`` is empty for an unknown model; ``reason`` then says why, in sentences for the user. ``facts``:
    ``prediction_type``, ``zero_snr``, ``in_channels``, ``scheduler`` (its configuration), ``text_encoder``
    (its class), ``scale``, ``context``… as far as they are known.
    """

    kind: Kind | None
    family: str = ""
    dtype: str = ""
    elements: int = 0
    bytes: int = 0
    native_size: tuple[int, int] | None = None
    size_multiple: int = 8
    facts: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


def probe_file(header: Header) -> Probe:
    """Name the model in a single safetensors file."""
    kind: Kind | None
    if (control := control_file(header)) is not None:
        kind, (family, facts, reason) = "control", control
    elif _CONV_IN in header.tensors:
        kind, family, facts, reason = _checkpoint(header)
    else:
        kind, family, facts, reason = _other(header)
    return Probe(
        kind, family, main_dtype(header), header.elements(), header.file_bytes,
        facts=facts, reason=reason, native_size=_stated_size(header),
    )  # fmt: skip


_Found = tuple[Kind | None, str, dict[str, Any], str]


def _checkpoint(header: Header) -> _Found:
    """A checkpoint in the original Stable Diffusion layout, with all its parts or not."""
    shape = header.shape(_CONV_IN) or ()
    channels = shape[1] if len(shape) == 4 else 0
    facts: dict[str, Any] = {"in_channels": channels}
    if channels == 7:  # latents, and a small picture in colour
        return "upscale", "", facts, "It is Stable Diffusion's upscaler; use the diffusers folder of it."
    base, encoders = _base(header)
    if not base:
        tried = "Its denoiser is of no known size: Stable Diffusion 1.x, 2.x and XL were tried."
        return "diffusion", "", facts, tried
    inpaints = channels == 9 and base != "sdxl-refiner"
    if channels != 4 and not inpaints:
        needs = f"Its denoiser takes {channels} channels, so it needs another picture as input."
        return "diffusion", "", facts, needs
    missing = [title for key, title in ((_VAE, "the VAE"), *encoders) if key not in header.tensors]
    if missing:
        parts = f"It holds only a part of a {base} checkpoint; missing: {', '.join(missing)}."
        return "diffusion", "", facts, parts
    # All SD 2.x inpainting models derive from the one that predicts the noise.
    facts |= _prediction(header, "sd1" if inpaints else base)
    return "diffusion", f"{base}-inpaint" if inpaints else base, facts, ""


def _base(header: Header) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The base model by the width of its cross-attention, and the text encoders it needs."""
    if UNET + "label_emb.0.0.weight" in header.tensors:
        width = _last(header, "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight")
        if width == 2048:
            return "sdxl", ((_XL_CLIP, "the first text encoder"), (_XL_OPEN_CLIP, "the second text encoder"))
        return ("sdxl-refiner", ((_REFINER_CLIP, "the text encoder"),)) if width == 1280 else ("", ())
    match _last(header, "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"):
        case 768:
            return "sd1", ((_CLIP, "the text encoder"),)
        case 1024:
            return "sd2", ((_OPEN_CLIP, "the text encoder"),)
        case _:
            return "", ()


def _last(header: Header, name: str) -> int:
    shape = header.shape(UNET + name)
    return shape[-1] if shape else 0


def _prediction(header: Header, base: str) -> dict[str, Any]:
    """What the denoiser predicts.

    By rule: a ``v_pred`` marker tensor or the ModelSpec metadata decides; without them SD 2.x is taken for
    the 768 px v-prediction model (the one most checkpoints derive from), everything else for epsilon.
    ``ztsnr`` marks zero terminal SNR.
    """
    stated = header.metadata.get("modelspec.prediction_type", "").lower()
    if "v_pred" in header.tensors or stated.startswith("v"):
        kind = "v_prediction"
    elif stated.startswith("eps"):
        kind = "epsilon"
    else:
        kind = "v_prediction" if base == "sd2" else "epsilon"
    return {"prediction_type": kind, "zero_snr": "ztsnr" in header.tensors}


def _stated_size(header: Header) -> tuple[int, int] | None:
    """The native size in ModelSpec metadata (``modelspec.resolution``: ``1024x1024``), if it is sane."""
    width, cross, height = header.metadata.get("modelspec.resolution", "").partition("x")
    if not cross or not (width.isdecimal() and height.isdecimal()):
        return None
    size = (int(width[:6]), int(height[:6]))
    return size if all(64 <= side <= 8192 for side in size) else None


_PARTS: Final[tuple[tuple[str, str], ...]] = (
    (".lora_up.weight", "It is a LoRA: it changes another model and isn't one by itself."),
    (".lora_A.weight", "It is a LoRA: it changes another model and isn't one by itself."),
    (".lora_B.weight", "It is a LoRA: it changes another model and isn't one by itself."),
    ("lora_te_text_model", "It is a LoRA: it changes another model and isn't one by itself."),
    ("control_model.", "It is a part of a ControlNet, or one that is made differently."),
    ("lora_controlnet", "It is a Control-LoRA, which this version of Diptych can't open."),
    ("double_blocks.0.img_attn", "It is a Flux model, which this version of Diptych can't open."),
    ("joint_blocks.0.", "It is a Stable Diffusion 3 model, which this version of Diptych can't open."),
    ("emb_params", "It is a textual inversion: it adds words to another model."),
    ("first_stage_model.", "It holds only a VAE, without the denoiser."),
    ("encoder.down.0.block.0.conv1.weight", "It holds only a VAE, without the denoiser."),
    ("down_blocks.0.resnets.0.conv1.weight", "It is one part of a diffusers folder; open the whole folder."),
    ("model.embed_tokens.weight", "It is a part of a language model; open the whole folder it belongs to."),
    ("transformer.wte.weight", "It is a part of a language model; open the whole folder it belongs to."),
)


def _other(header: Header) -> _Found:
    """Everything that isn't an original-layout checkpoint: an upscaler, or a part with a name."""
    upscaler = identify(header)
    if upscaler:
        return "upscale", upscaler.family, {"scale": upscaler.scale}, ""
    inpainter = identify_inpainter(header)
    if inpainter:
        return "inpaint", inpainter, {}, ""
    if any((header.shape(prefix + "img_in.weight") or (0,))[-1] == 384 for prefix in ("", UNET)):
        return "diffusion", "", {}, "It is a part of a Flux fill model; use the whole diffusers folder."
    for mark, reason in _PARTS:
        if any(mark in name for name in header.tensors):
            return None, "", {}, reason
    first = ", ".join(sorted(header.tensors)[:3]) or "none"
    return None, "", {}, (
        "Its tensors fit neither a Stable Diffusion 1.x, 2.x or XL checkpoint nor an upscaler; "
        f"they begin with: {first[:200]}."
    )  # fmt: skip


def main_dtype(header: Header) -> str:
    """The floating-point type most numbers are kept in."""
    totals: dict[str, int] = {}
    for facts in header.tensors.values():
        if facts.dtype in FLOAT_DTYPES or facts.dtype.startswith("F8"):
            totals[facts.dtype] = totals.get(facts.dtype, 0) + facts.elements
    return max(totals, key=lambda name: totals[name], default="")
