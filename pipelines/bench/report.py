"""Rows of a measurement, and how they are shown."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class MeasurementFailed(RuntimeError):
    """What was to be measured did not work; the other measurements go on."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. ``goal`` is what it should stay under (or over, where ``at_least``)."""

    bench: str
    name: str
    value: float
    unit: str
    goal: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        good = self.value >= self.goal if self.at_least else self.value <= self.goal
        return "ok" if good else "missed"


def median_of(times: int, work: Callable[[], object]) -> float:
    """Median seconds of ``work`` over some runs."""
    return statistics.median(seconds(work) for _ in range(times))


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def resident_bytes(pid: int | None = None) -> int:
    """Resident memory of a process in bytes (Linux; 0 where it can't be read)."""
    try:
        text = Path(f"/proc/{pid or 'self'}/statm").read_text()
    except OSError:
        return 0
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def as_json(rows: Iterable[Row]) -> dict[str, Any]:
    """Machine and rows as one JSON object."""
    return {"machine": machine(), "rows": [{**asdict(row), "verdict": row.verdict} for row in rows]}


def as_table(rows: Iterable[Row]) -> str:
    """A Markdown table."""
    lines = ["| bench | figure | value | goal | |", "|---|---|---:|---:|---|"]
    for row in rows:
        sign = "≥" if row.at_least else "≤"
        goal = f"{sign} {_number(row.goal)} {row.unit}" if row.goal is not None else ""
        remark = " · ".join(part for part in (row.verdict, row.note) if part)
        lines.append(f"| {row.bench} | {row.name} | {_number(row.value)} {row.unit} | {goal} | {remark} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"
