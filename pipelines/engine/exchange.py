"""Pixels between processes: raw files in a private run directory, written once, mapped and deleted by the
reader."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipelines.engine.protocol import ImageRef
from pipelines.files import folder_error, safe_join

if TYPE_CHECKING:
    from pipelines.graph.values import Image

PREFIX = "run-"
THUMBNAIL = 256
"""Longest side of a thumbnail in pixels."""


def make_run_dir(parent: Path) -> Path:
    """A new directory only this user can read; its name starts with the process id (see :func:`sweep`).

    Raises:
        FolderUnusable: ``parent`` can't be written to.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent))
    except OSError as error:
        raise folder_error(error, parent) from error


def sweep(parent: Path) -> int:
    """Delete the run directories of processes that are gone; returns how many."""
    swept = 0
    for folder in parent.glob(f"{PREFIX}*-*"):
        pid = folder.name[len(PREFIX) :].split("-")[0]
        if pid.isdigit() and not is_alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
            swept += 1
    return swept


def is_alive(pid: int) -> bool:
    """Whether a process of this number runs."""
    if os.name == "nt":
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, pid)  # type: ignore[attr-defined,unused-ignore]
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)  # type: ignore[attr-defined,unused-ignore]
        return bool(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class PixelWriter:
    """Writes pictures into a run directory under names that never come twice."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count()

    def write(self, pixels: npt.NDArray[np.uint8]) -> ImageRef:
        """Write H×W×C uint8; the reference names the file. Raises OSError; nothing is left behind then."""
        height, width, channels = pixels.shape
        name = f"{os.getpid()}-{next(self._numbers)}.raw"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            with os.fdopen(os.open(self.folder / name, flags, 0o600), "wb") as file:
                file.write(np.ascontiguousarray(pixels).data)
        except OSError:
            (self.folder / name).unlink(missing_ok=True)
            raise
        return ImageRef(file=name, width=width, height=height, channels=channels)

    def write_image(self, image: Image, longest: int | None = None) -> ImageRef:
        """Write a picture as uint8, reduced to ``longest`` px on its longest side if it is larger."""
        pixels = image.as_uint8()
        side = max(image.width, image.height)
        if longest is not None and side > longest:
            import cv2

            size = (max(1, image.width * longest // side), max(1, image.height * longest // side))
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).reshape(
                size[1], size[0], image.channels
            )
        return self.write(pixels.astype(np.uint8, copy=False))

    def clear(self) -> None:
        """Delete what no reader took."""
        for path in self.folder.glob(f"{os.getpid()}-*.raw"):
            path.unlink(missing_ok=True)


def take_pixels(folder: Path, ref: ImageRef) -> bytes:
    """The bytes of a picture; its file is deleted. Raises OSError, or ValueError if it has another size."""
    path = safe_join(folder, ref.file)
    data = path.read_bytes()
    path.unlink(missing_ok=True)
    if len(data) != ref.width * ref.height * ref.channels:
        raise ValueError(f"{ref.file} has {len(data)} bytes")
    return data


def discard(folder: Path, ref: ImageRef) -> None:
    """Delete a picture nobody will look at."""
    safe_join(folder, ref.file).unlink(missing_ok=True)
