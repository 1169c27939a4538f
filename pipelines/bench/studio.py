"""The window: started as a program of its own, which measures itself (``python -m studio.bench``)."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from tempfile import TemporaryDirectory
from typing import Any

from pipelines.bench.report import Row

STARTS = 5


def measure() -> Iterator[Row]:
    """Cold start to an interactive window (first paint done, event loop idle), memory, lateness while
    drawing."""
    starts, memory = [], []
    for _ in range(STARTS):
        began = time.time()
        figures = _window("start")
        starts.append(figures["interactive_at"] - began)
        memory.append(figures["resident_bytes"] / 2**20)
    yield Row("studio", "start of the process to interactive window", statistics.median(starts), "s", 2)
    yield Row("studio", "memory of the studio process", statistics.median(memory), "MB", 200)
    figures = _window("generate")
    yield Row("studio", "event loop lateness while drawing, p99", figures["p99_ms"], "ms", 16)
    yield Row("studio", "event loop lateness while drawing, worst", figures["worst_ms"], "ms", 50)
    yield Row(
        "studio", "pictures seen in that time", figures["runs"], "", note=f"{figures['ticks']:.0f} ticks"
    )


def _window(what: str) -> dict[str, Any]:
    return run_window("studio.bench", what)


def run_window(module: str, *words: str, limit: float = 300) -> dict[str, Any]:
    """Run a module of the studio that measures itself, in a profile of its own; what it prints last is
    JSON. It may take ``limit`` seconds."""
    with TemporaryDirectory() as home:
        environment = {**os.environ, "DIPTYCH_HOME": home}
        if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            environment.setdefault("QT_QPA_PLATFORM", "offscreen")
        done = subprocess.run(
            [sys.executable, "-m", module, *words],
            env=environment,
            capture_output=True,
            timeout=limit,
            check=True,
        )
    return dict(json.loads(done.stdout.splitlines()[-1]))
