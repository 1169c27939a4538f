"""``diptych``: the studio."""

from __future__ import annotations

import argparse


def studio(options: argparse.Namespace) -> int:
    """Open the window; imported here, so that headless words need no Qt."""
    from studio.app import main

    words = []
    if getattr(options, "profile", ""):
        words.append(f"--profile={options.profile}")
    if getattr(options, "read_only", False):
        words.append("--read-only")
    file = getattr(options, "file", None)
    return main([*words, "--", file] if file else words)
