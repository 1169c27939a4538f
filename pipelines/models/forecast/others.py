"""Models that don't draw: what those need that write, enlarge, fill gaps or look at pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, cast

from pipelines.models.catalogue.catalogue import Entry
from pipelines.models.device import BYTES
from pipelines.models.forecast.activations import ALLOCATOR
from pipelines.models.forecast.components import Component
from pipelines.models.forecast.graphs import number
from pipelines.models.forecast.verdict import Assessment, Machine, Verdict, bytes_of, least_of

WRITTEN: Final = 4096
"""Tokens of a text that a language model is taken to have read."""
_TILES: Final[Mapping[str, int]] = {"cpu": 256}
_TILE: Final = 1024
"""Side of the largest piece of a picture that goes through an upscaler at once, in px; less on processors."""
_LEAST: Final = 32
_LIVE: Final = 4
"""How many tensors as large as the largest upscaling reckons with when it chooses the size of a piece."""
_HELD: Final = 2
"""How many there are at once in ESRGAN's and Compact's networks, counted at 64 and 128 px."""
_SHARE: Final = 0.5
"""Of the memory that is free, what a piece may take."""
_SCALE: Final = 4
"""By how much an upscaler enlarges whose names don't tell."""
_SHUFFLED: Final = frozenset({"Compact", "SPAN"})
"""Upscalers that work at the size of what they are given to the last layer."""
_COUNTED: Final = frozenset({"Compact", "ESRGAN"})
"""Upscalers whose work was counted."""
_GAPS: Final[Mapping[str, int]] = {"cpu": 768}
_GAP: Final = 1536
"""Side of the largest square that a model fills gaps in."""
_PER_GAP_PIXEL: Final = 172
"""Numbers that LaMa computes with at once, per px: counted at 256, 384 and 512 px."""
_LOOKED_AT: Final[Mapping[str, int]] = {"pose": 3_600_000, "detector": 30_000_000}
"""Numbers that ViTPose and RT-DETR of base size compute with at once, of a picture as they see it."""
_DEPTH: Final = 1.4
"""The same of Depth Anything, per px and channel of what it fuses, within 20 % for small and large."""
_FUSED: Final = 256
_SEEN: Final = 518
"""Those channels, and the side in px that it sees, where its settings don't tell."""


def error_of(entry: Entry) -> float:
    """How far the work of such a model may be off, as a share; of pictures of unknown size, from the most."""
    if entry.info.kind == "upscale" and entry.info.family in _COUNTED:
        return 0.2
    return {"language": 0.0, "inpaint": 0.2, "depth": 0.2}.get(entry.info.kind, 0.5)


def other(
    entry: Entry, parts: tuple[Component, ...], machine: Machine, dtype: str, packed: str,
    params: Mapping[str, Any],
) -> Assessment:  # fmt: skip
    """What a model needs: its weights, and what it computes with them.

    Args:
        params: of the node that works with it.
    """
    weights = {part.name: bytes_of(part, dtype, packed) for part in parts}
    whole = sum(weights.values())
    work = _work(entry, parts, machine, machine.room - whole, dtype, params)
    least = sum(least_of(part, weights[part.name]) for part in parts)
    spare = max(machine.spare, work)
    verdict: Verdict = "fits"
    if whole + spare > machine.room:
        streams = machine.device != "cpu" and whole <= machine.host
        verdict = "offload" if streams and least + spare <= machine.room else "too_large"
    resident = min(whole, max(machine.room - spare, 0))
    moved = whole - resident if verdict == "offload" else 0
    peak = whole + work
    return Assessment(
        verdict, weights, work, 0, min(peak, machine.room) if moved else peak, resident, moved, False, None,
        None,
    )  # fmt: skip


def _work(
    entry: Entry, parts: tuple[Component, ...], machine: Machine, room: int, dtype: str,
    params: Mapping[str, Any],
) -> int:  # fmt: skip
    """Bytes of what is computed; of pictures whose size isn't known, the most."""
    size = BYTES[dtype]
    match entry.info.kind:
        case "language":
            return sum(_kept_per_token(part, dtype) for part in parts) * WRITTEN
        case "upscale":
            return sum(_piece(part, entry, machine.device, room, size, params) for part in parts)
        case "inpaint":
            side = _GAPS.get(machine.device, _GAP)
            return int(_PER_GAP_PIXEL * side * side * size * ALLOCATOR)
        case "depth":
            config = next((part.config for part in parts), {})
            fused = number(config.get("fusion_hidden_size"), _FUSED)
            seen = number(config.get("image_size"), _SEEN)
            return int(_DEPTH * fused * seen * seen * size * ALLOCATOR)
        case kind:
            return int(_LOOKED_AT.get(kind, 0) * size * ALLOCATOR)


def _piece(
    part: Component, entry: Entry, device: str, room: int, size: int, params: Mapping[str, Any]
) -> int:
    """Bytes of one piece of a picture on its way through an upscaler, as large as it is chosen."""
    known, width = entry.probe.facts.get("scale"), max(part.width, 3)
    scale = known if isinstance(known, int) and known > 0 else _SCALE
    each = size * (max(width, 3 * scale**2) if entry.info.family in _SHUFFLED else width * scale**2)
    asked = params.get("tile")
    if isinstance(asked, int) and asked > 0:
        side = max(asked, _LEAST)
    else:
        fitting = int(math.sqrt(max(room, 0) * _SHARE / (_LIVE * each)))
        side = max(_LEAST, min(fitting, _TILES.get(device, _TILE)))
    return int(_HELD * each * side * side * ALLOCATOR)


def _kept_per_token(part: Component, dtype: str) -> int:
    """Bytes of keys and values that a language model keeps for each token it has read."""
    config = part.config
    layers, heads = config.get("num_hidden_layers"), config.get("num_attention_heads")
    size = config.get("hidden_size")
    if not all(isinstance(value, int) and value > 0 for value in (layers, heads, size)):
        return 0
    layers, heads, size = cast("tuple[int, int, int]", (layers, heads, size))
    pairs = config.get("num_key_value_heads") or heads
    return 2 * layers * int(pairs) * int(config.get("head_dim") or size // heads) * BYTES[dtype]
