"""What the command line takes over from the studio's settings: the same folders, so that both see the same
models.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipelines import paths

SETTINGS_NAME = "studio.json"


def _settings() -> dict[str, Any]:
    """The studio's settings file; empty if there is none or it can't be understood (the studio says so)."""
    try:
        found = json.loads((paths.config_dir() / SETTINGS_NAME).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read_model_folders() -> tuple[str, ...]:
    """The model folders the user added."""
    folders = _settings().get("model_folders")
    return tuple(item for item in folders if isinstance(item, str)) if isinstance(folders, list) else ()


def read_output_dir() -> Path:
    """Where pictures go if nothing else is said."""
    folder = _settings().get("output_folder")
    return Path(folder) if isinstance(folder, str) and folder else paths.pictures_dir()
