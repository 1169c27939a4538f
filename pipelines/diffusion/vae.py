"""Running a VAE, with answers to memory that runs out and to numbers that overflow; both ways use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipelines.diffusion.memory import free_cache, is_out_of_memory
from pipelines.errors import OutOfMemory

if TYPE_CHECKING:
    import torch

    from pipelines.models.loaded import LoadedDiffusion


def run_vae(loaded: LoadedDiffusion, run: Callable[[Any], torch.Tensor], task: str) -> torch.Tensor | None:
    """``run(vae)`` in the VAE's precision, and again in float32 where its numbers overflow.

    Args:
        run: gives a float32 tensor on the CPU.
        task: the beginning of the message if memory runs out (``Decoding the picture``).

    Returns:
        The tensor; ``None`` if it holds values that are no numbers even in float32.

    Raises:
        OutOfMemory: even in tiles.
    """
    import torch

    vae = loaded.pipeline.vae
    dtype = vae.dtype
    if not (dtype == torch.float16 and getattr(vae.config, "force_upcast", False)):
        result = _with_less_memory(loaded, run, task)
        if torch.isfinite(result).all():
            return result
    if dtype != torch.float32:
        with _in_full_precision(vae):
            result = _with_less_memory(loaded, run, task)
        if torch.isfinite(result).all():
            return result
    return None


def _with_less_memory(loaded: LoadedDiffusion, run: Callable[[Any], torch.Tensor], task: str) -> torch.Tensor:
    """Run; where memory runs out, free the cache, then go tile by tile, then give up clearly."""
    vae, device = loaded.pipeline.vae, str(loaded.device)
    tiled = getattr(vae, "use_tiling", False)
    try:
        for rung in ("as it is", "with a free cache", "in tiles"):
            if rung == "in tiles" and hasattr(vae, "enable_tiling"):
                vae.enable_tiling()
            try:
                return run(vae)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            free_cache(device)
    finally:
        if not tiled and hasattr(vae, "disable_tiling"):
            vae.disable_tiling()
    raise OutOfMemory(device=device, reason=f"{task} needs more than is free, even in tiles.")


@contextmanager
def _in_full_precision(vae: Any) -> Iterator[None]:
    """The VAE in float32 while the block runs. Exact there and back: float32 holds every half number."""
    import torch

    dtype = vae.dtype
    with torch.inference_mode(False):
        vae.to(torch.float32)
    try:
        yield
    finally:
        with torch.inference_mode(False):
            vae.to(dtype)
