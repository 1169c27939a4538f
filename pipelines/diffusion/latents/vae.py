"""Running a VAE, with answers to memory that runs out and to numbers that overflow; both ways use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.memory import free_cache, is_out_of_memory, tell
from pipelines.errors import OutOfMemory

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion

SMALLEST_TILE: Final = 64
"""Side of a tile in px below which its neighbours would show in most of it."""

_IN_TILES: Final = "was done in tiles."
LEAST_OF_MANY: Final = 256
"""Side in px below which no picture is divided more than three times."""


def run_vae(
    loaded: LoadedDiffusion,
    run: Callable[[Any], torch.Tensor],
    task: str,
    size: tuple[int, int],
    context: Context | None = None,
) -> torch.Tensor | None:
    """``run(vae)`` in the VAE's precision, and again in float32 where its numbers overflow.

    Args:
        run: gives a float32 tensor on the CPU.
        task: the beginning of the message if memory runs out (``Decoding the picture``).
        size: of the picture, in px.
        context: is told what was done about memory that ran out.

    Returns:
        The tensor; ``None`` if it holds values that are no numbers even in float32.

    Raises:
        OutOfMemory: even in small tiles.
    """
    import torch

    vae = loaded.pipeline.vae
    dtype = vae.dtype
    if not (dtype == torch.float16 and getattr(vae.config, "force_upcast", False)):
        result = _with_less_memory(loaded, run, task, size, context)
        if torch.isfinite(result).all():
            return result
    if dtype != torch.float32:
        with _in_full_precision(vae):
            result = _with_less_memory(loaded, run, task, size, context)
        if torch.isfinite(result).all():
            return result
    return None


def _with_less_memory(
    loaded: LoadedDiffusion,
    run: Callable[[Any], torch.Tensor],
    task: str,
    size: tuple[int, int],
    context: Context | None,
) -> torch.Tensor:
    """Run; where memory runs out go down the ladder, one rung a time, then give up clearly."""
    vae, device = loaded.pipeline.vae, str(loaded.device)
    for done, divisor in _allowed(loaded, max(size)):
        with _tiled(vae, max(max(size) // divisor, SMALLEST_TILE) if divisor else 0):
            try:
                result = run(vae)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            else:
                if done and context is not None:
                    tell(context, device, f"{task} {done}")
                return result
        free_cache(device)
    tiles = "; the VAE is set not to work in tiles." if loaded.tiling == "off" else ", even in tiles."
    raise OutOfMemory(device=device, reason=f"{task} needs more than is free{tiles}")


def _allowed(loaded: LoadedDiffusion, longest: int) -> Iterator[tuple[str, int]]:
    """The rungs that the user lets it take: with tiles alone, without them, or both."""
    for done, divisor in _rungs(loaded, longest):
        match loaded.tiling:
            case "on" if not divisor:
                continue
            case "on" if done == _IN_TILES:
                yield "", divisor  # as was asked for: nothing to tell
                yield "", divisor  # with a free cache
            case "off" if divisor:
                continue
            case _:
                yield done, divisor


def _rungs(loaded: LoadedDiffusion, longest: int) -> Iterator[tuple[str, int]]:
    """What the user is told, and into how many tiles a side of ``longest`` px is divided (0: it isn't).

    Normalisation and attention see a tile only. Measured with the starter's VAE and pictures of 256 px:
    halves of a side come within 40 dB of the whole, thirds within 36 dB; more are left to pictures that are
    large.
    """
    yield "", 0
    yield "", 0  # with a free cache
    yield _IN_TILES, 2
    if loaded.residence is not None and loaded.residence.offload("decode"):
        yield "was done in tiles, with everything else off the device.", 2
    divisor = 3
    yield "was done in small tiles.", divisor
    while longest // (2 * divisor) >= LEAST_OF_MANY:
        divisor *= 2
        yield "was done in small tiles.", divisor


@contextmanager
def _tiled(vae: Any, side: int) -> Iterator[None]:
    """The VAE works in tiles of ``side`` px while the block runs; as it is set for 0."""
    if not side or not hasattr(vae, "enable_tiling"):
        yield
        return
    before = {name: value for name, value in vars(vae).items() if name.startswith("tile_")}
    tiling = vae.use_tiling
    vae.enable_tiling()
    vars(vae).update({name: value for name, value in _tile(vae, side).items() if name in before})
    try:
        yield
    finally:
        vars(vae).update(before)
        vae.use_tiling = tiling


def _tile(vae: Any, side: int) -> dict[str, float]:
    """The settings of diffusers for tiles of ``side`` px that overlap by a quarter, in all its spellings.

    A quarter of a tile has to be a whole number of latent pixels, or the parts don't meet.
    """
    halvings = len(getattr(vae.config, "block_out_channels", ())) - 1
    factor = int(getattr(vae, "spatial_compression_ratio", 0) or 2 ** (halvings if halvings > 0 else 3))
    side = max(side // (4 * factor), 1) * 4 * factor
    stride = side * 3 // 4
    both: dict[str, float] = {"tile_overlap_factor": 0.25}
    both |= {f"tile_sample_min_{name}": side for name in ("size", "height", "width")}
    both |= {f"tile_latent_min_{name}": side // factor for name in ("size", "height", "width")}
    return both | {f"tile_sample_stride_{name}": stride for name in ("height", "width")}


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
