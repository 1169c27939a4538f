"""The parts that a model is made of beside its denoiser: text encoders, VAEs, tokenizers; which of them its
own file holds, and what other files can be.

A part is known by its tensors, never by its file's name. No torch import here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from pipelines.engine.protocol import ModelInfo
from pipelines.errors import DiptychError, ModelPartMissing
from pipelines.models.files.safety import read_json
from pipelines.models.parts.published import where_text
from pipelines.models.probing.probe import Probe
from pipelines.models.probing.single_file import Blueprint

Sort = Literal["vae", "text_encoder", "tokenizer"]

OWN_TOKENIZERS: Final[Mapping[str, str]] = {
    "CLIPTokenizer": "clip_tokenizer", "CLIPTokenizerFast": "clip_tokenizer",
    "T5Tokenizer": "t5_tokenizer", "T5TokenizerFast": "t5_tokenizer",
}  # fmt: skip
"""Classes of tokenizers that come with the program, and their folders beside the families' settings."""

PROCESSORS: Final[Mapping[str, str]] = {
    "PixtralProcessor": "PreTrainedTokenizerFast",
    "Qwen2VLProcessor": "Qwen2Tokenizer", "Qwen2_5_VLProcessor": "Qwen2Tokenizer",
}  # fmt: skip
"""Classes that read pictures beside words, and the tokenizer that each is made round."""

KIN: Final[Mapping[str, tuple[str, ...]]] = {
    "MistralModel": ("Mistral3ForConditionalGeneration",), "LlamaModel": ("LlamaForCausalLM",),
    "Qwen3Model": ("Qwen3ForCausalLM",), "Qwen3VLModel": ("Qwen3VLForConditionalGeneration",),
}  # fmt: skip
"""Classes that hold an encoder's layers, and more that reading a prompt doesn't need."""

OPTIONAL: Final[Mapping[str, tuple[str, ...]]] = {"sd3": ("text_encoder_3", "tokenizer_3")}
"""Parts that a family draws without, by its folder: Stable Diffusion 3 was trained to do without T5 at times
(Esser et al. 2024, arXiv:2403.03206)."""

_ENCODERS: Final[Mapping[str, tuple[str, ...]]] = {
    "CLIPTextModel": ("clip-l", "clip-h", "clip-g"),
    "CLIPTextModelWithProjection": ("clip-l", "clip-h", "clip-g"),
    "T5EncoderModel": ("t5", "t5encoder"),
    "UMT5EncoderModel": ("umt5", "pile-t5"),
    "Gemma2Model": ("gemma2",),
    "Qwen3Model": ("qwen3",),
    "Qwen3ForCausalLM": ("qwen3",),
    "MistralModel": ("mistral",),
    "LlamaModel": ("llama3",),
    "Qwen2_5_VLForConditionalGeneration": ("qwen2.5-vl",),
    "Qwen3VLModel": ("qwen3-vl",),
}
"""Class of an encoder -> the families a probe may find it to be; their width decides among these."""

_WITHIN: Final[Mapping[str, tuple[str, ...]]] = {
    "clip-l": ("clip_l",), "clip-g": ("clip_g",), "t5": ("t5xxl",), "pile-t5": ("pile_t5xl",),
    "gemma2": ("gemma2_2b",), "qwen3": ("qwen3_4b",), "qwen2.5-vl": ("qwen25_7b",),
    "mistral": ("mistral3_24b",), "llama3": ("llama",), "qwen3-vl": ("qwen3vl_4b",),
}  # fmt: skip
"""Family of an encoder -> what it is called below ``text_encoders.`` in a file that holds a whole model."""

_TITLES: Final[Mapping[str, str]] = {
    "clip-l": "CLIP-L text encoder", "clip-h": "CLIP-H text encoder", "clip-g": "CLIP-G text encoder",
    "t5": "T5-XXL text encoder", "umt5": "UMT5-XXL text encoder", "pile-t5": "Pile-T5-XL text encoder",
    "gemma2": "Gemma 2 2B text encoder", "qwen3": "Qwen3 4B text encoder",
    "qwen2.5-vl": "Qwen2.5-VL 7B text encoder", "mistral": "Mistral Small 3 24B text encoder",
    "llama3": "Llama 3.1 8B text encoder", "qwen3-vl": "Qwen3-VL 4B text encoder",
}  # fmt: skip

_WIDTHS: Final[Mapping[str, int]] = {
    "clip-l": 768, "clip-h": 1024, "clip-g": 1280, "t5": 4096, "umt5": 4096, "pile-t5": 2048, "gemma2": 2304,
    "qwen3": 2560, "qwen2.5-vl": 3584, "mistral": 5120, "llama3": 4096,
    "qwen3-vl": 2560,
}  # fmt: skip

_CLIP_TOKENS: Final = 77

_OTHER_SIZES: Final[Mapping[tuple[str, int], tuple[str, tuple[str, ...]]]] = {
    ("qwen3", 4096): ("Qwen3 8B text encoder", ("qwen3_8b",)),
}
"""Family and width of encoders that are used in a second size -> title, and what it is called in a file."""

_TOKENIZERS: Final[Mapping[str, str]] = {
    "PixtralProcessor": "Mistral", "PreTrainedTokenizerFast": "Llama 3",
    "Qwen2VLProcessor": "Qwen2", "Qwen2_5_VLProcessor": "Qwen2",
}  # fmt: skip
"""What a tokenizer is called whose class doesn't say it."""


@dataclass(frozen=True, slots=True)
class Need:
    """A part a model is made of.

    ``families`` and ``facts`` are those of a probe that fits; ``cls`` the class it has in a pipeline;
    ``within`` its names in a file that holds a whole model. ``settings`` are its own.
    """

    name: str
    sort: Sort
    cls: str
    title: str
    families: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    within: tuple[str, ...] = ()
    optional: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


def needs_of(plan: Blueprint) -> tuple[Need, ...]:
    """All parts of a family beside denoiser and scheduler, in the order of their names.

    Raises:
        ModelUnreadable: the family's settings can't be read.
    """
    return _needs(plan.folder, tuple((name, cls) for name, (_, cls) in sorted(plan.parts.items())))


def read_needs(folder: Path, parts: tuple[tuple[str, str], ...]) -> tuple[Need, ...]:
    """The same of any folder of settings.

    Args:
        parts: names and classes.
    """
    optional = OPTIONAL.get(folder.name, ())
    found = []
    for name, cls in parts:
        if name.startswith("tokenizer"):
            if cls not in OWN_TOKENIZERS:
                plain = cls.removesuffix("Fast").removesuffix("Tokenizer")
                title, within = f"tokenizer ({_TOKENIZERS.get(cls, plain)})", PROCESSORS.get(cls, cls)
                facts = {"vocabulary": words_of(folder, name)}
                found.append(Need(name, "tokenizer", within, title, facts=facts, optional=name in optional))
        elif name.startswith(("text_encoder", "vae")):
            settings = read_json(folder / name / "config.json", folder.name)
            make = _vae if name == "vae" else _encoder
            found.append(make(name, cls, settings, name in optional))
    return tuple(found)


def words_of(folder: Path, tokenizer: str) -> int:
    """How many words the encoder of a tokenizer knows; 0 if that isn't said."""
    try:
        config = read_json(
            folder / tokenizer.replace("tokenizer", "text_encoder") / "config.json", folder.name
        )
    except DiptychError:
        return 0
    words = text_settings(config).get("vocab_size") if isinstance(config, dict) else None
    return words if isinstance(words, int) else 0


def text_settings(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings of what reads words, in models that look at pictures, too."""
    inner = settings.get("text_config")
    return inner if isinstance(inner, dict) else settings


_needs = lru_cache(maxsize=64)(read_needs)
"""Thousands of models share a few folders of ours."""


def _encoder(name: str, cls: str, settings: Mapping[str, Any], optional: bool) -> Need:
    width = int(settings.get("d_model") or text_settings(settings).get("hidden_size") or 0)
    other = [family for family in _ENCODERS.get(cls, ()) if (family, width) in _OTHER_SIZES]
    named = other or [family for family in _ENCODERS.get(cls, ()) if _WIDTHS.get(family) == width]
    families = (*named, "t5encoder") if "t5" in named else tuple(named)
    if other:
        title, within = _OTHER_SIZES[other[0], width]
    else:
        title = _TITLES[named[0]] if named else f"text encoder ({cls})"
        within = tuple(alias for family in named for alias in _WITHIN.get(family, ()))
    facts = {"width": width}
    if cls.startswith("CLIP"):
        facts["length"] = int(settings.get("max_position_embeddings", _CLIP_TOKENS))
        title += f" for {facts['length']} tokens" if facts["length"] != _CLIP_TOKENS else ""
    return Need(name, "text_encoder", cls, title, families, facts, within, optional, dict(settings))


def _vae(name: str, cls: str, settings: Mapping[str, Any], optional: bool) -> Need:
    channels = int(settings.get("z_dim") or settings.get("latent_channels", 4))
    plain = f"kl-{channels}"
    families = {
        "AutoencoderKL": plain, "AutoencoderTiny": plain, "AutoencoderDC": "dc-ae",
        "AutoencoderKLQwenImage": f"wan-{channels}", "AutoencoderKLFlux2": plain,
    }  # fmt: skip
    plainly = f"VAE with {channels} latent channels"
    title = "deep compression autoencoder" if cls == "AutoencoderDC" else plainly
    facts = {"latent_channels": channels}
    return Need(
        name, "vae", cls, title, tuple(filter(None, [families.get(cls)])), facts, ("vae",), optional,
        dict(settings),
    )  # fmt: skip


def held(need: Need, probe: Probe) -> bool:
    """Whether a model's own file holds a part."""
    if need.sort == "vae":
        return "vae" in probe.facts.get("parts", ())
    encoders = probe.facts.get("encoders")
    if encoders is None:  # a checkpoint of Stable Diffusion 1.x, 2.x or XL, in which each has its place
        return need.sort == "text_encoder" and need.name in probe.facts.get("parts", ())
    return need.sort == "text_encoder" and any(alias in encoders for alias in need.within)


def fits(need: Need, probe: Probe) -> bool:
    """Whether a file or folder of its own can be a part: by kind, family, and every fact that is known."""
    if probe.kind != need.sort or probe.family not in need.families:
        return False
    if need.sort == "vae" and not probe.facts.get("encoder", True):
        return False  # half of one
    return all(probe.facts.get(name, value) in (value, 0) for name, value in need.facts.items())


def missing_text(missing: Sequence[Need]) -> str:
    """For the user: ``T5-XXL text encoder, VAE with 16 latent channels``; what can be done without is left
    out.
    """
    return ", ".join(need.title for need in missing if not need.optional)


def missing_error(model: str, missing: Sequence[Need]) -> ModelPartMissing:
    """What is said of a model that lacks parts which it can't do without."""
    lacking = [need for need in missing if not need.optional]
    return ModelPartMissing(
        model=model, parts=missing_text(lacking), folder=folders_text(lacking),
        where=where_text(need.title for need in lacking),
    )  # fmt: skip


def with_missing(info: ModelInfo, missing: Sequence[Need]) -> ModelInfo:
    """What is told of a model that lacks parts which are nowhere to be found."""
    lacking = [need for need in missing if not need.optional]
    if not lacking:
        return info
    error = missing_error(info.id, lacking).info()
    problem = " ".join(filter(None, error.sentences()[1:]))
    return info.model_copy(update={"problem": problem, "problem_code": error.code})


def folders_text(missing: Sequence[Need]) -> str:
    """What the folders for missing parts are called, for the user: ``text_encoder or vae``."""
    sorts = sorted({"text_encoder" if need.sort == "tokenizer" else need.sort for need in missing})
    return " or ".join(sorts)
