"""Where files are kept: the one place that knows folders, on every system.

``DIPTYCH_HOME`` moves everything below one folder (tests, portable installations). ``DIPTYCH_PROFILE`` names
a profile: its sessions, settings and queue are its own, models, caches and locks of devices are everybody's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs

from pipelines.files import sanitise_name

NAME = "diptych"
PROFILE = "DIPTYCH_PROFILE"
PROFILES = "profiles"
RESOURCES = Path(__file__).resolve().parent.parent / "resources"
"""What ships with the program: starter models, templates, icons."""


def _home() -> Path | None:
    home = os.environ.get("DIPTYCH_HOME")
    return Path(home).expanduser() if home else None


def is_portable() -> bool:
    """Whether everything is kept below one folder (``DIPTYCH_HOME``)."""
    return _home() is not None


def profile() -> str:
    """The profile in use; empty for the user's own."""
    name = os.environ.get(PROFILE, "").strip()
    return sanitise_name(name) if name else ""


def profiles() -> list[str]:
    """The named profiles there are."""
    try:
        return sorted(entry.name for entry in (_own_data_dir() / PROFILES).iterdir() if entry.is_dir())
    except OSError:
        return []


def _own_data_dir() -> Path:
    home = _home()
    return home / "data" if home else Path(platformdirs.user_data_dir(NAME, appauthor=False))


def _of_profile(folder: Path) -> Path:
    name = profile()
    return folder / PROFILES / name if name else folder


def data_dir() -> Path:
    """Models the program prepared, the queue, the journal."""
    return _of_profile(_own_data_dir())


def cache_dir() -> Path:
    """What can be made again: thumbnails, fitted previews, calibration."""
    home = _home()
    return home / "cache" if home else Path(platformdirs.user_cache_dir(NAME, appauthor=False))


def config_dir() -> Path:
    """Settings."""
    home = _home()
    return _of_profile(home / "config" if home else Path(platformdirs.user_config_dir(NAME, appauthor=False)))


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
    """The user's own models, in a folder for each kind (``diffusion``, ``language``, ``upscale``…)."""
    return data_dir() / "models"


def nodes_dir() -> Path:
    """The user's own node types, one Python file each (see :mod:`pipelines.outside`)."""
    return data_dir() / "nodes"


def agreements_path() -> Path:
    """Which nodes from outside the user agreed to."""
    return config_dir() / "nodes.json"


def shared_model_folders() -> tuple[Path, ...]:
    """The user's own models as a named profile sees them, one folder for each kind; none without a profile,
    where they are in :func:`models_dir`."""
    if not profile():
        return ()
    try:
        return tuple(sorted(entry for entry in (_own_data_dir() / "models").iterdir() if entry.is_dir()))
    except OSError:
        return ()
