"""What kind of model a folder is: from its own index, and from the settings of its parts.

A pipeline that can't be opened is named all the same (:func:`recognise_folder`): by its index, and by the
tensors of its denoiser.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pipelines.errors import DiptychError, ModelUnreadable
from pipelines.models.families.class_names import (
    DEPTH,
    DETECTORS,
    ENCODERS,
    PAIRS,
    POSE,
    Named,
    of_network,
    of_pipeline,
)
from pipelines.models.families.controls import control_folder
from pipelines.models.families.facts import LATER, family
from pipelines.models.files.header import Header, TensorFacts, read_header
from pipelines.models.files.safety import files_of, is_setting, read_json
from pipelines.models.pipeline_classes import PIPELINES, UNUSED, PipelineClass
from pipelines.models.probing.probe import Kind, Probe, main_dtype, probe_file

ADAPTER_PART: Final = "image_embedder"
"""Where a folder of FLUX.1 Redux has its weights."""


def is_model_folder(folder: Path) -> bool:
    """Whether a folder is one model: it has a diffusers index or a transformers configuration."""
    return (folder / "model_index.json").is_file() or (folder / "config.json").is_file()


def probe_folder(folder: Path, headers: Mapping[Path, Header], model: str = "") -> Probe:
    """Name the model in a folder that passed :func:`pipelines.models.files.safety.check_folder`.

    Raises:
        ModelUnreadable: a settings file is missing or broken.
    """
    name = model or folder.name
    if (folder / "model_index.json").is_file():
        return _pipeline_folder(folder, headers, name)
    config = read_json(folder / "config.json", name)
    if isinstance(config, dict) and "_class_name" in config:  # one part, by diffusers
        return _network_folder(config, folder, headers)
    return _language_folder(config, folder, headers)


def recognise_folder(folder: Path, model: str = "") -> Probe | None:
    """Name a pipeline of diffusers that can't be opened; None if its index is of no family that is known.

    Raises:
        ModelUnreadable: its index is missing or broken.
    """
    index = read_json(folder / "model_index.json", model or folder.name)
    named = of_pipeline(str(index.get("_class_name"))) if isinstance(index, dict) else None
    if named is None:
        return None
    headers: dict[Path, Header] = {}
    for path in files_of(folder, model):
        if path.suffix.lower() == ".safetensors":
            with suppress(DiptychError):
                headers[path] = read_header(path, model)
    variant, told = _variant(named, headers)
    facts = family(named.family)
    told["pipeline"] = str(index["_class_name"])
    return Probe(
        named.kind, named.family, **_totals(headers), native_size=facts.native_size,
        size_multiple=facts.size_multiple, facts=told, layout="diffusers",
        variant=variant, problem=named.problem or facts.problem or LATER,
    )  # fmt: skip


def _variant(named: Named, headers: Mapping[Path, Header]) -> tuple[str, dict[str, Any]]:
    """Which of its family a pipeline is, and what its denoiser's tensors tell."""
    denoiser = [header for path, header in headers.items() if path.parent.name in _DENOISERS]
    found = probe_file(merged(denoiser)) if denoiser else Probe(None)
    # The index knows what shapes can't tell: what was made for editing, or distilled.
    closer = found.family == named.family and found.variant.startswith(named.variant)
    return found.variant if closer else named.variant, dict(found.facts)


_DENOISERS: Final = ("transformer", "unet", "prior", "decoder")


def merged(headers: Iterable[Header]) -> Header:
    """One header of all shards of a network."""
    tensors: dict[str, TensorFacts] = {}
    metadata: dict[str, str] = {}
    numbers: dict[str, int] = {}
    total = 0
    for header in headers:
        tensors.update(header.tensors)
        metadata.update(header.metadata)
        total += header.file_bytes
        for name, count in header.numbers.items():
            numbers[name] = numbers.get(name, 0) + count
    return Header(tensors, metadata, total, numbers)


def _network_folder(config: Mapping[str, Any], folder: Path, headers: Mapping[Path, Header]) -> Probe:
    """One network of diffusers: by its class what it is for, by its tensors whose it is."""
    kind = of_network(str(config["_class_name"])) or "control"
    if kind == "control":
        told = control_folder(config, _has_weights(folder, headers))
        named = "" if told.reason else told.family
        return Probe(
            "control", named, **_totals(headers), facts=told.facts, reason=told.reason, base=told.family,
            variant=told.variant, layout="diffusers",
        )  # fmt: skip
    found = probe_file(merged(headers.values())) if headers else Probe(None)
    if found.kind != kind:
        reason = f"It is a {config['_class_name']}, which this version of Diptych has no use for."
        return Probe(kind, **_totals(headers), reason=reason)
    problem = "It holds only a denoiser; use the whole folder of the pipeline." if kind == "diffusion" else ""
    return replace(found, **_totals(headers), layout="diffusers", problem=problem)


def _totals(headers: Mapping[Path, Header]) -> dict[str, Any]:
    largest = max(headers.values(), key=lambda header: header.file_bytes, default=None)
    return {
        "dtype": main_dtype(largest) if largest else "",
        "elements": sum(header.elements() for header in headers.values()),
        "bytes": sum(header.file_bytes for header in headers.values()),
    }


def _has_weights(part: Path, headers: Mapping[Path, Header]) -> bool:
    return any(path.parent == part for path in headers)


# --- diffusers folders --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Parts:
    """The settings of a pipeline's parts. ``factor``: how many pixels a side of a latent pixel stands for."""

    name: str
    index: dict[str, Any]
    denoiser: dict[str, Any]
    vae: dict[str, Any]
    scheduler: dict[str, Any]

    @property
    def factor(self) -> int:
        levels = self.vae.get("block_out_channels") or self.vae.get("encoder_block_out_channels") or ()
        return int(2 ** max(len(levels) - 1, 0))

    @property
    def latent_channels(self) -> int:
        return int(self.vae.get("latent_channels", 4))

    def class_of(self, part: str) -> str:
        return str((self.index.get(part) or [None, ""])[1] or "")

    def facts(self, text_encoder: str = "text_encoder") -> dict[str, Any]:
        return {
            "in_channels": self.denoiser.get("in_channels", 4),
            "cross_attention_dim": self.denoiser.get("cross_attention_dim"),
            "block_out_channels": self.denoiser.get("block_out_channels"),
            "prediction_type": self.scheduler.get("prediction_type", "epsilon"),
            "zero_snr": bool(self.scheduler.get("rescale_betas_zero_snr")),
            "scheduler": self.scheduler,
            "text_encoder": self.class_of(text_encoder),
        }


@dataclass(frozen=True, slots=True)
class _Named:
    """What a pipeline's parts make it; ``reason`` says why it can't be used.

    Without a native size, or with a smaller multiple, those of the family hold.
    """

    family: str
    facts: dict[str, Any] = field(default_factory=dict)
    native_size: tuple[int, int] | None = None
    size_multiple: int = 8
    reason: str = ""


def _pipeline_folder(folder: Path, headers: Mapping[Path, Header], name: str) -> Probe:
    index = read_json(folder / "model_index.json", name)
    totals = _totals(headers)
    known = PIPELINES[index["_class_name"]]
    if known.denoiser == ADAPTER_PART:
        return _adapter_folder(folder, headers)
    usual = _stable_diffusion if known.denoiser == "unet" else _transformer
    describe = _DESCRIBED.get(known.opened_as, usual)
    kind: Kind = "upscale" if describe in _UPSCALERS else "diffusion"
    networks = _networks(known, index)
    missing = [part for part in networks if not _has_weights(folder / part, headers)]
    if missing:
        reason = f"It has no safetensors weights for: {', '.join(missing)}."
        return Probe(kind, **totals, reason=reason)
    for part, value in index.items():
        wanted = isinstance(value, list) and value[:1] != [None] and not is_setting(value)
        wanted = wanted and part not in UNUSED | known.apart
        wanted = wanted and (part not in known.optional or (folder / part).is_dir())
        if wanted and not any((folder / part).glob("*.json")):
            raise ModelUnreadable(model=name, reason=f"Its {part} is missing.")
    found = describe(_read_parts(folder, index, known, name))
    reason = found.reason
    settings = (read_json(folder / part / "config.json", name) for part in networks)
    if any("quantization_config" in config for config in settings):
        reason = "Its weights are already quantized; use the version that isn't."
    named = of_pipeline(known.opened_as)
    variant = ""
    if named is not None and known.denoiser == "transformer":
        variant, told = _variant(named, headers)
        found.facts.update({name: value for name, value in told.items() if name not in found.facts})
    return Probe(
        kind, "" if reason else found.family, **totals, native_size=found.native_size,
        size_multiple=found.size_multiple, facts=found.facts, reason=reason, variant=variant,
    )  # fmt: skip


def _adapter_folder(folder: Path, headers: Mapping[Path, Header]) -> Probe:
    """A pipeline that only reads pictures for another: its adapter is what is opened."""
    own = {path: header for path, header in headers.items() if path.parent == folder / ADAPTER_PART}
    if not own:
        return Probe("adapter", reason=f"It has no safetensors weights for: {ADAPTER_PART}.")
    return replace(probe_file(merged(own.values())), **_totals(own), layout="diffusers")


def _networks(known: PipelineClass, index: Mapping[str, Any]) -> tuple[str, ...]:
    """The networks that must have weights. SDXL's refiner has only the second of two text encoders."""
    lacks = index.get("text_encoder") in ([None, None], None) and index.get("text_encoder_2")
    return tuple("text_encoder_2" if part == "text_encoder" and lacks else part for part in known.networks)


def _read_parts(folder: Path, index: dict[str, Any], known: PipelineClass, name: str) -> _Parts:
    return _Parts(
        name, index, read_json(folder / known.denoiser / "config.json", name),
        read_json(folder / "vae" / "config.json", name),
        read_json(folder / "scheduler" / "scheduler_config.json", name),
    )  # fmt: skip


def _stable_diffusion(parts: _Parts) -> _Named:
    unet, factor = parts.denoiser, parts.factor
    sample = unet.get("sample_size") or 64
    sides = sample if isinstance(sample, list) else [sample, sample]
    if len(sides) != 2 or not all(type(side) is int and 1 <= side * factor <= 16_384 for side in sides):
        raise ModelUnreadable(model=parts.name, reason=f"Its sample size is {str(sample)[:40]}.")
    channels, width = unet.get("in_channels", 4), unet.get("cross_attention_dim")
    xl = str(parts.index["_class_name"]).startswith("StableDiffusionXL")
    family = "sdxl" if xl else {768: "sd1", 1024: "sd2"}.get(width if isinstance(width, int) else 0, "sd")
    if channels == 9 and family != "sd":
        family += "-inpaint"
    elif channels == 5 and not xl:  # the depth of a picture
        family = "sd2-depth"
    elif channels == 8:  # a picture's latents beside those that are drawn
        family = "sdxl-edit" if xl else "sd1-edit"
    elif xl and not parts.class_of("text_encoder"):
        family = "sdxl-refiner"
        parts.index["text_encoder"] = parts.index.get("text_encoder_2")
    known = channels in (4, 8, 9) or family == "sd2-depth"
    reason = "" if known else f"Its denoiser takes {channels} channels, so it needs a picture."
    # The pipelines of diffusers want multiples of 8 even of a VAE that divides by less.
    size = (sides[-1] * factor, sides[0] * factor)
    return _Named(family, parts.facts(), size, max(8, factor), reason)


_SAMPLED: Final = frozenset({"pixart", "sana"})
"""Families whose denoiser's ``sample_size`` is the size it was trained at, in latent pixels."""


def _transformer(parts: _Parts) -> _Named:
    """A diffusion transformer that sees nothing but latents; what it is, its pipeline's class says."""
    named = of_pipeline(str(parts.index["_class_name"]))
    family_name = named.family if named is not None else ""
    first = family_name == "sd3" or not parts.class_of("text_encoder_2")
    encoder = "text_encoder" if first else "text_encoder_2"
    size, sample = None, parts.denoiser.get("sample_size")
    if family_name in _SAMPLED and type(sample) is int and 1 <= sample * parts.factor <= 16_384:
        size = (sample * parts.factor,) * 2
    return _Named(family_name, parts.facts(encoder), size)


def _flux_fill(parts: _Parts) -> _Named:
    """Each token holds 2×2 latent pixels, as many of the masked picture, and the mask's pixels below them."""
    wanted = 4 * (2 * parts.latent_channels + parts.factor**2)
    return _Named(
        "flux-fill", parts.facts("text_encoder_2"), size_multiple=max(8, 2 * parts.factor),
        reason=_channels(parts, wanted, "one made for filling"),
    )  # fmt: skip


def _upscaler(parts: _Parts) -> _Named:
    """It sees the small picture, noisy, beside latents of the same size: the VAE makes the rest."""
    reason = _channels(parts, parts.latent_channels + 3, "such an upscaler")
    return _Named("sd-x4-upscaler", {**parts.facts(), "scale": parts.factor}, reason=reason)


def _latent_upscaler(parts: _Parts) -> _Named:
    """It sees the picture's latents, enlarged twice, beside those it draws."""
    reason = _channels(parts, 2 * parts.latent_channels, "such an upscaler")
    return _Named("sd-latent-upscaler", {**parts.facts(), "scale": 2}, reason=reason)


def _channels(parts: _Parts, wanted: int, what: str) -> str:
    channels = parts.denoiser.get("in_channels")
    return "" if channels == wanted else f"Its denoiser takes {channels} channels; {what} takes {wanted}."


_UPSCALERS: Final = (_upscaler, _latent_upscaler)
_DESCRIBED: Final[Mapping[str, Callable[[_Parts], _Named]]] = {
    "FluxFillPipeline": _flux_fill,
    "StableDiffusionUpscalePipeline": _upscaler,
    "StableDiffusionLatentUpscalePipeline": _latent_upscaler,
}


# --- transformers folders -----------------------------------------------------------------------------------


def _language_folder(config: Any, folder: Path, headers: Mapping[Path, Header]) -> Probe:
    totals = _totals(headers)
    kinds = config.get("architectures") if isinstance(config, dict) else None
    architecture = str(kinds[0]) if isinstance(kinds, list) and kinds else ""
    if architecture in ENCODERS:
        found = probe_file(merged(headers.values()))
        if found.kind in ("text_encoder", "vision"):
            return replace(found, **totals, problem=found.problem if found.kind == "vision" else "")
    if architecture in PAIRS:
        found = probe_file(_seeing_half(merged(headers.values())))
        if found.kind == "vision":
            return replace(found, bytes=totals["bytes"])
    for kind, known in _SEEING.items():
        if architecture in known:
            return _seeing_folder(kind, config, architecture, _has_weights(folder, headers), totals)
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


def _seeing_half(header: Header) -> Header:
    """What an encoder of pictures is of one that reads texts, too."""
    own = ("vision_model.", "visual_projection.")
    tensors = {name: facts for name, facts in header.tensors.items() if name.startswith(own)}
    return Header(tensors, header.metadata, header.file_bytes, header.numbers)


def _seeing_folder(
    kind: Kind, config: Mapping[str, Any], architecture: str, has_weights: bool, totals: Mapping[str, Any]
) -> Probe:
    """What looks at a picture. Its backbone is described in full, or a library would look elsewhere."""
    named = str(config.get("model_type", kind))
    facts: dict[str, Any] = {"architecture": architecture}
    reason = ""
    labels = config.get("id2label")
    labels = labels if isinstance(labels, dict) else {}
    if kind == "pose" and len(labels) != POINTS:
        reason = f"It finds {len(labels)} points of a person; those of COCO are {POINTS}."
    if kind == "detector":
        facts["person"] = _number(labels, "person")
        reason = "" if facts["person"] is not None else "No class of what it finds is called “person”."
    backbone = config.get("backbone_config")
    described = [config, backbone] if isinstance(backbone, dict) else [config]
    if any(map(_fetches, described)):
        reason = "A part of it would have to be fetched from elsewhere."
    if not has_weights:
        reason = "It has no safetensors weights."
    return Probe(kind, "" if reason else named, **totals, facts=facts, reason=reason)


def _number(labels: Mapping[str, Any], wanted: str) -> int | None:
    """The number of a class, if it can be one."""
    number = next((int(key) for key, name in labels.items() if name == wanted), -1)
    return number if 0 <= number < len(labels) else None


def _fetches(config: Mapping[str, Any]) -> bool:
    """Whether a library would look for a backbone that is only named."""
    named = isinstance(config.get("backbone"), str) or str(config.get("model_type")).startswith("timm_")
    return named or bool(config.get("use_timm_backbone") or config.get("use_pretrained_backbone"))


_SEEING: Final[Mapping[Kind, Collection[str]]] = {"depth": DEPTH, "pose": POSE, "detector": DETECTORS}
"""Models of transformers that look at pictures, by their kind."""
POINTS: Final = 17
"""COCO's points of a person (Lin et al. 2014)."""
_TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "vocab.json")
