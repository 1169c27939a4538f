"""A LaMa model with random weights: spandrel's own architecture, with few and narrow layers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from spandrel.architectures.LaMa import LaMa

WIDTH, BLOCKS, DOWN = 8, 1, 3


def small_lama(monkeypatch: pytest.MonkeyPatch, folder: Path, prefix: str = "") -> Path:
    """A file as a user has it. While the patch lasts, spandrel builds LaMa as small as it is."""
    generator = type(LaMa(in_nc=4, out_nc=3).model)
    defaults = list(generator.__init__.__defaults__)
    defaults[:3] = WIDTH, DOWN, BLOCKS
    monkeypatch.setattr(generator.__init__, "__defaults__", tuple(defaults))
    torch.manual_seed(0)
    state = LaMa(in_nc=4, out_nc=3).state_dict()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "big-lama.safetensors"
    named = {name.replace("model.model", f"{prefix}model", 1) if prefix else name: tensor for name, tensor in
             state.items()}  # fmt: skip
    save_file({name: tensor.clone() for name, tensor in named.items()}, path)
    return path
