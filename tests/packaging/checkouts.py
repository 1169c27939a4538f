"""A small checkout to set up, with an environment played by ``fake_python.py``, and wheels made here."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.layout import Layout

MEMBER = "some_model/Tiny.gguf"


def make_wheel(path: Path, content: bytes, member: str = MEMBER) -> None:
    """A wheel with one file that matters."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("some_model/__init__.py", "raise SystemExit('never run')")
        archive.writestr(member, content)


def pin_for(wheel: Path, content: bytes) -> dict[str, Any]:
    """The pin data that fits a wheel."""
    return {
        "name": "Tiny-Instruct",
        "package": "some-model",
        "version": "1.0",
        "wheel_sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "wheel_bytes": wheel.stat().st_size,
        "file": MEMBER,
        "file_sha256": hashlib.sha256(content).hexdigest(),
        "file_bytes": len(content),
        "license": "Apache-2.0",
    }


@dataclass(frozen=True)
class Checkout:
    """A checkout in a temporary folder."""

    root: Path
    home: Path

    @property
    def layout(self) -> Layout:
        return Layout(self.root)

    def variables(self, **more: str) -> dict[str, str]:
        """The environment of a command: this home, and none of the machine's settings."""
        keep = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "COVERAGE_PROCESS_START")
        kept = {name: os.environ[name] for name in keep if name in os.environ}
        return {**kept, "HOME": str(self.home), "DIPTYCH_HOME": str(self.home), **more}

    def start(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run ``start.py`` to its end."""
        return subprocess.run(
            self.command(*words), env=self.variables(**more), capture_output=True, text=True
        )

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(self.root / "packaging" / "start.py"), *words]

    def calls(self, *words: str) -> list[list[str]]:
        """What the fake Python was called with, so far; those with all of ``words`` among the arguments."""
        file = self.root / "calls.jsonl"
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        return [call for call in map(json.loads, lines) if set(words) <= set(call)]

    def plan(self, when: str, do: str, times: int = 1) -> None:
        """Let the next ``times`` calls with ``when`` in an argument go wrong."""
        (self.root / "plan.json").write_text(json.dumps([{"when": when, "do": do, "times": times}]))

    def stamp(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.layout.stamp.read_text("utf-8"))
        return found

    @property
    def model(self) -> Path:
        return self.home / "data" / "models" / "language" / "Tiny-Instruct"
