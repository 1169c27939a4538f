"""What the set-up says, on standard error: standard output belongs to ``diptych`` and its JSON."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO


class SetupFailed(Exception):
    """The set-up can't go on: what happened, why, and what to do."""

    def __init__(self, what: str, why: str = "", remedy: str = "") -> None:
        super().__init__("\n".join(part for part in (what, why, remedy) if part))


def size(count: float) -> str:
    """A number of bytes for people: decimal units, as disks are sold."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            value = count / factor
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{count:.0f} bytes"


class Console:
    """Steps, notes, and one line of progress that is rewritten on a terminal and rare elsewhere."""

    def __init__(self, stream: TextIO | None = None, every: float = 15.0) -> None:
        """``every`` is the seconds between two lines of progress where there is no terminal."""
        self.stream = stream or sys.stderr
        self.every = every
        self.terminal = self.stream.isatty()
        self._open = False
        self._last = time.monotonic()

    def step(self, text: str) -> None:
        """A new step begins."""
        self._line(f"- {text}")
        self._last = time.monotonic()

    def note(self, text: str) -> None:
        """Something about the step under way."""
        for line in text.splitlines():
            self._line(f"  {line}")

    def progress(self, text: str) -> None:
        """How far the step is."""
        now = time.monotonic()
        if self.terminal and now - self._last >= 0.1:
            width = shutil.get_terminal_size().columns - 1
            self._put("\r" + f"  {text}"[:width].ljust(width))
            self._open, self._last = True, now
        elif not self.terminal and now - self._last >= self.every:
            self._line(f"  {text}")
            self._last = now

    def _line(self, text: str) -> None:
        if self._open:
            self._put("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")
            self._open = False
        self._put(text + "\n")

    def _put(self, text: str) -> None:
        encoding = self.stream.encoding or "utf-8"
        self.stream.write(text.encode(encoding, "replace").decode(encoding))
        self.stream.flush()
