"""The shape of a loaded model's latents, and the sizes of pictures that suit them.

Latents travel as N×C×h×w in the *model's* scaling: ``(z - shift) * scale``, or by channel where the VAE has a
mean and a standard deviation per channel. Flux and its kin denoise them packed, 2×2 pixels to a token. What a
family does otherwise is in :mod:`pipelines.diffusion.families`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pipelines.diffusion.families import LatentLayout, denoiser_of, family_of
from pipelines.diffusion.families.scaling import from_vae, to_vae
from pipelines.errors import ModelUnsuitable, SizeUnsuitable
from pipelines.graph.values import check_size

if TYPE_CHECKING:
    import torch

    from pipelines.models.loaded import LoadedDiffusion

__all__ = [
    "LatentLayout", "check_picture_size", "from_vae", "layout", "made_for_inpainting", "mask_channels",
    "pack", "size_multiple", "to_vae", "unpack",
]  # fmt: skip


def layout(loaded: LoadedDiffusion) -> LatentLayout:
    """The layout of this model's latents.

    Raises:
        ModelUnsuitable: it has no denoiser in latent space.
    """
    pipeline = loaded.pipeline
    if denoiser_of(pipeline) is None or getattr(pipeline, "vae", None) is None:
        raise ModelUnsuitable(
            model=loaded.handle.id,
            reason="It has no denoiser that works in a latent space.",
            task="text to image",
        )
    return family_of(pipeline).layout(pipeline)


def made_for_inpainting(loaded: LoadedDiffusion) -> bool:
    """Whether its denoiser sees a mask and a masked picture beside the latents."""
    return mask_channels(loaded) > 0


def mask_channels(loaded: LoadedDiffusion) -> int:
    """How many channels of a mask the denoiser sees for each latent pixel; 0: not made for inpainting.

    U-Nets see one; fill transformers, with packed latents, see all the mask's pixels below it.
    """
    return family_of(loaded.pipeline).mask_channels(loaded.pipeline)


def size_multiple(loaded: LoadedDiffusion) -> int:
    """What both sides of a picture must be a multiple of: 8, or more where the latents need it."""
    layout(loaded)
    needed = family_of(loaded.pipeline).size_multiple(loaded.pipeline)
    return math.lcm(needed, int(loaded.card.get("size_multiple") or 1))


def check_picture_size(loaded: LoadedDiffusion, width: int, height: int) -> None:
    """Raise :class:`SizeUnsuitable` (with the nearest size that works) or :class:`ImageTooLarge`."""
    check_size(width, height)
    multiple = size_multiple(loaded)
    if width % multiple or height % multiple:
        nearest = [max(multiple, int(side / multiple + 0.5) * multiple) for side in (width, height)]
        raise SizeUnsuitable(
            width=width, height=height, multiple=multiple, nearest_width=nearest[0], nearest_height=nearest[1]
        )


def pack(pipeline: Any, latents: torch.Tensor, found: LatentLayout) -> torch.Tensor:
    """N×C×h×w as the denoiser of this pipeline takes it."""
    return family_of(pipeline).pack(pipeline, latents) if found.packed else latents


def unpack(
    pipeline: Any, latents: torch.Tensor, found: LatentLayout, width: int, height: int
) -> torch.Tensor:
    """The inverse of :func:`pack`."""
    if not found.packed:
        return latents
    return family_of(pipeline).unpack(pipeline, latents, width, height)
