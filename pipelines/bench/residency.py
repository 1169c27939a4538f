"""Models larger than the device, on a fake one: memory, traffic and time by how much of them stays.

The fake card is main memory with a limit, so that its traffic and its peak are exact, and its seconds only
say what the bookkeeping costs.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from typing import Any

from pipelines.bench.report import Row
from pipelines.models.libraries import import_diffusers

SHARES = (100, 75, 50, 25, 0)
STEPS = 3


def measure() -> Iterator[Row]:
    """For a U-Net and a transformer: peak of the weights, bytes a step, CPU time beside all of it there."""
    for name, network, inputs in (_unet(), _transformer()):
        yield from _measured(name, network, inputs)


def _measured(name: str, network: Any, inputs: dict[str, Any]) -> Iterator[Row]:
    import torch

    from pipelines.models.loaded import Network
    from pipelines.models.residency.fake import FakeDevice
    from pipelines.models.residency.part import Part

    def entering(part: Part) -> None:
        if not part.settled:
            part.fit(max(part.bytes * share // 100, part.minimum))

    with torch.inference_mode():
        expected = network(**inputs)[0]
        alone = _seconds(network, inputs)
        for share in SHARES:
            device = FakeDevice(2**40)
            part = Part(Network(name, "main", network), device, entering)
            network(**inputs)
            before = device.copied_in
            same = torch.equal(network(**inputs)[0], expected)
            moved = device.copied_in - before
            peak, room = device.memory.peak, max(part.bytes * share // 100, part.minimum)
            due = part.bytes - part.resident
            off = abs(moved - due) / part.bytes
            kept = f"{part.resident / part.bytes:.0%} stays"
            note = f"{kept}, {'bit-equal' if same else 'DIFFERENT'}, off by {off:.2%}"
            label = f"{name}, room for {share} %"
            yield Row("residency", f"{label}: peak of the weights", peak / 2**20, "MB", room / 2**20)
            yield Row("residency", f"{label}: moved in a step", moved / 2**20, "MB", note=note)
            cost = _seconds(network, inputs) / alone
            yield Row("residency", f"{label}: CPU time beside all of it there", cost, "times")
            part.leave()
            part.close()
            gc.collect()


def _seconds(network: Any, inputs: dict[str, Any]) -> float:
    """CPU seconds of a step, the best of several."""
    best = float("inf")
    for _ in range(STEPS):
        started = time.process_time()
        network(**inputs)
        best = min(best, time.process_time() - started)
    return best


def _unet() -> tuple[str, Any, dict[str, Any]]:
    """SD 1.x's architecture at a quarter of its width."""
    import torch

    network = import_diffusers().UNet2DConditionModel(
        block_out_channels=(80, 160, 320, 320), cross_attention_dim=192, attention_head_dim=4,
        norm_num_groups=16,
    )  # fmt: skip
    inputs = {
        "sample": torch.randn(2, 4, 32, 32), "timestep": torch.tensor(10),
        "encoder_hidden_states": torch.randn(2, 77, 192),
    }  # fmt: skip
    return "U-Net", network.eval(), inputs


def _transformer() -> tuple[str, Any, dict[str, Any]]:
    """Flux's architecture, small."""
    import torch

    network = import_diffusers().FluxTransformer2DModel(
        in_channels=64, num_layers=6, num_single_layers=12, attention_head_dim=32, num_attention_heads=12,
        joint_attention_dim=256, pooled_projection_dim=64, axes_dims_rope=(8, 12, 12),
    )  # fmt: skip
    inputs = {
        "hidden_states": torch.randn(1, 256, 64), "encoder_hidden_states": torch.randn(1, 64, 256),
        "pooled_projections": torch.randn(1, 64), "timestep": torch.tensor([0.5]),
        "img_ids": torch.zeros(256, 3), "txt_ids": torch.zeros(64, 3),
    }  # fmt: skip
    return "transformer", network.eval(), inputs
