"""How many times as fast as torch OpenVINO computes a small U-Net on this processor."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from pipelines.models.libraries import import_diffusers
from pipelines.models.openvino.denoiser import OpenvinoDenoiser

if TYPE_CHECKING:
    import torch

WINS: Final = 1.5
"""From so many times on it is offered."""
_CALLS: Final = 6


def speedup(dtype: torch.dtype) -> float:
    """The ratio of the best times of some calls, in ``dtype``; 0 where the network can't be compiled."""
    import torch

    network = import_diffusers().UNet2DConditionModel(
        block_out_channels=(64, 128), layers_per_block=1, cross_attention_dim=64, attention_head_dim=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    network.requires_grad_(False).eval().to(dtype)
    failed: list[str] = []
    compiled = OpenvinoDenoiser(
        network, dtype, torch.get_num_threads(), {}, told=lambda outcome, reason: failed.append(reason)
    )
    sample, states = torch.randn(2, 4, 32, 32, dtype=dtype), torch.randn(2, 16, 64, dtype=dtype)
    best = []
    with torch.inference_mode():
        for asked in (network, compiled):
            took = []
            for _ in range(_CALLS):
                started = time.perf_counter()
                asked(sample, torch.tensor(500), encoder_hidden_states=states, return_dict=False)
                took.append(time.perf_counter() - started)
            best.append(min(took))
    return 0.0 if failed else best[0] / best[1]
