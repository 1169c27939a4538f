"""Running out of memory, recognised and answered: the first rungs of the ladder."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

from pipelines.errors import OutOfMemory

T = TypeVar("T")

_CPU_MESSAGES = ("can't allocate memory", "not enough memory", "out of memory", "cannot allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: torch says so in several ways, on the CPU as a plain RuntimeError."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _CPU_MESSAGES)


def free_cache(device: str) -> None:
    """Give back what the allocator keeps for later."""
    import torch

    gc.collect()
    kind = torch.device(device).type
    if kind == "cuda" and torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif kind == "mps" and torch.backends.mps.is_available():
        torch.mps.empty_cache()
    elif kind == "xpu" and torch.xpu.is_available():
        torch.xpu.empty_cache()


def retried(run: Callable[[], T], device: str, reason: str) -> T:
    """``run()``, once more with a free cache if memory ran out; then :class:`OutOfMemory` with ``reason``."""
    for _ in range(2):
        try:
            return run()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        free_cache(device)
    raise OutOfMemory(device=device, reason=reason)
