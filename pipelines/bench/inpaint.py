"""Masks and the way there and back: each mask operation, and what cropping and stitching cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from pipelines.bench.report import Row, median_of
from pipelines.graph.values import Image, Mask
from pipelines.inpaint import (
    Fill,
    SizeLimits,
    combine,
    cut,
    feather,
    fill,
    fill_holes,
    grow,
    invert,
    paste,
    plan_crop,
    shrink,
    smooth,
)

_TIMES: Final = 5
_GOALS: Final = {1024: 50.0, 4096: 300.0}
"""Side of the mask's bounds -> milliseconds that any operation should take at most."""
_OPERATIONS: Final[dict[str, Callable[[Mask], object]]] = {
    "grow 40 px": lambda mask: grow(mask, 40),
    "shrink 40 px": lambda mask: shrink(mask, 40),
    "feather 60 px": lambda mask: feather(mask, 60),
    "smooth 20 px": lambda mask: smooth(mask, 20),
    "fill holes": fill_holes,
    "invert": invert,
    "subtract": lambda mask: combine(mask, mask, "subtract"),
    "plan a crop": lambda mask: plan_crop(mask, 1.0, SizeLimits()),
}
_SIDE: Final = 2048
_MODELS: Final = {
    "512–768 px": SizeLimits(),
    "1 MP": SizeLimits((1024, 1024), 1024, 1024 * 1024, 8),
}


def measure() -> Iterator[Row]:
    """Operations on hard and soft masks, then crop and stitch at 2048²."""
    for side, goal in _GOALS.items():
        for kind, soft in (("hard", False), ("soft", True)):
            mask = _blob(side, side, soft)
            for name, operation in _OPERATIONS.items():
                milliseconds = 1000 * median_of(_TIMES, lambda work=operation, on=mask: work(on))  # type: ignore[misc]
                yield Row("inpaint", f"{name}, {kind} mask of {side}²", milliseconds, "ms", goal)
    yield from _there_and_back()


def _there_and_back() -> Iterator[Row]:
    """Cropping to a selection of 512 px and pasting back, 8 bits RGB; the plan counts as well."""
    pixels = np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3), np.uint8)
    image, mask = Image(pixels), _blob(512, _SIDE, False)
    for model, limits in _MODELS.items():
        plan = plan_crop(mask, 1.0, limits)
        part, denoise, stitch = cut(image, plan)
        steps: dict[str, Callable[[], object]] = {
            "plan": lambda limits=limits: plan_crop(mask, 1.0, limits),  # type: ignore[misc]
            "cut": lambda plan=plan: cut(image, plan),  # type: ignore[misc]
            "paste": lambda stitch=stitch, part=part: paste(stitch, part),  # type: ignore[misc]
        }
        times = {name: 1000 * median_of(_TIMES, work) for name, work in steps.items()}
        note = ", ".join(f"{name} {value:.1f}" for name, value in times.items())
        shape = f"{plan.box.width}×{plan.box.height} as {plan.work.width}×{plan.work.height}"
        row = f"crop and stitch, {_SIDE}², {model} ({shape})"
        yield Row("inpaint", row, sum(times.values()), "ms", 30, note=note)
        matched = 1000 * median_of(_TIMES, lambda stitch=stitch, part=part: paste(stitch, part, True))  # type: ignore[misc]
        yield Row("inpaint", f"paste with colours matched, {model}", matched, "ms")
        for mode in (Fill.BORDER, Fill.PATCH):
            filled = 1000 * median_of(3, lambda part=part, on=denoise, mode=mode: fill(part, on, mode))  # type: ignore[misc]
            yield Row("inpaint", f"fill “{mode}”, {model}", filled, "ms")


def _blob(side: int, canvas: int, soft: bool) -> Mask:
    """A disc whose bounds are nearly ``side`` px, in the middle of ``canvas`` px; its outer eighth soft."""
    rows, columns = np.ogrid[:canvas, :canvas]
    inwards = np.float32(side / 2 - 1) - np.hypot(columns - canvas / 2, rows - canvas / 2).astype(np.float32)
    return Mask(inwards / np.float32(side / 16)) if soft else Mask((inwards >= 0).astype(np.float32))
