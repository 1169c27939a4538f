"""Z-Image: prompts as lists of embeddings without padding, and a pipeline that steps in float32."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.families.base import PipelineFamily, Tokens
from pipelines.diffusion.families.chat import count, laid_out

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.sampling.sampling import SamplingOptions

_BEFORE: Final = "<|im_start|>user\n"
_AFTER: Final = "<|im_end|>\n<|im_start|>assistant\n"


class ZImage(PipelineFamily):
    """Its pipeline counts guidance from 0, as something added to the prompt's own; here as everywhere 1 is
    none, which is what the distilled Turbo needs."""

    widths = ("cap_feat_dim",)
    full_latents = True
    prompt_first = True

    def encode(self, pipeline: Any, text: str, device: Any, clip_skip: int, negative: bool) -> Any:
        ready = laid_out(pipeline, pipeline.tokenizer, _BEFORE, _AFTER)
        return ready.encode_prompt([text], device=device, do_classifier_free_guidance=False)

    def named(self, pipeline: Any, result: Any) -> dict[str, torch.Tensor]:
        return {"prompt_embeds": result[0][0][None]}

    def batched(self, name: str, tensor: torch.Tensor, count: int) -> list[torch.Tensor]:
        return [tensor[0]] * count

    def tokens(self, pipeline: Any) -> Tokens:
        found = super().tokens(pipeline)
        return Tokens(found.tokenizer, found.limit, count(found.tokenizer, _BEFORE))

    def size_multiple(self, pipeline: Any) -> int:
        return math.lcm(8, 2 * self.factor(pipeline))

    def arguments(self, pipeline: Any, options: SamplingOptions) -> Mapping[str, Any]:
        return {"guidance_scale": max(options.guidance_scale - 1, 0.0)}
