"""The shape of a model's latents, and the way into and out of its VAE's own scaling.

Latents travel as N×C×h×w in the *model's* scaling: ``(z - shift) * scale``, or by channel where the VAE has a
mean and a standard deviation per channel. Flux and its kin denoise them packed, 2×2 pixels to a token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.errors import ModelUnsuitable, SizeUnsuitable
from pipelines.graph.values import check_size

if TYPE_CHECKING:
    import torch

    from pipelines.models.loaded import LoadedDiffusion


@dataclass(frozen=True, slots=True)
class LatentLayout:
    """``channels`` of a latent, one pixel of which is ``factor`` of the picture's; ``packed``: 2×2."""

    channels: int
    factor: int
    packed: bool

    def shape(self, width: int, height: int) -> tuple[int, int, int]:
        """C, h, w of one latent for a picture of this size."""
        return self.channels, height // self.factor, width // self.factor


def layout(loaded: LoadedDiffusion) -> LatentLayout:
    """The layout of this model's latents.

    Raises:
        ModelUnsuitable: it has no denoiser in latent space.
    """
    pipeline = loaded.pipeline
    denoiser = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    if denoiser is None or getattr(pipeline, "vae", None) is None:
        raise ModelUnsuitable(
            model=loaded.handle.id,
            reason="It has no denoiser that works in a latent space.",
            task="text to image",
        )
    packed = _packed(pipeline)
    channels = int(denoiser.config.in_channels) // (4 if packed else 1)
    if made_for_inpainting(loaded):
        channels = int(pipeline.vae.config.latent_channels)
    return LatentLayout(channels, int(pipeline.vae_scale_factor), packed)


def _packed(pipeline: Any) -> bool:
    return hasattr(pipeline, "_pack_latents") and hasattr(pipeline, "_unpack_latents")


def made_for_inpainting(loaded: LoadedDiffusion) -> bool:
    """Whether its denoiser sees a mask and a masked picture beside the latents."""
    return mask_channels(loaded) > 0


def mask_channels(loaded: LoadedDiffusion) -> int:
    """How many channels of a mask the denoiser sees for each latent pixel; 0: not made for inpainting.

    U-Nets see one; fill transformers, with packed latents, see all the mask's pixels below it.
    """
    pipeline = loaded.pipeline
    denoiser = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    latent = int(getattr(getattr(getattr(pipeline, "vae", None), "config", None), "latent_channels", 0))
    if denoiser is None or not latent:
        return 0
    packed = _packed(pipeline)
    wanted = int(pipeline.vae_scale_factor) ** 2 if packed else 1
    more = int(denoiser.config.in_channels) // (4 if packed else 1) - 2 * latent
    return wanted if more == wanted else 0


def size_multiple(loaded: LoadedDiffusion) -> int:
    """What both sides of a picture must be a multiple of: 8, or more where the latents need it."""
    found = layout(loaded)
    transformer = getattr(loaded.pipeline, "transformer", None)
    patch = getattr(transformer.config, "patch_size", 1) if transformer is not None else 1
    side = 2 if found.packed else patch if isinstance(patch, int) else 1
    needed = math.lcm(8, found.factor * side)
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
    if not found.packed:
        return latents
    return pipeline._pack_latents(latents, *latents.shape)


def unpack(
    pipeline: Any, latents: torch.Tensor, found: LatentLayout, width: int, height: int
) -> torch.Tensor:
    """The inverse of :func:`pack`."""
    if latents.ndim == 4:
        return latents
    return pipeline._unpack_latents(latents, height, width, found.factor)


def to_vae(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Latents in the model's scaling -> what ``vae.decode`` takes."""
    statistics = _statistics(vae, latents)
    if statistics is not None:
        mean, deviation = statistics
        return latents * deviation / float(vae.config.scaling_factor) + mean
    shift = float(getattr(vae.config, "shift_factor", None) or 0.0)
    return latents / float(vae.config.scaling_factor) + shift


def from_vae(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """What ``vae.encode`` gives -> latents in the model's scaling."""
    statistics = _statistics(vae, latents)
    if statistics is not None:
        mean, deviation = statistics
        return (latents - mean) * float(vae.config.scaling_factor) / deviation
    shift = float(getattr(vae.config, "shift_factor", None) or 0.0)
    return (latents - shift) * float(vae.config.scaling_factor)


def _statistics(vae: Any, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Mean and standard deviation per channel, where the VAE has both."""
    import torch

    mean = getattr(vae.config, "latents_mean", None)
    deviation = getattr(vae.config, "latents_std", None)
    if mean is None or deviation is None:
        return None
    shape = (1, -1, 1, 1)
    return (
        torch.tensor(mean, dtype=like.dtype, device=like.device).view(shape),
        torch.tensor(deviation, dtype=like.dtype, device=like.device).view(shape),
    )
