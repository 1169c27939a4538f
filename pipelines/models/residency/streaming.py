"""Blocks that are fetched when they are needed: the next one while the one before it computes.

What diffusers calls group offloading streams every block; here those that fit stay (:mod:`.part` chooses
them), and only the others pass through.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipelines.models.residency.pieces import Piece

if TYPE_CHECKING:
    from pipelines.models.residency.accelerator import Accelerator, Copying


class Stream:
    """Fetches ``pieces`` one by one as their modules are called, and lets each go when its call is over.

    At most two are on the device at a time (one, where copies don't overlap with computing). The order of
    the calls is taken from the pass before: some networks call their blocks in another order than they name
    them.
    """

    def __init__(self, accelerator: Accelerator, pieces: Sequence[Piece]) -> None:
        self.pieces = tuple(pieces)
        self.moved = 0
        """Bytes fetched so far."""
        self._accelerator = accelerator
        self._order = list(pieces)
        self._called: list[Piece] = []
        self._ahead: tuple[Piece, Copying] | None = None
        for piece in self.pieces:
            piece.lock(accelerator)
        self._hooks = [hook for piece in self.pieces for hook in self._hooked(piece)]

    def _hooked(self, piece: Piece) -> tuple[Any, Any]:
        """The piece's own hooks; the second is called even if the block fails or the user cancels."""
        before = piece.module.register_forward_pre_hook(lambda *_: self._enter(piece), prepend=True)
        after = piece.module.register_forward_hook(lambda *_: self._leave(piece), always_call=True)
        return before, after

    def begin(self) -> None:
        """A pass through the network begins: fetch the first piece while what comes before it computes."""
        self._called = []
        if self._order:
            self._fetch_ahead(self._order[0])

    def end(self) -> None:
        """A pass is over, complete or not."""
        if len(self._called) == len(self.pieces):
            self._order = self._called

    def close(self) -> None:
        """Leave everything in main memory, for good."""
        for hook in self._hooks:
            hook.remove()
        if self._ahead is not None:
            self._ahead[1].wait()  # its memory must not be given away while it is still written to
            self._ahead = None
        for piece in self.pieces:
            piece.detach(self._accelerator)

    def _enter(self, piece: Piece) -> None:
        if piece.present:
            return
        if self._ahead is not None and self._ahead[0] is piece:
            copies = self._ahead[1]
            self._ahead = None
        else:
            copies = self._fetch(piece)
        copies.wait()
        piece.attach(copies.tensors, keep=True)
        self._called.append(piece)
        rest = self._order[self._order.index(piece) + 1 :]
        following = next((other for other in rest if other not in self._called), None)
        if following is not None:
            self._fetch_ahead(following)

    def _leave(self, piece: Piece) -> None:
        piece.detach(self._accelerator)

    def _fetch_ahead(self, piece: Piece) -> None:
        """Begin with a piece that will be needed soon; one that was fetched and not called yet still is."""
        if self._accelerator.overlaps and self._ahead is None and not piece.present:
            self._ahead = (piece, self._fetch(piece))

    def _fetch(self, piece: Piece) -> Copying:
        copies = self._accelerator.copy_in(piece.sources())
        self.moved += piece.bytes
        return copies
