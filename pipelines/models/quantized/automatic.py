"""What “auto” stands for among the quantizations: for who loads a model, and who foretells what it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pipelines.models.device import BYTES
from pipelines.models.quantized.quantization import BYTES_PER_NUMBER, choices

if TYPE_CHECKING:
    from pipelines.models.forecast.components import Component

QUANTIZED: Final = ("diffusion", "language")
"""Kinds of models whose layers bitsandbytes packs."""


def resolved(
    quantization: str,
    parts: Sequence[Component],
    kind: str,
    *,
    device: str,
    total: int,
    packs: bool,
    dtype: str,
) -> str:
    """A quantization with “auto” replaced by the mildest with which a network fits two thirds of the device,
    so that a third is left for what is computed; ``none`` where nothing is gained. Others as they are.

    What works in every step is there together. Text encoders come one by one, and each has its own answer.

    Args:
        parts: the networks of the model.
        total: bytes of the device, whoever holds them.
        packs: whether bitsandbytes can compute there.
        dtype: what weights that aren't quantized are in: fp32, bf16 or fp16.
    """
    if "auto" not in quantization:
        return quantization
    main, named = choices(quantization)

    def suited(elements: int) -> str:
        return _suited(elements, kind, device, total * 2 // 3, packs, dtype)

    if main == "auto":
        main = suited(sum(part.elements for part in parts if part.stage == "main" and not part.packed))
    if named.get("text") == "auto":
        del named["text"]
        found = {part.name: suited(part.elements) for part in parts if part.stage == "encode"}
        named = {name: method for name, method in found.items() if method != "none"} | named
    return ",".join([main, *(f"{name}={method}" for name, method in named.items())])


def _suited(elements: int, kind: str, device: str, room: int, packs: bool, dtype: str) -> str:
    if elements * BYTES[dtype] <= room:
        return "none"
    methods = ["fp8"] if not device.startswith("mps") else []
    methods += ["nf4"] if packs and kind in QUANTIZED else []
    fitting = (method for method in methods if elements * BYTES_PER_NUMBER[method] <= room)
    return next(fitting, methods[0] if methods else "none")
