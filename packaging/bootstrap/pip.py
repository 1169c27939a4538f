"""pip of the environment: its output made readable, its log kept, and the reason known when it fails."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bootstrap.console import Console, size
from bootstrap.layout import Layout

WORTH_SAYING = 5e6
"""Smaller downloads than this many bytes aren't announced one by one."""

_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_DOWNLOADING = re.compile(r"\s*(?:Downloading|Using cached) (\S+) \(([\d.]+) (bytes|[kMGT]?B)\)")
_UNITS = {"bytes": 1.0, "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
_NO_MATCH = (
    "No matching distribution found",
    "ResolutionImpossible",
    "Could not find a version that satisfies",
)
_NETWORK = (
    "Failed to establish a new connection",
    "Temporary failure in name resolution",
    "getaddrinfo failed",
    "NameResolutionError",
    "ConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "Read timed out",
    "Network is unreachable",
    "ProxyError",
)
_NO_SPACE = ("No space left on device", "[Errno 28]", "not enough space on the disk")


@dataclass
class Outcome:
    """How a run of pip ended; ``errors`` are its own words."""

    code: int = 0
    offline: bool = False
    lines: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def errors(self) -> str:
        """What pip called an error, or else its last words."""
        named = [line.removeprefix("ERROR: ") for line in self.lines if line.startswith("ERROR: ")]
        told = [line for line in named if not line.startswith("ResolutionImpossible")]
        return "\n".join(told[-4:] or self.lines[-4:])

    @property
    def no_network(self) -> bool:
        """pip reports lost connections as warnings, then finds no versions: look at both."""
        return not self.ok and self._says(_NETWORK)

    @property
    def no_space(self) -> bool:
        return not self.ok and self._says(_NO_SPACE)

    @property
    def no_match(self) -> bool:
        """The index answered, and has no such version for this system."""
        return not self.ok and not self.no_network and self._says(_NO_MATCH)

    def _says(self, words: Sequence[str]) -> bool:
        return any(word in line for line in self.lines for word in words)


class Pip:
    """Runs the environment's pip. ``version`` (major, minor) decides which options it knows."""

    def __init__(
        self, layout: Layout, console: Console, version: tuple[int, int], offline: bool = False
    ) -> None:
        self.layout = layout
        self.console = console
        self.version = version
        self.offline = offline

    def install(self, *arguments: str) -> Outcome:
        """``pip install``."""
        return self._run(["install", *self._common(), *arguments])

    def download(self, *arguments: str) -> Outcome:
        """``pip download``; gives up soon, since what is fetched this way can be fetched later."""
        return self._run(["download", "--retries", "1", "--timeout", "10", *self._common(), *arguments])

    def uninstall(self, names: Sequence[str]) -> Outcome:
        """``pip uninstall``."""
        return self._run(["uninstall", "--yes", *names])

    def _common(self) -> list[str]:
        bar = "raw" if self.version >= (24, 1) else "off"
        return ["--progress-bar", bar, *(["--no-index"] if self.offline else [])]

    def _run(self, arguments: list[str]) -> Outcome:
        self.layout.scratch.mkdir(exist_ok=True)
        outcome = Outcome(offline=self.offline)
        with self._start(arguments) as process, self.layout.log.open("a", encoding="utf-8") as log:
            reader = _Reader(self.layout, self.console)
            try:
                for line in process.stdout or ():
                    if not _PROGRESS.match(line):
                        log.write(line)
                        outcome.lines.append(line.rstrip())
                    reader.take(line.rstrip())
                outcome.code = process.wait()
            finally:
                reader.close()
                if process.poll() is None:
                    process.terminate()
        if outcome.ok:
            self.layout.writing.unlink(missing_ok=True)
        return outcome

    def _start(self, arguments: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.layout.python), "-I", "-m", "pip", *arguments],
            cwd=self.layout.root,
            env=environment(os.environ, self.layout),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )


class _Reader:
    """Turns pip's lines into ours."""

    def __init__(self, layout: Layout, console: Console) -> None:
        self.layout = layout
        self.console = console
        self.file = ""
        self._stop = threading.Event()
        self._ticker: threading.Thread | None = None

    def take(self, line: str) -> None:
        """One line of pip's output."""
        if progress := _PROGRESS.match(line):
            done, total = int(progress[1]), int(progress[2])
            if total >= WORTH_SAYING and self.file:
                self.console.progress(f"{self.file}: {size(done)} of {size(total)}")
        elif found := _DOWNLOADING.match(line):
            self.file = title(found[1])
            count = float(found[2]) * _UNITS[found[3]]
            if count >= WORTH_SAYING and not found[1].endswith(".metadata"):
                cached = ", kept from an earlier download" if "cached" in line else ""
                self.console.note(f"{self.file} ({size(count)}{cached})")
        elif line.startswith("Collecting "):
            self.console.progress(f"looking for {line.split()[1]}")
        elif line.startswith("Installing collected packages: "):
            self._writing(line.partition(": ")[2].count(",") + 1)

    def close(self) -> None:
        """pip has ended."""
        self._stop.set()
        if self._ticker:
            self._ticker.join()

    def _writing(self, count: int) -> None:
        # From here on a killed pip leaves packages half-written: the next start must know.
        self.layout.writing.touch()
        self.console.note(f"writing {count} package{'s' if count > 1 else ''}")
        before = len(installed(self.layout))

        def tick() -> None:
            while not self._stop.wait(1.0):
                done = min(max(len(installed(self.layout)) - before, 0), count)
                self.console.progress(f"{done} of {count} packages written")

        self._ticker = threading.Thread(target=tick, daemon=True)
        self._ticker.start()


def title(file: str) -> str:
    """Name and version of a wheel or source file as people write them."""
    parts = file.rsplit("/", 1)[-1].removesuffix(".metadata").split("-")
    if len(parts) < 2:
        return file
    return f"{parts[0].replace('_', '-')} {parts[1].removesuffix('.tar.gz')}"


def installed(layout: Layout) -> dict[str, str]:
    """Names (lower case, hyphens) and versions of what is in the environment."""
    found = {}
    for folder in layout.libraries():
        for entry in folder.glob("*.dist-info"):
            name, _, version = entry.name.removesuffix(".dist-info").rpartition("-")
            found[name.replace("_", "-").lower()] = version
    return found


def environment(current: Mapping[str, str], layout: Layout) -> dict[str, str]:
    """The variables pip runs with: the user's own configuration, less what breaks an environment."""
    return {
        **current,
        "TMPDIR": str(layout.scratch),
        "TEMP": str(layout.scratch),
        "TMP": str(layout.scratch),
        "PIP_USER": "0",
        "PIP_NO_INPUT": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def cleared_scratch(layout: Layout) -> Iterator[None]:
    """The folder for downloads, emptied before and after."""
    import shutil

    shutil.rmtree(layout.scratch, ignore_errors=True)
    try:
        yield
    finally:
        shutil.rmtree(layout.scratch, ignore_errors=True)
