"""How often each weight of a network is multiplied in one pass, from the names and shapes of its tensors.

A weight of a linear layer or a convolution works once for every position that its layer answers at: a U-Net's
for each latent pixel of its level, a transformer's for each token of the picture, of the prompt, or of both;
what is made from the time step works once for a picture and isn't counted. Attention adds a product for each
pair of positions. Torch's own count of a run of SD 1.5, SDXL or FLUX.1 differs by less than 0.1 %.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Shapes = Mapping[str, tuple[int, ...]]
Places = Callable[[str], int]

_ONCE: Final = re.compile(
    r"norm\w*\.linear(_\d)?\.|modulation|(^|[._])(img|txt)?_?mod\.|adaln|(^|[._])time|emb_layers|label_emb|"
    r"timestep|t_embedder|guidance|vector_in|pooled|add_embedding|class_embed",
    re.IGNORECASE,
)
"""Layers that see one vector of the picture: the time step, the size, a pooled prompt."""
_OF_TEXT: Final = re.compile(
    r"attn2\.to_[kv]\.|cross_attention\.(to_)?(key|value)\.|add_[qkv]_proj|to_add_out|to_[a-z]+_t\.|\.ff_t\.|"
    r"context|(^|[._])txt_|caption|cap_embedder|text|encoder_hid|llm"
)
"""Layers that see the tokens of the prompt alone."""
_CROSSED: Final = re.compile(r"attn2\.to_q\.|cross_attention\.(to_)?query\.")
_QUERY: Final = re.compile(r"(^|\.)(to_q|q|query)\.weight$")
_EXPERTS: Final = re.compile(r"\.experts\.\d+\.")
_BLOCK: Final = re.compile(r"^(.*?(?:^|\.)\D*\d+)\.")
_DOWN: Final = re.compile(r"^(?:down|input)_blocks\.(\d{1,2})\.(downsamplers\.|0\.op\.)?")
_UP: Final = re.compile(r"^(?:up|output)_blocks\.(\d{1,2})\.(upsamplers\.|\d+\.conv\.)?")
_DEEPEST: Final = ("mid_block.", "middle_block", "controlnet_down_", "controlnet_mid_", "zero_conv")
"""What works where the picture is smallest; of a ControlNet's answers that is true of most."""
_DECODES: Final = re.compile(r"^decoder\.up(?:_blocks)?\.(\d{1,2})\.(upsamplers?\.)?")
_LAST: Final = re.compile(r"^decoder\.(conv_out|norm_out|conv_norm_out)\.")
_MAIN_BLOCK: Final = 0.25
"""Blocks of a transformer from this share of the largest have attention of their own."""


@dataclass(frozen=True, slots=True)
class Work:
    """Numbers that are multiplied at each position.

    ``levels``: of layers, by how often the sides were halved (doubled, below 0). ``pairs``, ``crossed``: of
    attention within the picture and to the prompt, its widths by level. ``joint``: of layers that see the
    prompt as they see the picture; ``text``: of those that see it alone; ``whole``: widths of attention over
    both.
    """

    levels: Mapping[int, int]
    pairs: Mapping[int, int]
    crossed: Mapping[int, int]
    joint: int = 0
    text: int = 0
    whole: int = 0
    layers: int = 0
    """How many layers one pass calls."""

    def operations(self, positions: float, words: float) -> float:
        """Multiplications and additions of a pass.

        Args:
            positions: latent pixels, or tokens, of the picture.
            words: tokens of the prompt.
        """
        both = positions + words
        layers = sum(count * positions / 4**level for level, count in self.levels.items())
        pairs = sum(width * (positions / 4**level) ** 2 for level, width in self.pairs.items())
        crossed = sum(width * words * positions / 4**level for level, width in self.crossed.items())
        layers += self.joint * both + self.text * words
        return 2.0 * layers + 4.0 * (pairs + crossed + self.whole * both * both)


def work_of(stage: str, shapes: Shapes, width: int, config: Mapping[str, Any]) -> Work | None:
    """What a pass through a network multiplies; None for one whose names say nothing.

    Args:
        stage: ``main`` for a denoiser, ``decode`` for a VAE, whose decoder is counted.
        width: channels of a transformer's attention.
    """
    weights = {
        name: math.prod(shape) for name, shape in shapes.items() if len(shape) > 1 and name.endswith("weight")
    }
    if stage == "decode":
        weights = {name: count for name, count in weights.items() if name.startswith(("decoder.", "post_"))}
        found = _decoder_levels(weights)
    elif stage == "main":
        weights = {name: count for name, count in weights.items() if not _ONCE.search(name)}
        found = _unet_levels(weights)
        if found is None:
            return _of_transformer(weights, width, config)
    else:
        return None
    return None if found is None else _by_level(weights, shapes, found)


def _by_level(weights: Mapping[str, int], shapes: Shapes, level_of: Places) -> Work:
    levels: dict[int, int] = {}
    pairs: dict[int, int] = {}
    crossed: dict[int, int] = {}
    text = 0
    for name, count in weights.items():
        level = level_of(name)
        if _OF_TEXT.search(name):
            text += count
            continue
        levels[level] = levels.get(level, 0) + count
        if _QUERY.search(name):
            beside = re.sub(r"q(uery)?\.weight$", "k.weight", name)
            keys = shapes[beside if beside in weights else name]
            own = not _CROSSED.search(name) and keys[1] == shapes[name][1]
            kind = pairs if own else crossed
            kind[level] = kind.get(level, 0) + shapes[name][0]
    return Work(levels, pairs, crossed, text=text, layers=len(weights))


def _unet_levels(names: Mapping[str, int]) -> Places | None:
    """Which level a layer of a U-Net, or of a ControlNet of one, works at; None if it is no U-Net."""
    halved = sorted({int(match[1]) for name in names if (match := _DOWN.match(name)) and match[2]})
    doubled = sorted({int(match[1]) for name in names if (match := _UP.match(name)) and match[2]})
    if not halved:
        return None

    def level(name: str) -> int:
        if match := _DOWN.match(name):
            return sum(each < int(match[1]) + bool(match[2]) for each in halved)
        if match := _UP.match(name):
            return len(halved) - sum(each < int(match[1]) + bool(match[2]) for each in doubled)
        return len(halved) if name.startswith(_DEEPEST) else 0

    return level


def _decoder_levels(names: Mapping[str, int]) -> Places | None:
    """How often the sides were doubled (as a number below 0) where a layer of a VAE's decoder works."""
    doubled = {int(match[1]) for name in names if (match := _DECODES.match(name)) and match[2]}
    if not doubled:
        return None
    backwards = any(name.startswith("decoder.up.") for name in names)  # there the last level comes first

    def level(name: str) -> int:
        if match := _DECODES.match(name):
            place, own = int(match[1]), bool(match[2])
            before = sum(each > place if backwards else each < place for each in doubled)
            return -(before + own)
        return -len(doubled) if _LAST.match(name) else 0

    return level


def _of_transformer(weights: Mapping[str, int], width: int, config: Mapping[str, Any]) -> Work | None:
    blocks: dict[str, dict[str, int]] = {}
    picture = text = joint = pairs = crossed = whole = 0
    for name, count in weights.items():
        match = _BLOCK.match(name)
        if match is None:
            picture, text = (picture, text + count) if _OF_TEXT.search(name) else (picture + count, text)
        else:
            blocks.setdefault(match[1], {})[name] = _active(name, count, config)
    sizes = {name: sum(inside.values()) for name, inside in blocks.items()}
    largest = max(sizes.values(), default=0)
    for block, inside in blocks.items():
        together = any(".add_q_proj." in name for name in inside)  # a second attention there is the picture's
        words = sum(count for name, count in inside.items() if _sees_text(name, together))
        text += words
        if words == sizes[block]:
            continue
        if words:
            picture += sizes[block] - words
        else:
            joint += sizes[block]
        if sizes[block] < _MAIN_BLOCK * largest:
            continue
        second = any(_CROSSED.search(name) for name in inside)
        pairs += width if second else 0
        crossed += width if second and not together else 0
        whole += width if together or not second else 0
    if not blocks:
        return None
    return Work(
        {0: picture}, {0: pairs} if pairs else {}, {0: crossed} if crossed else {}, joint, text, whole,
        len(weights),
    )  # fmt: skip


def _sees_text(name: str, together: bool) -> bool:
    return bool(_OF_TEXT.search(name)) and not (together and ".attn2." in name)


def _active(name: str, count: int, config: Mapping[str, Any]) -> int:
    """Numbers that a token meets: of experts only so many."""
    used, there = config.get("num_activated_experts"), config.get("num_routed_experts")
    if _EXPERTS.search(name) and isinstance(used, int) and isinstance(there, int) and there > 0:
        return count * used // there
    return count
