"""What “auto” will stand for when a model is read, said before it is.

The loader decides anew with the device at hand (:meth:`pipelines.models.loading.ModelLoader.load`); a test
keeps the two of one mind.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipelines.models.device import BYTES
from pipelines.models.forecast.components import Component
from pipelines.models.forecast.verdict import Machine
from pipelines.models.quantization import BYTES_PER_NUMBER

QUANTIZED: Final = ("diffusion", "language")
"""Kinds of models whose layers bitsandbytes packs."""


def resolved(quantization: str, parts: Iterable[Component], kind: str, machine: Machine, dtype: str) -> str:
    """A quantization with “auto” replaced by the mildest with which what works in every step fits two thirds
    of the device; ``none`` where nothing is gained. Others as they are.
    """
    main, sign, text = quantization.partition(",")
    if main != "auto":
        return quantization
    return _suited(parts, kind, machine, dtype) + sign + text


def _suited(parts: Iterable[Component], kind: str, machine: Machine, dtype: str) -> str:
    room = (machine.total or machine.memory) * 2 // 3
    elements = sum(part.elements for part in parts if part.stage == "main")
    if elements * BYTES[dtype] <= room:
        return "none"
    methods = ["fp8"] if not machine.device.startswith("mps") else []
    methods += ["nf4"] if machine.quantization and kind in QUANTIZED else []
    fitting = (method for method in methods if elements * BYTES_PER_NUMBER[method] <= room)
    return next(fitting, methods[0] if methods else "none")
