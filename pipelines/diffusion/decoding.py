"""Latents -> pictures: the VAE's decoder, with answers to overflow and to memory that runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipelines.diffusion.latents import to_vae
from pipelines.diffusion.memory import free_cache, is_out_of_memory
from pipelines.errors import DecodeFailed, OutOfMemory
from pipelines.graph.values import Array

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion


def decode(loaded: LoadedDiffusion, latents: torch.Tensor, context: Context) -> list[Array]:
    """Decode N×C×h×w latents (model's scaling) one by one, polling the cancel token between them.

    Returns:
        N arrays H×W×3 uint8.

    Raises:
        DecodeFailed: not a number, in the VAE's precision and in full precision too.
        OutOfMemory: even in tiles.
    """
    import torch

    pictures = []
    with torch.inference_mode():
        for index in range(len(latents)):
            context.cancel.check()
            pictures.append(_to_uint8(_decode_one(loaded, latents[index : index + 1])))
    return pictures


def _decode_one(loaded: LoadedDiffusion, latents: torch.Tensor) -> torch.Tensor:
    """1×3×H×W in -1..1, float32."""
    import torch

    vae = loaded.pipeline.vae
    dtype = vae.dtype
    if not torch.isfinite(latents).all():
        raise DecodeFailed(dtype=str(loaded.dtype).removeprefix("torch."))
    if not (dtype == torch.float16 and getattr(vae.config, "force_upcast", False)):
        pixels = _with_less_memory(loaded, latents)
        if torch.isfinite(pixels).all():
            return pixels
    if dtype != torch.float32:
        with _in_full_precision(vae):
            pixels = _with_less_memory(loaded, latents)
        if torch.isfinite(pixels).all():
            return pixels
    raise DecodeFailed(dtype=str(dtype).removeprefix("torch."))


def _with_less_memory(loaded: LoadedDiffusion, latents: torch.Tensor) -> torch.Tensor:
    """Decode; where memory runs out, free the cache, then go tile by tile, then give up clearly."""
    vae, device = loaded.pipeline.vae, str(loaded.device)
    tiled = getattr(vae, "use_tiling", False)
    try:
        for rung in ("as it is", "with a free cache", "in tiles"):
            if rung == "in tiles" and hasattr(vae, "enable_tiling"):
                vae.enable_tiling()
            try:
                return _run(vae, latents, loaded.device)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            free_cache(device)
    finally:
        if not tiled and hasattr(vae, "disable_tiling"):
            vae.disable_tiling()
    raise OutOfMemory(device=device, reason="Decoding the picture needs more than is free, even in tiles.")


def _run(vae: Any, latents: torch.Tensor, device: torch.device) -> torch.Tensor:
    ready = to_vae(vae, latents.float()).to(device=device, dtype=vae.dtype)
    return vae.decode(ready, return_dict=False)[0].float().cpu()


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


def _to_uint8(pixels: torch.Tensor) -> Array:
    """1×3×H×W in -1..1 -> H×W×3 uint8, rounded to nearest."""
    import torch

    scaled = ((pixels[0] + 1) * 127.5).round_().clamp_(0, 255).to(torch.uint8)
    array: Array = scaled.permute(1, 2, 0).contiguous().numpy()
    return array
