"""Settings as typed data, kept as JSON in the configuration folder.

A file that can't be understood is kept aside under another name, and the defaults are used; single values
that are
out of range fall back to theirs, the rest is kept.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from PySide6.QtCore import QObject, Signal

from pipelines import paths
from pipelines.errors import DiptychError
from pipelines.files import atomic_write

NAME = "studio.json"
MAX_BYTES = 2**20


class Settings(BaseModel):
    """Everything the studio remembers that isn't the work itself."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    theme: Literal["system", "dark", "light"] = "system"
    high_contrast: bool = False
    text_scale: float = Field(1.0, ge=0.8, le=2.0)
    reduced_motion: bool = False
    output_folder: str = ""
    model_folders: tuple[str, ...] = ()
    device: str = Field("auto", max_length=40)
    reserve_gb: float = Field(0.0, ge=0, le=1024)
    """Of the device's memory (1 GB: 10^9 bytes), kept free for other programs."""
    results_gb: float = Field(0.0, ge=0, le=1024)
    """Results of nodes that are kept on disk for the next start; 0 keeps none."""
    stay_offline: bool = False
    """Whether nothing may be downloaded."""
    painting_program: str = Field("", max_length=4096)
    """What *Edit in…* opens pictures with; empty: whatever the system opens them with."""
    open_sections: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()
    """Names of fields that keep their value when another model is chosen."""
    ratio: tuple[int, int] = (3, 2)
    recent: tuple[str, ...] = ()
    panel_in_create: bool = False
    panel_in_graph: bool = True
    panel_in_canvas: bool = False
    show_crop: bool = False
    """Whether the canvas outlines what the model sees."""
    geometry: str = ""
    """The window's place, as Qt writes it, in base 64."""
    form_width: int = Field(328, ge=240, le=800)
    key_set: str = Field("diptych", max_length=40)
    """The set of keys that the user's own go on top of."""
    keys: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """The user's own keys by command; those of commands that aren't known here are kept."""
    gestures: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """The user's own buttons and modifiers by gesture."""

    @field_validator("keys", "gestures", mode="before")
    @classmethod
    def _only_texts(cls, value: Any) -> Any:
        """One entry that a file has wrong costs itself alone."""
        if not isinstance(value, dict):
            return value
        return {
            name: texts
            for name, texts in value.items()
            if isinstance(texts, list | tuple) and all(isinstance(text, str) for text in texts)
        }

    @property
    def output_dir(self) -> Path:
        """Where pictures go."""
        return Path(self.output_folder) if self.output_folder else paths.pictures_dir()


def load(path: Path) -> Settings:
    """Read settings. Never fails: what is unreadable is moved aside, and a missing file gives the
    defaults."""
    try:
        with path.open("rb") as file:
            data: Any = json.loads(file.read(MAX_BYTES))
        if not isinstance(data, dict):
            raise ValueError("not an object")
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError, RecursionError):
        _keep_aside(path)
        return Settings()
    return _checked(data)


def _checked(data: dict[str, Any]) -> Settings:
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        wrong = {item["loc"][0] for item in error.errors() if item["loc"]}
        return Settings.model_validate({name: value for name, value in data.items() if name not in wrong})


def _keep_aside(path: Path) -> None:
    try:
        path.replace(path.with_name(path.stem + "-unreadable" + path.suffix))
    except OSError:
        # it can't be moved either: it is left where it is, and the next save replaces it
        return


class SettingsStore(QObject):
    """The settings in use; ``changed`` after each change. ``path`` None keeps them in memory (read-only
    profile)."""

    changed = Signal()

    def __init__(self, path: Path | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = path
        self._settings = load(path) if path is not None else Settings()

    @property
    def values(self) -> Settings:
        """The settings as they are now."""
        return self._settings

    def change(self, **values: Any) -> None:
        """Change some and write them. A folder that can't be written to costs the memory of it, nothing
        else."""
        settings = Settings.model_validate({**self._settings.model_dump(), **values})
        if settings == self._settings:
            return
        self._settings = settings
        self.save()
        self.changed.emit()

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if self._path is None:
            return
        text = json.dumps(self._settings.model_dump(mode="json"), indent=2, sort_keys=True)
        try:
            atomic_write(self._path, text + "\n")
        except DiptychError:
            return


def default_path() -> Path:
    """Where this profile keeps its settings."""
    return paths.config_dir() / NAME
