"""Where on this computer the parts are that a model in a single file lacks.

Those that tensors can't tell apart (the VAE of FLUX.1 and that of Stable Diffusion 3 have one shape) are
taken from a diffusers folder of the same family where there is one, whose settings say whose it is; else from
the file that lies nearest. No torch import here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Final

from pipelines.errors import DiptychError
from pipelines.files import is_there
from pipelines.graph.values import Part
from pipelines.models.files.safety import read_json
from pipelines.models.parts.needed import (
    KIN,
    PROCESSORS,
    Need,
    fits,
    held,
    needs_of,
    text_settings,
    words_of,
)
from pipelines.models.probing.single_file import Blueprint
from pipelines.models.records.entries import Entry
from pipelines.models.records.known import fingerprint

_SHARED: Final = 4
"""Latent channels of VAEs of which several are in use."""


@dataclass(frozen=True, slots=True)
class Found:
    """The parts that were found for a model, and the needs that nothing was found for."""

    parts: tuple[Part, ...] = ()
    missing: tuple[Need, ...] = ()


def find_parts(entry: Entry, plan: Blueprint, entries: Callable[[], Iterable[Entry]]) -> Found:
    """The parts that a single file lacks, among what there is.

    A diffusers folder of the same family comes first, then files of their own, then folders of other
    families that are made with the same part. Among equals: the one that lies nearest, then the one with
    more bytes.

    Args:
        entries: gives all models there are; it is only called if something is lacking.
    """
    wanted = [need for need in needs_of(plan) if not held(need, entry.probe)]
    usable = [other for other in entries() if other.error is None] if wanted else []
    parts: list[Part] = []
    missing: list[Need] = []
    for need in wanted:
        part = _best(need, entry, usable, parts)
        if part is not None:
            parts.append(part)
        else:
            missing.append(need)
    return Found(tuple(parts), tuple(missing))


def _best(need: Need, entry: Entry, entries: Sequence[Entry], chosen: Sequence[Part]) -> Part | None:
    if need.sort == "tokenizer":
        beside = _beside_encoder(need, chosen)
        if beside is not None:
            return beside
    ranked = []
    for other in entries:
        path = _lent(need, other) if other.probe.kind != "diffusion" else _donated(need, other)
        if path is not None:
            same = other.info.family == entry.info.family
            ranked.append((0 if same else 2, *_distance(other, entry), other, path))
        elif fits(need, other.probe) and _told_apart(need, other):
            ranked.append((1, *_distance(other, entry), other, other.weights))
    if not ranked:
        return None
    *_, other, path = min(ranked, key=lambda item: item[:-2])
    return Part(need.name, other.info.id, str(path), _print(path))


def _told_apart(need: Need, other: Entry) -> bool:
    """Whether a VAE may be chosen without asking. That of Stable Diffusion 1.x and that of XL have one shape;
    only settings beside them say which one it is.
    """
    if need.sort != "vae" or need.facts["latent_channels"] != _SHARED:
        return True
    return other.weights.is_dir() and of_one_scale(need, other)


def of_one_scale(need: Need, chosen: Entry) -> bool:
    """Whether the latents of a VAE have the size this model was made for, as far as that is said."""
    if not chosen.weights.is_dir() or chosen.probe.family.startswith("tiny"):
        return True
    try:
        config = read_json(chosen.weights / "config.json", chosen.info.id)
    except DiptychError:
        return True
    stated, wanted = config.get("scaling_factor"), need.settings.get("scaling_factor", _SCALE)
    return not isinstance(stated, float) or abs(stated - wanted) < 1e-6


_SCALE: Final = 0.18215
"""Of VAEs whose settings say nothing: that of Stable Diffusion 1.x (Rombach et al. 2022)."""


def _distance(other: Entry, entry: Entry) -> tuple[int, int, str]:
    """How many folders lie between two models; then the larger file, then the name."""
    one, two = Path(other.info.path).parent.parts, Path(entry.info.path).parent.parts
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, two, strict=False)))
    return len(one) + len(two) - 2 * shared, -other.info.bytes, other.info.id


def _donated(need: Need, other: Entry) -> Path | None:
    """The folder of a part in a whole diffusers folder, if it is the very part that is needed."""
    if not other.weights.is_dir():
        return None
    folder = other.weights / need.name
    for name in (need.name, *(f"{need.name.rstrip('_234')}{ending}" for ending in ("", "_2", "_3", "_4"))):
        folder = other.weights / name
        if folder.is_dir() and _same(need, other.weights, name):
            return folder
    return None


_TELLING: Final = ("d_model", "hidden_size", "num_hidden_layers", "num_layers", "vocab_size",
                   "latent_channels", "scaling_factor")  # fmt: skip
"""Settings that tell one part from another of the same class."""


def _lent(need: Need, other: Entry) -> Path | None:
    """The folder of a language model whose tokenizer is the one that is needed: of the same class, for a
    vocabulary of the same size.
    """
    if need.sort != "tokenizer" or not other.weights.is_dir():
        return None
    try:
        config = read_json(other.weights / "config.json", other.info.id)
        tokenizer = read_json(other.weights / "tokenizer_config.json", other.info.id)
    except DiptychError:
        return None
    cls = str(tokenizer.get("tokenizer_class", ""))
    words = config.get("vocab_size")
    same = isinstance(words, int) and words > 0 and _as_tokenizer(need, cls, words)
    return other.weights if same else None


_PADDING: Final = 128
"""By so much the rows of one vocabulary differ between models of different sizes."""


def _same(need: Need, folder: Path, name: str) -> bool:
    try:
        index = read_json(folder / "model_index.json", folder.name)
        value = index.get(name) if isinstance(index, dict) else None
        cls = str(value[1]) if isinstance(value, list) and len(value) == 2 else ""
        if need.sort == "tokenizer":
            return _as_tokenizer(need, PROCESSORS.get(cls, cls), words_of(folder, name))
        config = read_json(folder / name / "config.json", folder.name)
    except DiptychError:
        return False
    like = cls == need.cls or cls in KIN.get(need.cls, ())
    if not like or not any((folder / name).glob("*.safetensors")) or not isinstance(config, dict):
        return False
    told, wanted = text_settings(config), text_settings(need.settings)
    return all(told.get(key, value) == value for key, value in wanted.items() if key in _TELLING)


def _as_tokenizer(need: Need, cls: str, words: int) -> bool:
    """Whether a tokenizer is of the class that is needed, for a vocabulary of the size that is needed.

    Args:
        words: how many its vocabulary has; 0 if that isn't known.
    """
    cls, wanted = cls.removesuffix("Fast"), need.cls.removesuffix("Fast")
    apart = abs(words - need.facts["vocabulary"]) if words and need.facts["vocabulary"] else None
    if cls != wanted and not (apart is not None and {cls, wanted} <= _ANY_WORDS):
        return False
    return apart is None or apart <= _PADDING


_ANY_WORDS: Final = frozenset({"PreTrainedTokenizer", "LlamaTokenizer", "TokenizersBackend"})
"""Classes that serve many vocabularies, without “Fast”: their names say nothing of whose it is."""


def _beside_encoder(need: Need, chosen: Sequence[Part]) -> Part | None:
    """A tokenizer in the GGUF file of its encoder, or in the folder that its encoder is in."""
    encoder = need.name.replace("tokenizer", "text_encoder")
    part = next((part for part in chosen if part.name == encoder), None)
    if part is None:
        return None
    path = Path(part.path)
    own = path.suffix.lower() == ".gguf" or is_there(path / "tokenizer_config.json")
    return Part(need.name, part.id, part.path, part.fingerprint) if own else None


def _print(path: Path) -> str:
    try:
        return fingerprint(path)
    except DiptychError:
        return ""
