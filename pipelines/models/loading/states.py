"""Weights in a file of its own, by name: safetensors or GGUF, of one network or of a whole model in one file.

What programs put before the names is taken off, and weights of 8 bits that are kept with a scale are
multiplied by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import ModelUnsuitable
from pipelines.models.files.gguf_header import read_header as read_gguf
from pipelines.models.files.safety import check_file
from pipelines.models.libraries import import_diffusers
from pipelines.models.signatures.base import DENOISER

if TYPE_CHECKING:
    import torch

    State = dict[str, torch.Tensor]

VAE: Final = ("first_stage_model.", "vae.")
ENCODERS: Final = ("text_encoders.", "cond_stage_model.", "conditioner.")
_SCALES: Final = (".scale_weight", ".weight_scale")
_OF_SCALED: Final = (".scale_input", ".input_scale", ".comfy_quant")
_TABLES: Final = (".ff_i.gate.weight",)
"""Matrices that belong to no linear layer: HiDream chooses its experts by one."""
_MARKS: Final = frozenset({"scaled_fp8", "__index_timestep_zero__"})
"""What stands beside weights that are kept with a scale, and what marks Qwen-Image-Edit 2511."""


def read_state(path: Path, model: str) -> State:
    """All weights of a file, on the CPU; those of a GGUF file stay packed (diffusers' ``GGUFParameter``).

    Raises:
        ModelMissing, ModelUnsafe, ModelFormatUnsupported, ModelUnreadable: what is wrong with its header.
        ModelUnsuitable: it is packed in a way that diffusers doesn't know.
    """
    if path.suffix.lower() == ".gguf":
        return _read_gguf(path, model)
    check_file(path, model)
    from safetensors.torch import load_file

    return unscaled(load_file(path))


def _read_gguf(path: Path, model: str) -> State:
    import_diffusers()
    from diffusers.models.model_loading_utils import load_gguf_checkpoint
    from diffusers.quantizers.gguf.utils import SUPPORTED_GGUF_QUANT_TYPES
    from gguf.constants import GGMLQuantizationType

    plain = {"F32", "F16"}
    known = {GGMLQuantizationType(kind).name for kind in SUPPORTED_GGUF_QUANT_TYPES} | plain
    odd = sorted({tensor.type for tensor in read_gguf(path).tensors.values()} - known)
    if odd:
        reason = f"Its weights are packed as {', '.join(odd)}, which can't be unpacked here."
        raise ModelUnsuitable(model=model, reason=reason, task="drawing from a prompt")
    state: State = load_gguf_checkpoint(str(path))
    return state


def unscaled(state: State) -> State:
    """Weights of 8 bits with a scale beside them, multiplied; ``float16`` where they were.

    ComfyUI's ``fp8_scaled`` files keep one scale for each weight, as FP8 is defined (Micikevicius et al.
    2022, arXiv:2209.05433, section 3.2).
    """
    import torch

    scales = [name for name in state if name.endswith(_SCALES)]
    for name in scales:
        scale = state.pop(name)
        weight = f"{name.rpartition('.')[0]}.weight"
        if weight in state and state[weight].element_size() == 1:
            # bf16 has the range of every product; its eight digits are more than FP8's four.
            state[weight] = (state[weight].float() * scale.float()).to(torch.bfloat16)
    for name in [name for name in state if name.rpartition(".")[2] in _MARKS or name.endswith(_OF_SCALED)]:
        del state[name]
    return state


def below(state: Mapping[str, Any], prefixes: Sequence[str]) -> dict[str, Any]:
    """The weights under the first prefix that any has, by their names without it; empty if none has one."""
    for prefix in prefixes:
        found = {name[len(prefix) :]: tensor for name, tensor in state.items() if name.startswith(prefix)}
        if found:
            return found
    return {}


def joined_tiny(decoder: State, encoder: State) -> State:
    """The halves of a tiny VAE under diffusers' names. The decoder of the original code begins with a layer
    that has no weights, which diffusers doesn't count.
    """
    joined: State = {}
    for half, state, before in (("decoder", decoder, 1), ("encoder", encoder, 0)):
        state = below(state, (f"taesd_{half}.", f"{half}.")) or state
        for name, tensor in state.items():
            number, _, rest = name.partition(".")
            if number.isdecimal():
                joined[f"{half}.layers.{int(number) - before}.{rest}"] = tensor
    return joined


def denoiser_of(state: Mapping[str, Any]) -> dict[str, Any]:
    """The weights of the denoiser, by their names without what stands before all of them."""
    outside = (*VAE, *ENCODERS)
    rest = {name: tensor for name, tensor in state.items() if not name.startswith(outside)}
    for prefix in DENOISER:
        if prefix and rest and all(name.startswith(prefix) for name in rest):
            return below(rest, (prefix,))
    return below(rest, ("model.diffusion_model.",)) or rest


def unpacked(state: Mapping[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """Weights of a GGUF file, those of linear layers as they are: no other layer computes with packed ones.

    bf16, which counts as packed there, becomes plain as well: unpacking it for each step would gain nothing.
    """
    from diffusers.quantizers.gguf.utils import GGUFParameter, dequantize_gguf_tensor
    from gguf.constants import GGMLQuantizationType

    def ready(name: str, tensor: Any) -> Any:
        if not isinstance(tensor, GGUFParameter):
            return tensor
        linear = name.endswith(".weight") and tensor.ndim == 2 and not name.endswith(_TABLES)
        if linear and tensor.quant_type != GGMLQuantizationType.BF16:
            return tensor
        return dequantize_gguf_tensor(tensor).to(dtype)

    return {name: ready(name, tensor) for name, tensor in state.items()}
