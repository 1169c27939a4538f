"""The networks that read references: from what an encoder saw to keys and values of attention, or to tokens
that follow those of the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import torch

Enters = Literal["cross", "beside", "within"]
"""Where in the model that draws it enters: a U-Net's ``cross``-attentions; ``beside`` the first blocks of
FLUX.1, whose answers it is added to (XLabs); ``within`` the attention of all its blocks (InstantX)."""

_EPS: Final = 1e-5


class IPAdapter(torch.nn.Module):
    """An IP-Adapter (Ye et al. 2023): keys and values for each attention, in the order of the model's.

    Args:
        projection: diffusers' projection to tokens.
        keys, values: a matrix for each attention, *its channels* × *width of the tokens*.
        key_biases, value_biases: as many vectors, or none.
        head: the width of the attention's heads, where keys and values are normed by head.
    """

    def __init__(
        self,
        projection: torch.nn.Module,
        keys: Sequence[torch.Tensor],
        values: Sequence[torch.Tensor],
        key_biases: Sequence[torch.Tensor] = (),
        value_biases: Sequence[torch.Tensor] = (),
        *,
        enters: Enters = "cross",
        head: int = 0,
    ) -> None:
        super().__init__()
        self.projection, self.enters, self.head = projection, enters, head
        self.keys, self.values, self.key_biases, self.value_biases = (
            torch.nn.ParameterList(map(_fixed, part)) for part in (keys, values, key_biases, value_biases)
        )

    def forward(self, seen: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """For N pictures: one N×tokens×channels tensor of keys, and one of values, for each attention.

        Args:
            seen: N×width embeddings, or N×patches×width hidden states.
        """
        tokens = self.projection(seen)
        keys = self._answers(tokens, self.keys, self.key_biases)
        return keys, self._answers(tokens, self.values, self.value_biases)

    def _answers(
        self, tokens: torch.Tensor, matrices: torch.nn.ParameterList, biases: torch.nn.ParameterList
    ) -> list[torch.Tensor]:
        answers = [tokens @ matrix.T for matrix in matrices]
        if len(biases):
            answers = [answer + bias for answer, bias in zip(answers, biases, strict=True)]
        return [self._normed(answer) for answer in answers]

    def _normed(self, answer: torch.Tensor) -> torch.Tensor:
        if not self.head:
            return answer
        heads = answer.unflatten(-1, (-1, self.head))
        return torch.nn.functional.rms_norm(heads, (self.head,), eps=_EPS).flatten(-2)


class Redux(torch.nn.Module):
    """FLUX.1 Redux: each patch of a picture becomes a token that follows those of the prompt.

    Args:
        layers: diffusers' ``ReduxImageEncoder``.
    """

    def __init__(self, layers: torch.nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """For N pictures, of which N×patches×width was seen: N×patches×width of the prompt's tokens."""
        tokens: torch.Tensor = self.layers(seen).image_embeds
        return tokens


class WideProjection(torch.nn.Module):
    """What an IP-Adapter by InstantX makes of an embedding: ``tokens`` of ``width`` numbers, by two layers.

    Args:
        seen: the width of the embedding.
    """

    def __init__(self, seen: int, inner: int, width: int, tokens: int) -> None:
        super().__init__()
        self.width = width
        self.proj = torch.nn.Sequential(
            torch.nn.Linear(seen, inner), torch.nn.GELU(), torch.nn.Linear(inner, width * tokens)
        )
        self.norm = torch.nn.LayerNorm(width)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """N×seen -> N×tokens×width."""
        normed: torch.Tensor = self.norm(self.proj(seen).unflatten(-1, (-1, self.width)))
        return normed


def _fixed(matrix: torch.Tensor) -> torch.nn.Parameter:
    return torch.nn.Parameter(matrix, requires_grad=False)
