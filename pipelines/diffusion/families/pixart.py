"""PixArt alpha and sigma: trained as Stable Diffusion was, with a T5 text encoder."""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import Any

from pipelines.diffusion.families.base import PipelineFamily


class PixArt(PipelineFamily):
    """Its pipeline would round sizes to some of its own, and take no negative embeddings beside a text."""

    embeddings = MappingProxyType({0: "prompt_embeds", 1: "prompt_attention_mask"})
    widths = ("caption_channels",)
    constants = MappingProxyType(
        {"use_resolution_binning": False, "clean_caption": False, "negative_prompt": None}
    )

    def prepare(self, pipeline: Any, options: Any) -> None:
        """Of a single step its pipeline takes the second result, which only distilled models' samplers have:
        the finished picture, which is the first with all others."""
        original = pipeline.scheduler.step

        @functools.wraps(original)
        def step(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            return (result[0], result[0]) if isinstance(result, tuple) and len(result) == 1 else result

        pipeline.scheduler.step = step
