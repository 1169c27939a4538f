"""Which family fits which card: computed from architectures without weights, nothing of it run on a card.

``diptych bench forecast`` measures; ``python -m pipelines.bench.forecast [--write docs/memory.md]`` prints
the table of the documentation, or puts it there between its two marks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines import paths
from pipelines.bench.forecast_families import CLOSE, ROWS, Row, components
from pipelines.bench.report import Row as Figure
from pipelines.files import atomic_write
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import builtin
from pipelines.models.catalogue.catalogue import open_catalogue
from pipelines.models.forecast import Forecaster
from pipelines.models.forecast.activations import fit_of
from pipelines.models.forecast.changes import weightings
from pipelines.models.forecast.components import Component
from pipelines.models.forecast.verdict import VERDICTS, Assessment, Drawing, Machine, assess, bytes_of, cost

CARDS: Final = (6, 8, 12, 16, 24)
"""Memory of the cards, in GiB."""
HOST: Final = 64 * 2**30
"""Main memory beside them."""
DTYPE: Final = "bf16"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
_SETTINGS: Final = ("quantization", "text_quantization")
_WORDS: Final = {"fits": "fits", "offload": "streams", "too_large": "too large"}
FORECAST_MS: Final = 50.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One family on one card: in 16 bits, and with the weights that make it better."""

    needs: Assessment
    better: Assessment | None = None
    weights: str = ""

    @property
    def text(self) -> str:
        """``fits``, or ``streams 3.1 · fits in FP8`` (GB a step)."""
        said = _said(self.needs)
        return said if self.better is None else f"{said} · {_said(self.better)} in {self.weights}"


def _said(needs: Assessment) -> str:
    moved = f" {needs.moved / 1e9:.1f}" if needs.moved else ""
    return _WORDS[needs.verdict] + moved


def drawing_of(row: Row, parts: tuple[Component, ...]) -> Drawing:
    """One picture (or clip) at the family's own size."""
    pixels = row.side[0] * row.side[1] * row.frames
    return Drawing(
        parts, row.family, pixels, row.steps, doubled=row.doubled, looked=row.looks * pixels,
        read=row.looks * row.read,
    )  # fmt: skip


def cell(drawing: Drawing, gigabytes: int) -> Cell:
    """The verdict for a card, and the change of weights that makes it fit at the least time."""
    machine = Machine("cuda:0", gigabytes * 2**30, HOST, DTYPE)
    ways = list(weightings(_SETTINGS, machine, drawing, DTYPE, "none"))
    needs = assess(drawing, machine, DTYPE, "none")
    best: tuple[tuple[int, float], Assessment, str] | None = None
    for params, dtype, packing in ways[1:]:
        other = assess(drawing, machine, dtype, packing)
        rank = VERDICTS.index(other.verdict), cost(other, drawing, machine, dtype, packing)
        if rank[0] < VERDICTS.index(needs.verdict) and (best is None or rank < best[0]):
            best = rank, other, _named(params)
    return Cell(needs) if best is None else Cell(needs, best[1], best[2])


def _named(params: dict[str, str]) -> str:
    names = [params["quantization"].upper()] if "quantization" in params else []
    texts = [f"{params['text_quantization'].upper()} text"] if "text_quantization" in params else []
    return " + ".join(names + texts)


def measure() -> Iterator[Figure]:
    """For each family and card the peak of memory in 16 bits; and how long a forecast takes."""
    for row in ROWS:
        drawing = drawing_of(row, components(row))
        for card in CARDS:
            made = cell(drawing, card)
            yield Figure("forecast", f"{row.title}, {card} GB", made.needs.peak / 1e9, "GB", note=made.text)
    yield Figure("forecast", "a forecast, once probed", 1000 * _seconds(), "ms", FORECAST_MS, note="CPU time")


def _seconds() -> float:
    """CPU seconds of a forecast for a graph with the starter, the best of several."""
    forecaster = Forecaster(open_catalogue(paths.models_dir()), builtin())
    loader = NodeRecord.new("model.diffusion", params={"model": "starter/text-to-image"})
    draw = NodeRecord.new("diffusion.text_to_image", params={}, inputs={"model": ("model", "model")})
    graph, best = Graph().with_node("model", loader).with_node("draw", draw), float("inf")
    for _ in range(5):
        started = time.process_time()
        forecaster.forecast(graph, Machine("cuda:0", 2**33, HOST, DTYPE))
        best = min(best, time.process_time() - started)
    return best


# --- the table of the documentation -------------------------------------------------------------------------


def markdown(rows: tuple[Row, ...] = ROWS) -> str:
    """The table, a line a family."""
    cards = " | ".join(f"{card} GB" for card in CARDS)
    lines = [
        f"| family, picture | denoiser | text | VAE | FP8 / NF4 | work | {cards} | settings |",
        f"|---|---:|---:|---:|---:|---:|{'---|' * len(CARDS)}---|",
    ]
    return "\n".join([*lines, *(line(row) for row in rows)])


def line(row: Row) -> str:
    """One family; sizes in GB."""
    parts = components(row)
    drawing = drawing_of(row, parts)
    sizes = {
        stage: sum(bytes_of(part, DTYPE, "none") for part in parts if part.stage == stage) / 1e9
        for stage in ("main", "encode", "decode")
    }
    packed = " / ".join(
        f"{sum(bytes_of(part, DTYPE, name) for part in parts if part.stage == 'main') / 1e9:.1f}"
        for name in ("fp8", "nf4")
    )
    cells = [cell(drawing, card) for card in CARDS]
    needs = cells[-1].needs
    work = f"{max(needs.activations, 0 if needs.tiled else needs.decoding) / 1e9:.1f}"
    picture = f"{row.side[0]}×{row.side[1]}"
    size = " | ".join(f"{sizes[stage]:.1f}" for stage in ("main", "encode", "decode"))
    texts = " | ".join(made.text for made in cells)
    return f"| {row.title}, {picture} | {size} | {packed} | {work} | {texts} | {remark(row, parts)} |"


def remark(row: Row, parts: tuple[Component, ...]) -> str:
    """Where its settings are from, and what of the line is a guess."""
    said = [row.source]
    billions = sum(part.elements for part in parts if part.stage == "main") / 1e9
    if row.stated is None:
        said.append(f"**not checked**: {billions:.1f} billion numbers")
    elif abs(billions - row.stated) > CLOSE * row.stated:
        said.append(f"**not checked**: {billions:.1f} billion numbers, {row.stated:g} stated")
    main = next(part for part in parts if part.stage == "main")
    if fit_of(main, row.family).assumed:
        said.append("work as FLUX.1's")
    if row.frames > 1:
        said.append("decoding not computed")
    return ", ".join(said)


def write(page: Path, table: str) -> None:
    """Put the table between the marks of a page. Raises :class:`ValueError` if it has none."""
    text = page.read_text(encoding="utf-8")
    before, found, rest = text.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not found or not closed:
        raise ValueError(f"{page.name} has no place for the table.")
    atomic_write(page, f"{before}{BEGIN}\n{table}\n{END}{after}")


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.bench.forecast")
    parser.add_argument("--write", type=Path, help="a page with marks for the table")
    options = parser.parse_args()
    table = markdown()
    if options.write is None:
        print(table)
    else:
        write(options.write, table)


if __name__ == "__main__":
    main()
