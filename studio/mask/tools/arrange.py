"""Moving layers as they are: by dragging, or with the arrow keys, in whole pixels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QTransform

from studio.mask.layers import Layer
from studio.mask.tools.base import Gesture, Sample
from studio.translate import tr

if TYPE_CHECKING:
    from studio.mask.canvas_hand import CanvasHand
    from studio.mask.paint_document import PaintDocument

FAR: Final = 10
"""Pixels that an arrow key moves with Shift."""
ARROWS: Final = {
    Qt.Key.Key_Left: QPoint(-1, 0),
    Qt.Key.Key_Right: QPoint(1, 0),
    Qt.Key.Key_Up: QPoint(0, -1),
    Qt.Key.Key_Down: QPoint(0, 1),
}


def refusal(document: PaintDocument) -> str:
    """Why the active layer can't be moved now, or nothing."""
    layer = document.active
    if document.busy:
        return tr("The last operation is still at work.")
    if layer is None:
        return tr("Choose a layer first.")
    return "" if layer.visible else tr("This layer is hidden: show it to move it.")


def revision(layer: Layer) -> int:
    """Grows with what is drawn on it."""
    return 0 if layer.surface is None else layer.surface.revision


class Arrangement(Gesture):
    """A gesture on the whole active layer. It shows drafts, and ends if something else changes the layer."""

    draws, edits = False, True
    cursor = Qt.CursorShape.SizeAllCursor
    layer: Layer

    def begin(self) -> None:
        why, layer = refusal(self.document), self.document.active
        if why or layer is None:
            self.view.hinted.emit(why)
            self.finished = True
            return
        self.layer, self._revision = layer, revision(layer)
        self.start(layer)

    def start(self, layer: Layer) -> None:
        """The press, on a layer that can be moved."""

    def is_current(self) -> bool:
        """Whether the layer still is what it was at the press."""
        now = self.document.stack.get(self.layer.id)
        return now is self.layer and revision(now) == self._revision

    def cancel(self) -> None:
        self.document.show_draft(None)


class Move(Arrangement):
    """Drags the active layer; with Shift only across or only down."""

    def start(self, layer: Layer) -> None:
        self._by = QPoint()

    def moved(self, sample: Sample) -> None:
        way = sample.at - self.press.at
        if sample.shift:
            way = QPointF(way.x(), 0) if abs(way.x()) >= abs(way.y()) else QPointF(0, way.y())
        by = QPoint(round(way.x()), round(way.y()))
        if by != self._by and self.is_current():
            self._by = by
            layer = self.layer
            self.document.show_draft(layer.with_(x=layer.x + by.x(), y=layer.y + by.y()))

    def released(self, sample: Sample) -> None:
        self.finished = True
        self.document.show_draft(None)
        if self.is_current():
            move_layer(self.document, self.layer, self._by)

    @classmethod
    def cursor_at(cls, view: CanvasHand, at: QPointF) -> Qt.CursorShape | None:
        return cls.cursor

    @classmethod
    def key_action(cls, view: CanvasHand, event: QKeyEvent) -> Callable[[], object] | None:
        step = ARROWS.get(Qt.Key(event.key()))
        return None if step is None else partial(_nudge, view, step * reach(event))


def reach(event: QKeyEvent) -> int:
    """Pixels that an arrow key moves."""
    return FAR if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1


def _nudge(view: CanvasHand, by: QPoint) -> None:
    why, layer = refusal(view.document), view.document.active
    if why or layer is None:
        view.hinted.emit(why)
    else:
        move_layer(view.document, layer, by, "nudge")


def move_layer(document: PaintDocument, layer: Layer, by: QPoint, merge: str = "") -> None:
    """Move a layer's pixels, as one step; those of several nudges become one."""
    matrix = QTransform.fromTranslate(by.x(), by.y())
    document.transform_layer(layer.id, matrix, tr("Move the pixels of a layer"), merge)
