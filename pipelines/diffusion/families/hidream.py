"""HiDream: four text encoders, one of them a language model all of whose layers are read."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any, Final

from pipelines.diffusion.families.base import PipelineFamily, Tokens

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.sampling.sampling import SamplingOptions

_LAYERS: Final = "prompt_embeds_llama3"


class HiDream(PipelineFamily):
    """Its pipeline would draw every picture with the pixels of its native size."""

    def named(self, pipeline: Any, result: Any) -> dict[str, torch.Tensor]:
        """Of the language model N×layers×tokens×width; its pipeline has the layers first."""
        t5, _, layers, _, pooled, _ = result
        return {"prompt_embeds_t5": t5, _LAYERS: layers.transpose(0, 1), "pooled_prompt_embeds": pooled}

    def batched(self, name: str, tensor: torch.Tensor, count: int) -> torch.Tensor:
        repeated = tensor.repeat_interleave(count, dim=0)
        return repeated.transpose(0, 1) if name == _LAYERS else repeated

    def tokens(self, pipeline: Any) -> Tokens:
        """The language model's; none reads more."""
        limit = inspect.signature(pipeline.encode_prompt).parameters["max_sequence_length"].default
        return Tokens(pipeline.tokenizer_4, min(int(limit), int(pipeline.tokenizer_4.model_max_length)))

    def prepare(self, pipeline: Any, options: SamplingOptions) -> None:
        # A little more: what its arithmetic rounds down must not fall below the size that is asked for.
        side = math.sqrt(options.width * options.height) * (1 + 1e-6)
        vars(pipeline)["default_sample_size"] = side / self.factor(pipeline)

    def size_refusal(self, pipeline: Any, width: int, height: int) -> str:
        """Pictures that aren't square are filled up to a number of tokens."""
        side = self.size_multiple(pipeline)
        most = int(pipeline.transformer.max_seq)
        if width == height or (width // side) * (height // side) <= most:
            return ""
        return f"Pictures that aren't square can have {most * side * side / 1e6:.1f} megapixels at most."
