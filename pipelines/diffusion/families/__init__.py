"""What the pipelines of diffusers differ in, one class a family, behind one interface.

``family_of(pipeline)`` finds it; :class:`PipelineFamily` is what most have in common.
"""

from __future__ import annotations

from pipelines.diffusion.families.base import (
    LatentLayout,
    PipelineFamily,
    Tokens,
    denoiser_of,
    parameters,
)
from pipelines.diffusion.families.registry import family_of

__all__ = ["LatentLayout", "PipelineFamily", "Tokens", "denoiser_of", "family_of", "parameters"]
