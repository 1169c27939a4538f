"""What a model's LoRAs take: the weights that are kept as they were, and what runs beside packed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipelines.models.device import BYTES
from pipelines.models.files.header import Header
from pipelines.models.forecast.components import Component
from pipelines.models.lora.memory import Side, kept_bytes, side_bytes
from pipelines.models.quantized.quantization import PACKED, method_of, methods_of

_SIDES: Final[tuple[Side, ...]] = ("denoiser", "text")
_SIZES: Final = (2, 4)


@dataclass(frozen=True, slots=True)
class Loras:
    """``numbers`` of the weights that are changed, by the networks they are of; ``beside``: bytes of what
    runs beside those if they are packed, by the size of a number that is computed with.
    """

    numbers: Mapping[Side, int] = field(default_factory=dict)
    beside: Mapping[tuple[Side, int], int] = field(default_factory=dict)

    def kept(self, parts: Sequence[Component], dtype: str, quantization: str) -> int:
        """Bytes of main memory for weights as they were. FP8 rounds weights that are changed already."""
        if "fp8" in methods_of(quantization):
            return 0
        packed = _packed(parts, quantization)
        return BYTES[dtype] * sum(count for side, count in self.numbers.items() if side not in packed)

    def added(self, parts: Sequence[Component], dtype: str, quantization: str) -> int:
        """Bytes that move with packed weights."""
        packed, size = _packed(parts, quantization), max(BYTES[dtype], _SIZES[0])
        return sum(self.beside.get((side, size), 0) for side in packed)


NONE: Final = Loras()


def loras_of(headers: Sequence[Header]) -> Loras:
    """What LoRAs with such headers take. Reads names and shapes only."""
    if not headers:
        return NONE
    others: Mapping[Side, Side] = {"denoiser": "text", "text": "denoiser"}
    return Loras(
        {side: kept_bytes(headers, 1, {others[side]}) for side in _SIDES},
        {(side, size): side_bytes(headers, size, {side}) for side in _SIDES for size in _SIZES},
    )


def _packed(parts: Sequence[Component], quantization: str) -> frozenset[Side]:
    """Which networks have packed weights: of a file, or packed when they are opened."""
    sides: Mapping[str, Side] = {"main": "denoiser", "encode": "text"}
    return frozenset(
        sides[part.stage]
        for part in parts
        if part.stage in sides and (part.packed or method_of(quantization, part.name) in PACKED)
    )
