"""Undo by tiles: a step holds what it changed and nothing else; old steps are packed, the oldest dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final
from weakref import ReferenceType, ref

from PySide6.QtCore import QObject, QRect
from PySide6.QtGui import QUndoCommand

from studio.background import in_background
from studio.documents.undo_stack import weak
from studio.mask.stack_edit import StackStep
from studio.mask.surface import Changes, Surface
from studio.mask.tile import Tile

MAX_BYTES: Final = 512 * 2**20
RAW_STEPS: Final = 6
"""The newest steps stay unpacked: what is undone at once is undone quickly."""


class Step:
    """Tiles of one surface before and after. ``alive`` is false once it was dropped for its size."""

    __slots__ = ("__weakref__", "alive", "changes", "surface")

    def __init__(self, surface: Surface, changes: Changes) -> None:
        self.surface, self.changes, self.alive = surface, changes, True

    def tiles(self) -> Iterator[Tile]:
        """Every tile it holds on to."""
        for pair in self.changes.values():
            yield from (tile for tile in pair if tile is not None)

    def undo(self) -> QRect:
        """Put back what was before; gives the area."""
        return self.surface.put({key: before for key, (before, _) in self.changes.items()})

    def redo(self) -> QRect:
        """Put back what came after; gives the area."""
        return self.surface.put({key: after for key, (_, after) in self.changes.items()})

    def shows(self, tile: Tile) -> bool:
        """Whether the surface has the tile now."""
        return any(self.surface.tiles.get(key) is tile for key, pair in self.changes.items() if tile in pair)

    def drop(self) -> None:
        """Let go of the tiles: this step can't be undone any more."""
        self.alive, self.changes = False, {}


AnyStep = Step | StackStep


class History(QObject):
    """The steps of a document, oldest first, at most ``limit`` bytes of them: strokes and changes of layers.

    It only knows the steps; whoever can undo them (an undo stack) keeps them, and lets them go.
    """

    def __init__(self, limit: int = MAX_BYTES, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._limit = limit
        self._known: list[ReferenceType[AnyStep]] = []
        self._packing = False

    @property
    def steps(self) -> list[AnyStep]:
        """The steps that can still be undone or done again, oldest first."""
        found = [step for known in self._known if (step := known()) is not None and step.alive]
        self._known = [ref(step) for step in found]
        return found

    @property
    def nbytes(self) -> int:
        """Bytes held; a tile or picture that several steps share counts once."""
        steps = self.steps
        tiles = {tile for step in steps for tile in step.tiles()}
        layers = [step for step in steps if isinstance(step, StackStep)]
        images = {image.cacheKey(): image.sizeInBytes() for step in layers for image in step.images()}
        return sum(tile.nbytes for tile in tiles) + sum(images.values())

    def clear(self) -> None:
        """Drop every step."""
        for step in self.steps:
            step.drop()

    def add(self, step: AnyStep) -> None:
        """Know a step; older ones are packed, and dropped while all together are too large."""
        self._known.append(ref(step))
        self.pack(wait=self.nbytes > self._limit)
        steps = self.steps
        while len(steps) > 1 and self.nbytes > self._limit:
            steps.pop(0).drop()

    def pack(self, *, wait: bool = False) -> None:
        """Compress tiles of older steps that no surface shows: in a worker thread, or now with ``wait``."""
        tiles = [
            tile
            for step in self.steps[:-RAW_STEPS]
            for tile in step.tiles()
            if not tile.is_packed and not step.shows(tile)
        ]
        if wait:
            self._install([(tile, tile.packed()) for tile in tiles])
        elif tiles and not self._packing:
            self._packing = True
            in_background(self, lambda: [(tile, tile.packed()) for tile in tiles], self._packed)

    def _packed(self, done: list[tuple[Tile, bytes]]) -> None:
        self._packing = False
        self._install(done)

    def _install(self, done: list[tuple[Tile, bytes]]) -> None:
        steps = self.steps
        hidden = {surface for step in steps if isinstance(step, StackStep) for surface in step.surfaces()}
        surfaces = {step.surface for step in steps if isinstance(step, Step)} - hidden
        shown = {tile for surface in surfaces for tile in surface.tiles.values()}
        for tile, packed in done:
            if tile not in shown:
                tile.keep_packed(packed)


class PixelEdit(QUndoCommand):
    """One step on an undo stack; it has been done already when it is pushed.

    A step that was dropped for its size does nothing and takes itself off the stack.
    """

    def __init__(self, step: Step, text: str, changed: Callable[[QRect], object]) -> None:
        super().__init__(text)
        self.step, self._changed = step, weak(changed)
        self._done = True

    def redo(self) -> None:
        if self._done:
            self._done = False
        elif self.step.alive:
            self._changed(self.step.redo())
        else:
            self.setObsolete(True)

    def undo(self) -> None:
        if self.step.alive:
            self._changed(self.step.undo())
        else:
            self.setObsolete(True)
