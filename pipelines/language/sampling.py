"""Seeded sampling: the same text for the same logits on every device, whatever else uses random numbers.

transformers draws its tokens with a global generator on the device. Here the draw is done by the Gumbel-max
trick (Gumbel 1954; Maddison et al. 2014, "A* Sampling", section 2): argmax(logits + Gumbel noise) is
distributed as softmax(logits), and the noise comes from a CPU generator of our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from transformers.generation.logits_process import (
    LogitsProcessor,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from pipelines.graph.node import cpu_generator

MAX_SEED = 2**64 - 1


@dataclass(frozen=True, slots=True)
class GenerationParams:
    """How a text is continued.

    Attributes:
        max_tokens: the most tokens that are written, at least 1.
        temperature: divides the logits; 0 always takes the likeliest token.
        top_p: keep the likeliest tokens whose probabilities add up to this, in (0, 1].
        top_k: keep this many of the likeliest tokens; 0 keeps all.
        repetition_penalty: divides the logits of tokens that were used (Keskar et al. 2019, CTRL); 1 is off.
        seed: in [0, 2^64).
        stop: texts that end the writing; they are not part of the result.
    """

    max_tokens: int = 256
    temperature: float = 0.7
    top_p: float = 0.9
    top_k: int = 50
    repetition_penalty: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= MAX_SEED:
            raise ValueError(f"a seed is in [0, 2^64), not {self.seed}")


class GumbelNoise(LogitsProcessor):
    """Adds standard Gumbel noise to the scores (batch×vocabulary), so that their argmax is a sample.

    One row of noise is drawn per call, in float64 from a CPU generator, for the whole vocabulary: which
    tokens were filtered out changes nothing about the noise of the others.
    """

    def __init__(self, seed: int) -> None:
        self._generator = cpu_generator(seed)

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        uniform = torch.rand(scores.shape, generator=self._generator, dtype=torch.float64)
        # 0 would become -infinity; it has a probability of 2^-53 per draw.
        noise = -torch.log(-torch.log(uniform.clamp_min_(2.0**-54)))
        return cast(torch.FloatTensor, scores + noise.to(scores.device, torch.float32))


def processors(params: GenerationParams) -> LogitsProcessorList:
    """The chain from logits to scores whose argmax is the next token (transformers' order, then the noise).

    It holds a generator: one chain per text.
    """
    chain = LogitsProcessorList()
    if params.repetition_penalty != 1.0:
        chain.append(RepetitionPenaltyLogitsProcessor(params.repetition_penalty))
    if params.temperature > 0:
        chain.append(TemperatureLogitsWarper(params.temperature))
        if params.top_k > 0:
            chain.append(TopKLogitsWarper(params.top_k))
        if params.top_p < 1:
            chain.append(TopPLogitsWarper(params.top_p))
        chain.append(GumbelNoise(params.seed))
    return chain
