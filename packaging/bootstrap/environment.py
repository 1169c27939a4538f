"""The environment in ``.venv``: made, found to be whole, or made anew."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

from bootstrap import stamp
from bootstrap.console import Console, SetupFailed
from bootstrap.layout import Layout
from bootstrap.libraries import Installer


def pip_version(layout: Layout) -> tuple[int, int] | None:
    """Major and minor version of the environment's pip; None if the environment doesn't work."""
    if not stamp.environment_python(layout):
        return None
    try:
        answer = subprocess.run(
            [str(layout.python), "-I", "-m", "pip", "--version"],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"pip (\d+)\.(\d+)", answer.stdout)
    return (int(found[1]), int(found[2])) if found and answer.returncode == 0 else None


def ensure(layout: Layout, console: Console, installer: Installer, repair: bool) -> tuple[int, int]:
    """Make sure there is a working environment; returns its pip's version. Raises :class:`SetupFailed`."""
    version = pip_version(layout)
    if version and not repair and not layout.writing.exists():
        return version
    if layout.writing.exists():
        console.note("The last set-up was cut short while writing packages: starting with a new environment.")
        console.note("What was downloaded is still in pip's cache, if pip keeps one.")
    elif layout.environment.joinpath("pyvenv.cfg").exists() and not version:
        console.note("The environment in .venv is not usable: starting with a new one.")
    clear(layout)
    console.step(f"Making a Python {sys.version_info[0]}.{sys.version_info[1]} environment in .venv")
    create(layout, console, installer)
    version = pip_version(layout)
    if not version:
        raise SetupFailed(
            "The new environment has no working pip.",
            f"It was made with {base_python()}.",
            "Install Python with its venv and pip parts, or start with another Python.",
        )
    return version


def clear(layout: Layout) -> None:
    """Remove everything in the environment but the lock, which is being held."""
    for entry in layout.environment.iterdir():
        if entry == layout.lock:
            continue
        try:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink(missing_ok=True)
        except OSError as error:
            raise SetupFailed(
                "The old environment can't be removed.",
                str(error),
                "Close Diptych and other programs that use the folder .venv, then try again.",
            ) from error


def base_python() -> str:
    """The Python to make environments with: not one that lies in the folder to be replaced."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def create(layout: Layout, console: Console, installer: Installer) -> None:
    """Run ``venv``; on Debian and its relatives it can lack a system package. Raises :class:`SetupFailed`."""
    answer = _venv(layout)
    if answer.returncode and "ensurepip" in answer.stdout + answer.stderr:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        if not installer.offer("The part of Python that makes environments is missing.", {"apt": [package]}):
            raise SetupFailed("Diptych needs its own Python environment, and it can't be made yet.")
        clear(layout)
        answer = _venv(layout)
    if answer.returncode:
        words = (answer.stdout + answer.stderr).strip().splitlines()
        raise SetupFailed(
            "The environment can't be made.",
            words[-1] if words else f"venv ended with code {answer.returncode}.",
            f"Check that {layout.root} can be written to, or start with another Python.",
        )


def _venv(layout: Layout) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [base_python(), "-I", "-m", "venv", str(layout.environment)],
        cwd=layout.root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
