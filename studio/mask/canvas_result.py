"""The canvas with a result over the picture: seen alone, or compared with what is below it. It changes
nothing."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage, QPainter, QPen
from PySide6.QtWidgets import QWidget

from studio.background import in_background
from studio.mask.canvas_eye import COMPOSE_SECONDS, CanvasEye, Pane
from studio.mask.comparison import GAIN, Comparison, block_rect
from studio.mask.compose import EVERYTHING
from studio.mask.drawing import crisp, draw_part, draw_tag, tag_size
from studio.mask.layers import PICTURE
from studio.mask.paint_document import PaintDocument
from studio.mask.preview import CompareMode, Preview
from studio.mask.projection import Projection
from studio.mask.split_handle import STEPS, SplitHandle
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.image_view import halved

FLICKER_MS: Final = 500
LARGE: Final = 2**22
"""Results of more pixels are halved in the background, for when they are seen from afar."""
LINE: Final = 2
_GAP: Final = 10
_ABOVE = EVERYTHING - PICTURE


class CanvasResult(CanvasEye):
    """``split_changed`` tells what the user's hand did, ``preview_changed`` comes after each result."""

    preview_changed = Signal()
    split_changed = Signal(float)

    def __init__(self, document: PaintDocument, parent: QWidget | None = None) -> None:
        self._preview: Preview | None = None
        self._comparison: Comparison | None = None
        self._mode, self._split = CompareMode.AFTER, 0.5
        self._candidates = 0
        self._before_held = self._flicked = self._masks_over = False
        self._masks: Projection | None = None
        super().__init__(document, parent)
        self.split_handle = SplitHandle(self._split_at, self)
        self.split_handle.dragged.connect(self._split_dragged)
        self.split_handle.valueChanged.connect(self._split_stepped)
        self._flicker = QTimer(self)
        self._flicker.setInterval(FLICKER_MS)
        self._flicker.timeout.connect(self.flip)
        document.region_changed.connect(self._below_changed)
        document.resized.connect(self._masks_resized)
        current_theme().changed.connect(self._follow_motion)

    # --- a result --------------------------------------------------------------------------------------

    @property
    def preview(self) -> Preview | None:
        """The result that is shown, with the mode and the split that it is shown with."""
        return self._preview

    @property
    def compare_mode(self) -> CompareMode:
        """How a result is compared, also the next one that doesn't say."""
        return self._mode

    @property
    def split(self) -> float:
        """The line between before and after, 0..1 of the result's width."""
        return self._split

    def set_preview(self, preview: Preview | None) -> None:
        """Show a result over the picture, another one, or none. The document isn't touched."""
        before, image = self._preview, None
        if preview is not None:
            image = preview.image
            self._mode = self._mode if preview.mode is None else preview.mode
            self._split = self._split if preview.split is None else min(1.0, max(0.0, preview.split))
            preview = replace(preview, mode=self._mode, split=self._split)
        alike = before is not None and preview is not None and before.rect == preview.rect
        self._preview = preview
        if image is None or preview is None:
            self._comparison = None
        elif not (alike and before is not None and before.image is image and self._comparison):
            self._comparison = Comparison(image, preview.rect)
            self._halve(self._comparison)
        self._projection.set_kinds(EVERYTHING if preview is None else PICTURE)
        if preview is None:
            self._masks, self._before_held = None, False
            self.split_handle.hide()
        self._follow_motion()
        self._refit()
        self.preview_changed.emit()

    def set_candidates(self, count: int) -> None:
        """How many results there are to choose from; none while a run still draws."""
        self._candidates = count
        self.update()

    @property
    def candidates(self) -> int:
        """How many results there are to choose from."""
        return self._candidates

    def set_compare_mode(self, mode: CompareMode) -> None:
        """Compare in another way."""
        if self._preview is None:
            self._mode = mode
        elif mode is not self._mode:
            self.set_preview(replace(self._preview, mode=mode))

    def set_split(self, split: float) -> None:
        """Put the line between before and after elsewhere, 0..1 of the result's width."""
        self._split = min(1.0, max(0.0, split))
        if self._preview is not None:
            self._preview = replace(self._preview, split=self._split)
        self.placed()
        self.update()

    def set_before_held(self, held: bool) -> None:
        """Show the picture without the result for as long as this is set."""
        if held != self._before_held:
            self._before_held = held
            self.placed()
            self.update()

    @Slot()
    def flip(self) -> None:
        """In flicker mode: the other one."""
        self._flicked = not self._flicked
        self.update()

    def set_mask_overlay(self, shown: bool) -> None:
        """Show masks above a result too (they always are while one is painted)."""
        self._masks_over = shown
        self.update()

    @property
    def drawing(self) -> bool:
        """Whether something is drawn at this moment."""
        return False

    def _halve(self, comparison: Comparison) -> None:
        image = comparison.image
        if image.width() * image.height() <= LARGE:
            comparison.halves = halved(image)
            return

        def arrived(halves: list[QImage]) -> None:
            comparison.halves = halves
            comparison.forget(comparison.rect)
            if comparison is self._comparison:
                self.update()

        in_background(self, lambda: halved(image), arrived)

    @Slot()
    def _follow_motion(self) -> None:
        flickers = self._preview is not None and self._mode is CompareMode.FLICKER
        if flickers and not current_theme().reduced_motion:
            if not self._flicker.isActive():
                self._flicker.start()
        else:
            self._flicker.stop()
        if not flickers:
            self._flicked = False

    @Slot(QRect)
    def _below_changed(self, rect: QRect) -> None:
        active = self.document.active
        beside = self.drawing and active is not None and active.kind not in PICTURE
        # what is drawn on a mask at this moment changes no picture
        if self._comparison is not None and not beside:
            self._comparison.forget(rect)
        if self._masks is not None:
            self._masks.invalidate(rect)

    @Slot()
    def _masks_resized(self) -> None:
        self._masks = None

    # --- before and after ------------------------------------------------------------------------------

    def _split_at(self, point: QPointF) -> float:
        """The part of the result's width that a point of the view lies at."""
        rect = QRectF(self._comparison.rect) if self._comparison is not None else QRectF(0, 0, 1, 1)
        return (self.to_image(point).x() - rect.left()) / max(1.0, rect.width())

    @Slot(float)
    def _split_dragged(self, split: float) -> None:
        self.set_split(split)
        self.split_changed.emit(self._split)

    @Slot(int)
    def _split_stepped(self, value: int) -> None:
        if value != round(self._split * STEPS):
            self._split_dragged(value / STEPS)

    def step_split(self, steps: int) -> None:
        """Move the line by so many thousandths, or flip what flickers."""
        if self._mode is CompareMode.FLICKER:
            self.flip()
        elif self._mode is CompareMode.SLIDER:
            self._split_dragged(self._split + steps / STEPS)

    def _split_line(self) -> tuple[QPointF, QPointF]:
        rect = QRectF(self._comparison.rect) if self._comparison is not None else QRectF()
        x = rect.left() + self._split * rect.width()
        return self.to_view(QPointF(x, rect.top())), self.to_view(QPointF(x, rect.bottom()))

    @property
    def _slides(self) -> bool:
        return self._comparison is not None and self._mode is CompareMode.SLIDER and not self._before_held

    def placed(self) -> None:
        super().placed()
        if self._comparison is None:
            return
        handle = self.split_handle
        if self._slides:
            first, last = self._split_line()
            gap = handle.width() / 2 + 2
            inside = QRectF(self.rect()).adjusted(gap, gap, -gap, -gap)
            middle = _middle_inside(first, last, inside)
            handle.setValue(round(self._split * STEPS))
            handle.move((middle - QPointF(handle.width() / 2, handle.height() / 2)).toPoint())
        handle.setVisible(self._slides)

    # --- what is seen ----------------------------------------------------------------------------------

    def bounds(self) -> QRect:
        bounds = super().bounds()
        return bounds if self._preview is None or bounds.isEmpty() else bounds | self._preview.rect

    def panes(self) -> tuple[Pane, ...]:
        if self._preview is None or self._mode is not CompareMode.SIDE_BY_SIDE:
            return super().panes()
        half, height = self.width() // 2, self.height()
        left = QRect(0, 0, half, height)
        other = self.width() - half
        return Pane(left, QPoint(0, 0)), Pane(left.translated(other, 0), QPoint(other, 0))

    @property
    def complete(self) -> bool:
        if self._comparison is None or self._mode is not CompareMode.DIFFERENCE:
            return super().complete
        shown = self.transform_.image_rect(QRectF(self.rect())) & self.document.rect
        keys = self._comparison.blocks(shown, self._level())
        return super().complete and all(self._comparison.known(key) is not None for key in keys)

    def _level(self) -> int:
        return self._projection.level_for(self.scale * self.devicePixelRatioF())

    def paint_result(self, painter: QPainter, pane: Pane, shown: QRect) -> None:
        if self._comparison is not None and not self._before_held and self._after_in(pane):
            painter.save()
            painter.setTransform(self.transform_.to_view(), True)
            self._paint_after(painter, self._comparison, self.transform_.image_rect(QRectF(shown)), shown)
            painter.restore()
        if self._preview is not None and (self._masks_over or self.drawing):
            if self._masks is None:
                self._masks = Projection(_ABOVE)
                self._masks.resize(self.document.stack.size)
            self.paint_layers(painter, self._masks, shown)

    def _after_in(self, pane: Pane) -> bool:
        if self._mode is CompareMode.SIDE_BY_SIDE:
            return pane.offset.x() > 0
        return not (self._mode is CompareMode.FLICKER and self._flicked)

    def _paint_after(self, painter: QPainter, comparison: Comparison, wanted: QRect, shown: QRect) -> None:
        scale = self.scale * self.devicePixelRatioF()
        # one that is enlarged into its place is smooth; squares stand for pixels of the picture
        smooth = self.smooth or comparison.pixel > 1
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        clip = QRectF(comparison.rect)
        if self._mode is CompareMode.SLIDER:
            clip.setLeft(clip.left() + self._split * clip.width())
        painter.setClipRect(clip, Qt.ClipOperation.IntersectClip)
        comparison.draw(painter, wanted, scale)
        if self._mode is CompareMode.DIFFERENCE:
            painter.setClipRect(QRectF(comparison.rect & self.document.rect), Qt.ClipOperation.IntersectClip)
            self._paint_difference(painter, comparison, wanted & self.document.rect, shown)

    def _paint_difference(
        self, painter: QPainter, comparison: Comparison, wanted: QRect, shown: QRect
    ) -> None:
        """Squares that are known, and as many more as there is time for."""
        level, end = self._level(), time.perf_counter() + COMPOSE_SECONDS
        painter.fillRect(self.document.rect, Qt.GlobalColor.black)
        fresh = self._projection.is_fresh(wanted, level)
        comparison.keep(self.transform_.image_rect(QRectF(self.panes()[0].area)), level)
        for key in comparison.blocks(wanted, level):
            block = comparison.known(key)
            if block is None and fresh and time.perf_counter() < end:
                block = comparison.compute(key, self._projection.image(level))
            if block is None:
                self.refresh_later(shown)
            else:
                draw_part(painter, block, QRectF(_block_goal(key, block)), wanted)

    def paint_frame(self, painter: QPainter) -> None:
        panes, theme = self.panes(), current_theme()
        if len(panes) > 1:
            gap = QRect(panes[0].area.right() + 1 - LINE // 2, 0, LINE, self.height())
            painter.fillRect(gap.adjusted(0, 0, self.width() % 2, 0), theme.color("line"))
        if self._slides:
            first, last = self._split_line()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, first.x() != last.x())
            if first.x() == last.x():
                first, last = (crisp(point, self.devicePixelRatioF()) for point in (first, last))
            shade = theme.color("on_brass")
            shade.setAlpha(130)
            for pen in (QPen(shade, LINE + 2), QPen(theme.color("brass"), LINE)):
                painter.setPen(pen)
                painter.drawLine(first, last)
        for pane, after, text in self._tags():
            self._paint_tag(painter, pane, text, right=after)

    def _tags(self) -> list[tuple[Pane, bool, str]]:
        """What says which is which: the pane, whether it is on the right, and the words."""
        preview, panes = self._preview, self.panes()
        if preview is None:
            return []
        label, before = preview.label, tr("Before")
        after = f"{tr('After')} · {label}" if label else tr("After")
        if self._before_held:
            return [(pane, False, before) for pane in panes]
        if self._mode is CompareMode.SLIDER:
            return [(panes[0], False, before), (panes[0], True, after)]
        if self._mode is CompareMode.SIDE_BY_SIDE:
            return [(panes[0], False, before), (panes[-1], False, after)]
        if self._mode is CompareMode.FLICKER:
            return [(panes[0], False, before if self._flicked else after)]
        if self._mode is CompareMode.DIFFERENCE:
            note = tr("Difference, {gain} times as strong", gain=GAIN)
            return [(panes[0], False, f"{note} · {label}" if label else note)]
        return [(panes[0], False, label)] if label else []

    def _paint_tag(self, painter: QPainter, pane: Pane, text: str, *, right: bool) -> None:
        """In a lower corner of the part of the result that is in view."""
        rect = QRectF(self._comparison.rect) if self._comparison is not None else QRectF()
        seen = self.transform_.to_view().mapRect(rect).translated(QPointF(pane.offset)) & QRectF(pane.area)
        size = tag_size(text)
        if seen.width() < size.width() + 2 * _GAP or seen.height() < size.height() + 2 * _GAP:
            return
        x = seen.right() - size.width() - _GAP if right else seen.left() + _GAP
        if self._slides:
            line = self._split_line()[0].x()
            hidden = x < line + _GAP if right else x + size.width() > line - _GAP
            if hidden and self.angle == 0:
                return
        draw_tag(painter, text, QPointF(x, seen.bottom() - size.height() - _GAP))


def _block_goal(key: tuple[int, int, int], block: QImage) -> QRect:
    """The pixels of the picture that a computed square stands for."""
    step = 1 << key[0]
    return QRect(block_rect(key).topLeft(), QSize(block.width() * step, block.height() * step))


def _middle_inside(first: QPointF, last: QPointF, inside: QRectF) -> QPointF:
    """The middle of the part of a line that lies inside, or the nearest place there."""
    along, parts = last - first, [0.0, 1.0]
    for start, by, low, high in (
        (first.x(), along.x(), inside.left(), inside.right()),
        (first.y(), along.y(), inside.top(), inside.bottom()),
    ):
        if abs(by) > 1e-6:
            ends = sorted(((low - start) / by, (high - start) / by))
            parts = [min(max(part, ends[0]), ends[1]) for part in parts]
    middle = first + along * (sum(parts) / 2)
    return QPointF(
        min(max(middle.x(), inside.left()), inside.right()),
        min(max(middle.y(), inside.top()), inside.bottom()),
    )
