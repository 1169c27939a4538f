"""What a model is made of, from the headers of its files: how many numbers, in which blocks, how wide."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pipelines.errors import DiptychError
from pipelines.models.catalogue.catalogue import Entry
from pipelines.models.files.gguf_header import as_header
from pipelines.models.files.gguf_header import read_header as read_gguf
from pipelines.models.files.header import Header, TensorFacts, read_header
from pipelines.models.files.safety import read_json
from pipelines.models.forecast.layers import Untouched, untouched
from pipelines.models.forecast.work import Work, work_of
from pipelines.models.loaded import Stage
from pipelines.models.loading.folder import variant_files
from pipelines.models.parts.files import is_packed
from pipelines.models.residency.pieces import LARGEST_SHARE, MOST

Shapes = Mapping[str, tuple[int, ...]]

_ENCODERS: Final = "text_encoders."
_SINGLE: Final[tuple[tuple[str, str], ...]] = (
    ("first_stage_model.", "vae"), ("vae.", "vae"),
    ("cond_stage_model.", "text_encoder"), ("conditioner.embedders.0.", "text_encoder"),
    ("conditioner.embedders.1.", "text_encoder_2"), (_ENCODERS, "text_encoder"),
    ("model.diffusion_model.", "denoiser"),
)  # fmt: skip
"""Beginnings of names in files that hold a whole model, and the part they belong to."""

_FIRST_LAYERS: Final = (
    "conv_in.weight", "input_blocks.0.0.weight", "img_in.weight", "x_embedder.weight",
    "x_embedder.proj.weight", "pos_embed.proj.weight", "patch_embedding.weight", "patch_embed.proj.weight",
    "conv_first.weight", "model.0.weight", "body.0.weight",
)  # fmt: skip
"""The layer that sees the latents, or the picture to enlarge: as many rows as the network is wide."""

_UNPACKED: Final = ("Sana", "LTX")
"""Beginnings of the names of transformers whose tokens are single latent pixels."""

_FIRST_ATTENTION: Final = ("down_blocks.0.attentions.", "input_blocks.1.1.")

_LAST_OF_VAE: Final = ("decoder.conv_norm_out.weight", "decoder.norm_out.weight", "decoder.norm_out.gamma")


_TIED: Final = frozenset({"shared.weight", "encoder.embed_tokens.weight"})


@dataclass(frozen=True, slots=True)
class Component:
    """One network. ``elements`` numbers, of which ``outside`` are in no block; ``largest`` in the largest.

    ``width`` is the channels of its first layer (a denoiser) or its last (a VAE's decoder), ``factor`` how
    many px of a side one latent pixel (a VAE), or one token (a transformer), stands for.
    """

    name: str
    stage: Stage
    elements: int
    outside: int
    largest: int
    width: int = 0
    factor: int = 8
    convolves: bool = True
    attends: bool = True
    """Whether a U-Net has attention where the picture is largest."""
    untouched: Untouched = field(default_factory=Untouched)
    """What quantizing leaves as it is."""
    packed: int = 0
    """Bytes of its weights, if they are packed in its file and stay so; else 0."""
    blocks: tuple[int, ...] = ()
    """Numbers of each block, in the order of their names."""
    config: Mapping[str, Any] = field(default_factory=dict)
    work: Work | None = None
    """What a pass multiplies; None where names and shapes don't tell."""

    @property
    def window(self) -> int:
        """Numbers of the blocks that are on the device while they pass through."""
        return 2 * self.largest


def components_of(entry: Entry, beside: Mapping[str, Path] = MappingProxyType({})) -> tuple[Component, ...]:
    """The networks of a model, as they would be opened.

    Args:
        beside: where parts are that come from elsewhere, by their names, instead of the model's own.

    Raises:
        DiptychError: a file can't be read any more.
    """
    own = [part for part in _own(entry) if part.name not in beside]
    others = ((name, path) for name, path in beside.items() if _used(name))
    return (*own, *(_beside(name, path) for name, path in others))


def _own(entry: Entry) -> tuple[Component, ...]:
    weights = entry.weights
    if not weights.is_dir():
        return tuple(_of_file(weights, entry.info.id))
    if not (weights / "model_index.json").is_file():
        shapes = _shapes(sorted(weights.glob("*.safetensors")), entry.info.id)
        return (component_of("model", shapes, _settings(weights, entry.info.id)),)
    found = []
    for part in sorted(weights.iterdir()):
        files = sorted(part.glob("*.safetensors")) if part.is_dir() else []
        if files and _used(part.name):
            shapes = _shapes(variant_files(files)[0], entry.info.id)
            found.append(component_of(part.name, shapes, _settings(part, entry.info.id)))
    return tuple(found)


def _used(name: str) -> bool:
    return name.startswith(("unet", "transformer", "vae", "text_encoder", "prior", "decoder"))


def _beside(name: str, path: Path) -> Component:
    """A part in a file, or a folder, of its own."""
    files = variant_files(sorted(path.glob("*.safetensors")))[0] if path.is_dir() else [path]
    return component_of(name, _shapes(files, path.name), _settings(path, path.name) if path.is_dir() else {})


def _of_file(file: Path, model: str) -> Iterable[Component]:
    header = _header(file, model)
    parts: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, facts in header.tensors.items():
        start, part = next(((a, b) for a, b in _SINGLE if name.startswith(a)), ("", "model"))
        if start == _ENCODERS:  # each is brought by itself
            encoder = name[len(start) :].partition(".")[0]
            start, part = f"{start}{encoder}.", f"text_encoder_{encoder}"
        parts.setdefault(part, {})[name[len(start) :]] = facts.shape
    packed = is_packed(file)
    for part, inside in parts.items():
        found = component_of(part, inside, {})
        yield replace(found, packed=sum(map(_bytes, header.tensors.values()))) if packed else found


def _bytes(facts: TensorFacts) -> int:
    return facts.bytes


def _header(file: Path, model: str) -> Header:
    return as_header(read_gguf(file)) if is_packed(file) else read_header(file, model)


def _shapes(files: Iterable[Path], model: str) -> dict[str, tuple[int, ...]]:
    return {name: facts.shape for file in files for name, facts in _header(file, model).tensors.items()}


def _settings(folder: Path, model: str) -> dict[str, Any]:
    try:
        found = read_json(folder / "config.json", model)
    except DiptychError:
        return {}
    return found if isinstance(found, dict) else {}


def component_of(name: str, shapes: Shapes, config: Mapping[str, Any]) -> Component:
    """One network, from the shapes of its tensors by name and its settings, as far as they are known."""
    if shapes.keys() >= _TIED:  # some files of T5 hold its table of words twice
        shapes = {key: shape for key, shape in shapes.items() if key != "encoder.embed_tokens.weight"}
    sizes = {key: _count(shape) for key, shape in shapes.items()}
    total = sum(sizes.values())
    blocks = list(_blocks(sizes, total))
    stage: Stage = "main"
    if name.startswith("text_encoder"):
        stage = "encode"
    elif name.startswith("vae"):
        stage, blocks = "decode", []
    convolves = any(len(shape) == 4 and shape[-1] == 3 for shape in shapes.values())
    width = _width(shapes, config, stage)
    return Component(
        name, stage, total, total - sum(blocks), max(blocks, default=0), blocks=tuple(blocks),
        width=width, factor=_factor(shapes, config, stage, convolves),
        convolves=convolves, attends=any(name.startswith(_FIRST_ATTENTION) for name in shapes), config=config,
        untouched=untouched(shapes), work=work_of(stage, shapes, width, config),
    )  # fmt: skip


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


_NUMBERED: Final = re.compile(r"(?:^|\.)\d+(?=\.)")


def _blocks(sizes: Mapping[str, int], total: int, depth: int = 1) -> Iterable[int]:
    """Sizes of the blocks, taken apart as :func:`pipelines.models.residency.pieces.split` does."""
    groups: dict[str, dict[str, int]] = {}
    for name, size in sizes.items():
        found = list(_NUMBERED.finditer(name))
        if len(found) >= depth:
            groups.setdefault(name[: found[depth - 1].end()], {})[name] = size
    for inside in groups.values():
        size = sum(inside.values())
        inner = list(_blocks(inside, total, depth + 1)) if size * LARGEST_SHARE > total else []
        if size and sum(inner) >= MOST * size:
            yield from inner
        else:
            yield size


def _width(shapes: Shapes, config: Mapping[str, Any], stage: Stage) -> int:
    names = _LAST_OF_VAE if stage == "decode" else _FIRST_LAYERS
    for name in names:
        if name in shapes:
            return shapes[name][0]
    heads, size = config.get("num_attention_heads"), config.get("attention_head_dim")
    if isinstance(heads, int) and isinstance(size, int):
        return heads * size
    stated = config.get("hidden_size") or config.get("dim") or config.get("model_dim")
    return stated if isinstance(stated, int) else 0


def _factor(shapes: Shapes, config: Mapping[str, Any], stage: Stage, convolves: bool) -> int:
    if stage == "decode":
        levels = {
            match[1] for name in shapes if (match := re.match(r"decoder\.up(?:_blocks)?\.(\d+)\.", name))
        }
        return int(2 ** max(len(levels) - 1, 0)) if levels else 8
    if stage == "main" and not convolves:
        patch = config.get("patch_size", 2)
        if patch == 1 and str(config.get("_class_name", "")).startswith(_UNPACKED):
            return 8
        # Others that see 1×1 patches are given 2×2 latent pixels packed into one.
        return 8 * (patch if isinstance(patch, int) and patch > 1 else 2)
    return 8
