"""``diptych``: the studio."""

from __future__ import annotations

import argparse


def studio(options: argparse.Namespace) -> int:
    """Open the window; imported here, so that headless words need no Qt."""
    from studio.app import main

    file = getattr(options, "file", None)
    return main([file] if file else [])
