"""What settings for speed change of a forecast: memory of step caches, and what times are kept under."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from pipelines.graph.planned import PlannedNode
from pipelines.graph.values import Speed
from pipelines.models.forecast.activations import ALLOCATOR, tokens
from pipelines.models.forecast.components import Component

SPEED: Final = "model.speed"
_FIRST_BLOCK: Final = 4
"""FirstBlockCache keeps what the first block made and added, and what the rest added to both streams."""
_PER_LAYER: Final[Mapping[str, int]] = {"pyramid": 1, "taylor": 2}
"""Results of each layer that are kept: its last one, or that and how it changes."""


def speed_of(node: PlannedNode, nodes: Mapping[str, PlannedNode]) -> Speed:
    """The settings a node's model comes with: those of the last node on the way that states some."""
    link = node.links.get("model")
    while link and (found := nodes.get(link[0])) is not None:
        if found.record.type == SPEED:
            plain = Speed()
            known = {field.name: type(getattr(plain, field.name)) for field in dataclasses.fields(Speed)}
            stated: dict[str, Any] = {
                name: value for name, value in found.literals.items() if type(value) is known.get(name)
            }
            return Speed(**stated)
        link = found.links.get("model")
    return Speed()


def described(speed: Speed) -> str:
    """What isn't at its default and may change how long a step takes, as one text; empty if nothing is."""
    plain = dataclasses.asdict(Speed())
    stated = {key: value for key, value in dataclasses.asdict(speed).items() if value != plain[key]}
    if speed.cache != "first_block":
        stated.pop("cache_threshold", None)
    if speed.cache not in _PER_LAYER:
        stated.pop("cache_every", None)
    return ",".join(f"{key}={value}" for key, value in sorted(stated.items()))


def cache_bytes(component: Component, cache: str, pixels: int, batch: int, size: int) -> int:
    """What a step cache keeps of ``batch`` pictures from one step to the next; U-Nets have none."""
    if component.convolves or cache == "none":
        return 0
    blocks = max(round((component.elements - component.outside) / max(component.largest, 1)), 1)
    kept = _FIRST_BLOCK if cache == "first_block" else _PER_LAYER.get(cache, 0) * blocks
    return int(kept * tokens(component, pixels) * component.width * size * batch * ALLOCATOR)
