"""Devices with a memory of their own, as those see them that move weights: any that torch has, or a fake one.

Everything here goes through torch's device-independent interface (``torch.accelerator``, ``torch.Stream``),
so that a card of another maker needs no line of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import torch

OVERLAPPING: Final = ("cuda", "xpu")
"""Kinds of devices that copy on a stream of their own while they compute; on others a copy is a plain one."""


class Copying(Protocol):
    """Tensors on their way to a device."""

    @property
    def tensors(self) -> list[torch.Tensor]:
        """Where they will be, with undefined values until :meth:`wait`."""

    def wait(self) -> None:
        """Let everything that is computed from here on wait for the copies."""


class Accelerator(Protocol):
    """A device that weights are brought to and taken from."""

    name: str
    """What a context calls it (``cuda:0``)."""
    overlaps: bool
    """Whether copies run while something is computed, so that fetching ahead is worth its memory."""

    @property
    def compute(self) -> torch.device:
        """The torch device of what is computed there."""

    def copy_in(self, tensors: Sequence[torch.Tensor]) -> Copying:
        """Take memory for copies of ``tensors`` and begin to fill it.

        Raises:
            torch.OutOfMemoryError: there is none.
        """

    def copy_out(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Copies in main memory, complete on return."""

    def lock(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """``tensors`` of main memory in pages that the device reads by itself, or as they are."""

    def empty_cache(self) -> None:
        """Give memory back that is only kept for later."""


class _Copied:
    """A copy that is complete, or will be when ``stream`` has come to ``event``."""

    def __init__(self, tensors: list[torch.Tensor], event: torch.Event | None, device: torch.device) -> None:
        self.tensors = tensors
        self._event, self._device = event, device

    def wait(self) -> None:
        import torch

        if self._event is not None:
            torch.accelerator.current_stream(self._device).wait_event(self._event)
            self._event = None


class TorchAccelerator:
    """A device of this computer (``cuda:0``, ``xpu:0``, ``mps``…)."""

    def __init__(self, name: str) -> None:
        import torch

        self.name = name
        self.compute = torch.device(name)
        self.overlaps = self.compute.type in OVERLAPPING
        self._stream: torch.Stream | None = None

    def copy_in(self, tensors: Sequence[torch.Tensor]) -> _Copied:
        """See :class:`Accelerator`.

        Memory is taken on the computing stream, where it is given back as well: whatever used it before is
        then over by the time the side stream, which waits for that one, writes to it.
        """
        import torch

        new = [torch.empty_like(tensor, device=self.compute) for tensor in tensors]
        if not self.overlaps:
            for target, source in zip(new, tensors, strict=True):
                target.copy_(source)
            return _Copied(new, None, self.compute)
        if self._stream is None:
            self._stream = torch.Stream(device=self.compute)
        self._stream.wait_stream(torch.accelerator.current_stream(self.compute))
        with self._stream:
            for target, source in zip(new, tensors, strict=True):
                target.copy_(source, non_blocking=True)
        return _Copied(new, self._stream.record_event(), self.compute)

    def copy_out(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return [tensor.to("cpu") for tensor in tensors]

    def lock(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        if not self.overlaps:
            return list(tensors)
        try:
            return [tensor if tensor.is_pinned() else tensor.pin_memory() for tensor in tensors]
        except RuntimeError:  # the system gives no more such pages: an ordinary copy is slower, no worse
            return list(tensors)

    def empty_cache(self) -> None:
        import torch

        if self.compute.type != "cpu":
            torch.accelerator.empty_cache()


def open_accelerator(name: str, reserve: int = 0) -> TorchAccelerator:
    """A device of this computer, of which ``reserve`` bytes are left to other programs.

    Drivers for Windows move what doesn't fit into main memory without a word, which makes a run many times
    slower than offloading does: there, torch's own allocator fails at the limit instead.
    """
    import torch

    made = TorchAccelerator(name)
    if sys.platform == "win32" and made.compute.type == "cuda":
        free, total = torch.cuda.mem_get_info(made.compute)
        share = (free + torch.cuda.memory_reserved(made.compute) - reserve) / total
        torch.cuda.set_per_process_memory_fraction(min(max(share, 0.05), 1.0), made.compute)
    return made
