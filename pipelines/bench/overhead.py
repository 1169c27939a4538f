"""What a run of ours costs over the bare diffusers call on the same model, in one process and in turn."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipelines.bench.engine import Drive, starter_graph
from pipelines.bench.report import Row, seconds
from pipelines.engine.host import set_environment
from pipelines.engine.hosts import InProcessHost
from pipelines.graph.document import Graph
from pipelines.models.device import default_dtype
from pipelines.models.libraries import go_offline
from pipelines.paths import RESOURCES

ROUNDS = 7


def measure() -> Iterator[Row]:
    """Median of alternating runs: the pipeline's own ``__call__`` with the same settings, then our graph."""
    set_environment()
    go_offline()
    import torch
    from diffusers import DiffusionPipeline

    dtype = default_dtype("cpu")
    bare = DiffusionPipeline.from_pretrained(
        RESOURCES / "starter" / "text-to-image", dtype=dtype, local_files_only=True
    )
    bare.set_progress_bar_config(disable=True)
    with TemporaryDirectory() as folder:
        drive = Drive(Path(folder), InProcessHost)
        drive.client.start()

        def call(seed: int) -> Any:
            with torch.inference_mode():
                return bare(
                    str(graph(seed).nodes["draw"].params["prompt"]),
                    num_inference_steps=16,
                    guidance_scale=4.0,
                    guidance_rescale=0.7,
                    width=64,
                    height=64,
                    generator=torch.Generator().manual_seed(seed),
                    negative_prompt="",
                )

        call(0)
        drive.run(graph(0))
        ours, theirs = [], []
        for index in range(1, ROUNDS + 1):
            theirs.append(seconds(lambda i=index: call(i)))  # type: ignore[misc]
            ours.append(seconds(lambda i=index: drive.run(graph(i))))  # type: ignore[misc]
        drive.client.close()
    base, over = (
        statistics.median(theirs),
        statistics.median(b - a for a, b in zip(theirs, ours, strict=True)),
    )
    allowed = max(0.01 * base, 0.015) * 1000
    yield Row("overhead", "bare diffusers call, 16 steps", base * 1000, "ms")
    note = "with a preview each step; the prompt's embedding is cached in ours"
    yield Row("overhead", "our run on top of it", over * 1000, "ms", allowed, note=note)


def graph(seed: int) -> Graph:
    """Only the drawing: no upscale, nothing saved."""
    made = starter_graph(seed)
    for node in ("save", "upscale", "upscaler"):
        made = made.without_node(node)
    return made
