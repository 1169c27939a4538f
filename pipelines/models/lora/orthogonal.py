"""Orthogonal fine-tuning: rows or columns of a weight are turned in blocks, and what that adds to it.

See :class:`pipelines.models.lora.changes.Change`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

NEUMANN_TERMS: Final = 5
"""Terms of the series PEFT takes for the inverse in Cayley's formula, where its settings don't say."""
MOST_TERMS: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """OFT: blocks of rows, turned by orthogonal matrices (Qiu et al. 2023, arXiv:2306.07280); with a fourth
    axis BOFT: in several stages that mix ever wider apart (Liu et al. 2024, arXiv:2311.06243).

    ``limit``: how far they turn at most, 0 without a limit. ``rescale``: factors of the rows.
    """

    blocks: torch.Tensor
    limit: float = 0.0
    rescale: torch.Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.blocks.shape[-3] * self.blocks.shape[-1], 0)

    def delta(self, weight: torch.Tensor, strength: float) -> torch.Tensor:
        import torch

        size = self.blocks.shape[-1]
        eye = torch.eye(size, device=weight.device)
        turns = _cayley(self.blocks.float(), self.limit * weight.shape[0])
        turns = turns * strength + (1 - strength) * eye
        rows = weight.flatten(1)
        if turns.ndim == 3:
            parts = rows.unflatten(0, (-1, size))
            turned = torch.einsum("knm,kn...->km...", turns, parts).flatten(0, 1)
        else:
            turned = rows
            for stage, turn in enumerate(turns):
                turned = _butterfly(turned, turn, 2**stage * (size // 2))
        if self.rescale is not None:
            factors = 1 + (self.rescale.float().reshape(-1, 1) - 1) * strength
            turned = turned * factors
        return turned.reshape(weight.shape) - weight


def _butterfly(rows: torch.Tensor, turns: torch.Tensor, apart: int) -> torch.Tensor:
    """One stage: rows that are ``apart`` from each other meet in a block, are turned, and go back."""
    import torch

    met = rows.unflatten(0, (-1, 2, apart)).transpose(1, 2).flatten(0, 2).unflatten(0, (-1, turns.shape[-1]))
    turned = torch.einsum("bij,bj...->bi...", turns, met).flatten(0, 1)
    return turned.unflatten(0, (-1, apart, 2)).transpose(1, 2).flatten(0, 2)


def _cayley(blocks: torch.Tensor, limit: float) -> torch.Tensor:
    """Orthogonal matrices: ``(I + Q)(I - Q)⁻¹`` of what is skew-symmetric in ``blocks``."""
    import torch

    skew = blocks - blocks.transpose(-1, -2)
    size = skew.norm() + 1e-8
    if limit > 0 and size > limit:
        skew = skew * (limit / size)
    eye = torch.eye(skew.shape[-1], device=skew.device)
    return (eye + skew) @ torch.linalg.inv(eye - skew)


@dataclass(frozen=True, slots=True, eq=False)
class InputTurned:
    """OFT as PEFT has it: what goes into a layer is turned in blocks (Qiu et al. 2025, arXiv:2506.19847).

    ``triangles``: blocks × what stands above the diagonal, row by row. ``terms``: of Neumann's series for the
    inverse in Cayley's formula; 0 takes the inverse itself.
    """

    triangles: torch.Tensor
    terms: int = NEUMANN_TERMS

    @property
    def _size(self) -> int:
        """Rows of a block of ``n(n - 1)/2`` numbers."""
        return round((1 + (1 + 8 * self.triangles.shape[1]) ** 0.5) / 2)

    @property
    def shape(self) -> tuple[int, ...]:
        shared = self.triangles.shape[0] == 1
        return (0, 0 if shared else self.triangles.shape[0] * self._size)

    def delta(self, weight: torch.Tensor, strength: float) -> torch.Tensor:
        import torch

        size, device = self._size, weight.device
        rows, columns = torch.triu_indices(size, size, 1, device=device)
        skew = torch.zeros(self.triangles.shape[0], size, size, device=device)
        skew[:, rows, columns] = self.triangles.float()
        turns = self._turned(skew - skew.transpose(1, 2))
        turns = turns * strength + (1 - strength) * torch.eye(size, device=device)
        flat = weight.flatten(1).unflatten(1, (-1, size))
        turned = torch.einsum("okn,kmn->okm", flat, turns.expand(flat.shape[1], -1, -1))
        return turned.reshape(weight.shape) - weight

    def _turned(self, skew: torch.Tensor) -> torch.Tensor:
        """The matrices that turn: ``(I + Q)(I - Q)⁻¹ ≈ I + 2Q + 2Q² + … + Qⁿ``."""
        import torch

        eye = torch.eye(skew.shape[-1], device=skew.device)
        if not self.terms:
            return torch.linalg.solve(eye + skew, eye - skew, left=False)
        turns, power = eye + 2 * skew, skew
        for _ in range(2, self.terms - 1):
            power = power @ skew
            turns = turns + 2 * power
        return turns + power @ skew


@dataclass(frozen=True, slots=True, eq=False)
class InputMixed:
    """BOFT as PEFT has it: what goes into a layer is turned in stages of blocks that mix ever wider apart,
    what comes out is scaled (Liu et al. 2024, arXiv:2311.06243, section 4).

    ``stages``: stages × blocks × size × size; ``scale``: factors of the rows. Of a convolution, inputs and
    kernel are one axis.
    """

    stages: torch.Tensor
    scale: torch.Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        rows = self.scale.numel() if self.scale is not None else 0
        return (rows, self.stages.shape[1] * self.stages.shape[-1])

    def delta(self, weight: torch.Tensor, strength: float) -> torch.Tensor:
        import torch

        size = self.stages.shape[-1]
        skew = self.stages.float()
        skew = (skew - skew.transpose(-1, -2)) / 2
        eye = torch.eye(size, device=weight.device)
        turns = torch.linalg.solve(eye + skew, eye - skew, left=False)
        turns = turns * strength + (1 - strength) * eye
        turned = weight.flatten(1).T
        for number, turn in enumerate(turns):
            order = self._order(number, weight.device)
            met = torch.empty_like(turned).index_copy(0, order, turned).unflatten(0, (-1, size))
            turned = (turn @ met).flatten(0, 1)[order]
        turned = turned.T
        if self.scale is not None:
            turned = turned * (1 + (self.scale.float().reshape(-1, 1) - 1) * strength)
        return turned.reshape(weight.shape) - weight

    def _order(self, number: int, device: torch.device) -> torch.Tensor:
        """Where the inputs go before the blocks of a stage turn them: within groups of ``2^number`` blocks,
        all first halves before all second ones.
        """
        import torch

        blocks, size = self.stages.shape[1], self.stages.shape[-1]
        order = torch.arange(blocks * size, device=device)
        if not number:
            return order
        halves = order.reshape(-1, 2**number, 2, size // 2)
        return halves.transpose(1, 2).flatten()
