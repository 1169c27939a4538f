"""The canvas's document: layers and their pixels, and the only one who changes them. Every change undoes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QObject, QRect, Signal, Slot
from PySide6.QtGui import QImage, QUndoCommand, QUndoStack

from pipelines.errors import ErrorInfo
from pipelines.graph.values import check_size
from studio.background import in_background
from studio.mask.compose import FORMAT, flattened
from studio.mask.history import MAX_BYTES, History, PixelEdit, Step
from studio.mask.layers import OVERLAY_OPACITY, OVERLAYS, Layer, LayerKind, Stack
from studio.mask.resample import resampled
from studio.mask.surface import Surface
from studio.mask.tile import Key, Tile
from studio.translate import tr

MAX_PIXELS = 2**27
"""Largest canvas: it takes about 10 bytes a pixel with its projection, and up to 4 more for each layer."""
MERGE_SECONDS = 2.0
"""Changes of one slider become one undo step if they follow each other this quickly."""


class StackEdit(QUndoCommand):
    """One change of the layers themselves: the stack before and after."""

    def __init__(self, document: PaintDocument, before: Stack, after: Stack, text: str, merge: str) -> None:
        super().__init__(text)
        self._document, self._before, self.after, self.merge = document, before, after, merge
        self.time = time.monotonic()

    def redo(self) -> None:
        self._document._show(self.after)

    def undo(self) -> None:
        self._document._show(self._before)

    def id(self) -> int:
        return 2 if self.merge else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, StackEdit) or other.merge != self.merge:
            return False
        if other.time - self.time > MERGE_SECONDS:
            return False
        self.after, self.time = other.after, other.time
        return True


class PaintDocument(QObject):
    """Layers and pixels. ``region_changed`` says which pixels look different, ``changed`` comes after each
    step (also undone and done again), ``committed`` only after a new one.

    Args:
        undo_stack: where the steps go; one of its own without it.
        history_bytes: most bytes of tiles that are kept for undo.
    """

    region_changed = Signal(QRect)
    stack_changed = Signal()
    resized = Signal()
    changed = Signal()
    committed = Signal()
    busy_changed = Signal(bool)
    noticed = Signal(object)
    """An :class:`~pipelines.errors.ErrorInfo`: work in the background failed, nothing was changed."""

    def __init__(
        self,
        undo_stack: QUndoStack | None = None,
        parent: QObject | None = None,
        history_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(parent)
        self.undo_stack = undo_stack if undo_stack is not None else QUndoStack(self)
        self.history = History(history_bytes, self)
        self._stack = Stack()
        self._ids = itertools.count(1)
        self._busy = 0

    # --- looking ---------------------------------------------------------------------------------------

    @property
    def stack(self) -> Stack:
        """The layers as they are now: immutable."""
        return self._stack

    @property
    def rect(self) -> QRect:
        return QRect(0, 0, self._stack.width, self._stack.height)

    @property
    def active(self) -> Layer | None:
        """The layer that tools work on."""
        return self._stack.get(self._stack.active)

    @property
    def busy(self) -> bool:
        """Whether an operation is computed in the background; until it ends nothing else can be drawn."""
        return self._busy > 0

    def flattened(self, rect: QRect | None = None, *, counting: bool = False) -> QImage:
        """The picture that visible image and paint layers make (premultiplied), all of it by default.

        Args:
            counting: leave out layers that don't count for generation.
        """
        layers = [layer for layer in self._stack.layers if layer.counts or not counting]
        return flattened(layers, self.rect if rect is None else rect)

    # --- layers ----------------------------------------------------------------------------------------

    def set_image(self, image: QImage, name: str = "") -> None:
        """Show a picture as the bottom layer, in place of the one that was there.

        Masks and paint stay; if the picture has another size, they are resampled to it.

        Raises:
            ImageTooLarge: more than :data:`MAX_PIXELS`; nothing was changed.
        """
        check_size(image.width(), image.height(), MAX_PIXELS)
        before = self._stack
        size = image.size()
        # what is drawn with every repaint should be in the form that is drawn quickly
        clear = image.hasAlphaChannel()
        image = image.convertToFormat(FORMAT if clear else QImage.Format.Format_RGB32)
        layers = before.layers
        if size != before.size:
            layers = tuple(
                layer if layer.surface is None else layer.with_(surface=resampled(layer.surface, size))
                for layer in layers
            )
        if layers and layers[0].kind is LayerKind.IMAGE:
            layers = (layers[0].with_(image=image, name=name or layers[0].name), *layers[1:])
        else:
            base = Layer(self._new_id(), LayerKind.IMAGE, name or tr("Picture"), image=image)
            layers = (base, *layers)
        active = before.active or layers[0].id
        self._push(Stack(size.width(), size.height(), layers, active), tr("Set the picture"))

    def add_layer(self, kind: LayerKind, name: str = "", image: QImage | None = None) -> str:
        """A new layer above the active one, which becomes active; gives its id."""
        stack = self._stack
        above = stack.index(stack.active) + 1 if stack.get(stack.active) else len(stack.layers)
        layer = self._new_layer(kind, name, image)
        self._push(stack.added(layer, above), tr("Add a layer"))
        return layer.id

    def _new_layer(self, kind: LayerKind, name: str, image: QImage | None) -> Layer:
        stack = self._stack
        alike = sum(layer.kind is kind for layer in stack.layers)
        titles = {LayerKind.IMAGE: tr("Picture"), LayerKind.PAINT: tr("Paint"), LayerKind.MASK: tr("Mask")}
        name = name or (f"{titles[kind]} {alike + 1}" if alike else titles[kind])
        if kind is LayerKind.IMAGE:
            return Layer(self._new_id(), kind, name, image=image)
        if kind is LayerKind.PAINT:
            return Layer(self._new_id(), kind, name, surface=Surface(stack.width, stack.height, "paint"))
        return Layer(
            self._new_id(), kind, name, OVERLAY_OPACITY, colour=OVERLAYS[alike % len(OVERLAYS)],
            surface=Surface(stack.width, stack.height, "mask"),
        )  # fmt: skip

    def duplicate(self, id: str) -> str:
        """A copy of a layer above it; gives the copy's id."""
        stack = self._stack
        layer = stack[id]
        surface = layer.surface
        if surface is not None:
            copy = surface.empty_copy()
            copy.put(surface.tiles)
            surface = copy
        name = tr("{name} copy", name=layer.name)
        twin = layer.with_(id=self._new_id(), name=name, surface=surface)
        self._push(stack.added(twin, stack.index(id) + 1), tr("Duplicate a layer"))
        return twin.id

    def remove_layer(self, id: str) -> None:
        """Take a layer away."""
        self._push(self._stack.removed(id), tr("Delete a layer"))

    def move_layer(self, id: str, index: int) -> None:
        """Put a layer elsewhere, 0 at the bottom."""
        self._push(self._stack.moved(id, index), tr("Move a layer"))

    def change_layer(self, id: str, text: str, merge: str = "", **changes: Any) -> None:
        """Change fields of a layer (``name``, ``opacity``, ``visible``, ``counts``, ``colour``)."""
        self._push(self._stack.changed(self._stack[id].with_(**changes)), text, merge and f"{id}.{merge}")

    def select(self, id: str) -> None:
        """Make a layer the active one; not an undo step."""
        stack = self._stack
        if id != stack.active and stack.get(id) is not None:
            self._stack = Stack(stack.width, stack.height, stack.layers, id)
            self.stack_changed.emit()

    def _new_id(self) -> str:
        taken = {layer.id for layer in self._stack.layers}
        return next(id for number in self._ids if (id := f"layer{number}") not in taken)

    def _push(self, after: Stack, text: str, merge: str = "") -> None:
        if after != self._stack or any(
            not old.looks_like(new) for old, new in zip(self._stack.layers, after.layers, strict=False)
        ):
            self.undo_stack.push(StackEdit(self, self._stack, after, text, merge))
            self.committed.emit()

    def _show(self, stack: Stack) -> None:
        before, self._stack = self._stack, stack
        if before.size != stack.size:
            self.resized.emit()
        alike = len(before.layers) == len(stack.layers) and all(
            old.id == new.id and old.looks_like(new)
            for old, new in zip(before.layers, stack.layers, strict=True)
        )
        if not alike:
            self.region_changed.emit(self.rect)
        self.stack_changed.emit()
        self.changed.emit()

    # --- pixels ----------------------------------------------------------------------------------------

    def touched(self, rect: QRect) -> None:
        """A tool has drawn here, and has not finished yet."""
        if not rect.isEmpty():
            self.region_changed.emit(rect)

    def commit(self, surface: Surface, text: str) -> bool:
        """Keep what a tool drew as one step; whether anything differs."""
        changes = surface.commit()
        if changes:
            self._keep(Step(surface, changes), text)
        return bool(changes)

    def put_tiles(self, surface: Surface, tiles: Mapping[Key, Tile | None], text: str) -> bool:
        """Put computed tiles in place as one step; whether anything differs."""
        changes = surface.changes_to(tiles)
        if not changes:
            return False
        step = Step(surface, changes)
        self.touched(step.redo())
        self._keep(step, text)
        return True

    def compute(
        self, surface: Surface, work: Callable[[], Mapping[Key, Tile | None]], text: str, *, large: bool
    ) -> None:
        """Tiles from ``work`` as one step: at once, or in a worker thread if it is ``large``.

        ``work`` must only read what it was given (see :meth:`Surface.snapshot`). While it runs the document
        is :attr:`busy`. Errors of small work are raised, those of large work come as ``noticed``.
        """
        if not large:
            self.put_tiles(surface, work(), text)
            return
        self._set_busy(1)
        revision = surface.revision

        def done(tiles: Mapping[Key, Tile | None]) -> None:
            self._set_busy(-1)
            # something else may have changed the layer meanwhile (undo): that stands
            if surface.revision == revision and any(layer.surface is surface for layer in self._stack.layers):
                self.put_tiles(surface, tiles, text)

        def failed(error: ErrorInfo) -> None:
            self._set_busy(-1)
            self.noticed.emit(error)

        in_background(self, work, done, failed)

    def _set_busy(self, by: int) -> None:
        was, self._busy = self.busy, self._busy + by
        if was != self.busy:
            self.busy_changed.emit(self.busy)

    def _keep(self, step: Step, text: str) -> None:
        self.history.add(step)
        self.undo_stack.push(PixelEdit(step, text, self._restored))
        self.changed.emit()
        self.committed.emit()

    @Slot(QRect)
    def _restored(self, rect: QRect) -> None:
        self.region_changed.emit(rect)
        self.changed.emit()
