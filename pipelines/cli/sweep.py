"""Many runs of one graph: a row of a table each, or every combination of values; and going on where it
stopped."""

from __future__ import annotations

import csv
import io
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blake3 import blake3

from pipelines.cli.arguments import parse_value, port_of
from pipelines.errors import GraphUnreadable, OutputFolderUnusable, TableUnreadable, TextNotSaved, WrongUse
from pipelines.files import reason_of, save_error
from pipelines.graph import jsontext
from pipelines.graph.document import Graph
from pipelines.graph.registry import Registry

LOG_NAME: Final = ".diptych-runs.jsonl"
MAX_RUNS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Variant:
    """One run: the graph with its values, and a label for messages."""

    graph: Graph
    label: str

    @property
    def key(self) -> str:
        return blake3(self.graph.dumps()).hexdigest()


def variants(
    graph: Graph, file: str, each: str | None, sweeps: list[str], registry: Registry
) -> list[Variant]:
    """All runs of a graph; a single one without ``--each`` and ``--sweep``.

    Raises:
        TableUnreadable: the table can't be read.
        WrongUse: a column or a sweep names what isn't there, or there are more than :data:`MAX_RUNS` runs.
    """
    made = [Variant(graph, file)]
    if each:
        made = [
            _with_row(graph, f"{file} row {number}", row, registry)
            for number, row in enumerate(read_rows(each), 1)
        ]
    for sweep in sweeps:
        target, sign, values = sweep.partition("=")
        if not sign:
            raise WrongUse(
                reason=f"{sweep} is not of the form node.param=a,b.", hint="Example: --sweep draw.steps=8,16"
            )
        try:
            choices = next(csv.reader([values])) or [""]
        except csv.Error as error:
            raise WrongUse(
                reason=f"The values of {target} can't be told apart.",
                hint="Write them on one line, with commas between them.",
            ) from error
        if len(made) * len(choices) > MAX_RUNS:
            raise WrongUse(
                reason=f"That would be more than {MAX_RUNS} runs.", hint="Sweep fewer values at a time."
            )
        made = [
            Variant(_set(variant.graph, target, value, registry), f"{variant.label} {target}={value}")
            for variant, value in itertools.product(made, choices)
        ]
    return made


def read_rows(path: str) -> list[dict[str, str]]:
    """The rows of a CSV (with a header line) or JSONL file as text by column. Raises
    :class:`TableUnreadable`."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TableUnreadable(path=path, reason=f"{error}.") from error
    if not path.lower().endswith((".jsonl", ".ndjson")):
        try:
            rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        except csv.Error as error:
            raise TableUnreadable(path=path, reason=f"{str(error).capitalize()}.") from error
        if any(None in row or None in row.values() for row in rows):
            raise TableUnreadable(path=path, reason="A row has more or fewer fields than the header.")
        return rows
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = jsontext.loads(line, f"Line {number}")
        except GraphUnreadable as error:
            reason = f"Line {number}: {error.arguments['reason']}"
            raise TableUnreadable(path=path, reason=reason) from error
        if not isinstance(row, dict):
            raise TableUnreadable(path=path, reason=f"Line {number} is not an object.")
        rows.append(
            {key: value if isinstance(value, str) else json.dumps(value) for key, value in row.items()}
        )
    return rows


def _with_row(graph: Graph, label: str, row: dict[str, str], registry: Registry) -> Variant:
    for column, value in row.items():
        graph = _set(graph, column, value, registry)
    return Variant(graph, label)


def _set(graph: Graph, target: str, text: str, registry: Registry) -> Graph:
    """Set ``node.param`` or an exposed name."""
    if target in graph.exposed:
        node, param = graph.exposed[target]
    else:
        node, dot, param = target.rpartition(".")
        if not dot:
            known = ", ".join(graph.exposed) or "none"
            raise WrongUse(
                reason=f"{target} is neither node.param nor an argument.", hint=f"Arguments: {known}"
            )
    return graph.with_param(node, param, parse_value(port_of(graph, node, param, registry), text))


class Progress:
    """Which runs are done, written down after each in the output folder."""

    def __init__(self, folder: Path, resume: bool) -> None:
        """Raises :class:`OutputFolderUnusable` before anything runs."""
        self._path = folder / LOG_NAME
        self._done: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputFolderUnusable(path=str(folder), reason=reason_of(error)) from error
        if resume and self._path.exists():
            for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    self._done.add(json.loads(line)["key"])
                except (json.JSONDecodeError, KeyError, TypeError):
                    continue  # a line cut off by a crash: that run is simply made again

    def is_done(self, variant: Variant) -> bool:
        return variant.key in self._done

    def add(self, variant: Variant) -> None:
        """Write down that a run is done. Raises :class:`SaveFailed` or :class:`DiskFull`."""
        line = json.dumps({"key": variant.key, "run": variant.label}) + "\n"
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise save_error(error, self._path, len(line), TextNotSaved) from error
