"""Layers whose weights stay as a GGUF file has them: unpacked some rows at a time, for each use.

The blocks are those of ggml (k-quants included); diffusers has them in torch's operations, which run on every
device.
"""

from __future__ import annotations

from typing import Final

import torch
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

CHUNK: Final = 2**22
"""Numbers that are unpacked at once: 16 MB in fp32."""


def unpackable(kind: str) -> bool:
    """Whether weights of a ggml type (``Q4_K``) can be unpacked here."""
    from diffusers.quantizers.gguf.utils import dequantize_functions

    return kind in {known.name for known in dequantize_functions}


def row_bytes(kind: str, length: int) -> int:
    """Bytes of a row of ``length`` numbers."""
    block, size = GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
    return int(length // block * size)


def unpacked(rows: torch.Tensor, kind: str, dtype: torch.dtype) -> torch.Tensor:
    """The numbers of packed rows.

    Args:
        rows: N × bytes of a row, uint8.
        kind: ggml's name of how they are packed.

    Returns:
        N × numbers of a row, computed in fp32 and rounded to ``dtype`` once.
    """
    from diffusers.quantizers.gguf.utils import dequantize_functions

    known = GGMLQuantizationType[kind]
    block, size = GGML_QUANT_SIZES[known]
    made: torch.Tensor = dequantize_functions[known](rows.reshape(-1, size), block, size, torch.float32)
    return made.reshape(len(rows), -1).to(dtype)


class PackedLinear(torch.nn.Module):
    """A linear layer of packed rows; ``weight`` is out × bytes of a row, uint8."""

    def __init__(self, in_features: int, out_features: int, kind: str, weight: torch.Tensor) -> None:
        super().__init__()
        self.in_features, self.out_features, self.kind = in_features, out_features, kind
        self.weight = torch.nn.Parameter(weight, requires_grad=False)
        self.bias: torch.nn.Parameter | None = None

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """… × in → … × out."""
        rows = max(CHUNK // self.in_features, 1)
        parts = [
            torch.nn.functional.linear(inputs, unpacked(chunk, self.kind, inputs.dtype))
            for chunk in self.weight.split(rows)
        ]
        made = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
        return made if self.bias is None else made + self.bias.to(made.dtype)


class PackedEmbedding(torch.nn.Module):
    """A table of packed rows; ``weight`` is words × bytes of a row, uint8."""

    def __init__(self, width: int, kind: str, weight: torch.Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.embedding_dim, self.num_embeddings, self.kind, self.dtype = width, len(weight), kind, dtype
        self.weight = torch.nn.Parameter(weight, requires_grad=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Any shape of ids → the same × width."""
        rows = self.weight[ids.reshape(-1)]
        return unpacked(rows, self.kind, self.dtype).reshape(*ids.shape, self.embedding_dim)
