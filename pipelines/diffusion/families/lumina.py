"""Lumina Image 2: its text encoder is told, in a text before the prompt, what it is for."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from pipelines.diffusion.families.base import PipelineFamily, Tokens


class Lumina2(PipelineFamily):
    """A negative prompt stands without that text."""

    embeddings = MappingProxyType({0: "prompt_embeds", 1: "prompt_attention_mask"})
    widths = ("cap_feat_dim",)
    negative_apart = True

    def encode(self, pipeline: Any, text: str, device: Any, clip_skip: int, negative: bool) -> Any:
        if negative:
            embeddings, mask = pipeline._get_gemma_prompt_embeds([text], device=device)
            return embeddings, mask, None, None
        return pipeline.encode_prompt(text, do_classifier_free_guidance=False, device=device)

    def tokens(self, pipeline: Any) -> Tokens:
        """The text before the prompt takes a part of what is read."""
        found = super().tokens(pipeline)
        before = found.tokenizer(f"{pipeline.system_prompt} <Prompt Start> ", add_special_tokens=False)
        return Tokens(found.tokenizer, found.limit, len(before["input_ids"]))
