"""The word ``test``: style, types and tests, in the environment, as a developer and CI run them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from bootstrap.console import Console
from bootstrap.layout import Layout

LINTERS = (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",))

PARALLEL = ("-n", "2", "--dist", "loadfile")
"""Two processes, one file of tests at a time: many tests wait for a process of their own."""


def commands(arguments: Sequence[str]) -> list[tuple[str, ...]]:
    """What to run, in order. Arguments are pytest's; who gives some wants those tests, not the linters."""
    if arguments:
        return [("pytest", *arguments)]
    return [*LINTERS, ("pytest", *PARALLEL)]


def variables(current: Mapping[str, str], system: str = sys.platform) -> dict[str, str]:
    """The environment for the checks: no model hub, and no window where there is no display."""
    found = {**current, "HF_HUB_OFFLINE": "1"}
    if system == "linux" and not (current.get("DISPLAY") or current.get("WAYLAND_DISPLAY")):
        found.setdefault("QT_QPA_PLATFORM", "offscreen")
    return found


def run(layout: Layout, console: Console, arguments: Sequence[str]) -> int:
    """Run all checks even if one fails, so that one round shows everything; 0 only if every one passed."""
    failed = []
    for command in commands(arguments):
        console.step(" ".join(command))
        line = [str(layout.python), "-P", "-m", *command]
        code = subprocess.call(line, cwd=layout.root, env=variables(os.environ), stdin=subprocess.DEVNULL)
        if code:
            failed.append((" ".join(command[:2]), code))
    for name, code in failed:
        console.note(f"{name} failed (exit code {code})")
    return 1 if failed else 0
