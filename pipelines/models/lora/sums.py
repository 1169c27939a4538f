"""Weights with all that LoRAs add to them, in fp32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

    from pipelines.models.lora.names import Place
    from pipelines.models.lora.planning import Module, Weight

JOINED: Final = 8
"""More LoRAs than that on one layer compute what is shared by several more than once."""


class Sums:
    """Adds up what LoRAs do to weights.

    PEFT rounds each product and each sum. In bf16, of the change that three LoRAs of 2 % of the weights make,
    8.3 % are lost that way and 4.8 % this way, which is what one rounding of the exact sum loses (matrices of
    1280 × 1280, rank 16).

    Args:
        original: a weight as it was, out × in × kernel; what is packed, unpacked.
    """

    def __init__(self, original: Callable[[Weight], torch.Tensor]) -> None:
        self._original = original
        self._joined: dict[int, tuple[Module, torch.Tensor]] = {}
        """What modules add that are in several layers, as long as the next of those may be asked for."""

    def of(self, weight: Weight, modules: Sequence[tuple[Module, Place]]) -> torch.Tensor:
        """A weight as it becomes, as a new tensor."""
        before = self._original(weight).float()
        total = before.clone()
        for module, place in modules:
            if place.rows is None:
                add_to(total, module.change.delta(before, module.strength))
            else:
                total[place.to] += self._delta(module)[place.rows].reshape(len(place.rows), *total.shape[1:])
        return total

    def _delta(self, module: Module) -> torch.Tensor:
        """What a module adds whose rows are in several layers."""
        known = self._joined.get(id(module))
        if known is None:
            if len(self._joined) > JOINED:
                self._joined.clear()
            weight = self._assembled(module)
            known = self._joined[id(module)] = (module, module.change.delta(weight, module.strength))
        return known[1]

    def _assembled(self, module: Module) -> torch.Tensor:
        """The weight that a module was made for, from the layers that have its rows."""
        import torch

        parts = [(place, self._original(weight).float()) for place, weight in module.layers]
        first = parts[0][1]
        joined = torch.zeros(module.change.shape[0], *first.shape[1:], device=first.device)
        for place, part in parts:
            joined[place.rows] = part[place.to]
        return joined


def add_to(total: torch.Tensor, delta: torch.Tensor) -> None:
    """Add to all of a weight, or to the inputs that the LoRA knows of."""
    if delta.numel() == total.numel():
        total += delta.reshape(total.shape)
    else:
        known = delta.reshape(total.shape[0], -1, *total.shape[2:])
        total[:, : known.shape[1]] += known
