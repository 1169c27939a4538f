"""Layers and who changes them: everything that concerns whole layers. Every change undoes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QObject, QRect, Signal
from PySide6.QtGui import QImage, QUndoStack

from pipelines.graph.values import check_size
from studio.documents.undo_stack import UndoStack
from studio.mask.busy import Busy
from studio.mask.compose import flattened
from studio.mask.history import MAX_BYTES, History
from studio.mask.layers import CONTROL_OPACITY, OVERLAY_OPACITY, OVERLAYS, Layer, LayerKind, Stack
from studio.mask.resample import quick
from studio.mask.stack_edit import StackEdit, StackStep
from studio.mask.surface import Surface
from studio.translate import tr

MAX_PIXELS = 2**27
"""Largest canvas: it takes about 10 bytes a pixel with its projection, and up to 4 more for each layer."""


@dataclass(frozen=True, slots=True)
class Aside:
    """Layers that aren't shown for a while, and where their steps are."""

    stack: Stack
    history: History
    undo_stack: QUndoStack


class LayerDocument(Busy):
    """The stack of layers. ``region_changed`` says which pixels look different, ``changed`` comes after each
    step (also undone and done again), ``committed`` only after a new one, ``replaced`` when all layers were
    exchanged without a step.

    Args:
        undo_stack: where the steps go (see :attr:`undo_stack`); one of its own without it.
        history_bytes: most bytes of pixels that are kept for undo.
    """

    region_changed = Signal(QRect)
    stack_changed = Signal()
    resized = Signal()
    changed = Signal()
    committed = Signal()
    replaced = Signal()

    def __init__(
        self,
        undo_stack: QUndoStack | None = None,
        parent: QObject | None = None,
        history_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(parent)
        self.undo_stack = undo_stack if undo_stack is not None else UndoStack(self)
        """Where the steps go. Other layers may come with another one: see :meth:`take_up`."""
        self._history_bytes = history_bytes
        self.history = History(history_bytes, self)
        self._stack = Stack()
        self._draft: Layer | None = None
        self._ids = itertools.count(1)

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

    def flattened(self, rect: QRect | None = None, *, counting: bool = False) -> QImage:
        """The picture that visible image and paint layers make (premultiplied), all of it by default.

        Args:
            counting: leave out layers that don't count for generation.
        """
        layers = [layer for layer in self._stack.layers if layer.counts or not counting]
        return flattened(layers, self.rect if rect is None else rect)

    # --- what a tool shows before it is done -------------------------------------------------------------

    @property
    def shown(self) -> tuple[Layer, ...]:
        """The layers as the canvas shows them: :attr:`stack`'s, one of them perhaps as a tool would leave
        it."""
        draft, layers = self._draft, self._stack.layers
        if draft is None:
            return layers
        return tuple(draft if layer.id == draft.id else layer for layer in layers)

    def show_draft(self, layer: Layer | None) -> None:
        """Show ``layer`` in place of the one with its id, or with ``None`` the layers as they are.

        Nothing is changed: any step ends it.
        """
        before, self._draft = self._draft, layer
        area = QRect()
        for shown in (before, layer):
            real = None if shown is None else self._stack.get(shown.id)
            if shown is not None and real is not None:
                area |= shown.area | real.area
        if not (area & self.rect).isEmpty():
            self.region_changed.emit(area & self.rect)

    # --- layers ----------------------------------------------------------------------------------------

    def set_layers(self, stack: Stack) -> None:
        """Replace everything, as when a document is opened: no step, and what came before can't be undone
        any more. Emits ``resized``, ``region_changed``, ``stack_changed`` and ``replaced``.

        Raises:
            ImageTooLarge: more than :data:`MAX_PIXELS`; nothing was changed.
        """
        if not stack.size.isEmpty():
            check_size(stack.width, stack.height, MAX_PIXELS)
        layers = tuple(
            layer if layer.image is None else layer.with_(image=quick(layer.image)) for layer in stack.layers
        )
        if stack.get(stack.active) is None:
            stack = replace(stack, active=layers[-1].id if layers else "")
        self.history.clear()
        self._show_anew(replace(stack, layers=layers))

    def _show_anew(self, stack: Stack) -> None:
        self._draft = None
        self._stack = stack
        self.resized.emit()
        self.region_changed.emit(self.rect)
        self.stack_changed.emit()
        self.replaced.emit()

    def put_aside(self) -> Aside:
        """What is shown, with its steps, for :meth:`take_up`; other layers have to be shown next."""
        self.show_draft(None)
        aside = Aside(self._stack, self.history, self.undo_stack)
        self.history = History(self._history_bytes, self)
        return aside

    def take_up(self, aside: Aside) -> None:
        """Show again what was put aside, with its steps. Signals as :meth:`set_layers`."""
        self.history.clear()
        self.history.deleteLater()
        self.history, self.undo_stack = aside.history, aside.undo_stack
        self._show_anew(aside.stack)

    def replace_layers(self, stack: Stack, text: str) -> None:
        """Other layers in place of these, as one step.

        Raises:
            ImageTooLarge: more than :data:`MAX_PIXELS`; nothing was changed.
        """
        check_size(max(stack.width, 1), max(stack.height, 1), MAX_PIXELS)
        self._push(stack, text)

    def add_layer(self, kind: LayerKind, name: str = "", image: QImage | None = None) -> str:
        """A new layer above the active one, which becomes active; gives its id."""
        stack = self._stack
        above = stack.index(stack.active) + 1 if stack.get(stack.active) else len(stack.layers)
        layer = self._new_layer(kind, name, image)
        self._push(stack.added(layer, above), tr("Add a layer"))
        return layer.id

    def _new_layer(self, kind: LayerKind, name: str, image: QImage | None = None) -> Layer:
        stack = self._stack
        alike = sum(layer.kind is kind for layer in stack.layers)
        titles = {
            LayerKind.IMAGE: tr("Picture"), LayerKind.PAINT: tr("Paint"), LayerKind.MASK: tr("Mask"),
            LayerKind.CONTROL: tr("Control"), LayerKind.REGION: tr("Region"),
            LayerKind.REFERENCE: tr("Reference"),
        }  # fmt: skip
        name = name or (f"{titles[kind]} {alike + 1}" if alike else titles[kind])
        layer = Layer(self._new_id(), kind, name)
        if kind is LayerKind.IMAGE:
            return layer.with_(image=None if image is None else quick(image))
        surface = Surface(stack.width, stack.height, "mask" if layer.is_mask else "paint")
        if layer.is_mask:
            overlays = sum(other.is_mask for other in stack.layers)
            colour = OVERLAYS[overlays % len(OVERLAYS)]
            return layer.with_(opacity=OVERLAY_OPACITY, colour=colour, surface=surface)
        opacity = CONTROL_OPACITY if kind in (LayerKind.CONTROL, LayerKind.REFERENCE) else 1.0
        return layer.with_(opacity=opacity, surface=surface)

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
        twin = layer.with_(id=self._new_id(), name=name, surface=surface, origin=None)
        self._push(stack.added(twin, stack.index(id) + 1), tr("Duplicate a layer"))
        return twin.id

    def remove_layer(self, id: str) -> None:
        """Take a layer away."""
        self._push(self._stack.removed(id), tr("Delete a layer"))

    def move_layer(self, id: str, index: int) -> None:
        """Put a layer elsewhere in the order, 0 at the bottom."""
        self._push(self._stack.moved(id, index), tr("Move a layer"))

    def change_layer(self, id: str, text: str, merge: str = "", **changes: Any) -> None:
        """Change fields of a :class:`~studio.mask.layers.Layer` that say what it is called, how it is shown
        and what it does, as a step called ``text``; those with the same ``merge`` become one."""
        self._push(self._stack.changed(self._stack[id].with_(**changes)), text, merge and f"{id}.{merge}")

    def select(self, id: str) -> None:
        """Make a layer the active one; not an undo step."""
        stack = self._stack
        if id != stack.active and stack.get(id) is not None:
            self._stack = replace(stack, active=id)
            self.stack_changed.emit()

    def _new_id(self) -> str:
        taken = {layer.id for layer in self._stack.layers}
        return next(id for number in self._ids if (id := f"layer{number}") not in taken)

    # --- steps -----------------------------------------------------------------------------------------

    def _push(self, after: Stack, text: str, merge: str = "") -> None:
        before = self._stack
        if after == before and all(
            old.looks_like(new) for old, new in zip(before.layers, after.layers, strict=True)
        ):
            return
        step = StackStep(before, after)
        self.undo_stack.push(StackEdit(step, text, merge, self._show))
        self.history.add(step)
        self.committed.emit()

    def _push_later(self, make: Callable[[], Stack], text: str, merge: str = "") -> None:
        """A step made in a worker thread, which may only read. If anything was changed meanwhile (undone,
        say), that stands and this does not come."""
        before, drawn = self._stack, self._drawn()

        def done(after: Stack) -> None:
            if self._stack.layers is before.layers and self._drawn() == drawn:
                active = self._stack.active
                self._push(replace(after, active=active) if after.get(active) else after, text, merge)
            else:
                self._gave_up()

        self._compute(make, done)

    def _drawn(self) -> list[int]:
        """Grows with what is drawn on the layers."""
        return [layer.surface.revision for layer in self._stack.layers if layer.surface is not None]

    def _gave_up(self) -> None:
        self.show_draft(None)

    def _show(self, stack: Stack) -> None:
        self.show_draft(None)
        before, self._stack = self._stack, stack
        if before.size != stack.size:
            self.resized.emit()
            area = self.rect
        else:
            area = before.difference(stack)
        if not area.isEmpty():
            self.region_changed.emit(area)
        self.stack_changed.emit()
        self.changed.emit()
