"""``diptych bench``: run measurements, print a table and JSON."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

from pipelines.bench.report import MeasurementFailed, Row, as_json, as_table, machine
from pipelines.cli.session import FAILED, OK, print_json
from pipelines.errors import TextNotSaved, WrongUse
from pipelines.files import atomic_write

BENCHES: Final = (
    "graph", "studio", "engine", "overhead", "language", "inpaint", "upscale", "canvas", "canvas-paint",
    "models", "families", "residency", "forecast",
)  # fmt: skip


def bench(options: argparse.Namespace) -> int:
    """Run the named measurements, or all of them, one after another."""
    unknown = [name for name in options.name if name not in BENCHES]
    if unknown:
        raise WrongUse(
            reason=f"There is no bench called {unknown[0]}.", hint=f"There are: {', '.join(BENCHES)}"
        )
    rows: list[Row] = []
    code = OK
    for name in options.name or BENCHES:
        try:
            for row in import_module(f"pipelines.bench.{name.replace('-', '_')}").measure():
                rows.append(row)
                print(f"{row.bench}: {row.name}: {row.value:.4g} {row.unit} {row.verdict}", file=sys.stderr)
        except MeasurementFailed as error:
            print(f"{name}: {error}", file=sys.stderr)
            code = FAILED
    if options.output:
        text = json.dumps(as_json(rows), indent=2, ensure_ascii=False)
        atomic_write(Path(options.output), text, failure=TextNotSaved)
    if options.json:
        print_json(as_json(rows))
    else:
        print(f"{machine()}\n\n{as_table(rows)}")
    return code
