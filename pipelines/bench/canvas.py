"""The node editor: build, repaint, drag, load, memory, the palette (``python -m studio.canvas.bench``).

NodeGraphQt is measured beside it with the same graphs, where it is installed (the extra ``dev``).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pipelines.bench.report import Row
from pipelines.bench.studio import run_window

BENCH: Final = "canvas"
MISSING: Final = "not installed: pip install -e '.[dev]'"
PEER_SECONDS: Final = 600
"""How long NodeGraphQt may take."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that the window prints, what it is called, and what it should stay under."""

    key: str
    name: str
    goal: float | None = None
    unit: str = "ms"


@dataclass(frozen=True, slots=True)
class Size:
    """A graph, and what is told of it."""

    nodes: int
    wires: int
    figures: tuple[Figure, ...]
    peer: bool = False
    """Whether NodeGraphQt ends with it in bearable time."""


_ALSO: Final = (
    Figure("near_zoom", "a turn of the wheel at zoom 1"),
    Figure("near_pan", "panning at zoom 1, a frame"),
    Figure("near_hover", "pointer moved at zoom 1"),
    Figure("edit", "one edit, shown"),
    Figure("check", "looking for problems"),
)
SIZES: Final = (
    Size(
        500, 750,
        (
            Figure("build", "build", 200),
            Figure("near", "full repaint at zoom 1", 16),
            Figure("near_cold", "full repaint at zoom 1, nothing kept", 16),
            Figure("far", "whole graph in view", 33),
            Figure("far_cold", "whole graph in view, nothing kept", 33),
            Figure("near_drag", "dragging one node at zoom 1, a frame", 8),
            Figure("far_drag", "dragging one node, whole graph in view, a frame", 8),
            *_ALSO,
        ),
        peer=True,
    ),
    Size(
        2_000, 3_000,
        (
            Figure("build", "build", 600),
            Figure("near", "full repaint at zoom 1"),
            Figure("far", "whole graph in view", 100),
            Figure("far_cold", "whole graph in view, nothing kept", 100),
            Figure("near_drag", "dragging one node at zoom 1, a frame", 16),
            Figure("far_drag", "dragging one node, whole graph in view, a frame", 16),
            Figure("load", "load from file, shown", 1_000),
            Figure("memory_mb", "memory above an empty document", 120, "MB"),
            *_ALSO,
        ),
        peer=True,
    ),
    Size(
        10_000, 15_000,
        (
            Figure("load", "load from file, shown"),
            Figure("near", "full repaint at zoom 1"),
            Figure("far", "whole graph in view"),
            Figure("far_pan", "panning, whole graph in view, a frame"),
            Figure("near_drag", "dragging one node at zoom 1, a frame"),
            Figure("memory_mb", "memory above an empty document", None, "MB"),
            *_ALSO,
        ),
    ),
)  # fmt: skip
PALETTE: Final = (
    Figure("open", "open", 50),
    Figure("open_first", "open for the first time", 50),
    Figure("key", "a letter", 16),
)
TYPES: Final = 300


def measure() -> Iterator[Row]:
    """Graphs of three sizes in a view of 1600 × 1000, then the palette with 300 node types."""
    for size in SIZES:
        numbers = (str(size.nodes), str(size.wires))
        figures = run_window("studio.canvas.bench", "graph", *numbers)
        name = f"{size.nodes:,} nodes, {size.wires:,} wires"
        yield from (_row(figure, name, figures) for figure in size.figures)
        if size.peer:
            yield from _ratios(name, figures, *_peer(*numbers))
    figures = run_window("studio.canvas.bench", "palette", str(TYPES))
    yield from (_row(figure, f"palette of {TYPES} node types", figures) for figure in PALETTE)


def _row(figure: Figure, name: str, figures: dict[str, Any]) -> Row:
    """Figures in ms are the time at work; what passed meanwhile is noted."""
    if figure.unit != "ms":
        return Row(BENCH, f"{name}: {figure.name}", figures[figure.key], figure.unit, figure.goal)
    note = f"by the clock {figures[f'{figure.key}_wall']:.1f} ms"
    return Row(BENCH, f"{name}: {figure.name}", figures[f"{figure.key}_work"], "ms", figure.goal, note=note)


def _peer(*numbers: str) -> tuple[dict[str, Any], str]:
    """What NodeGraphQt takes; nothing, and why, if it isn't there or doesn't end."""
    try:
        found = run_window("studio.canvas.bench_peer", *numbers, limit=PEER_SECONDS)
    except subprocess.TimeoutExpired:
        return {}, f"did not end within {PEER_SECONDS} s"
    except subprocess.CalledProcessError as error:
        return {}, f"failed: {error.stderr.decode(errors='replace').strip().splitlines()[-1:]}"
    return found, MISSING


def _ratios(name: str, ours: dict[str, Any], theirs: dict[str, Any], why: str = MISSING) -> Iterator[Row]:
    """How many times as long NodeGraphQt takes for the same; ``why`` it didn't, if it didn't."""
    what = {"build": "build", "near": "repaint at zoom 1", "far": "whole graph", "near_drag": "drag, a frame"}
    for key, words in what.items():
        title = f"{name}: NodeGraphQt, {words}"
        if f"{key}_work" not in theirs:
            yield Row(BENCH, title, 0, "×", note=why)
            return
        took = theirs[f"{key}_work"]
        yield Row(BENCH, title, took / ours[f"{key}_work"], "×", note=f"{took:.1f} ms, titles and ports only")
