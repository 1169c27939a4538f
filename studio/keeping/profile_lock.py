"""One studio per profile: an operating-system lock that is gone with the process that held it."""

from __future__ import annotations

import os
from pathlib import Path

from pipelines import paths
from pipelines.engine.locks import FileLock

NAME = "studio.lock"


def profile_lock(folder: Path | None = None) -> FileLock:
    """The lock of a profile (the one in use by default), not yet taken: ask :meth:`FileLock.acquire`."""
    return FileLock((folder or paths.data_dir()) / NAME, f"Diptych, process {os.getpid()}")


def use_profile(name: str) -> None:
    """Take another profile, in this process and those it starts; an empty name is the user's own."""
    os.environ[paths.PROFILE] = name
