"""A card that isn't there: main memory with an enforced limit, and the same code around it as for a real one.

It is as strict as hardware: what isn't on it can't be computed with, copies have no values until they are
waited for, and beyond its limit there is no memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch

from pipelines.models.residency.meter import Ledger, Meter


class NotOnDevice(RuntimeError):
    """Something was computed with weights of main memory; a real card says so in its own words."""


class _Copy:
    def __init__(self, device: FakeDevice, tensors: list[torch.Tensor], sources: list[torch.Tensor]) -> None:
        self.tensors = tensors
        self._device, self._sources = device, sources

    def wait(self) -> None:
        with torch.inference_mode(False), torch.no_grad(), self._device.copying():
            for target, source in zip(self.tensors, self._sources, strict=True):
                target.copy_(source)
        self._sources = []


class FakeDevice:
    """An :class:`pipelines.models.residency.accelerator.Accelerator` of ``limit`` bytes of main memory.

    Args:
        overlaps: as if it had a stream of its own for copies.
    """

    def __init__(self, limit: int, name: str = "fake:0", *, overlaps: bool = True) -> None:
        self.name, self.overlaps = name, overlaps
        self.compute = torch.device("cpu")
        self.memory = Ledger(limit)
        self.copied_in = 0
        self.copied_out = 0
        self._waiting = Ledger()
        self._at_work = 0

    def copy_in(self, tensors: Sequence[torch.Tensor]) -> _Copy:
        with torch.inference_mode(False), torch.no_grad(), self.copying():
            new = [_undefined(tensor) for tensor in tensors]
            for tensor in new:
                self.memory.add(tensor)
            for tensor in tensors:
                self._waiting.add(tensor)
        self.copied_in += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return _Copy(self, new, list(tensors))

    def copy_out(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        self.copied_out += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        with self.copying():
            new = [tensor.clone() for tensor in tensors]
        for tensor in new:
            self._waiting.add(tensor)
        return new

    def lock(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return list(tensors)

    def empty_cache(self) -> None:
        return None

    @contextmanager
    def copying(self) -> Iterator[None]:
        """What is done in the block isn't computed on the device."""
        self._at_work += 1
        try:
            yield
        finally:
            self._at_work -= 1

    @contextmanager
    def metered(self) -> Iterator[FakeDevice]:
        """What is computed in the block takes this device's memory too, and its weights must be there."""
        with Meter(_Unless(self), self._check):
            yield self

    def _check(self, tensors: Iterable[torch.Tensor]) -> None:
        if self._at_work:
            return
        for tensor in tensors:
            if self._waiting.knows(tensor) and not self.memory.knows(tensor):
                raise NotOnDevice(f"Weights of shape {tuple(tensor.shape)} are in main memory.")


class _Unless(Ledger):
    """The memory of a device, except for what is done while it copies."""

    def __init__(self, device: FakeDevice) -> None:
        super().__init__()
        self._device = device

    def add(self, tensor: torch.Tensor) -> None:
        if not self._device._at_work:
            self._device.memory.add(tensor)


def _undefined(tensor: torch.Tensor) -> torch.Tensor:
    """Memory as a copy finds it; values that spoil whatever is computed with them too early."""
    new = torch.empty_like(tensor)
    return new.fill_(math.nan) if new.is_floating_point() else new.zero_()
