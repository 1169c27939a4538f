"""How much memory this computer and this process have, without a library for it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a device: in all, free for us, and used by this process."""

    total: int
    free: int
    used: int


def host_memory(proc: Path = Path("/proc")) -> Memory:
    """The computer's main memory; zeros where the system doesn't say."""
    if sys.platform == "win32":
        return _windows()
    if (proc / "meminfo").exists():
        return _linux(proc)
    return _posix()


def _linux(proc: Path) -> Memory:
    lines = (line.partition(":") for line in (proc / "meminfo").read_text().splitlines())
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in lines if rest.split()}
    total = kilobytes.get("MemTotal", 0) * 1024
    free = kilobytes.get("MemAvailable", kilobytes.get("MemFree", 0)) * 1024
    pages = (proc / "self" / "statm").read_text().split()
    return Memory(total, free, int(pages[1]) * os.sysconf("SC_PAGE_SIZE"))


def _posix() -> Memory:
    """macOS and others: physical pages, and the peak of our own resident set (bytes on macOS)."""
    import resource

    page = os.sysconf("SC_PAGE_SIZE")
    total = os.sysconf("SC_PHYS_PAGES") * page
    names = os.sysconf_names
    free = os.sysconf("SC_AVPHYS_PAGES") * page if "SC_AVPHYS_PAGES" in names else total // 2
    return Memory(total, free, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


class _MemoryStatus(ctypes.Structure):
    """``MEMORYSTATUSEX`` of the Windows API."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("total", "free", "p1", "p2", "p3", "p4", "p5")),
    )


class _ProcessMemory(ctypes.Structure):
    """``PROCESS_MEMORY_COUNTERS`` of the Windows API."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("faults", ctypes.c_uint32),
        *((name, ctypes.c_size_t) for name in ("peak", "resident", "q1", "q2", "q3", "q4", "p1", "p2")),
    )


def _windows() -> Memory:
    library = getattr(ctypes, "windll").kernel32  # noqa: B009 - the attribute exists on Windows only
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    library.GlobalMemoryStatusEx(ctypes.byref(status))
    process = _ProcessMemory(length=ctypes.sizeof(_ProcessMemory))
    library.GetCurrentProcess.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(library.GetCurrentProcess())
    library.K32GetProcessMemoryInfo(handle, ctypes.byref(process), process.length)
    return Memory(int(status.total), int(status.free), int(process.resident))


def trim() -> None:
    """Give memory that was freed back to the system, where its allocator keeps it (glibc)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
