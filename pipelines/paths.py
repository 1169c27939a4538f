"""Where files are kept: the one place that knows folders, on every system.

``DIPTYCH_HOME`` moves everything below one folder (tests, portable installations).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs

NAME = "diptych"
RESOURCES = Path(__file__).resolve().parent.parent / "resources"
"""What ships with the program: starter models, templates, icons."""


def _home() -> Path | None:
    home = os.environ.get("DIPTYCH_HOME")
    return Path(home).expanduser() if home else None


def data_dir() -> Path:
    """Models the program prepared, the queue, the journal."""
    home = _home()
    return home / "data" if home else Path(platformdirs.user_data_dir(NAME, appauthor=False))


def cache_dir() -> Path:
    """What can be made again: thumbnails, fitted previews, calibration."""
    home = _home()
    return home / "cache" if home else Path(platformdirs.user_cache_dir(NAME, appauthor=False))


def config_dir() -> Path:
    """Settings."""
    home = _home()
    return home / "config" if home else Path(platformdirs.user_config_dir(NAME, appauthor=False))


def runtime_dir() -> Path:
    """Short-lived files of a running program: locks and run directories."""
    home = _home()
    if home:
        return home / "run"
    if sys.platform == "linux" and not os.environ.get("XDG_RUNTIME_DIR"):
        return cache_dir() / "run"  # a folder in /tmp would have a name that anybody can guess and make first
    return Path(platformdirs.user_runtime_dir(NAME, appauthor=False))


def pictures_dir() -> Path:
    """Where pictures go unless the user says otherwise."""
    home = _home()
    return home / "pictures" if home else Path(platformdirs.user_pictures_dir()) / "Diptych"


def assets_dir() -> Path:
    """Pixels of documents (see :mod:`pipelines.graph.assets`)."""
    return data_dir() / "assets"


def models_dir() -> Path:
    """The user's own models: ``diffusion``, ``language`` and ``upscale`` folders below it."""
    return data_dir() / "models"
