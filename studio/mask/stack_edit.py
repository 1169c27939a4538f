"""Undo of the layers themselves: the stack before and after, whose pixels count like those of strokes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from PySide6.QtGui import QImage, QUndoCommand

from studio.documents.undo_stack import weak
from studio.mask.layers import Stack
from studio.mask.surface import Surface
from studio.mask.tile import Tile

MERGE_SECONDS = 2.0
"""Changes of one slider become one undo step if they follow each other this quickly."""


class StackStep:
    """A stack before and after. It holds on to the pixels that only the one not shown has: those of layers
    deleted, replaced or resampled (or, once undone, those that came)."""

    __slots__ = ("__weakref__", "after", "alive", "before", "done")

    def __init__(self, before: Stack, after: Stack) -> None:
        self.before, self.after = before, after
        self.alive, self.done = True, True

    def surfaces(self) -> Iterator[Surface]:
        """Surfaces that nothing shows."""
        hidden, shown = self._sides()
        kept = {id(layer.surface) for layer in shown.layers}
        for layer in hidden.layers:
            if layer.surface is not None and id(layer.surface) not in kept:
                yield layer.surface

    def images(self) -> Iterator[QImage]:
        """Pictures that nothing shows."""
        hidden, shown = self._sides()
        kept = {id(layer.image) for layer in shown.layers}
        for layer in hidden.layers:
            if layer.image is not None and id(layer.image) not in kept:
                yield layer.image

    def _sides(self) -> tuple[Stack, Stack]:
        return (self.before, self.after) if self.done else (self.after, self.before)

    def tiles(self) -> Iterator[Tile]:
        """Every tile it holds on to."""
        for surface in self.surfaces():
            yield from surface.tiles.values()

    def shows(self, tile: Tile) -> bool:
        """Whether the canvas needs the tile: nothing of what this holds."""
        return False

    def drop(self) -> None:
        """Let go of the layers: this step can't be undone any more."""
        self.alive, self.before, self.after = False, Stack(), Stack()


class StackEdit(QUndoCommand):
    """One change of the layers on an undo stack. A step that was dropped takes itself off the stack."""

    def __init__(self, step: StackStep, text: str, merge: str, show: Callable[[Stack], object]) -> None:
        super().__init__(text)
        self.step, self.merge, self._show = step, merge, weak(show)
        self.time = time.monotonic()

    def redo(self) -> None:
        if self.step.alive:
            self.step.done = True
            self._show(self.step.after)
        else:
            self.setObsolete(True)

    def undo(self) -> None:
        if self.step.alive:
            self.step.done = False
            self._show(self.step.before)
        else:
            self.setObsolete(True)

    def id(self) -> int:
        return 2 if self.merge else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, StackEdit) or other.merge != self.merge:
            return False
        if other.time - self.time > MERGE_SECONDS or not self.step.alive:
            return False
        self.step.after, self.time = other.step.after, other.time
        return True
