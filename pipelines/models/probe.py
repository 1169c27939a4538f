"""What kind of model a file or folder is: from tensor names and shapes, or from a folder's own index.

Never from a file's name. What can't be named keeps a reason that says what was looked for. No torch import
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from pipelines.errors import ModelUnreadable
from pipelines.models.header import FLOAT_DTYPES, Header
from pipelines.models.safety import UNUSED, read_json
from pipelines.models.upscalers import identify

Kind = Literal["diffusion", "language", "upscale"]

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
    if _CONV_IN in header.tensors:
        kind, family, facts, reason = _checkpoint(header)
    else:
        kind, family, facts, reason = _other(header)
    return Probe(
        kind, family, _dtype(header), header.elements(), header.file_bytes,
        facts=facts, reason=reason, native_size=_stated_size(header),
    )  # fmt: skip


_Found = tuple[Kind | None, str, dict[str, Any], str]


def _checkpoint(header: Header) -> _Found:
    """A checkpoint in the original Stable Diffusion layout, with all its parts or not."""
    shape = header.shape(_CONV_IN) or ()
    channels = shape[1] if len(shape) == 4 else 0
    facts: dict[str, Any] = {"in_channels": channels}
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
    ("control_model.", "It is a ControlNet: it steers another model and isn't one by itself."),
    ("controlnet_cond_embedding.", "It is a ControlNet: it steers another model and isn't one by itself."),
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
    for mark, reason in _PARTS:
        if any(mark in name for name in header.tensors):
            return None, "", {}, reason
    first = ", ".join(sorted(header.tensors)[:3]) or "none"
    return None, "", {}, (
        "Its tensors fit neither a Stable Diffusion 1.x, 2.x or XL checkpoint nor an upscaler; "
        f"they begin with: {first[:200]}."
    )  # fmt: skip


def _dtype(header: Header) -> str:
    """The floating-point type most numbers are kept in."""
    totals: dict[str, int] = {}
    for facts in header.tensors.values():
        if facts.dtype in FLOAT_DTYPES or facts.dtype.startswith("F8"):
            totals[facts.dtype] = totals.get(facts.dtype, 0) + facts.elements
    return max(totals, key=lambda name: totals[name], default="")


# --- folders ------------------------------------------------------------------------------------------------


def is_model_folder(folder: Path) -> bool:
    """Whether a folder is one model: it has a diffusers index or a transformers configuration."""
    return (folder / "model_index.json").is_file() or (folder / "config.json").is_file()


def probe_folder(folder: Path, headers: Mapping[Path, Header], model: str = "") -> Probe:
    """Name the model in a folder that passed :func:`pipelines.models.safety.check_folder`.

    Raises:
        ModelUnreadable: a settings file is missing or broken.
    """
    name = model or folder.name
    if (folder / "model_index.json").is_file():
        found = _pipeline_folder(folder, headers, name)
    else:
        found = _language_folder(folder, headers, name)
    return found


def _totals(headers: Mapping[Path, Header]) -> dict[str, Any]:
    largest = max(headers.values(), key=lambda header: header.file_bytes, default=None)
    return {
        "dtype": _dtype(largest) if largest else "",
        "elements": sum(header.elements() for header in headers.values()),
        "bytes": sum(header.file_bytes for header in headers.values()),
    }


def _pipeline_folder(folder: Path, headers: Mapping[Path, Header], name: str) -> Probe:
    index = read_json(folder / "model_index.json", name)
    totals = _totals(headers)
    missing = [part for part in ("unet", "vae", "text_encoder") if not _has_weights(folder / part, headers)]
    if missing:
        reason = f"It has no safetensors weights for: {', '.join(missing)}."
        return Probe("diffusion", **totals, reason=reason)
    for part, value in index.items():
        wanted = isinstance(value, list) and value[:1] != [None] and part not in UNUSED
        if wanted and not any((folder / part).glob("*.json")):
            raise ModelUnreadable(model=name, reason=f"Its {part} is missing.")
    unet = read_json(folder / "unet" / "config.json", name)
    vae = read_json(folder / "vae" / "config.json", name)
    scheduler = read_json(folder / "scheduler" / "scheduler_config.json", name)
    factor = 2 ** max(len(vae.get("block_out_channels", ())) - 1, 0)
    sample = unet.get("sample_size") or 64
    sides = sample if isinstance(sample, list) else [sample, sample]
    if len(sides) != 2 or not all(type(side) is int and 1 <= side * factor <= 16_384 for side in sides):
        raise ModelUnreadable(model=name, reason=f"Its sample size is {str(sample)[:40]}.")
    channels = unet.get("in_channels", 4)
    width = unet.get("cross_attention_dim")
    xl = str(index["_class_name"]).startswith("StableDiffusionXL")
    family = "sdxl" if xl else {768: "sd1", 1024: "sd2"}.get(width if isinstance(width, int) else 0, "sd")
    if channels == 9 and family != "sd":
        family += "-inpaint"
    elif xl and not (index.get("text_encoder") or [None])[0]:
        family = "sdxl-refiner"
    reason = "" if channels in (4, 9) else f"Its denoiser takes {channels} channels, so it needs a picture."
    encoder = read_json(folder / "text_encoder" / "config.json", name)
    if any("quantization_config" in settings for settings in (unet, vae, encoder)):
        reason = "Its weights are already quantized; use the version that isn't."
    facts = {
        "in_channels": channels,
        "prediction_type": scheduler.get("prediction_type", "epsilon"),
        "zero_snr": bool(scheduler.get("rescale_betas_zero_snr")),
        "scheduler": scheduler,
        "text_encoder": (index.get("text_encoder") or [None, ""])[1] or "",
    }
    # The pipelines of diffusers want multiples of 8 even of a VAE that divides by less.
    return Probe(
        "diffusion", "" if reason else family, **totals, native_size=(sides[-1] * factor, sides[0] * factor),
        size_multiple=max(8, factor), facts=facts, reason=reason,
    )  # fmt: skip


def _has_weights(part: Path, headers: Mapping[Path, Header]) -> bool:
    return any(path.parent == part for path in headers)


def _language_folder(folder: Path, headers: Mapping[Path, Header], name: str) -> Probe:
    config = read_json(folder / "config.json", name)
    totals = _totals(headers)
    kinds = config.get("architectures") if isinstance(config, dict) else None
    architecture = str(kinds[0]) if isinstance(kinds, list) and kinds else ""
    if not architecture.endswith(("ForCausalLM", "LMHeadModel")):
        what = f"a {architecture}" if architecture else "unnamed"
        reason = f"Its config.json is {what}; a text model is a …ForCausalLM or …LMHeadModel."
        return Probe(None, **totals, reason=reason)
    if not _has_weights(folder, headers):
        return Probe("language", **totals, reason="It has no safetensors weights.")
    quantized = config.get("quantization_config")
    if quantized:
        method = quantized.get("quant_method", "an unknown method") if isinstance(quantized, dict) else "?"
        reason = f"Its weights are already quantized by {method}; use the version that isn't."
        return Probe("language", **totals, reason=reason)
    if not any((folder / file).is_file() for file in _TOKENIZERS):
        return Probe("language", **totals, reason=f"It has no tokenizer ({', '.join(_TOKENIZERS)}).")
    facts = {"context": config.get("max_position_embeddings"), "architecture": architecture}
    return Probe("language", str(config.get("model_type", "language")), **totals, facts=facts)


_TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "vocab.json")
