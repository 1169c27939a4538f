"""Keeping what a mask keeps while the rest is drawn: at each step, or only as early as the mask's value says.

Differential diffusion (Levin & Fried 2023, "Differential Diffusion: Giving Each Pixel Its Strength"): the
mask's value sets the step from which a pixel may change; before that it is the original with the noise of
that step. Plain latent blending (Avrahami et al. 2022, "Blended Latent Diffusion") mixes by the mask at every
step.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pipelines.diffusion.samplers.levels import Level, noised

if TYPE_CHECKING:
    import torch


class Blending(StrEnum):
    """How a soft mask drives the denoising."""

    DIFFERENTIAL = "differential"
    LATENT = "latent"


class Keeper:
    """Puts the original back where it isn't to change yet.

    Args:
        original: 1×C×h×w float32, finished latents.
        mask: 1×1×h×w float32 in 0..1, 1 = drawn anew.
        noise: N×C×h×w float32, the first noise of each picture.
    """

    def __init__(
        self, original: torch.Tensor, mask: torch.Tensor, noise: torch.Tensor, blending: Blending
    ) -> None:
        self._original, self._mask, self._noise = original, mask, noise
        self._blending = blending

    def free(self, done: int, steps: int) -> torch.Tensor:
        """The part of each pixel, 0..1, that may change after ``done`` of ``steps`` steps."""
        if self._blending is Blending.LATENT:
            return self._mask
        return ((self._mask >= 1 - done / steps) & (self._mask > 0)).to(self._mask.dtype)

    def blend(self, latents: torch.Tensor, done: int, steps: int, level: Level) -> torch.Tensor:
        """``latents`` (N×C×h×w float32, at ``level``) with the original where it is kept."""
        free = self.free(done, steps)
        kept = noised(self._original, self._noise, level)
        # Not a weighted sum alone: what is kept stays exact, and an infinite value there does no harm.
        return kept.where(free == 0, latents.where(free == 1, kept + free * (latents - kept)))
