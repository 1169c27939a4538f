"""Starting and ending a child process, on every system."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

LOG_BYTES = 1_000_000


def spawn(arguments: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start ``python -m …`` with pipes for input and output, in a process group of its own."""
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    root = str(Path(__file__).resolve().parent.parent.parent)
    search = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    return subprocess.Popen(
        [sys.executable, "-X", "utf8", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env={**os.environ, "PYTHONPATH": search},
        **options,
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group at once."""
    if process.poll() is not None:
        return
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def exit_reason(code: int | None) -> str:
    """Why a process ended, in words."""
    if code is None:
        return "It closed its connection."
    if code in (-9, 137):
        return "It was killed, most likely because memory ran out."
    if code < 0:
        return f"It crashed (signal {-code})."
    return f"It ended with code {code}."


def open_log(path: Path) -> IO[bytes]:
    """The engine's log, opened for appending; a long one is started anew and the old one kept beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".old.log"))
    return path.open("ab", buffering=0)


def tail(path: Path, count: int = 4_000) -> str:
    """The end of a log, for diagnostics."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - count))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
