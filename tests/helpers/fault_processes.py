"""Real processes for the tests of faults: the command line, and children that get killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CLI = (sys.executable, "-m", "pipelines.cli")


def environment(home: Path, **changes: str) -> dict[str, str]:
    """An environment with folders of its own."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DIPTYCH_HOME": str(home),
        "QT_QPA_PLATFORM": "offscreen",
    } | changes


def start(command: list[str], home: Path, **options: Any) -> subprocess.Popen[str]:
    """Start a child with pipes for everything."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment(home), **{**pipes, **options})


def finish(child: subprocess.Popen[str], text: str = "", timeout: float = 60) -> tuple[int, str, str]:
    """Exit code, output and error output; no child ever prints a traceback."""
    out, err = child.communicate(text, timeout)
    assert "Traceback" not in (err or ""), err
    return child.returncode, out, err


def shell(script: str, home: Path, folder: Path, **changes: str) -> tuple[int, str, str]:
    """A line of shell in which ``$DIPTYCH`` is the command."""
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment(home, DIPTYCH=" ".join(CLI), **changes),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def wait_for(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """What ``condition`` gives as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found


def is_gone(pid: int) -> bool:
    """Whether a process has ended (one that nobody waits for counts as ended)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return True
    return state == "Z"
