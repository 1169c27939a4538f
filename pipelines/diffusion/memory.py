"""Running out of memory, recognised and answered: the first rungs of the ladder."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from pipelines.errors import MemoryRanOut, OutOfMemory

if TYPE_CHECKING:
    from pipelines.graph.node import Context

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


def tell(context: Context, device: str, done: str) -> None:
    """Note at the node that memory ran out, and what was ``done`` about it, in a sentence."""
    context.warn(replace(MemoryRanOut(device=device, done=done).info(), severity="warning"))


def retried(
    run: Callable[[], T], device: str, reason: str, offload: Callable[[], bool] = lambda: False
) -> tuple[T, bool]:
    """``run()``, again with a free cache if memory ran out, and then while ``offload()`` finds more of it.

    Returns:
        What it gave, and whether anything had to be offloaded.

    Raises:
        OutOfMemory: with ``reason``.
    """
    freed = offloaded = False
    while True:
        try:
            return run(), offloaded
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        free_cache(device)
        if freed:
            if not offload():
                raise OutOfMemory(device=device, reason=reason)
            offloaded = True
        freed = True
