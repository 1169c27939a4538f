"""LoRAs beside packed weights: what they add is computed while a layer computes, and the weight stays as it
is.

Matrices of low rank are multiplied with what goes into the layer (Hu et al. 2021, arXiv:2106.09685, section
4.1); for any other method the weight is unpacked, changed and multiplied with each time. Either way the
tensors are a part of the layer, and come and go with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import torch

from pipelines.models.lora.changes import LowRank, movable
from pipelines.models.lora.names import Place
from pipelines.models.lora.planning import Module, Target, Weight
from pipelines.models.lora.sums import Sums

NAME: Final = "loras_beside"
"""Under which a layer has them."""
Original = Callable[[Weight], torch.Tensor]


class Pair(torch.nn.Module):
    """Two matrices of one file: ``up · down``, both in what the layer computes in."""

    def __init__(self, module: Module, down: torch.nn.Parameter, up: torch.Tensor) -> None:
        super().__init__()
        assert isinstance(module.change, LowRank)
        self.down, self.up = down, torch.nn.Parameter(up, requires_grad=False)
        self.module, self._scale = module, module.change.scale

    def forward(self, rows: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """``rows`` (n × out, what the layer answers) with what is added for ``inputs`` (n × in)."""
        known = inputs.to(self.down.dtype)[:, : self.down.shape[1]]
        # Scaled where it is narrow, and before it can grow beyond 16 bits.
        inner = torch.nn.functional.linear(known, self.down) * (self._scale * self.module.strength)
        return torch.addmm(rows, inner.to(rows.dtype), self.up.T.to(rows.dtype))


class Beside(torch.nn.Module):
    """What LoRAs add to one layer."""

    def added(self, layer: Any, base: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor) -> Any:
        """The layer's answer with it; ``base`` gives that without."""
        raise NotImplementedError


class Pairs(Beside):
    """Of matrices of low rank."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        super().__init__()
        self.pairs = torch.nn.ModuleList(pairs)

    def added(self, layer: Any, base: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor) -> Any:
        result = base(inputs)
        rows, given = result.reshape(-1, result.shape[-1]), inputs.reshape(-1, inputs.shape[-1])
        for pair in self.pairs:
            rows = pair(rows, given)
        return rows.reshape(result.shape)


class Unpacking(Beside):
    """Of any method, by the weight as it becomes."""

    def __init__(
        self, target: Target, tensors: Sequence[torch.nn.Parameter], original: Original, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.tensors = torch.nn.ParameterList(tensors)
        self._target, self._original, self._dtype = target, original, dtype

    def weight(self) -> torch.Tensor:
        """As it becomes: out × in, in what the layer computes in."""
        target = self._target
        device = target.weight.parameter.device
        sums = Sums(lambda weight: self._original(weight).to(device))
        return sums.of(target.weight, target.modules).to(self._dtype)

    def added(self, layer: Any, base: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor) -> Any:
        bias = layer.bias.to(self._dtype) if layer.bias is not None else None
        result = torch.nn.functional.linear(inputs.to(self._dtype), self.weight(), bias)
        return result.to(inputs.dtype)


class Builder:
    """Makes what LoRAs add to layers; what several layers share of a file is one tensor.

    Args:
        original: a weight as it is without LoRAs.
    """

    def __init__(self, original: Original) -> None:
        self._original = original
        self._downs: dict[tuple[int, torch.dtype], torch.nn.Parameter] = {}
        self._moved: dict[int, Sequence[torch.nn.Parameter]] = {}

    def beside(self, target: Target) -> Beside:
        """What is added to a packed weight.

        Raises:
            RuntimeError, ValueError, IndexError: tensors don't fit each other.
            OverflowError: with it, numbers become too large.
        """
        dtype = _computes_in(target.weight)
        if all(_is_pair(module) for module, _ in target.modules):
            made: Beside = Pairs(
                [self._pair(module, place, target, dtype) for module, place in target.modules]
            )
            tensors = list(made.parameters())
        else:
            tensors = [tensor for module, _ in target.modules for tensor in self._movable(module)]
            unpacking = Unpacking(target, tensors, self._original, dtype)
            made, tensors = unpacking, [torch.nn.Parameter(unpacking.weight(), requires_grad=False)]
        if not all(tensor.isfinite().all() for tensor in tensors):
            raise OverflowError(str(dtype).removeprefix("torch."))
        return made

    def _pair(self, module: Module, place: Place, target: Target, dtype: torch.dtype) -> Pair:
        change = module.change
        assert isinstance(change, LowRank)
        key = (id(module), dtype)
        if key not in self._downs:
            down = change.down.flatten(1).to(dtype)
            self._downs[key] = torch.nn.Parameter(down, requires_grad=False)
        up, down = change.up.flatten(1), self._downs[key]
        if up.shape[1] != down.shape[0]:
            raise ValueError(f"ranks {up.shape[1]} and {down.shape[0]}")
        if place.rows is not None:
            rows = up[place.rows]
            up = torch.zeros(target.weight.shape[0], rows.shape[1], dtype=rows.dtype)
            up[place.to] = rows
        return Pair(module, down, up.to(dtype, copy=True))

    def _movable(self, module: Module) -> Sequence[torch.nn.Parameter]:
        if id(module) not in self._moved:
            module.change, self._moved[id(module)] = movable(module.change)
        return self._moved[id(module)]


def put(layer: torch.nn.Module, beside: Beside) -> None:
    """Have a layer compute with it: the layer, its weights and their names stay; its class tells compiled
    code that it is another.
    """
    kind: Any = type(layer)
    layer.add_module(NAME, beside)
    layer.__class__ = _with_loras(kind)


def take(layer: torch.nn.Module) -> None:
    """Have a layer compute as before."""
    layer.__class__ = type(layer).__bases__[1]
    del layer._modules[NAME]


class _WithLoras:
    """Before the class of a layer."""

    def forward(self, inputs: torch.Tensor) -> Any:
        base: Callable[[torch.Tensor], torch.Tensor] = super().forward  # type: ignore[misc]
        beside: Beside = getattr(self, NAME)
        return beside.added(self, base, inputs)


@cache
def _with_loras(kind: type) -> type:
    return type(f"{kind.__name__}WithLoras", (_WithLoras, kind), {})


def _is_pair(module: Module) -> bool:
    return isinstance(module.change, LowRank) and module.change.mid is None


def _computes_in(weight: Weight) -> torch.dtype:
    """What a packed layer computes in, or the rest of its network where it takes what it is given."""
    own = getattr(weight.layer, "compute_dtype", None)
    if own is not None:
        dtype: torch.dtype = own
        return dtype
    floats = (tensor.dtype for tensor in weight.network.parameters() if tensor.is_floating_point())
    return next((dtype for dtype in floats if dtype.itemsize > 1), torch.float32)
