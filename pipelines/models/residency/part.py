"""One network of a model on one device: all of it there, none of it, or some blocks while others stream."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.models.quantized.packed_layers import settle
from pipelines.models.residency.pieces import Piece, split, spread
from pipelines.models.residency.streaming import Stream
from pipelines.models.speed.compiling import uncompile

if TYPE_CHECKING:
    import torch

    from pipelines.models.loaded import Network, Stage
    from pipelines.models.residency.accelerator import Accelerator


class Guard:
    """What diffusers looks for on a network (``_hf_hook``) before it encodes or decodes with it, which
    isn't a forward call, and to know where to make its tensors."""

    def __init__(self, device: torch.device, enter: Callable[[], None]) -> None:
        self.execution_device = device
        self._enter = enter

    def pre_forward(self, module: torch.nn.Module, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Called by diffusers."""
        self._enter()
        return args, kwargs


class Part:
    """A network whose weights can be brought to a device, wholly or in part.

    ``entering`` is called before each use of it, and has to make sure that it :attr:`settled`.
    """

    def __init__(self, network: Network, accelerator: Accelerator, entering: Callable[[Part], None]) -> None:
        self.name = network.name
        self.stage: Stage = network.stage
        self.module = network.module
        self.ceiling = sys.maxsize
        """Bytes it may hold at most, whatever room there is: memory ran out with more."""
        self.planned = False
        """Whether the room for it has been looked at since anything else changed."""
        self.running = 0
        self.used = 0
        self._accelerator = accelerator
        self._entering = entering
        settle(self.module, accelerator.compute)
        self._fixed, self._blocks = split(self.module, divisible=network.divisible)
        self._stream: Stream | None = None
        self._moved = 0
        self._hooks: list[Any] = []
        self._install()

    # --- what it takes --------------------------------------------------------------------------------------

    @property
    def bytes(self) -> int:
        return self._fixed.bytes + sum(block.bytes for block in self._blocks)

    @property
    def window(self) -> int:
        """What must be free for blocks that pass through: the one that computes, and the next."""
        largest = max((block.bytes for block in self._blocks), default=0)
        return largest * (2 if self._accelerator.overlaps else 1)

    @property
    def minimum(self) -> int:
        """The fewest bytes it can be computed with."""
        return min(self._fixed.bytes + self.window, self.bytes)

    @property
    def resident(self) -> int:
        """Bytes that stay on the device between two steps."""
        streamed = self._stream.pieces if self._stream is not None else ()
        pieces = (self._fixed, *self._blocks)
        return sum(piece.bytes for piece in pieces if piece.present and piece not in streamed)

    @property
    def held(self) -> int:
        """Bytes of the device that are taken for it, with those kept free for blocks that pass through."""
        return self.resident + (self.window if self._stream is not None else 0)

    @property
    def host_bytes(self) -> int:
        """Bytes of main memory its weights take."""
        return sum(piece.host_bytes for piece in (self._fixed, *self._blocks))

    @property
    def whole(self) -> bool:
        """Whether all of it is on the device."""
        return self._stream is None and self._fixed.present and all(b.present for b in self._blocks)

    @property
    def settled(self) -> bool:
        """Whether it can be computed as it is, and nothing better was to be had when that was looked at."""
        return self.whole or (self._stream is not None and self.planned)

    @property
    def streaming(self) -> bool:
        return self._stream is not None

    @property
    def moved(self) -> int:
        """Bytes that passed through so far."""
        return self._moved + (self._stream.moved if self._stream is not None else 0)

    # --- coming and going -----------------------------------------------------------------------------------

    def fit(self, room: int) -> None:
        """Put as much of it on the device as ``room`` bytes allow; the rest streams.

        Raises:
            ValueError: ``room`` is less than its :attr:`minimum`.
            torch.OutOfMemoryError: the device has less than was thought; what came in stays.
        """
        room = min(room, max(self.ceiling, self.minimum))
        if room < self.minimum:
            raise ValueError(f"{self.name} needs {self.minimum} bytes, not {room}")
        chosen = self._blocks if self.bytes <= room else self._chosen(room - self._fixed.bytes - self.window)
        self._close_stream()
        staying = {id(block) for block in chosen}
        for block in self._blocks:
            if id(block) not in staying:
                block.detach(self._accelerator)
        keep = self.stage == "encode"  # it leaves after each use
        for piece in (self._fixed, *chosen):
            if not piece.present:
                copies = self._accelerator.copy_in(piece.sources())
                copies.wait()
                piece.attach(copies.tensors, keep=keep)
        if len(chosen) < len(self._blocks):
            uncompile(self.module)  # compiled code doesn't see what fetches a block
            self._stream = Stream(self._accelerator, [b for b in self._blocks if id(b) not in staying])
        self.planned = True

    def grows_by(self, room: int) -> bool:
        """Whether ``room`` bytes are enough to keep more of its blocks than now."""
        smallest = min((block.bytes for block in self._stream.pieces), default=0) if self._stream else 0
        return room >= min(self.held + smallest, self.bytes)

    def leave(self) -> None:
        """All of it to main memory."""
        self._close_stream()
        for piece in (self._fixed, *self._blocks):
            piece.detach(self._accelerator)
        self.planned = False

    def give(self, count: int) -> None:
        """Free at least ``count`` bytes of what it holds, and no more than need be, if that is possible."""
        if self.held == 0:
            return
        if self._blocks and self.held - count >= self.minimum:
            self.fit(self.held - count)
            self.planned = False  # it may have them back when they are free again
        else:
            self.leave()

    def _close_stream(self) -> None:
        if self._stream is not None:
            self._moved += self._stream.moved
            self._stream.close()
            self._stream = None

    def _chosen(self, room: int) -> Sequence[Piece]:
        """Blocks to stay, spread evenly over the network: the others are then fetched while those compute."""
        return [self._blocks[place] for place in spread([block.bytes for block in self._blocks], room)]

    # --- being used -----------------------------------------------------------------------------------------

    def _install(self) -> None:
        self._hooks = [
            self.module.register_forward_pre_hook(lambda *_: self._before(), prepend=True),
            self.module.register_forward_hook(lambda *_: self._after(), always_call=True),
        ]
        vars(self.module)["_hf_hook"] = Guard(self._accelerator.compute, self.enter)

    def enter(self) -> None:
        """Make sure that it can be computed."""
        self._entering(self)

    def _before(self) -> None:
        self.running += 1
        self.enter()
        if self._stream is not None:
            self._stream.begin()

    def _after(self) -> None:
        self.running = max(self.running - 1, 0)
        if self._stream is not None:
            self._stream.end()

    def close(self) -> None:
        """Forget the device and take the hooks away; the network isn't used any more."""
        for hook in self._hooks:
            hook.remove()
        vars(self.module).pop("_hf_hook", None)
        if self._stream is not None:
            self._stream.close()
            self._stream = None
