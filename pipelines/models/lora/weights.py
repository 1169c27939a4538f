"""What a LoRA file says, module by module: which tensors it has for each, and how they are scaled.

A LoRA adds ``scale · up · down`` to a weight (Hu et al. 2021, arXiv:2106.09685, section 4.1); the scale is
alpha / rank (alpha / √rank where a trainer says so). Where alpha is kept differs from layout to layout: in
tensors, in the file's metadata, in a file beside it. The libraries never see the metadata: PEFT would take
the name of a module to import from there.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import ModelUnreadable
from pipelines.models.files.header import Header
from pipelines.models.files.safety import check_file, read_json

if TYPE_CHECKING:
    import torch

_PAIRS: Final = {
    ".lora_down.weight": "down", ".lora_up.weight": "up", ".lora_mid.weight": "mid",
    ".lora_A.default.weight": "down", ".lora_B.default.weight": "up", ".lora_A.default": "down",
    ".lora_B.default": "up", ".lora_A.weight": "down", ".lora_B.weight": "up", ".lora_A": "down",
    ".lora_B": "up", ".lora.down.weight": "down", ".lora.up.weight": "up", "_lora.down.weight": "down",
    "_lora.up.weight": "up", ".lora_linear_layer.down.weight": "down", ".lora_linear_layer.up.weight": "up",
    ".lora_embedding_A": "embedding_down", ".lora_embedding_B": "embedding_up", ".lora_B.bias": "up_bias",
    ".down.weight": "down", ".up.weight": "up",
}  # fmt: skip
_MAGNITUDES: Final = {
    ".dora_scale": "magnitude", ".lora_magnitude_vector": "magnitude",
    ".lora_magnitude_vector.weight": "magnitude", ".lora_magnitude_vector.default": "magnitude",
    ".lora_magnitude_vector.default.weight": "magnitude",
}  # fmt: skip
_GENERALIZED: Final = {f".{name}.weight": f"glora_{name}" for name in ("a1", "a2", "b1", "b2", "bm")}
_LYCORIS: Final = (
    "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2", "lokr_w1", "lokr_w1_a",
    "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2", "oft_blocks", "rescale", "diff", "diff_b",
    "w_norm", "b_norm", "on_input", "ia3_l", "alpha",
)  # fmt: skip
_TURNING: Final = {
    ".oft_R.weight": "oft_r", ".oft_R.default.weight": "oft_r", ".boft_R": "boft_r", ".boft_s": "boft_s",
    ".boft_R.default": "boft_r", ".boft_s.default": "boft_s",
}  # fmt: skip
ENDINGS: Final[Mapping[str, str]] = {
    **_PAIRS, **_MAGNITUDES, **_GENERALIZED, **_TURNING, **{f".{name}": name for name in _LYCORIS},
    **{f".{name}.default": name for name in _LYCORIS}, ".lora_up.bias": "up_bias",
}  # fmt: skip
"""How names of tensors end, and what the tensor is; the longest ending that fits is meant."""
_BY_LENGTH: Final = sorted(ENDINGS, key=len, reverse=True)
_LISTED: Final = re.compile(r"\.(?:lora_)?(up|down)_list\.(\d{1,4})$")
"""DyLoRA's matrices in slices (Valipour et al. 2022, arXiv:2210.07558)."""
_BESIDE: Final = "adapter_config.json"
_METADATA: Final = "lora_adapter_metadata"
"""Where diffusers keeps the settings of PEFT, with the name of the network before each."""
_WORDS: Final = "bundle_emb."
"""OneTrainer keeps textual inversions in the same file."""
_MOST: Final = 1e6
"""No sane alpha or rank is larger."""

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """The tensors that a file has for one module, by what they are (values of :data:`ENDINGS`).

    ``name`` is the module as the file calls it, ``ending`` how the first of its tensors ends there.
    """

    name: str
    ending: str
    tensors: Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class LoraWeights:
    """A whole file. ``settings``: those of PEFT, by network."""

    sources: tuple[Source, ...]
    settings: Settings


def read_lora(path: Path, name: str, denoiser: str = "") -> LoraWeights:
    """All tensors of a LoRA or one of its relatives, in main memory, in the file's precision.

    Args:
        path: a safetensors file; it is checked before a library opens it.
        name: what to call it in an error.
        denoiser: the network that PEFT's settings are of where they name none.

    Raises:
        ModelMissing, ModelUnsafe, ModelFormatUnsupported: see
            :func:`pipelines.models.files.safety.check_file`.
        ModelUnreadable: it is damaged, or holds values that are no numbers.
    """
    from safetensors.torch import load_file

    header = check_file(path, name)
    state = {key: _readable(tensor) for key, tensor in load_file(path).items()}
    broken = [
        key for key, tensor in state.items() if tensor.is_floating_point() and not tensor.isfinite().all()
    ]
    if broken:
        reason = f"{len(broken)} of its {len(state)} tensors hold values that are no numbers, as {broken[0]}."
        raise ModelUnreadable(model=name, reason=reason)
    return LoraWeights(_sources(state), _settings(path, header, name, denoiser))


def _readable(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor that can be computed with: floats of 8 bits are for keeping only."""
    return tensor.float() if tensor.is_floating_point() and tensor.element_size() == 1 else tensor


def _sources(state: Mapping[str, torch.Tensor]) -> tuple[Source, ...]:
    """The tensors by their modules, in the order of the file."""
    found: dict[str, dict[str, torch.Tensor]] = {}
    endings: dict[str, str] = {}
    slices: dict[tuple[str, str], dict[int, torch.Tensor]] = {}
    for key, tensor in state.items():
        named = name_of(key, state)
        if named is None:
            continue
        module, kind, ending = named
        if listed := _LISTED.search(key):
            slices.setdefault((module, kind), {})[int(listed[2])] = tensor
            continue
        found.setdefault(module, {})[kind] = tensor
        if kind not in ("alpha", "ia3"):
            endings.setdefault(module, ending)
    for (module, side), parts in slices.items():
        import torch

        whole = torch.cat([parts[number] for number in sorted(parts)], dim=1 if side == "up" else 0)
        found.setdefault(module, {})[side] = whole
    return tuple(
        Source(module, endings.get(module, ""), tensors)
        for module, tensors in found.items()
        if set(tensors) - {"alpha", "on_input"}
    )


def name_of(key: str, names: Container[str]) -> tuple[str, str, str] | None:
    """What a tensor is: the module that it belongs to, what of it (values of :data:`ENDINGS`), and how its
    name ends; None if that isn't known.

    Args:
        names: of all tensors of the file.
    """
    if key.startswith(_WORDS):
        return None
    if listed := _LISTED.search(key):
        return key[: listed.start()], listed[1], listed[0]
    ending = next((ending for ending in _BY_LENGTH if key.endswith(ending)), None)
    if ending is None:
        module = key.removesuffix(".weight")
        return (module, "ia3", ".weight") if module != key and f"{module}.on_input" in names else None
    module = key.removesuffix(ending)
    return (module.removesuffix(".lora") if ending == ".alpha" else module), ENDINGS[ending], ending


def _settings(path: Path, header: Header, name: str, denoiser: str) -> Settings:
    """PEFT's settings by network: from diffusers' metadata, or from the file PEFT writes beside its own."""
    text = header.metadata.get(_METADATA, "")
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        found = {}
    if not found and (path.parent / _BESIDE).is_file() and path.name == "adapter_model.safetensors":
        own = read_json(path.parent / _BESIDE, name)
        found = {f"{denoiser}.{key}": value for key, value in own.items()} if isinstance(own, dict) else {}
    return found if isinstance(found, dict) else {}


def scale_of(source: Source, rank: int, settings: Settings, network: str, module: str) -> float:
    """The factor of a module's change: its own alpha over the rank, or what PEFT's settings say.

    ``network`` and ``module`` are what is changed, by the names that the settings have for it.
    """
    stored = source.tensors.get("alpha")
    if stored is not None:
        alpha = float(stored) if stored.numel() == 1 else 0.0
        return alpha / rank if alpha and rank else 1.0  # trainers write 0 for “no scaling”
    given = settings.get(f"{network}.lora_alpha", settings.get(f"{network}.alpha"))
    pattern = settings.get(f"{network}.alpha_pattern")
    for key, value in pattern.items() if isinstance(pattern, dict) else ():
        ending = str(key).removeprefix("^")
        if module == ending or module.endswith(f".{ending}"):
            given = value
            break
    if not isinstance(given, int | float) or isinstance(given, bool) or not 0 < abs(given) <= _MOST:
        return 1.0
    return given / (math.sqrt(rank) if settings.get(f"{network}.use_rslora") is True else rank)
