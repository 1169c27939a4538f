"""Packed layers as those see them that move weights: everything they compute with, each tensor by itself.

A layer of bitsandbytes keeps more than its parameters: the scales of its rows or blocks, and tables of what
its bits stand for. Their values are exchanged in place, as those of parameters are, so that a layer is the
same after any number of moves, bit for bit.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def settle(network: torch.nn.Module, compute: torch.device) -> None:
    """Do once what the layers of ``network`` would do when they are first used, and let them share their
    tables, which then needn't be moved with each.

    Args:
        network: in main memory.
        compute: where it will be computed with. A processor with bfloat16 products has a layout of its own
            for 4 bits.
    """
    import torch

    tables: dict[bytes, torch.Tensor] = {}
    with torch.inference_mode(False), torch.no_grad():
        layers: Iterator[Any] = network.modules()
        for layer in layers:
            weight: Any = getattr(layer, "weight", None)
            if not _packed(weight):
                continue
            if hasattr(weight, "SCB"):
                _settle_int8(layer)
                continue
            if compute.type == "cpu" and not getattr(weight.quant_state, "packing_format_for_cpu", False):
                layer(torch.zeros(1, layer.in_features, dtype=layer.compute_dtype))  # it changes its layout
            for state in _states(weight.quant_state):
                state.code = tables.setdefault(bytes(state.code.cpu().numpy()), state.code.clone())


def tensors_of(module: torch.nn.Module) -> Iterator[torch.Tensor]:
    """What a module keeps beside its parameters and buffers; nothing, if it isn't a packed layer."""
    layer: Any = module
    weight: Any = getattr(module, "weight", None)
    if not _packed(weight):
        return
    if hasattr(weight, "SCB"):
        yield from (scales for scales in (weight.SCB, layer.state.SCB) if scales is not None)
        return
    for state in _states(weight.quant_state):
        yield from (tensor for tensor in (state.absmax, state.code) if tensor is not None)
    if weight.quant_state.nested:
        yield weight.quant_state.offset


def is_packed(network: torch.nn.Module) -> bool:
    """Whether any layer of a network is packed."""
    return any(_packed(getattr(layer, "weight", None)) for layer in network.modules())


def packed(layer: torch.nn.Module) -> bool:
    """Whether the weights of a layer are packed, by bitsandbytes or as GGUF."""
    weight: Any = getattr(layer, "weight", None)
    return _packed(weight) or _is_gguf(weight)


def dense_weight(layer: torch.nn.Module) -> torch.Tensor:
    """The weights of a packed layer as numbers: fp32, out × in, on its device. The layer stays as it is."""
    packed_layer: Any = layer
    weight = packed_layer.weight
    if _is_gguf(weight):
        from diffusers.quantizers.gguf.utils import dequantize_gguf_tensor

        return dequantize_gguf_tensor(weight).float()
    from bitsandbytes import functional

    if hasattr(weight, "SCB"):
        scales = weight.SCB if packed_layer.state.SCB is None else packed_layer.state.SCB
        return functional.int8_vectorwise_dequant(weight.data, scales)
    data, state = weight.data, weight.quant_state
    if getattr(state, "packing_format_for_cpu", False):
        data, state = _unpacked_for_cpu(data, state)
    return functional.dequantize_4bit(data, state).float().reshape(tuple(state.shape))


def _unpacked_for_cpu(data: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
    """Weights of 4 bits from the layout for processors with bfloat16 products to the common one; the scales
    stay rounded as they are there.
    """
    import torch
    from bitsandbytes.functional import _convert_weight_packed_for_cpu_inverse

    state = copy.copy(state)
    state.absmax = state.absmax.T.reshape(-1).float()
    state.original_nested, state.original_dtype = False, torch.float32
    return _convert_weight_packed_for_cpu_inverse(data, state)


def _is_gguf(weight: Any) -> bool:
    return type(weight).__name__ == "GGUFParameter"


def _packed(weight: Any) -> bool:
    return type(weight).__module__.startswith("bitsandbytes.") and _state_of(weight) is not None


def _state_of(weight: Any) -> Any:
    return getattr(weight, "quant_state", None) if not hasattr(weight, "SCB") else weight


def _states(state: Any) -> Iterator[Any]:
    """The state of a weight, and that of its scales where those are packed as well."""
    yield state
    if state.nested:
        yield state.state2


def _settle_int8(layer: Any) -> None:
    """One tensor holds the weights instead of two that share their memory."""
    if layer.weight.CB is not None:
        layer.init_8bit_state()
    layer.state.CB = layer.weight
