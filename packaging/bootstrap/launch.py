"""Becoming ``diptych``: the same process where the system can, a waited-for child where it can't."""

from __future__ import annotations

import os
from collections.abc import Sequence

from bootstrap.layout import Layout


def command(layout: Layout, words: Sequence[str]) -> list[str]:
    """How ``diptych`` is run.

    ``-P``: what lies in the folder the user stands in must not be imported in place of a library.
    """
    return [str(layout.python), "-P", "-m", "pipelines.cli", *words]


def diptych(layout: Layout, words: Sequence[str]) -> int:
    """Run ``diptych`` with these words; returns its exit code (on POSIX it doesn't return at all)."""
    line = command(layout, words)
    if os.name == "posix":
        os.execv(line[0], line)
    import subprocess  # only here: it takes longer to import than all the rest

    child = subprocess.Popen(line)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue  # Ctrl-C reached the child as well: it decides what to do
