"""Where things are in a checkout: the environment and the files that decide whether it is up to date."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The folders and files of one checkout."""

    root: Path

    @property
    def environment(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        """The environment's Python."""
        return self.environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def libraries(self) -> list[Path]:
        """Where the environment's packages are."""
        pattern = "Lib/site-packages" if os.name == "nt" else "lib/python3*/site-packages"
        return list(self.environment.glob(pattern))

    @property
    def project(self) -> Path:
        return self.root / "pyproject.toml"

    @property
    def constraints(self) -> Path:
        """The versions that were tested together."""
        return self.root / "packaging" / "constraints.txt"

    @property
    def starter_text(self) -> Path:
        """What the starter text model is made from, with checksums."""
        return self.root / "resources" / "starter" / "language.json"

    @property
    def stamp(self) -> Path:
        return self.environment / "diptych-stamp.json"

    @property
    def lock(self) -> Path:
        return self.environment / "diptych-setup.lock"

    @property
    def log(self) -> Path:
        """All that pip said during the last set-up."""
        return self.environment / "diptych-setup.log"

    @property
    def writing(self) -> Path:
        """There while pip writes packages: if it is found at a start, that was cut short."""
        return self.environment / "diptych-writing"

    @property
    def scratch(self) -> Path:
        """For pip's downloads; ``/tmp`` is often a small memory disk."""
        return self.environment / "diptych-tmp"


def here() -> Layout:
    """The checkout this file belongs to."""
    return Layout(Path(__file__).resolve().parents[2])
