"""Other strengths for the LoRAs that a model has already, without touching its weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pipelines.models.loaded import LoraFile
from pipelines.models.lora.blocks import read_blocks
from pipelines.models.lora.names import Place
from pipelines.models.lora.planning import strength_of

if TYPE_CHECKING:
    import torch

    from pipelines.models.lora.planning import Module, Target


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Added:
    """What is in a dense weight at some strength."""

    file: int
    place: Place
    network: torch.nn.Module
    strength: float


class Adjusting:
    """Where the strengths of some LoRAs are.

    Args:
        loras: as they were applied.
        plan: what they change.
    """

    def __init__(self, loras: Sequence[LoraFile] = (), plan: Iterable[Target] = ()) -> None:
        self._loras = tuple(loras)
        self._beside: dict[int, Module] = {}
        self._inside: list[_Added] = []
        for target in plan:
            for module, _ in target.modules:
                place, first = module.layers[0]
                if target.weight.packed:
                    self._beside[id(module)] = module
                else:  # its matrices needn't be kept
                    self._inside.append(_Added(module.file, place, first.network, module.strength))

    def to(self, loras: Sequence[LoraFile]) -> bool:
        """Have these strengths from now on; False, and nothing is changed, if that isn't all to be done."""
        if not self._beside or [_but_strength(file) for file in loras] != [
            _but_strength(file) for file in self._loras
        ]:
            return False
        blocks = [read_blocks(file.lora.blocks) for file in loras]

        def now(number: int, place: Place, network: torch.nn.Module) -> float:
            return strength_of(loras[number], blocks[number], place.network, place.module, network)

        if any(now(each.file, each.place, each.network) != each.strength for each in self._inside):
            return False
        for module in self._beside.values():
            place, first = module.layers[0]
            module.strength = now(module.file, place, first.network)
        self._loras = tuple(loras)
        return True


def _but_strength(file: LoraFile) -> LoraFile:
    """The same at full strength; what has none is left out of a plan, and stays 0."""
    lora = file.lora
    plain = dataclasses.replace(
        lora, strength=float(lora.strength != 0), text_strength=float(lora.text_strength != 0)
    )
    return dataclasses.replace(file, lora=plain)
