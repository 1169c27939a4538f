"""What the process that reads a hostile file may not do: use the network, start programs, write files, or
take all memory.

The reader needs none of it; this is for the case that it has a mistake. Linux takes the network away
altogether where the user may make namespaces, and bounds memory; macOS doesn't bound memory; Windows has
Python's audit hook alone.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, Final

MEMORY_BYTES: Final = 4 * 2**30
OPEN_FILES: Final = 64

_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FORBIDDEN: Final = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile",
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.",
    "webbrowser.", "winreg.", "pty.",
)  # fmt: skip


def confine(memory: int = MEMORY_BYTES) -> None:
    """Give up, for good, what this process doesn't need. ``memory`` is in bytes of address space."""
    _limit_resources(memory)
    if sys.platform == "linux":
        _leave_network()
    sys.addaudithook(_refuse)


def _limit_resources(memory: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    for kind, limit in (
        (resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        with contextlib.suppress(OSError, ValueError):  # refused by the system, or a lower limit is set
            resource.setrlimit(kind, (limit, limit))


def _leave_network() -> None:
    """Move into a network namespace without any device; refused by many systems, which is no fault."""
    import ctypes

    unshare = getattr(ctypes.CDLL(None, use_errno=True), "unshare", None)
    if unshare is not None and unshare(_CLONE_NEWNET) != 0:
        unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING
    if writes or event.startswith(_FORBIDDEN):
        raise PermissionError(f"{event} is not allowed here")
