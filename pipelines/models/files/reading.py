"""Reading model files with progress and cancel, and turning what libraries raise into errors a user
understands.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final

from pipelines.diffusion.memory import is_out_of_memory
from pipelines.errors import DiptychError, ModelUnreadable, OutOfMemory
from pipelines.graph.node import Context
from pipelines.models.memory import host_memory

CHUNK: Final = 8 * 2**20
PROBED: Final = 2**18
"""Distance in bytes of the places where it is seen whether the system has a file in its cache."""


class Reader:
    """Counts the bytes of a model that have been read, and reads files ahead of the library that opens them.

    A library maps a file in one call that can't be stopped. Reading it through beforehand brings it into the
    system's file cache in small pieces, between which the user can cancel; the library then finds it there.
    Files that would not fit into the free memory twice are left to the library, and counted when it is
    done.
    """

    def __init__(self, total: int, context: Context) -> None:
        self._total = max(total, 1)
        self._done = 0
        self._context = context
        self._ahead = 2 * total < host_memory().free
        context.progress(0, self._total, phase="reading")

    def read(self, files: Iterable[Path]) -> None:
        """Read files through. Raises :class:`pipelines.errors.Cancelled` between two pieces."""
        buffer = bytearray(CHUNK)
        for path in files:
            self._context.cancel.check()
            if not self._ahead:
                self.count(path.stat().st_size)
                continue
            with path.open("rb", buffering=0) as file:
                size = path.stat().st_size
                for start in range(0, size, CHUNK):
                    count = min(CHUNK, size - start)
                    if not _in_cache(file.fileno(), start, count):
                        file.seek(start)
                        file.readinto(buffer)
                    self._context.cancel.check()
                    self.count(count)

    def count(self, count: int) -> None:
        """Somebody else read so many bytes more. Raises :class:`pipelines.errors.Cancelled`."""
        self._context.cancel.check()
        self._done += count
        self._context.progress(min(self._done, self._total), self._total, phase="reading")


def _in_cache(file: int, start: int, count: int) -> bool:
    """Whether the system has this part of a file in its cache, as far as a byte here and there can tell;
    there; False where that can't be asked (it can on Linux).
    """
    if not hasattr(os, "RWF_NOWAIT"):
        return False
    byte = [bytearray(1)]
    try:
        return all(
            os.preadv(file, byte, place, os.RWF_NOWAIT) for place in range(start, start + count, PROBED)
        )
    except OSError:  # not there yet, or a file system that doesn't know the question
        return False


class explained:  # noqa: N801 - used as a context manager, like contextlib's own
    """Raise what a library raises in the block, while it opens ``model``, as one of our errors.

    Libraries that read settings and tokenizers raise errors of every class, down to bare ``Exception``; to a
    user they all mean the same. Our own errors, Ctrl-C and the like pass unchanged.

    Raises:
        OutOfMemory: the memory of ``device``, or the computer's, ran out.
        ModelUnreadable: anything else, with the library's own words.
    """

    def __init__(self, model: str, device: str) -> None:
        self._model = model
        self._device = device

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, DiptychError):
            return
        # A panic in tokenizers' or safetensors' Rust code arrives as a BaseException of this name.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            return
        if is_out_of_memory(error):
            raise OutOfMemory(device=self._device, reason=f"The model {self._model} doesn't fit.") from error
        reason = f"{type(error).__name__}: {str(error).strip()[:400]}"
        raise ModelUnreadable(model=self._model, reason=reason) from error
