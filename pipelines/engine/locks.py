"""Operating-system locks on files: gone with the process that held them, whatever ended it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipelines.graph.node import CancelToken

POLL_SECONDS = 0.1


class FileLock:
    """An exclusive lock on a file; the file holds one line that says who has it."""

    def __init__(self, path: Path, owner: str = "") -> None:
        self.path = path
        self.owner = owner or f"process {os.getpid()}"
        self._file: IO[bytes] | None = None

    @property
    def held(self) -> bool:
        return self._file is not None

    def acquire(self) -> bool:
        """Take the lock if nobody has it; True if it is ours now."""
        if self._file is not None:
            return True
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+b")
        if not _lock(file):
            file.close()
            return False
        self._file = file
        file.seek(0)
        file.truncate()
        file.write(
            b"\0" + self.owner.encode()
        )  # Windows locks the first byte; the name behind it stays readable
        file.flush()
        return True

    def release(self) -> None:
        """Give the lock back; harmless if it isn't held."""
        if self._file is not None:
            _unlock(self._file)
            self._file.close()
            self._file = None

    def holder(self) -> str:
        """Who wrote its name last: of use in a message only."""
        try:
            with self.path.open("rb") as file:
                file.seek(1)
                return file.read(200).decode(errors="replace") or "another program"
        except OSError:
            return "another program"

    @contextmanager
    def hold(self, cancel: CancelToken, waiting: Callable[[str], None]) -> Iterator[None]:
        """Wait for the lock, hold it, give it back. ``waiting(owner)`` is called once if another has it.

        Raises:
            Cancelled: while waiting.
        """
        told = False
        while not self.acquire():
            if not told:
                waiting(self.holder())
                told = True
            cancel.check()
            time.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            self.release()


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
