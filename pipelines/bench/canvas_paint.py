"""Painting: from a pointer's event to the end of the repaint that shows it (``python -m
studio.mask.bench``)."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.bench.report import Row
from pipelines.bench.studio import run_window

GOAL_MS = 8.0


def measure() -> Iterator[Row]:
    """A soft brush of 300 px on masks of two sizes and on colour, fitted into the view."""
    for side, layer in ((2048, "mask"), (2048, "paint"), (4096, "mask")):
        figures = run_window("studio.mask.bench", str(side), layer)
        name = f"{layer} of {side}², 300 px soft brush, event to repaint"
        note = f"p99 {figures['p99_ms']:.1f} ms, of that {figures['cpu_p99_ms']:.1f} ms at work"
        yield Row("canvas-paint", f"{name}, p50", figures["p50_ms"], "ms", GOAL_MS, note=note)
