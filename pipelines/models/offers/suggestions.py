"""What to get for this machine: models of our list with the precision, the fit and the seconds to expect.

Computed before anything is downloaded, from the number of parameters alone. Operations are those of the
family's denoiser, in proportion to its size (:mod:`pipelines.models.forecast.known_work`); the width of a
transformer isn't known then and is assumed (:data:`WIDTHS`), for memory only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pipelines.models.families.class_names import of_pipeline
from pipelines.models.forecast.components import Component
from pipelines.models.forecast.verdict import (
    REFERENCE,
    Assessment,
    Drawing,
    Machine,
    Verdict,
    assess,
)
from pipelines.models.offers.curated import (
    BYTES_PER_PARAMETER,
    WORK_BYTES,
    Curated,
    Precision,
    curated,
    suggest,
)

NATIVE: Final = {"sd1": 512, "sd": 512, "sd2": 768}
"""Sides of pictures in px; families that aren't here draw 1024."""
UNETS: Final = ("StableDiffusionPipeline", "StableDiffusionXLPipeline")
WIDTHS: Final = ((5_000_000_000, 3072), (1_500_000_000, 2560), (0, 1152))
"""From so many parameters, transformers are about so wide."""
VAE_WIDTH: Final = 128
TOO_LONG: Final = 600.0
"""Seconds for a picture that nobody would wait for: it is suggested only where all are like that."""
PROCESSOR: Final = {"fp32": 4e11, "bf16": 8e11, "fp16": 4e11}
"""Operations a second of a middling processor, to leave out what takes hours there."""
LARGE_ENCODER: Final = 1_000_000_000
"""Text encoders from so many parameters are kept in 8 bits where the rest isn't in 16."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A model of the list on this machine. ``label`` if it is one of the suggested. ``precision`` is None
    where it doesn't fit in any; ``params`` are those of the node that chooses it. ``seconds`` for one
    picture, the least and the most; None where nothing was measured or nothing is known.
    """

    model: Curated
    label: str = ""
    precision: Precision | None = None
    verdict: Verdict | None = None
    peak: int = 0
    seconds: tuple[float, float] | None = None

    @property
    def params(self) -> dict[str, str]:
        """What the node of the model is set to."""
        return params_of(self.model, self.precision)


def params_of(model: Curated, precision: Precision | None) -> dict[str, str]:
    """Quantization of the denoiser and, where they are large, of the text encoders."""
    if model.kind != "diffusion" or precision in (None, "bf16"):
        return {}
    encoders = [count for part, count in model.parameters.items() if part.startswith("text_encoder")]
    large = max(encoders, default=0) >= LARGE_ENCODER
    return {"quantization": str(precision)} | ({"text_quantization": "fp8"} if large else {})


def judge(machine: Machine, models: Sequence[Curated] | None = None) -> tuple[Judged, ...]:
    """All models of the list: the suggested ones first (Fast, Balanced, Best), then the others in its
    order."""
    known = curated() if models is None else tuple(models)
    precisions: tuple[Precision, ...] = tuple(BYTES_PER_PARAMETER) if machine.quantization else ("bf16",)
    together = machine.device == "cpu"
    found = {model.id: _judged(model, machine, precisions) for model in known}
    usable = [model for model in known if found[model.id].verdict in ("fits", "offload")]
    quick = _quick(usable, machine, precisions)
    times = {name: least for name, (least, _) in quick.items()}
    waited = [model for model in usable if model.id in quick]
    chosen = suggest(machine.room, waited, precisions=precisions, together=together, seconds=times)
    suggested = {each.model.id for each in chosen}
    first = (replace(found[each.model.id], label=each.label) for each in chosen)
    return (*first, *(found[model.id] for model in known if model.id not in suggested))


def _quick(
    models: Sequence[Curated], machine: Machine, precisions: Sequence[Precision]
) -> dict[str, tuple[float, float]]:
    """Those whose pictures one would wait for, with their seconds; where there are none, those that take
    about the least. A device that wasn't measured counts as a middling one of its kind."""
    if not machine.calibration.products:
        rates = PROCESSOR if machine.device == "cpu" else REFERENCE.products
        middling = replace(REFERENCE, device=machine.device, products=rates)
        machine = replace(machine, calibration=middling)
    drawn = {model.id: _judged(model, machine, precisions).seconds for model in models}
    known = {name: seconds for name, seconds in drawn.items() if seconds is not None}
    limit = max(TOO_LONG, 3 * min((seconds[0] for seconds in known.values()), default=0.0))
    return {name: seconds for name, seconds in known.items() if seconds[0] <= limit}


def _judged(model: Curated, machine: Machine, precisions: Sequence[Precision]) -> Judged:
    """In the highest precision in which all of it fits, else in that of which the least is fetched in each
    step."""
    if not model.parameters:
        return Judged(model)
    if model.kind != "diffusion" or not model.steps:
        room = machine.room
        precision = next((kind for kind in precisions if model.peak(kind) + WORK_BYTES <= room), None)
        verdict: Verdict = "fits" if precision else "too_large"
        return Judged(model, precision=precision, verdict=verdict, peak=model.peak(precision or "nf4"))
    tried = [(kind, _assessed(model, kind, machine)) for kind in precisions]
    whole = [(kind, made) for kind, made in tried if made.verdict == "fits"]
    parts = [(kind, made) for kind, made in tried if made.verdict == "offload"]
    parts.sort(key=lambda each: each[1].moved)
    if not whole and not parts:
        return Judged(model, verdict="too_large", peak=min(made.peak for _, made in tried))
    kind, made = (whole or parts)[0]
    return Judged(model, precision=kind, verdict=made.verdict, peak=made.peak, seconds=made.seconds)


def _assessed(model: Curated, precision: Precision, machine: Machine) -> Assessment:
    family = _family(model)
    side = NATIVE.get(family, 1024)
    method = params_of(model, precision)
    quantization = method.get("quantization", "none")
    if "text_quantization" in method:
        quantization += f",text={method['text_quantization']}"
    drawing = Drawing(
        tuple(_component(model, part, count) for part, count in model.parameters.items()), family,
        side * side, model.steps or 1, doubled=model.passes > 1, file_bytes=model.download_bytes or 0,
    )  # fmt: skip
    return assess(drawing, machine, machine.dtype, quantization)


def _family(model: Curated) -> str:
    named = of_pipeline(model.pipeline)
    return named.family if named is not None else ""


def _component(model: Curated, part: str, count: int) -> Component:
    if part == "vae":
        return Component(part, "decode", count, 0, count, VAE_WIDTH)
    if part != "denoiser":
        return Component(part, "encode", count, count // 10, count // 24)
    if model.pipeline in UNETS:
        attends = _family(model) != "sdxl"
        return Component("unet", "main", count, count // 20, count // 8, 320, attends=attends)
    width = next(width for least, width in WIDTHS if count >= least)
    block = 12 * width * width
    return Component("transformer", "main", count, count // 50, block, width, 16, convolves=False)
