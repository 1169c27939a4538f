"""A card of main memory with a manager on it, and models made in memory instead of read from the disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from pipelines.graph.values import ModelHandle
from pipelines.models.loaded import LoadedDiffusion, LoadedLanguage, Network
from pipelines.models.loading import networks_of
from pipelines.models.residency import Residency
from pipelines.models.residency.fake import FakeDevice
from pipelines.models.residency.part import Part
from tests.helpers.model_files import LoadingContext


class Loader:
    """Hands out pipelines made in memory; counts how often each is read."""

    def __init__(self, device: FakeDevice, **made: Callable[[], Any]) -> None:
        self.device, self.made = device, made
        self.loads: list[str] = []

    def accelerator(self, device: str) -> FakeDevice | None:
        return None if device == "cpu" else self.device

    def load(self, handle: ModelHandle, device: str, context: Any) -> Any:
        self.loads.append(handle.id)
        made = self.made[handle.id]()
        if handle.kind == "language":
            return LoadedLanguage(handle, made, None, self.device.compute, torch.float32)
        return LoadedDiffusion(handle, made, self.device.compute, torch.float32, {})

    def networks(self, loaded: Any) -> list[Network]:
        return networks_of(loaded)

    def estimate(self, handle: ModelHandle, device: str) -> int:
        return 1000

    def size(self, loaded: Any) -> int:
        tensors = (t for network in networks_of(loaded) for t in network.module.state_dict().values())
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def move(self, loaded: Any, device: str) -> None:
        raise AssertionError("models on an accelerator are moved network by network")

    def movable(self, loaded: Any) -> bool:
        return True


class FakeCard:
    """A manager on a fake card of ``room`` bytes for weights, beside ``host`` bytes of main memory."""

    def __init__(self, room: int, host: int = 2**30, **made: Callable[[], Any]) -> None:
        self.device = FakeDevice(room)
        self.loader = Loader(self.device, **made)
        self.now = 0.0
        budget = {"fake:0": room, "cpu": host}
        self.manager = Residency(self.loader, lambda device, held: budget[device], clock=lambda: self.now)

    def use(self, name: str, kind: str = "diffusion") -> Any:
        handle = ModelHandle(kind, name, f"/{name}", name, fingerprint="1")
        return self.manager.use(handle, LoadingContext("fake:0"))

    def draw(self, name: str) -> torch.Tensor:
        with self.use(name) as loaded:
            return draw(loaded.pipeline)


def draw(pipeline: Any, steps: int = 2) -> torch.Tensor:
    """One small picture by diffusers' own call."""
    pipeline.set_progress_bar_config(disable=True)
    result = pipeline(
        "a red cube", height=64, width=64, num_inference_steps=steps, output_type="pt",
        generator=torch.Generator().manual_seed(1),
    )  # fmt: skip
    return result.images


def part_on(device: FakeDevice, network: Any, room: Callable[[Part], int]) -> Part:
    """A network on a device of which it may take ``room`` bytes."""

    def entering(part: Part) -> None:
        if not part.settled:
            part.fit(room(part))

    return Part(Network("network", "main", network), device, entering)


def parts(loaded: Any) -> dict[str, Part]:
    """Its networks as the manager sees them."""
    return {part.name: part for part in loaded.residence._slot.parts}
