"""What the diffusion nodes call: samplers and schedules, noise, prompts, denoising, previews, decoding;
drawing from noise, from a picture (``image_to_image``), or only what a mask shows (``inpaint``); and
any size a model can't draw at once (``two_pass``).

Importing this package (and :mod:`.samplers`, the table) imports no torch, so that forms can be made from it.
"""

from __future__ import annotations

from pipelines.diffusion.samplers import NoiseSource, Sampler, Schedule

__all__ = ["NoiseSource", "Sampler", "Schedule"]
