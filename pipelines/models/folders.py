"""What kind of model a folder is: from its own index, and from the settings of its parts.

A pipeline that can't be opened is named all the same (:func:`recognise_folder`): by its index, and by the
tensors of its denoiser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pipelines.errors import DiptychError, ModelUnreadable
from pipelines.models.controls import control_folder
from pipelines.models.families import LATER, family
from pipelines.models.header import Header, TensorFacts, read_header
from pipelines.models.pipeline_classes import PIPELINES, UNUSED, PipelineClass
from pipelines.models.pipeline_families import ENCODERS, of_network, of_pipeline
from pipelines.models.probe import Kind, Probe, main_dtype, probe_file
from pipelines.models.safety import files_of, read_json


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
    denoiser = [header for path, header in headers.items() if path.parent.name in _DENOISERS]
    found = probe_file(merged(denoiser)) if denoiser else Probe(None)
    # The index knows what shapes can't tell: what was made for editing, or distilled.
    closer = found.family == named.family and found.variant.startswith(named.variant)
    facts = family(named.family)
    told = {**found.facts, "pipeline": str(index["_class_name"])}
    return Probe(
        named.kind, named.family, **_totals(headers), native_size=facts.native_size,
        size_multiple=facts.size_multiple, facts=told, layout="diffusers",
        variant=found.variant if closer else named.variant, problem=facts.problem or LATER,
    )  # fmt: skip


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
        named, facts, reason = control_folder(config, _has_weights(folder, headers))
        return Probe("control", named, **_totals(headers), facts=facts, reason=reason, base=named)
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
        return int(2 ** max(len(self.vae.get("block_out_channels", ())) - 1, 0))

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
    """What a pipeline's parts make it; ``reason`` says why it can't be used."""

    family: str
    facts: dict[str, Any] = field(default_factory=dict)
    native_size: tuple[int, int] | None = None
    size_multiple: int = 8
    reason: str = ""


def _pipeline_folder(folder: Path, headers: Mapping[Path, Header], name: str) -> Probe:
    index = read_json(folder / "model_index.json", name)
    totals = _totals(headers)
    known = PIPELINES[index["_class_name"]]
    describe = _DESCRIBED.get(known.opened_as, _stable_diffusion)
    kind: Kind = "upscale" if describe in _UPSCALERS else "diffusion"
    missing = [part for part in known.networks if not _has_weights(folder / part, headers)]
    if missing:
        reason = f"It has no safetensors weights for: {', '.join(missing)}."
        return Probe(kind, **totals, reason=reason)
    for part, value in index.items():
        wanted = isinstance(value, list) and value[:1] != [None] and part not in UNUSED
        if wanted and not any((folder / part).glob("*.json")):
            raise ModelUnreadable(model=name, reason=f"Its {part} is missing.")
    found = describe(_read_parts(folder, index, known, name))
    reason = found.reason
    settings = (read_json(folder / part / "config.json", name) for part in known.networks)
    if any("quantization_config" in config for config in settings):
        reason = "Its weights are already quantized; use the version that isn't."
    return Probe(
        kind, "" if reason else found.family, **totals, native_size=found.native_size,
        size_multiple=found.size_multiple, facts=found.facts, reason=reason,
    )  # fmt: skip


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
    elif xl and not parts.class_of("text_encoder"):
        family = "sdxl-refiner"
    reason = "" if channels in (4, 9) else f"Its denoiser takes {channels} channels, so it needs a picture."
    # The pipelines of diffusers want multiples of 8 even of a VAE that divides by less.
    size = (sides[-1] * factor, sides[0] * factor)
    return _Named(family, parts.facts(), size, max(8, factor), reason)


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
            return replace(found, **totals, problem="")
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
