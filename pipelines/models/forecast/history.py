"""How long runs took, kept for the next one like it: what was seen is better than what was computed."""

from __future__ import annotations

import json
import math
import statistics
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipelines.errors import DiptychError
from pipelines.files import atomic_write

NAME: Final = "run_times.json"
MAX_BYTES: Final = 2**20
MOST: Final = 200
"""Kinds of runs; those not seen for the longest time are forgotten."""
EACH: Final = 9
"""Times of a kind; the median of the last ones counts."""
AROUND: Final = 0.1
"""A run may take this share less or more than the median, at least."""
AROUND_OTHER: Final = 0.25
"""The same where only runs with another number of steps were seen."""
LONGEST: Final = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What decides how long a drawing takes. ``precision`` is that of the weights and their packing,
    ``speed`` what was switched on to make it faster, ``steered`` what makes it slower.
    """

    model: str
    device: str
    pixels: int
    pictures: int
    precision: str
    steps: int
    speed: str = ""
    steered: str = ""

    @property
    def kind(self) -> str:
        """All but the steps, as one text."""
        more = [self.speed] if self.speed else []  # runs noted before there was a choice were plain ones
        more += [f"+{self.steered}"] if self.steered else []
        return json.dumps([self.model, self.device, self.pixels, self.pictures, self.precision, *more])


class History:
    """Seconds of finished drawings in one file of ``folder``. Safe to use from several threads.

    A file that can't be read is a file without times; one that can't be written costs the memory of them.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._lock = threading.Lock()
        self._times: dict[str, dict[int, list[float]]] | None = None

    def note(self, ran: Ran, seconds: float) -> None:
        """Keep the time of one finished drawing, without that of reading the model."""
        if not (math.isfinite(seconds) and 0 < seconds < LONGEST):
            return
        with self._lock:
            times = self._read()
            by_steps = times.pop(ran.kind, {})
            times[ran.kind] = by_steps  # the one seen last stands at the end
            kept = by_steps.pop(ran.steps, [])
            by_steps[ran.steps] = [*kept, round(seconds, 3)][-EACH:]
            while len(by_steps) > EACH:
                del by_steps[next(iter(by_steps))]
            while len(times) > MOST:
                del times[next(iter(times))]
            try:
                atomic_write(self._path, json.dumps(list(_rows(times)), indent=1))
            except DiptychError:
                return

    def find(self, ran: Ran) -> tuple[float, float] | None:
        """The least and the most seconds such a drawing is expected to take; ``None`` if none was seen."""
        with self._lock:
            by_steps = self._read().get(ran.kind, {})
            if not by_steps:
                return None
            nearest = min(by_steps, key=lambda steps: abs(steps - ran.steps))
            times = list(by_steps[nearest])
        middle = statistics.median(times)
        if nearest != ran.steps:
            middle *= max(ran.steps, 1) / max(nearest, 1)
            return middle * (1 - AROUND_OTHER), middle * (1 + AROUND_OTHER)
        quarters = statistics.quantiles(times, method="inclusive") if len(times) > 2 else [middle]
        return min(quarters[0], middle * (1 - AROUND)), max(quarters[-1], middle * (1 + AROUND))

    def _read(self) -> dict[str, dict[int, list[float]]]:
        if self._times is None:
            try:
                with self._path.open("rb") as file:
                    self._times = _times(json.loads(file.read(MAX_BYTES)))
            except (OSError, ValueError, TypeError, KeyError, RecursionError):
                self._times = {}
        return self._times


def _rows(times: dict[str, dict[int, list[float]]]) -> Any:
    for kind, by_steps in times.items():
        for steps, seconds in by_steps.items():
            yield {"kind": kind, "steps": steps, "seconds": seconds}


def _times(rows: Any) -> dict[str, dict[int, list[float]]]:
    """What a file holds. Raises what :meth:`History._read` expects for one of another make."""
    found: dict[str, dict[int, list[float]]] = {}
    for row in rows if isinstance(rows, list) else []:
        seconds = [float(value) for value in row["seconds"]][-EACH:] if isinstance(row, dict) else []
        if seconds and all(math.isfinite(value) and value > 0 for value in seconds):
            found.setdefault(str(row["kind"]), {})[int(row["steps"])] = seconds
    return found
