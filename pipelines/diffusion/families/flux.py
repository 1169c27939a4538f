"""FLUX.1 and Chroma: 2×2 latent pixels to a token."""

from __future__ import annotations

from types import MappingProxyType

from pipelines.diffusion.families.base import PipelineFamily


class Chroma(PipelineFamily):
    """Made from FLUX.1 schnell, with true guidance, and a mask over what the prompt doesn't fill."""

    embeddings = MappingProxyType({0: "prompt_embeds", 2: "prompt_attention_mask"})
