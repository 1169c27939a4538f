"""The network of an IP-Adapter (Ye et al. 2023): from what an encoder saw to keys and values of attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class IPAdapter(torch.nn.Module):
    """What an encoder saw of pictures -> keys and values for each cross-attention, in the U-Net's order.

    Args:
        projection: diffusers' projection to tokens.
        keys, values: a matrix for each cross-attention, *its channels* × *width of the tokens*.
    """

    def __init__(
        self, projection: torch.nn.Module, keys: Sequence[torch.Tensor], values: Sequence[torch.Tensor]
    ) -> None:
        super().__init__()
        self.projection = projection
        self.keys, self.values = (torch.nn.ParameterList(map(_fixed, part)) for part in (keys, values))

    def forward(self, seen: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """For N pictures: one N×tokens×channels tensor of keys, and one of values, for each attention.

        Args:
            seen: N×width embeddings, or N×patches×width hidden states.
        """
        tokens = self.projection(seen)
        keys, values = ([tokens @ matrix.T for matrix in part] for part in (self.keys, self.values))
        return keys, values


def _fixed(matrix: torch.Tensor) -> torch.nn.Parameter:
    return torch.nn.Parameter(matrix, requires_grad=False)
