"""The weights of a LoRA file, under names that diffusers converts from, with their scale worked in.

A LoRA adds ``scale · up · down`` to a weight (Hu et al. 2021, arXiv:2106.09685, section 4.1); the scale is
alpha / rank (alpha / √rank where a trainer says so). Where alpha is kept differs from layout to layout: in
tensors, in the file's metadata, in a file beside it. It is multiplied into ``up`` here, so that the libraries
find none. They never see the metadata: PEFT would take the name of a module to import from there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import ModelUnreadable
from pipelines.models.header import Header
from pipelines.models.safety import check_file, read_json

if TYPE_CHECKING:
    import torch

DOWN: Final = (".lora_down.weight", ".lora_A.weight", ".down.weight")
"""How the names of the first matrices end."""
_UP: Final = dict(zip(DOWN, (".lora_up.weight", ".lora_B.weight", ".up.weight"), strict=True))
_TO_KOHYA: Final = {
    ".lora_A.weight": ".lora_down.weight", ".lora_B.weight": ".lora_up.weight", ".alpha": ".alpha",
    ".lora_down.weight": ".lora_down.weight", ".lora_up.weight": ".lora_up.weight",
}  # fmt: skip
_ORIGINAL: Final = ("double_blocks.", "single_blocks.", "input_blocks.", "middle_block.", "output_blocks.")
"""Modules under the names of their authors' own code, which diffusers knows in kohya's spelling only."""
_PEFT: Final = "base_model.model."
_BESIDE: Final = "adapter_config.json"
_METADATA: Final = "lora_adapter_metadata"
"""Where diffusers keeps the settings of PEFT, with the name of the network before each."""
_MOST: Final = 1e6
"""No sane alpha or rank is larger."""

State = dict[str, "torch.Tensor"]
Settings = Mapping[str, Any]


def read_lora(path: Path, name: str, networks: Mapping[str, Any]) -> State:
    """All matrices of a LoRA in fp32, in main memory.

    Args:
        path: a safetensors file; it is checked before a library opens it.
        name: what to call it in an error.
        networks: those of the pipeline by name, the denoiser first: names that begin with none of them, as
            PEFT writes them, are given the one whose modules they name.

    Raises:
        ModelMissing, ModelUnsafe, ModelFormatUnsupported: see :func:`pipelines.models.safety.check_file`.
        ModelUnreadable: it is damaged, or holds values that are no numbers.
    """
    import torch
    from safetensors.torch import load_file

    header = check_file(path, name)
    state = {_plain(key): tensor for key, tensor in load_file(path).items()}
    broken = [
        key for key, tensor in state.items() if tensor.is_floating_point() and not tensor.isfinite().all()
    ]
    if broken:
        reason = f"{len(broken)} of its {len(state)} tensors hold values that are no numbers, as {broken[0]}."
        raise ModelUnreadable(model=name, reason=reason)
    state = {key: tensor.to(torch.float32) for key, tensor in state.items()}
    state = {_under_network(key, networks): tensor for key, tensor in state.items()}
    return _scaled(state, _settings(path, header, name, next(iter(networks), "")))


def _plain(key: str) -> str:
    """A name without the marks of PEFT's own classes, and in kohya's spelling where that is what is known."""
    if "lora_A.default." in key or "lora_B.default." in key:
        key = key.replace(".default.", ".")
    module = key.removeprefix("diffusion_model.")
    if module.startswith(_ORIGINAL):
        for ending, kohya in _TO_KOHYA.items():
            if module.endswith(ending):
                return f"lora_unet_{module.removesuffix(ending).replace('.', '_')}{kohya}"
    return key


def _under_network(key: str, networks: Mapping[str, Any]) -> str:
    """A name that begins with a module of a network, with the network's own name before it."""
    bare = key.removeprefix(_PEFT)
    first = bare.partition(".")[0]
    if first in networks or first == bare:
        return bare
    for name, network in networks.items():
        if first in dict(network.named_children()):
            return f"{name}.{bare}"
    # transformers' CLIP encoders lost a level that LoRAs of older versions have in their names.
    return f"text_encoder.{bare}" if first == "text_model" and "text_encoder" in networks else key


def modules_of(state: Mapping[str, Any]) -> list[str]:
    """The first matrices: one for each layer that is changed."""
    return [key for key in state if key.endswith(DOWN)]


def _scaled(state: State, settings: Settings) -> State:
    """With alpha multiplied into the second matrices, and without the tensors that hold it."""
    for down in modules_of(state):
        ending = next(ending for ending in DOWN if down.endswith(ending))
        module = down.removesuffix(ending)
        up = module + _UP[ending]
        if up not in state:
            continue
        rank = state[down].shape[0]
        module = module.removesuffix(".lora").removesuffix(".lora_linear_layer")
        stored = state.pop(f"{module}.alpha", None)
        if stored is not None:
            scale = float(stored) / rank if stored.numel() == 1 else 1.0
        else:
            scale = _scale(module, rank, settings)
        if scale != 1.0:
            state[up] = state[up] * scale
    return state


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


def _scale(module: str, rank: int, settings: Settings) -> float:
    """The factor of one layer by PEFT's settings: ``lora_alpha``, or what ``alpha_pattern`` says of it."""
    network, _, inner = module.partition(".")
    alpha = settings.get(f"{network}.lora_alpha")
    pattern = settings.get(f"{network}.alpha_pattern")
    for key, value in pattern.items() if isinstance(pattern, dict) else ():
        ending = str(key).removeprefix("^")
        if inner == ending or inner.endswith(f".{ending}"):
            alpha = value
            break
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or not 0 < abs(alpha) <= _MOST:
        return 1.0
    return alpha / (math.sqrt(rank) if settings.get(f"{network}.use_rslora") is True else rank)
