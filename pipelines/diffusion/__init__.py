"""What the diffusion nodes call. ``tasks`` are what they ask for: drawing from noise, from a picture, only
what a mask shows, at any size, and enlarging. Below them are ``sampling``, which draws; ``steering``,
``control`` and ``prompts``, which it follows; ``samplers``, ``sizes`` and ``latents``; and ``families``,
what each family's pipeline does otherwise than others. A room imports those named after it, never those
before (types aside).

Importing this package (and :mod:`.samplers.table`) imports no torch, so that forms can be made from it.
"""

from __future__ import annotations

from pipelines.diffusion.samplers.table import NoiseSource, Sampler, Schedule

__all__ = ["NoiseSource", "Sampler", "Schedule"]
