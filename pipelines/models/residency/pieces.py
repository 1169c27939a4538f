"""Networks in pieces that come and go by themselves: one for each block, and one for all that is in none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from pipelines.models.quantized.packed_layers import tensors_of

if TYPE_CHECKING:
    import torch

    from pipelines.models.residency.accelerator import Accelerator

LARGEST_SHARE: Final = 16
"""A block with more than this part of a network's bytes is taken apart, if it is made of blocks itself."""
MOST: Final = 0.8
"""It is taken apart if its own blocks hold at least so much of it: the rest always stays."""
SMALLEST_SHARE: Final = 512
"""A block with less than this part of them isn't worth a copy of its own."""


class Piece:
    """Weights that are on the device together, or in main memory together.

    ``module`` is called for each use of them; the piece of what is in no block has the whole network there.
    """

    def __init__(self, module: torch.nn.Module, tensors: Sequence[torch.Tensor]) -> None:
        self.module = module
        self.present = False
        self.tensors = tuple(tensors)
        self._home: list[torch.Tensor] | None = None

    @property
    def bytes(self) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors)

    @property
    def host_bytes(self) -> int:
        """Bytes of it in main memory: its weights, or the copy that waits there."""
        return self.bytes if not self.present or self._home is not None else 0

    def sources(self) -> list[torch.Tensor]:
        """Its tensors in main memory, to be copied from."""
        return [tensor.data for tensor in self.tensors]

    def lock(self, accelerator: Accelerator) -> None:
        """Keep its weights where the device can fetch them by itself; only while they are in main memory."""
        with changing():
            _assign(self.tensors, accelerator.lock(self.sources()))

    def attach(self, tensors: Sequence[torch.Tensor], *, keep: bool) -> None:
        """Compute with ``tensors`` of the device; ``keep`` the ones of main memory for later."""
        with changing():
            self._home = self.sources() if keep else None
            _assign(self.tensors, tensors)
        self.present = True

    def detach(self, accelerator: Accelerator) -> None:
        """Back to main memory: what was kept there, or a copy of what is on the device."""
        if not self.present:
            return
        home, self._home = self._home, None
        with changing():
            now = self.sources()
            if home is None or any(old.dtype != new.dtype for old, new in zip(home, now, strict=True)):
                home = accelerator.copy_out(now)
            _assign(self.tensors, home)
        self.present = False


@contextmanager
def changing() -> Iterator[None]:
    """Weights may be exchanged in the block, whatever is being computed around it."""
    import torch

    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        yield


def _assign(tensors: Sequence[torch.Tensor], values: Sequence[torch.Tensor]) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        tensor.data = value


def split(module: torch.nn.Module, *, divisible: bool = True) -> tuple[Piece, list[Piece]]:
    """The piece of what must always be there, and the pieces of the blocks in the order they are named.

    Blocks are the items of module lists, which every architecture calls one by one. What is shared between
    two of them belongs to none.
    """
    tensors = list(weights_of(module))
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    blocks = list(_blocks(module, total)) if divisible else []
    uses = Counter(id(tensor) for block in blocks for tensor in weights_of(block))
    outside = _outside(module, blocks)
    shared = {key for key, count in uses.items() if count > 1} | outside
    pieces = [
        Piece(block, [tensor for tensor in weights_of(block) if id(tensor) not in shared]) for block in blocks
    ]
    pieces = [piece for piece in pieces if piece.bytes]
    taken = {id(tensor) for piece in pieces for tensor in piece.tensors}
    return Piece(module, [tensor for tensor in tensors if id(tensor) not in taken]), pieces


def spread(sizes: Sequence[int], room: int) -> list[int]:
    """Which of blocks of such sizes stay where there is ``room`` for some: spread as evenly as may be, then
    the first that still fit.
    """
    total, due, taken = sum(sizes), 0.0, 0
    chosen: list[int] = []
    for place, size in enumerate(sizes):
        due += size * room / total
        if taken + size <= due:
            chosen.append(place)
            taken += size
    for place, size in enumerate(sizes):  # what the spreading left over
        if place not in chosen and taken + size <= room:
            chosen.append(place)
            taken += size
    return chosen


def weights_of(module: torch.nn.Module) -> Iterator[torch.Tensor]:
    """Parameters, buffers and what packed layers keep beside them, each once."""
    yield from module.parameters()
    yield from module.buffers()
    seen: set[int] = set()
    for child in module.modules():
        for tensor in tensors_of(child):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                yield tensor


def _outside(module: torch.nn.Module, blocks: Sequence[torch.nn.Module]) -> set[int]:
    """Ids of the tensors that a module outside of all blocks holds as well (tied embeddings)."""
    inside = {id(child) for block in blocks for child in block.modules()}
    return {
        id(tensor)
        for child in module.modules()
        if id(child) not in inside
        for tensor in (*child.parameters(recurse=False), *child.buffers(recurse=False), *tensors_of(child))
    }


def _size(module: torch.nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in weights_of(module))


def _blocks(module: torch.nn.Module, total: int) -> Iterator[torch.nn.Module]:
    import torch

    for child in module.children():
        items = list(child) if isinstance(child, torch.nn.ModuleList) else []
        for item in items:
            size = _size(item)
            inner = list(_blocks(item, total)) if size * LARGEST_SHARE > total else []
            if size and sum(map(_size, inner)) >= MOST * size:
                yield from inner
            elif size * SMALLEST_SHARE >= total:
                yield item
        if not items:
            yield from _blocks(child, total)
