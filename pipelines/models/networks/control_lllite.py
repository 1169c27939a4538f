"""ControlNet-LLLite (kohya): small networks that change what attentions of a U-Net are given.

Each stands before one projection of an attention. It sees the control picture through convolutions of its
own, and what the projection is given through a narrow layer; what it makes of both is added to that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import torch

from pipelines.models.networks.control_names import u_net_layer

_NAME: Final = re.compile(
    r"lllite_unet_(input_blocks|middle_block|output_blocks)_(?:(\d+)_)?1_transformer_blocks_(\d+)_"
    r"(attn[12])_to_([qkv])$"
)
_PARTS: Final = ("conditioning1.0", "conditioning1.2", "down.0", "mid.0", "up.0")


class Lite(torch.nn.Module):
    """One of them. ``stride``: pixels a side of the picture to one place of the attention."""

    def __init__(self, state: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        sees: list[torch.nn.Module] = []
        self.stride = 1
        for number in (0, 2, 4):
            if (weight := state.get(f"conditioning1.{number}.weight")) is not None:
                sees += [torch.nn.ReLU()] if sees else []
                size = weight.shape[-1]
                sees.append(torch.nn.Conv2d(weight.shape[1], weight.shape[0], size, stride=size))
                self.stride *= size
        self.conditioning1 = torch.nn.Sequential(*sees)
        self.down, self.mid, self.up = (
            torch.nn.Sequential(torch.nn.Linear(weight.shape[1], weight.shape[0]))
            for weight in (state[f"{part}.0.weight"] for part in ("down", "mid", "up"))
        )
        self.load_state_dict(dict(state), assign=True)

    def see(self, picture: torch.Tensor) -> torch.Tensor:
        """N×3×H×W in -1..1 -> N×places×channels; the picture's edge is repeated where a place is cut."""
        missing = [-side % self.stride for side in picture.shape[-2:]]
        whole = torch.nn.functional.pad(picture, (0, missing[1], 0, missing[0]), mode="replicate")
        seen: torch.Tensor = self.conditioning1(whole)
        return seen.flatten(2).transpose(1, 2)

    def forward(self, given: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """What is added to ``given``, B×places×width, where the picture looks like ``seen``."""
        narrow = torch.relu(self.down(given))
        both = torch.cat([seen.expand(len(given), -1, -1), narrow], dim=2)
        added: torch.Tensor = self.up(torch.relu(self.mid(both)))
        return added


class ControlLLLite(torch.nn.Module):
    """All of a file, by the projections of diffusers' U-Net they stand before, with ``/`` for ``.``."""

    def __init__(self, state: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        found: dict[str, dict[str, torch.Tensor]] = {}
        for name, tensor in state.items():
            owner, _, part = name.partition(".")
            found.setdefault(projection(owner).replace(".", "/"), {})[part] = tensor
        self.lites = torch.nn.ModuleDict({place: Lite(own) for place, own in found.items()})

    def places(self) -> dict[str, Any]:
        """The names of projections -> what stands before each."""
        return {place.replace("/", "."): lite for place, lite in self.lites.items()}

    def see(self, picture: torch.Tensor) -> dict[str, torch.Tensor]:
        """What each sees of a picture, N×3×H×W in -1..1."""
        return {name: lite.see(picture) for name, lite in self.places().items()}

    def forward(self, picture: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.see(picture)


def projection(name: str) -> str:
    """The projection of diffusers' U-Net that one of a file's networks stands before; empty if none."""
    match = _NAME.match(name)
    if match is None:
        return ""
    side, block, number, attention, kind = match.groups()
    rest = f"transformer_blocks.{number}.{attention}.to_{kind}"
    if side == "output_blocks":
        stage, place = divmod(int(block), 3)
        return f"up_blocks.{stage}.attentions.{place}.{rest}"
    middle = "" if block is None else f".{block}"
    return u_net_layer(f"{side}{middle}.1.{rest}")


def missing_parts(state: Mapping[str, torch.Tensor]) -> list[str]:
    """The tensors that a file should have and hasn't."""
    owners = dict.fromkeys(name.partition(".")[0] for name in state)
    needed = (f"{owner}.{part}.{kind}" for owner in owners for part in _PARTS for kind in ("weight", "bias"))
    return [name for name in needed if name not in state]
