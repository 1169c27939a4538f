"""Which numbers of a network stay as they are when its weights are quantized, from names and shapes alone."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipelines.models.quantized.quantization import BLOCK, ROWS, SMALLEST, UNCAST

_LOOKED_UP: Final = re.compile(
    r"(^|[._])(embed_tokens|embeddings?|token_embedding|token_embd|shared|wte|wpe|lm_head|"
    r"relative_attention_bias|embed_out)\.weight$"
)
"""Tables of words and places, and the layer that gives words back."""

_EXACT: Final = re.compile(r"DenseReluDense\.wo\.weight$")
"""Layers of T5 that :func:`pipelines.models.quantized.quantization.exact_layers` is about."""

_UNCAST: Final = re.compile("|".join(UNCAST))


@dataclass(frozen=True, slots=True)
class Untouched:
    """Numbers of a network: ``unpacked`` are those that INT8 and NF4 leave as they are, ``uncast`` those that
    FP8 does. ``exact`` ones, which are among both, stay in fp32 where the others are fp16.
    """

    unpacked: int = 0
    uncast: int = 0
    exact: int = 0


def untouched(shapes: Mapping[str, tuple[int, ...]]) -> Untouched:
    """What quantizing a network of such tensors leaves as it is; see
    :func:`pipelines.models.quantized.quantization.quantize`.
    """
    unpacked = uncast = exact = 0
    for name, shape in shapes.items():
        size = math.prod(shape)
        if _EXACT.search(name):
            exact += size
        elif len(shape) < 2 or _LOOKED_UP.search(name):
            uncast += size
            unpacked += size
        else:
            uncast += size if _UNCAST.search(name.rpartition(".")[0]) else 0
            unpacked += size if not _packs(shape) else 0
    return Untouched(unpacked + exact, uncast + exact, exact)


def _packs(shape: tuple[int, ...]) -> bool:
    """Whether NF4 packs such a weight; INT8 takes a few more, which are small."""
    fits = len(shape) == 2 and shape[1] % BLOCK == 0 and shape[0] % ROWS == 0
    return fits and math.prod(shape) >= SMALLEST
