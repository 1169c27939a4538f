"""Scaling, turning and mirroring the active layer by the handles of a box, until Enter or Esc."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath

from studio.mask.areas import distance
from studio.mask.layers import Layer
from studio.mask.placement import CORNERS, EDGES, Handle, Placement
from studio.mask.tools.arrange import ARROWS, FAR, Arrangement, refusal
from studio.mask.tools.base import Sample, draw_outline, handle, outline_rect
from studio.mask.transform_draft import TransformDraft
from studio.mask.transforming import bounds_of
from studio.theme import current_theme
from studio.translate import tr

if TYPE_CHECKING:
    from studio.mask.canvas_hand import CanvasHand

GRAB: Final = 9.0
"""Pixels of the view from which a handle is taken."""
TURN: Final = "turn"
MOVE: Final = "move"
Part = Handle | str
"""A handle, :data:`MOVE` inside of the box, or :data:`TURN` outside of it."""
_CURSORS: Final = (
    Qt.CursorShape.SizeHorCursor,
    Qt.CursorShape.SizeFDiagCursor,
    Qt.CursorShape.SizeVerCursor,
    Qt.CursorShape.SizeBDiagCursor,
)


class Transform(Arrangement):
    """Corners scale in ratio (Shift: freely), edges one way (Shift: in ratio), Alt about the middle; inside
    moves, outside turns (Shift: by 15°). H and V mirror, arrows move, Backspace takes the last change back,
    Enter applies."""

    def start(self, layer: Layer) -> None:
        bounds = bounds_of(layer)
        if bounds.isEmpty():
            self.view.hinted.emit(tr("This layer is empty: there is nothing to transform."))
            self.finished = True
            return
        self._draft = TransformDraft(layer, self.document.stack.size)
        self._placement = Placement(QRectF(bounds))
        self._before: list[Placement] = []
        self._dragging = False
        self.pressed(self.press)

    # --- the pointer -----------------------------------------------------------------------------------

    def pressed(self, sample: Sample) -> None:
        if not self._still_there():
            return
        self._part = part_at(self.view, self._placement, sample.view_at)
        self._from, self._start = sample.at, self._placement
        self._dragging = True

    def moved(self, sample: Sample) -> None:
        if not self._still_there():
            return
        if not self._dragging:
            self.view.setCursor(cursor_for(self.view, self._placement, sample.view_at))
            return
        start, part = self._start, self._part
        if isinstance(part, tuple):
            corner = 0 not in part
            to = start.point(part) + sample.at - self._from
            after = start.scaled(part, to, keep_ratio=corner != sample.shift, centred=sample.alt)
        elif part == MOVE:
            after = start.moved(sample.at - self._from)
        else:
            after = start.turned(self._from, sample.at, steps=sample.shift)
        self._show(after)

    def released(self, sample: Sample) -> None:
        if self._dragging and self._placement != self._start:
            if not self._before:
                hint = tr("Enter applies, Esc cancels, H and V mirror, Backspace goes a step back.")
                self.view.hinted.emit(hint)
            self._before.append(self._start)
        self._dragging = False
        # a click changes nothing, and keeps no keys
        self.finished = not self._before

    # --- keys ------------------------------------------------------------------------------------------

    def key(self, key: int, far: bool) -> None:
        step = ARROWS.get(Qt.Key(key))
        if self._dragging or not self._still_there():
            return
        if step is not None:
            self._change(self._placement.moved(QPointF(step * (FAR if far else 1))))
        elif key in (Qt.Key.Key_H, Qt.Key.Key_V):
            self._change(self._placement.mirrored(horizontal=key == Qt.Key.Key_H))

    def _change(self, placement: Placement) -> None:
        self._before.append(self._placement)
        self._show(placement)

    def step_back(self) -> None:
        if self._before and not self._dragging:
            self._show(self._before.pop())

    def accept(self) -> None:
        self.finished = True
        placement = self._placement
        if placement.is_unchanged or not self.is_current():
            self.cancel()
        else:
            self.document.transform_layer(self.layer.id, placement.matrix(), tr("Transform a layer"))

    def left(self) -> None:
        self.accept()

    # --- what is seen ----------------------------------------------------------------------------------

    def _still_there(self) -> bool:
        if not self.is_current():
            self.finished = True
            self.cancel()
        return not self.finished

    def _show(self, placement: Placement) -> None:
        if placement == self._placement:
            return
        self._placement = placement
        self.document.show_draft(self._draft.at(placement.matrix()))

    def paint(self, painter: QPainter) -> None:
        if not self.finished:
            paint_box(self.view, painter, self._placement)

    def painted_rect(self) -> QRect:
        return outline_rect(box_path(self.view, self._placement)) if not self.finished else QRect()

    @classmethod
    def paint_idle(cls, view: CanvasHand, painter: QPainter) -> None:
        placement = idle_placement(view)
        if placement is not None:
            paint_box(view, painter, placement)

    @classmethod
    def cursor_at(cls, view: CanvasHand, at: QPointF) -> Qt.CursorShape | None:
        placement = idle_placement(view)
        return None if placement is None else cursor_for(view, placement, at)


def idle_placement(view: CanvasHand) -> Placement | None:
    """The box of the active layer, if it can be transformed now."""
    layer = view.document.active
    if layer is None or refusal(view.document):
        return None
    bounds = bounds_of(layer)
    return None if bounds.isEmpty() else Placement(QRectF(bounds))


def part_at(view: CanvasHand, placement: Placement, at: QPointF) -> Part:
    """What of the box a point of the view takes hold of."""
    near = min((*CORNERS, *EDGES), key=lambda part: distance(view.to_view(placement.point(part)), at))
    if distance(view.to_view(placement.point(near)), at) <= GRAB:
        return near
    outline = view.transform_.to_view().map(placement.outline())
    return MOVE if outline.containsPoint(at, Qt.FillRule.WindingFill) else TURN


def cursor_for(view: CanvasHand, placement: Placement, at: QPointF) -> Qt.CursorShape:
    """The cursor that says what a press would do."""
    part = part_at(view, placement, at)
    if part == MOVE:
        return Qt.CursorShape.SizeAllCursor
    if not isinstance(part, tuple):
        return Qt.CursorShape.PointingHandCursor
    away = view.to_view(placement.point(part)) - view.to_view(placement.middle)
    return _CURSORS[round(math.degrees(math.atan2(away.y(), away.x())) / 45) % 4]


def box_line(view: CanvasHand, placement: Placement) -> QPainterPath:
    """The box in the view."""
    path = QPainterPath()
    path.addPolygon(view.transform_.to_view().map(placement.outline()))
    path.closeSubpath()
    return path


def box_path(view: CanvasHand, placement: Placement) -> QPainterPath:
    """The box and its handles, in the view."""
    path = box_line(view, placement)
    for part in (*CORNERS, *EDGES):
        path.addRect(handle(view.to_view(placement.point(part)), 4.5))
    return path


def paint_box(view: CanvasHand, painter: QPainter, placement: Placement) -> None:
    """Draw the box, its handles filled."""
    draw_outline(painter, box_line(view, placement))
    theme = current_theme()
    painter.setPen(theme.color("on_brass"))
    painter.setBrush(theme.color("brass"))
    for part in (*CORNERS, *EDGES):
        painter.drawRect(handle(view.to_view(placement.point(part)), 4))
