"""Sana and Sana Sprint: latents of 32 channels, one pixel of which is 32 of the picture's.

Their text encoder is told, in a text before the prompt, to enhance it; a negative prompt stands alone.
"""

from __future__ import annotations

import inspect
from types import MappingProxyType
from typing import Any, Final

from pipelines.diffusion.families.base import PipelineFamily, Tokens

_INSTRUCTION: Final = "complex_human_instruction"


class Sana(PipelineFamily):
    """Trained by flow matching; its pipeline would round sizes to some of its own."""

    embeddings = MappingProxyType({0: "prompt_embeds", 1: "prompt_attention_mask"})
    widths = ("caption_channels",)
    constants = MappingProxyType(
        {"use_resolution_binning": False, "clean_caption": False, "negative_prompt": None}
    )
    negative_apart = True
    full_latents = True

    def encode(self, pipeline: Any, text: str, device: Any, clip_skip: int, negative: bool) -> Any:
        instruction = inspect.signature(pipeline.__call__).parameters[_INSTRUCTION].default
        return pipeline.encode_prompt(
            text, do_classifier_free_guidance=False, device=device,
            **{_INSTRUCTION: None if negative else instruction},
        )  # fmt: skip

    def tokens(self, pipeline: Any) -> Tokens:
        """The instruction isn't counted: its pipeline makes room for it."""
        limit = inspect.signature(pipeline.encode_prompt).parameters["max_sequence_length"].default
        return Tokens(pipeline.tokenizer, int(limit))


class SanaSprint(Sana):
    """Distilled to one to four steps (Chen et al. 2025, "SANA-Sprint", section 3): its guidance is an input
    of the transformer, and its sampler, of trigonometric flow, works on latents of the data's deviation."""

    def encode(self, pipeline: Any, text: str, device: Any, clip_skip: int, negative: bool) -> Any:
        instruction = inspect.signature(pipeline.__call__).parameters[_INSTRUCTION].default
        return pipeline.encode_prompt(text, device=device, **{_INSTRUCTION: instruction})

    def step_scale(self, pipeline: Any) -> float:
        return float(pipeline.scheduler.config.sigma_data)

    def arguments(self, pipeline: Any, options: Any) -> dict[str, Any]:
        """The middle of two steps was trained; with other numbers of steps there is no such thing."""
        middle = inspect.signature(pipeline.__call__).parameters["intermediate_timesteps"].default
        return {**self.constants, "intermediate_timesteps": middle if options.steps == 2 else None}
