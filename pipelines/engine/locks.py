"""Operating-system locks on files: gone with the process that held them, whatever ended it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipelines.files import folder_error
from pipelines.graph.node import CancelToken

POLL_SECONDS = 0.1


class FileLock:
    """An exclusive lock on a file; the file holds one line that says who has it."""

    def __init__(self, path: Path, owner: str = "") -> None:
        self.path = path
        self.owner = owner or f"Diptych, process {os.getpid()}"
        self._file: IO[bytes] | None = None

    @property
    def held(self) -> bool:
        return self._file is not None

    def acquire(self) -> bool:
        """Take the lock if nobody has it; True if it is ours now.

        Raises:
            FolderUnusable: the file can't be made, or the disk knows no locks.
        """
        if self._file is not None:
            return True
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = self.path.open("a+b", buffering=0)
        except OSError as error:
            raise folder_error(error, self.path.parent) from error
        try:
            taken = _lock(file)
        except OSError as error:
            file.close()
            raise folder_error(error, self.path.parent) from error
        if not taken:
            file.close()
            return False
        self._file = file
        with contextlib.suppress(OSError):  # on a full disk the name is missing, the lock holds all the same
            file.truncate(0)
            # Windows locks the first byte; the name behind it stays readable
            file.write(b"\0" + self.owner.encode())
        return True

    def release(self) -> None:
        """Give the lock back; harmless if it isn't held."""
        file, self._file = self._file, None
        if file is not None:
            with file:
                _unlock(file)

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
            FolderUnusable: see :meth:`acquire`.
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
        """False if another has it. Raises OSError if it can't be had at all: waiting would never end."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
