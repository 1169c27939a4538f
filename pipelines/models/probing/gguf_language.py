"""Which language models in GGUF files can be opened, from their headers alone."""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from pipelines.errors import QuantizationUnavailable
from pipelines.models.device import BYTES
from pipelines.models.quantized.quantization import TITLES

ARCHITECTURES: Final = frozenset({"llama", "qwen2", "qwen3", "gemma2", "gemma3", "phi3"})
"""Those whose linear layers differ from transformers' by names and the order of rows at most."""
PLAIN: Final = frozenset({"F32", "F16", "BF16"})
"""Types of ggml that hold numbers as they are."""
PACKED: Final = frozenset(
    {"Q2_K", "Q3_K", "Q4_0", "Q4_1", "Q4_K", "Q5_0", "Q5_1", "Q5_K", "Q6_K", "Q8_0", "IQ4_NL", "IQ4_XS"}
)
"""Those that can be unpacked; diffusers has the operations."""


def refusal(architecture: str, types: Set[str]) -> str:
    """Why a file can't be opened; empty if it can."""
    if architecture not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        return f"Its architecture, {architecture}, can't be read from a GGUF file; {known} can."
    odd = sorted(types - PLAIN - PACKED)
    return f"Its weights are packed as {', '.join(odd)}, which can't be unpacked here." if odd else ""


def method_for(quantization: str, elements: int, room: int, dtype: str) -> str:
    """How a language model of a GGUF file is held: ``int8`` or ``nf4`` if that was asked for, else unpacked
    (``none``) where it fits into ``room`` bytes so, since that is the fastest, and as it is (``gguf``) where
    not.

    Raises:
        QuantizationUnavailable: FP8 was asked for, which rounds numbers that were never so exact.
    """
    if quantization == "fp8":
        reason = "The file is packed already; it can be used as it is, or packed anew in 4 or 8 bits."
        raise QuantizationUnavailable(quantization=TITLES["fp8"], reason=reason)
    if quantization in ("int8", "nf4"):
        return quantization
    return "none" if elements * BYTES[dtype] <= room else "gguf"


def room_of(total: int, free: int) -> int:
    """Bytes for the weights of one model: two thirds of a device of ``total`` bytes, and a tenth less than
    what can be had now.
    """
    return min(total * 2 // 3, free * 9 // 10)
