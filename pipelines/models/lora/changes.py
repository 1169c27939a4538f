"""What LoRA and its relatives add to a weight, computed in fp32: one small class for each method.

Each is made from the tensors a file has for a module. :meth:`Change.delta` gives what is to be added to the
weight that it is given; some methods turn or scale that weight, so that what they add depends on it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch

    Tensors = Mapping[str, torch.Tensor]


class Change(Protocol):
    """What one file does to one weight. ``shape`` is that of what it adds; a side of 0 isn't known."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def delta(self, weight: torch.Tensor, strength: float) -> torch.Tensor:
        """What is added to ``weight`` (fp32, out × in × kernel), as a new tensor of as many numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Added:
    """A difference as it is: of full training, and of the scale and shift of norms."""

    values: torch.Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)

    def delta(self, weight: torch.Tensor, strength: float) -> torch.Tensor:
        return self.values.float() * strength


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """LoRA: ``scale · up · down``; of a convolution in CP form, with a core between them (LyCORIS, Yeh et al.
    2023, arXiv:2309.14859, appendix)."""

    up: torch.Tensor
    down: torch.Tensor
    scale: float
    mid: torch.Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        kernel = self.down.shape[2:] if self.mid is None else self.mid.shape[2:]
        return (self.up.shape[0], self.down.shape[1], *kernel)

    def delta(self, weight: torch.Tensor, strength: float) -> torch.Tensor:
        import torch

        up, down = self.up.float().flatten(1), self.down.float().flatten(1)
        if self.mid is not None:
            product = torch.einsum("mn...,im,nj->ij...", self.mid.float(), up, down)
        else:
            product = up @ down
        return product * (self.scale * strength)


@dataclass(frozen=True, slots=True, eq=False)
class Hadamard:
    """LoHa: the product, number by number, of two low-rank matrices (Hyeon-Woo et al. 2022,
    arXiv:2108.06098)."""

    tensors: Tensors
    scale: float

    @property
    def shape(self) -> tuple[int, ...]:
        first, second = self.tensors["hada_w1_a"], self.tensors["hada_w1_b"]
        core = self.tensors.get("hada_t1")
        if core is not None:
            return (first.shape[1], second.shape[1], *core.shape[2:])
        return (first.shape[0], *second.shape[1:])

    def delta(self, weight: torch.Tensor, strength: float) -> torch.Tensor:
        return self._half(1) * self._half(2) * (self.scale * strength)

    def _half(self, number: int) -> torch.Tensor:
        first = self.tensors[f"hada_w{number}_a"].float()
        second = self.tensors[f"hada_w{number}_b"].float()
        return _rebuilt(first, second, self.tensors.get(f"hada_t{number}"))


@dataclass(frozen=True, slots=True, eq=False)
class Kronecker:
    """LoKr: the Kronecker product of a small and a large matrix, each whole or of low rank (LyCORIS, Yeh et
    al. 2023, arXiv:2309.14859, section 3.2)."""

    tensors: Tensors
    scale: float

    @property
    def shape(self) -> tuple[int, ...]:
        sides = [1, 1]
        kernel: tuple[int, ...] = ()
        for number in (1, 2):
            whole = self.tensors.get(f"lokr_w{number}")
            if whole is not None:
                out, into, kernel = whole.shape[0], whole.shape[1], tuple(whole.shape[2:]) or kernel
            else:
                first, second = self.tensors[f"lokr_w{number}_a"], self.tensors[f"lokr_w{number}_b"]
                core = self.tensors.get(f"lokr_t{number}")
                out = first.shape[0] if core is None else first.shape[1]
                into = second.shape[1]
                kernel = tuple(second.shape[2:] if core is None else core.shape[2:]) or kernel
            sides = [sides[0] * out, sides[1] * into]
        return (*sides, *kernel)

    def delta(self, weight: torch.Tensor, strength: float) -> torch.Tensor:
        import torch

        small, large = self._half(1), self._half(2)
        small = small.reshape(*small.shape, *(1,) * (large.ndim - small.ndim))
        return torch.kron(small, large.contiguous()) * (self.scale * strength)

    def _half(self, number: int) -> torch.Tensor:
        whole = self.tensors.get(f"lokr_w{number}")
        if whole is not None:
            return whole.float()
        first = self.tensors[f"lokr_w{number}_a"].float()
        second = self.tensors[f"lokr_w{number}_b"].float()
        product = _rebuilt(first, second, self.tensors.get(f"lokr_t{number}"))
        return product.reshape(first.shape[0], *second.shape[1:]) if second.ndim > 2 else product


def _rebuilt(first: torch.Tensor, second: torch.Tensor, core: torch.Tensor | None) -> torch.Tensor:
    """``first · second``, or with a core of a convolution's kernel between them (Tucker's form)."""
    import torch

    if core is not None:
        return torch.einsum("ij...,ip,jr->pr...", core.float(), first, second)
    return first.flatten(1) @ second.flatten(1)


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """(IA)³: rows or columns of the weight, scaled (Liu et al. 2022, arXiv:2205.05638). ``by``: the factors
    less 1, one for each row, or for each column if ``on_input``."""

    by: torch.Tensor
    on_input: bool

    @property
    def shape(self) -> tuple[int, ...]:
        return (0, self.by.numel()) if self.on_input else (self.by.numel(), 0)

    def delta(self, weight: torch.Tensor, strength: float) -> torch.Tensor:
        side = 1 if self.on_input else 0
        factors = self.by.float().reshape([-1 if axis == side else 1 for axis in range(weight.ndim)])
        return weight * factors * strength


@dataclass(frozen=True, slots=True, eq=False)
class Generalized:
    """GLoRA: ``scale · (W · first · second + inner)``, two low-rank matrices of which one acts on what goes
    into the layer (Chavan et al. 2023, arXiv:2306.07967, in the form LyCORIS trains).

    ``first``: in × rank; ``second``: rank × in; ``inner``: without a scale of its own.
    """

    first: torch.Tensor
    second: torch.Tensor
    inner: LowRank
    scale: float

    @property
    def shape(self) -> tuple[int, ...]:
        return self.inner.shape

    def delta(self, weight: torch.Tensor, strength: float) -> torch.Tensor:
        import torch

        first, second = self.first.float().flatten(1), self.second.float().flatten(1)
        seen = torch.einsum("oi...,ir->or...", weight, first)
        seen = torch.einsum("or...,rj->oj...", seen, second)
        return (seen + self.inner.delta(weight, 1.0).reshape(weight.shape)) * (self.scale * strength)


@dataclass(frozen=True, slots=True, eq=False)
class Decomposed:
    """DoRA: the direction of the changed weight, with a length of its own for each row or each column (Liu
    et al. 2024, arXiv:2402.09353). A strength other than 1 goes that part of the way."""

    inner: Change
    magnitude: torch.Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        return self.inner.shape

    def delta(self, weight: torch.Tensor, strength: float) -> torch.Tensor:
        import torch

        changed = weight + self.inner.delta(weight, 1.0).reshape(weight.shape)
        magnitude, out = self.magnitude.float(), weight.shape[0]
        by_row = magnitude.ndim == 1 or magnitude.shape[0] == out or magnitude.numel() != weight.shape[1]
        axis = 0 if by_row else 1
        # PEFT writes 1 × out × 1 × 1 for a convolution.
        others = [number for number in range(weight.ndim) if number != axis]
        length = torch.linalg.vector_norm(changed, dim=others, keepdim=True)
        target = magnitude.reshape(length.shape)
        return (changed * (target / length) - weight) * strength


def movable(change: Change) -> tuple[Change, list[torch.nn.Parameter]]:
    """The same change with its tensors as parameters of a module, with which they move; and these."""
    import torch

    found: list[torch.nn.Parameter] = []

    def taken(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            found.append(torch.nn.Parameter(value, requires_grad=False))
            return found[-1]
        if isinstance(value, Mapping):
            return {key: taken(inner) for key, inner in value.items()}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return dataclasses.replace(
                value, **{part.name: taken(getattr(value, part.name)) for part in dataclasses.fields(value)}
            )
        return value

    made: Change = taken(change)
    return made, found
