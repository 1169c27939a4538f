"""Whether a model's weights fit the memory of the device that draws. Plain functions, no Qt.

By its weights alone: what a picture takes beside them depends on its size, and is said before a run. Weights
that don't fit are fetched piece by piece where the device can do that; so "larger" is no refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pipelines.engine.protocol import Device, ModelInfo
from studio.engine.phases import memory_text
from studio.models.words import WHOLE
from studio.translate import tr

Verdict = Literal["fits", "tight", "larger"]
_BYTES: Final = {"fp32": 4, "bf16": 2, "fp16": 2}
_PLAIN: Final = ("F32", "F16", "BF16", "F64")
"""Precisions that become the device's own when a model is read; others stay packed."""
_SHARE: Final = 10
_SPARE: Final = {"cpu": 2**30}
_LEAST: Final = 2**29
"""What is left for the work itself: a tenth of the memory, and no less than this."""
WORDS: Final = {"fits": "Weights fit", "tight": "Barely fits", "larger": "Over memory"}
ICONS: Final = {"fits": ("good", "good"), "tight": ("warning", "warn"), "larger": ("warning", "bad")}


@dataclass(frozen=True, slots=True)
class Fit:
    """``needed`` bytes for the weights on a device of ``memory`` bytes."""

    verdict: Verdict
    needed: int
    memory: int


def needed_bytes(info: ModelInfo, dtype: str) -> int:
    """Bytes of the weights in the precision that a device draws in (``bf16``…)."""
    if info.parameters and info.dtype.upper() in _PLAIN and dtype in _BYTES:
        return info.parameters * _BYTES[dtype]
    return info.bytes


def fit_of(info: ModelInfo, device: Device | None) -> Fit | None:
    """The verdict; ``None`` where nothing is known, or the model takes no memory for itself."""
    if device is None or not device.total_bytes or info.kind not in WHOLE or info.problem:
        return None
    needed = needed_bytes(info, device.dtype)
    if not needed:
        return None
    kind = device.device.split(":")[0]
    spare = max(device.total_bytes // _SHARE, _SPARE.get(kind, _LEAST))
    verdict: Verdict = "larger"
    if needed <= device.total_bytes:
        verdict = "fits" if needed + spare <= device.total_bytes else "tight"
    return Fit(verdict, needed, device.total_bytes)


def fit_text(fit: Fit, device: Device) -> str:
    """The verdict in two sentences."""
    name = device.name or device.device
    facts = tr(
        "Its weights take about {needed} of the {memory} of {device}.",
        needed=memory_text(fit.needed), memory=memory_text(fit.memory), device=name,
    )  # fmt: skip
    rest = {
        "fits": tr("What a picture needs beside them is not counted."),
        "tight": tr("Little is left for the work itself: parts of it may be fetched while it works."),
        "larger": tr(
            "They don't fit at once: a lower precision, or fetching parts while it works, is needed."
        ),
    }
    return f"{facts} {rest[fit.verdict]}"
