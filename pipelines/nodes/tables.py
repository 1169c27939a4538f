"""Tables for ``list.table``: CSV with a header line, or JSONL with an object a line, within bounds."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pipelines.errors import FileMissing, GraphUnreadable, TableUnreadable, TooManyItems
from pipelines.files import bytes_text, open_file
from pipelines.graph import jsontext
from pipelines.graph.node import CancelToken, file_fingerprint

MAX_BYTES: Final = 64 * 2**20
MAX_ROWS: Final = 100_000
MAX_COLUMNS: Final = 256
_HEADER_BYTES: Final = 64 * 1024
_JSON_SUFFIXES: Final = frozenset({".jsonl", ".ndjson"})
_DELIMITERS: Final = ",;\t|"


@dataclass(frozen=True, slots=True)
class Table:
    """``names`` of the columns and rows of texts, each as long as ``names``."""

    path: Path
    names: tuple[str, ...]
    rows: Sequence[Sequence[str]]

    def column(self, name: str) -> list[str]:
        """The texts of a column. Raises :class:`TableUnreadable` if there is none of this name."""
        if name not in self.names:
            known = ", ".join(self.names)
            raise TableUnreadable(path=str(self.path), reason=f"It has no column “{name}”, only: {known}.")
        index = self.names.index(name)
        return [row[index] for row in self.rows]


def column_names(text: str) -> tuple[str, ...]:
    """Names written with commas between them."""
    return _unique([name.strip() for name in text.split(",") if name.strip()])


def header(path: str) -> tuple[str, ...]:
    """The columns of a table by its first line or first object; none if it can't be read."""
    try:
        place = Path(path).expanduser()
        return _header(str(place), file_fingerprint(place)) if path else ()
    except (ValueError, RuntimeError):  # a NUL in the path; an unknown user after "~"
        return ()


@lru_cache(maxsize=64)
def _header(path: str, _fingerprint: str) -> tuple[str, ...]:
    """Kept by the file's fingerprint: ports are asked for at every look at a graph."""
    try:
        with open_file(Path(path)) as file:
            head = file.read(_HEADER_BYTES)
        text = head.decode("utf-8-sig", "ignore" if len(head) == _HEADER_BYTES else "strict")
        if Path(path).suffix.lower() in _JSON_SUFFIXES:
            first = next((line for line in text.splitlines() if line.strip()), "")
            return _parse_json(Path(path), first).names
        return _parse_csv(Path(path), text, rows=1).names
    except (OSError, UnicodeDecodeError, TableUnreadable, TooManyItems):
        return ()


def read_table(path: Path, cancel: CancelToken) -> Table:
    """The whole table.

    Raises:
        FileMissing, TableUnreadable, TooManyItems: as their texts say.
    """
    try:
        with open_file(path) as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise TableUnreadable(path=str(path), reason=f"It is larger than {bytes_text(MAX_BYTES)}.")
        text = data.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise FileMissing(path=str(path)) from error
    except UnicodeDecodeError as error:
        raise TableUnreadable(path=str(path), reason=f"It is not UTF-8 text (byte {error.start}).") from error
    except OSError as error:
        raise TableUnreadable(path=str(path), reason=f"{error.strerror or error}.") from error
    cancel.check()
    if path.suffix.lower() in _JSON_SUFFIXES:
        return _parse_json(path, text)
    return _parse_csv(path, text)


def _parse_csv(path: Path, text: str, rows: int = MAX_ROWS + 1) -> Table:
    """``rows`` at most. Short rows are filled with empty texts, longer ones are an error."""
    line = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found: list[list[str]] = []
    try:
        names = _unique([cell.strip() for cell in next(reader, [])])
        if not names:
            raise TableUnreadable(path=str(path), reason="Its first line is empty.")
        for row in reader:
            if len(found) >= rows:
                break
            if len(row) > len(names):
                reason = f"Line {reader.line_num} has {len(row)} cells, the header has {len(names)}."
                raise TableUnreadable(path=str(path), reason=reason)
            if row:
                found.append(row + [""] * (len(names) - len(row)))
    except csv.Error as error:
        raise TableUnreadable(path=str(path), reason=f"Line {reader.line_num}: {error}.") from error
    return _bounded(Table(path, names, found))


def _parse_json(path: Path, text: str) -> Table:
    """Columns are keys in order of appearance; a missing one is an empty text, a nested value JSON."""
    objects: list[Mapping[str, Any]] = []
    names: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = jsontext.loads(line, f"Line {number}")
        except GraphUnreadable as error:
            reason = f"Line {number}: {error.arguments['reason']}"
            raise TableUnreadable(path=str(path), reason=reason) from error
        if not isinstance(row, Mapping):
            raise TableUnreadable(path=str(path), reason=f"Line {number} is not an object.")
        objects.append(row)
        names.update(dict.fromkeys(row))
        if len(objects) > MAX_ROWS:
            break
    if not names:
        raise TableUnreadable(path=str(path), reason="It has no columns.")
    rows = [[_text(row.get(name)) for name in names] for row in objects]
    return _bounded(Table(path, _unique([name.strip() for name in names]), rows))


def _bounded(table: Table) -> Table:
    if len(table.rows) > MAX_ROWS:
        raise TooManyItems(count=f"More than {MAX_ROWS:,}", limit=f"{MAX_ROWS:,}")
    if len(table.names) > MAX_COLUMNS:
        reason = f"It has {len(table.names)} columns; at most {MAX_COLUMNS} are read."
        raise TableUnreadable(path=str(table.path), reason=reason)
    return table


def _unique(names: list[str]) -> tuple[str, ...]:
    """Names that can be ports: an empty one gets its number, one that comes twice gets a number behind it."""
    result: dict[str, None] = {}
    for index, name in enumerate(names, 1):
        base = name = name[:200] or f"column {index}"
        number = 2
        while name in result:
            name = f"{base} {number}"
            number += 1
        result[name] = None
    return tuple(result)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return (
        jsontext.dumps(value).strip()
        if isinstance(value, float | int)
        else json.dumps(value, ensure_ascii=False)
    )
