"""Layers of U-Nets by their names in the authors' own code, and by the numbers of their blocks there."""

from __future__ import annotations

import re
from typing import Any, Final

_OUTSIDE: Final = {
    "conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2", "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2", "conv_norm_out": "out.0", "conv_out": "out.2",
}  # fmt: skip
_RESNET: Final = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_BLOCK: Final = re.compile(
    r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)"
)
_MIDDLE: Final = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)")


def original_name(path: str, unet: Any) -> str | None:
    """The name of a layer of a U-Net of diffusers in Stability's code (``input_blocks.4.1.proj_in``); None
    where there is none."""
    if path in _OUTSIDE:
        return _OUTSIDE[path]
    if middle := _MIDDLE.fullmatch(path):
        kind, number, inner = middle.groups()
        place = 1 if kind == "attentions" else 2 * int(number)
        return f"middle_block.{place}.{_inner(kind, inner)}"
    if not (block := _BLOCK.fullmatch(path)):
        return None
    side, index, kind, number, inner = block.groups()
    layers = _layers(unet)
    if side == "down":
        if kind == "downsamplers":
            return f"input_blocks.{(int(index) + 1) * (layers + 1)}.0.op"
        place = 1 + int(index) * (layers + 1) + int(number)
        return f"input_blocks.{place}.{_second(kind)}.{_inner(kind, inner)}"
    if kind == "upsamplers":
        second = 2 if hasattr(unet.up_blocks[int(index)], "attentions") else 1
        return f"output_blocks.{int(index) * (layers + 1) + layers}.{second}.{inner}"
    return f"output_blocks.{int(index) * (layers + 1) + int(number)}.{_second(kind)}.{_inner(kind, inner)}"


def _layers(unet: Any) -> int:
    layers = unet.config.layers_per_block
    return int(layers if isinstance(layers, int) else layers[0])


def _second(kind: str) -> int:
    return 1 if kind == "attentions" else 0


def _inner(kind: str, inner: str) -> str:
    first, dot, rest = inner.partition(".")
    return _RESNET.get(first, first) + dot + rest if kind == "resnets" else inner
