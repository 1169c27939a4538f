"""Control networks that compute with layers of the model that draws.

Those layers stay the model's: they are where it has them, in the form it has them (quantized, streamed,
changed by LoRAs), and take no memory a second time. Copies of modules here share weights and hooks with what
they were copied from, and nothing is registered with either.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import torch

_BOUND: Final = ("forward", "_compiled_call_impl")
"""What is written over a module itself (compiled code, caches): it would run what the copy was made of."""


def shallow(module: torch.nn.Module) -> Any:
    """A copy of a module with the same layers, hooks and weights, whose layers can be exchanged."""
    made = copy.copy(module)
    inner = vars(made)
    for name in ("_modules", "_parameters", "_buffers"):
        inner[name] = dict(inner[name])
    for name in _BOUND:
        inner.pop(name, None)
    return made


def present(*modules: torch.nn.Module) -> None:
    """See that the weights of networks are where they compute, before a part of one is called by itself.

    The manager of memory leaves word on each network it looks after, as diffusers expects it.
    """
    for module in modules:
        guard = vars(module).get("_hf_hook")
        if guard is not None:
            guard.pre_forward(module)


def sharing(network: Any, transformer: Any) -> Any:
    """A control network for Z-Image that begins with the transformer's own first layers, as it was trained.

    The two may have been opened in different precisions: what is shared then computes in its own.
    """
    made = shallow(network)
    type(network).from_transformer(made, transformer)
    dtype = network.dtype
    if dtype != transformer.dtype:
        for name in ("all_x_embedder", "noise_refiner", "context_refiner"):
            setattr(made, name, _converted(getattr(made, name), dtype))
        made.t_embedder, made.cap_embedder = cast(made.t_embedder, dtype), cast(made.cap_embedder, dtype)
        for name in ("x_pad_token", "cap_pad_token"):
            token = made._parameters.pop(name)
            setattr(made, name, token.to(dtype))
    return made


def _converted(layers: Any, dtype: torch.dtype) -> Any:
    import torch

    if isinstance(layers, torch.nn.ModuleDict):
        return torch.nn.ModuleDict({name: cast(layer, dtype) for name, layer in layers.items()})
    return torch.nn.ModuleList(cast(layer, dtype) for layer in layers)


def cast(layer: Any, dtype: torch.dtype) -> Any:
    """A layer that is given and gives numbers of one precision, and computes in another."""
    import torch

    class Cast(torch.nn.Module):
        def forward(self, *args: Any) -> Any:
            own = next((each.dtype for each in layer.parameters() if each.is_floating_point()), dtype)
            return layer(*(_to(each, own) for each in args)).to(dtype)

    return Cast()


def _to(value: Any, dtype: torch.dtype) -> Any:
    import torch

    real = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.to(dtype) if real else value
