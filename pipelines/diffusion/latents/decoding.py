"""Latents -> pictures: the VAE's decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.diffusion.families import family_of
from pipelines.diffusion.latents.shape import layout
from pipelines.diffusion.latents.vae import run_vae
from pipelines.errors import DecodeFailed
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
            pictures.append(_to_uint8(decode_one(loaded, latents[index : index + 1], context)))
    return pictures


def decode_one(
    loaded: LoadedDiffusion, latents: torch.Tensor, context: Context | None = None
) -> torch.Tensor:
    """1×3×H×W in -1..1, float32. ``context`` is told if memory ran out on the way."""
    import torch

    if not torch.isfinite(latents).all():
        raise DecodeFailed(dtype=str(loaded.dtype).removeprefix("torch."))

    def run(vae: Any) -> torch.Tensor:
        return family_of(loaded.pipeline).decode_latents(vae, latents, loaded.device)

    height, width = (side * layout(loaded).factor for side in latents.shape[-2:])
    pixels = run_vae(loaded, run, "Decoding the picture", (width, height), context)
    if pixels is None:
        raise DecodeFailed(dtype=str(loaded.pipeline.vae.dtype).removeprefix("torch."))
    return pixels


def _to_uint8(pixels: torch.Tensor) -> Array:
    """1×3×H×W in -1..1 -> H×W×3 uint8, rounded to nearest."""
    import torch

    scaled = ((pixels[0] + 1) * 127.5).round_().clamp_(0, 255).to(torch.uint8)
    array: Array = scaled.permute(1, 2, 0).contiguous().numpy()
    return array
