"""What “auto” stands for among the quantizations: for who loads a model, and who foretells what it needs."""

from __future__ import annotations

from typing import Final

from pipelines.models.device import BYTES
from pipelines.models.quantization import BYTES_PER_NUMBER

QUANTIZED: Final = ("diffusion", "language")
"""Kinds of models whose layers bitsandbytes packs."""


def resolved(
    quantization: str, elements: int, kind: str, *, device: str, total: int, packs: bool, dtype: str
) -> str:
    """A quantization with “auto” replaced by the mildest with which what works in every step fits two thirds
    of the device, so that a third is left for what is computed; ``none`` where nothing is gained. Others as
    they are.

    Args:
        elements: numbers in the network that works in every step.
        total: bytes of the device, whoever holds them.
        packs: whether bitsandbytes can compute there.
        dtype: what weights that aren't quantized are in: fp32, bf16 or fp16.
    """
    main, sign, text = quantization.partition(",")
    if main != "auto":
        return quantization
    return _suited(elements, kind, device, total * 2 // 3, packs, dtype) + sign + text


def _suited(elements: int, kind: str, device: str, room: int, packs: bool, dtype: str) -> str:
    if elements * BYTES[dtype] <= room:
        return "none"
    methods = ["fp8"] if not device.startswith("mps") else []
    methods += ["nf4"] if packs and kind in QUANTIZED else []
    fitting = (method for method in methods if elements * BYTES_PER_NUMBER[method] <= room)
    return next(fitting, methods[0] if methods else "none")
