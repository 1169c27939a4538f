"""The canvas as it is seen: zoom to the cursor, pan, rotate, fit, 100 %, pixel grid. It edits nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QLineF, QPoint, QPointF, QRect, QRectF, QSizeF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QBrush,
    QFocusEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.mask.drawing import draw_part
from studio.mask.paint_document import PaintDocument
from studio.mask.projection import Projection
from studio.mask.view_transform import ViewTransform
from studio.theme import current_theme
from studio.theme.tokens import FOCUS, mix
from studio.translate import tr

GRID_FROM: Final = 8.0
"""The pixel grid appears at this scale."""
SMOOTH_UNTIL: Final = 2.0
"""Larger pixels are shown as squares."""
COMPOSE_SECONDS: Final = 0.012
"""Longest that one repaint composes layers; the rest is shown a moment later."""
CHECK: Final = 8


@dataclass(frozen=True, slots=True)
class Pane:
    """Part of the view that shows all of it: what the transform puts at p is seen at p + ``offset``."""

    area: QRect
    offset: QPoint


class CanvasEye(QWidget):
    """Scales are logical pixels of the screen per pixel of the picture; 100 % is one device pixel each."""

    scale_changed = Signal(float)

    def __init__(self, document: PaintDocument, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.transform_ = ViewTransform()
        self._projection = Projection()
        self._fit, self._still = True, False
        self._checks = QPixmap()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._refresh_rest)
        self._rest = QRect()
        self._ringed = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)
        self.setAccessibleName(tr("Canvas"))
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        document.resized.connect(self._resized)
        document.region_changed.connect(self._region_changed)
        current_theme().changed.connect(self._retheme)
        self._resized()

    # --- the document changes --------------------------------------------------------------------------

    @Slot()
    def _resized(self) -> None:
        size = self.document.stack.size
        self._projection.resize(size)
        self.setAccessibleDescription(f"{size.width()} × {size.height()}" if not size.isEmpty() else "")
        self._fit = True
        self._refit()

    @Slot(QRect)
    def _region_changed(self, rect: QRect) -> None:
        self._projection.invalidate(rect)
        self.refresh_area(self.transform_.view_rect(QRectF(rect)))

    @Slot()
    def _retheme(self) -> None:
        self._checks = QPixmap()
        self._projection.invalidate(self.document.rect)
        self.update()

    # --- the eye ---------------------------------------------------------------------------------------

    @property
    def scale(self) -> float:
        """Logical pixels per pixel of the picture."""
        return self.transform_.scale

    @property
    def percent(self) -> float:
        """The scale as device pixels per pixel of the picture, in percent."""
        return self.transform_.scale * self.devicePixelRatioF() * 100

    @property
    def angle(self) -> float:
        """Degrees clockwise that the picture is turned."""
        return self.transform_.angle

    @property
    def complete(self) -> bool:
        """Whether all that is in view has been composed (large changes take several repaints)."""
        level = self._projection.level_for(self.scale * self.devicePixelRatioF())
        shown = self.transform_.image_rect(QRectF(self.panes()[0].area)) & self.document.rect
        return self._projection.is_fresh(shown, level)

    @property
    def fitted(self) -> bool:
        """Whether the picture follows the size of the view."""
        return self._fit

    def bounds(self) -> QRect:
        """All that there is to see, in pixels of the picture: what :meth:`fit` shows."""
        return self.document.rect

    def panes(self) -> tuple[Pane, ...]:
        """The parts of the view, from left to right; all of them are moved together."""
        return (Pane(self.rect(), QPoint(0, 0)),)

    def pane_at(self, point: QPointF) -> Pane:
        """The part of the view that a point lies in, or the nearest one."""
        panes = self.panes()
        inside = [pane for pane in panes if pane.area.left() <= point.x()]
        return inside[-1] if inside else panes[0]

    def refresh_area(self, rect: QRect) -> None:
        """Repaint ``rect`` in every part of the view."""
        for pane in self.panes():
            self.update(rect.translated(pane.offset) & pane.area)

    def to_view(self, point: QPointF) -> QPointF:
        """Where a point of the picture is seen."""
        return self.transform_.to_view().map(point)

    def to_image(self, point: QPointF) -> QPointF:
        """A point of the view in pixels of the picture."""
        return self.transform_.to_image(point)

    @Slot()
    def fit(self) -> None:
        """The whole picture, as large as the view allows, up to twice its size."""
        self._fit = True
        self._refit()

    @Slot()
    def actual_size(self) -> None:
        """100 %: one pixel of the picture on one of the screen."""
        self.zoom_to(1 / self.devicePixelRatioF(), self.transform_.middle)

    @Slot()
    def zoom_in(self) -> None:
        """A quarter larger, about the middle."""
        self.zoom_to(self.scale * 1.25, self.transform_.middle)

    @Slot()
    def zoom_out(self) -> None:
        """A fifth smaller, about the middle."""
        self.zoom_to(self.scale / 1.25, self.transform_.middle)

    def zoom_to(self, scale: float, fixed: QPointF) -> None:
        """Set the scale so that what is seen at ``fixed`` stays there."""
        if not self.document.stack.size.isEmpty():
            self.transform_.zoom_to(scale, fixed)
            self._moved()

    def rotate_to(self, angle: float) -> None:
        """Turn the picture about the middle of the view; degrees clockwise."""
        self.transform_.turn_to(angle, self.transform_.middle)
        self._moved()

    def rotate_by(self, angle: float) -> None:
        """Turn it further."""
        self.rotate_to(self.angle + angle)

    @Slot()
    def reset_rotation(self) -> None:
        """Upright."""
        self.rotate_to(0.0)

    def pan_by(self, by: QPointF) -> None:
        """Move the picture by so many pixels of the view."""
        self.transform_.pan(by)
        self._moved()

    def _moved(self) -> None:
        self._fit = False
        self.transform_.keep(self.bounds())
        self.scale_changed.emit(self.scale)
        self.placed()
        self.update()

    def _refit(self) -> None:
        self.transform_.view = QSizeF(self.panes()[0].area.size())
        self.transform_.ratio = self.devicePixelRatioF()
        if self._fit and not self._still and not self.bounds().isEmpty():
            self.transform_.fit(self.bounds())
            self.scale_changed.emit(self.scale)
        self.placed()
        self.update()

    def keep_still(self, still: bool) -> None:
        """While something that :meth:`fit` includes is dragged, the picture doesn't follow it."""
        self._still = still
        self._refit()

    def placed(self) -> None:
        """The picture is seen in another place, or at another scale."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._refit()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._ringed = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._ringed = False
        super().focusOutEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._checks = QPixmap()
            self._refit()
        return super().event(event)

    # --- painting --------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), current_theme().color("bg0"))
        for pane in self.panes():
            shown = event.rect() & pane.area
            if not shown.isEmpty():
                painter.save()
                painter.setClipRect(shown)
                painter.translate(pane.offset)
                self._paint_pane(painter, pane, shown.translated(-pane.offset))
                painter.restore()
        self.paint_frame(painter)
        if self._ringed:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(current_theme().color("brass"), FOCUS))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()

    def paint_result(self, painter: QPainter, pane: Pane, shown: QRect) -> None:
        """What covers the picture, in coordinates of ``pane``."""

    def paint_over(self, painter: QPainter) -> None:
        """What lies above the picture, in coordinates of a pane."""

    def paint_frame(self, painter: QPainter) -> None:
        """What lies above all panes, in coordinates of the view."""

    def _paint_pane(self, painter: QPainter, pane: Pane, shown: QRect) -> None:
        if not self.document.stack.size.isEmpty():
            if not _opaque(self.document):
                self._paint_checks(painter)
            self.paint_layers(painter, self._projection, shown)
            self.paint_result(painter, pane, shown)
            if self.scale >= GRID_FROM:
                self._paint_grid(painter, shown)
        self.paint_over(painter)

    def paint_layers(self, painter: QPainter, projection: Projection, shown: QRect) -> bool:
        """Draw what a projection has in ``shown``; whether that was up to date (if not, it follows soon)."""
        wanted = self.transform_.image_rect(QRectF(shown)) & self.document.rect
        if wanted.isEmpty():
            return True
        level = projection.level_for(self.scale * self.devicePixelRatioF())
        fresh = projection.refresh(self.document.shown, wanted, level, COMPOSE_SECONDS)
        if not fresh:
            self.refresh_later(shown)
        image, step = projection.image(level), 1 << level
        painter.save()
        painter.setTransform(self.transform_.to_view(), True)
        painter.setClipRect(QRectF(wanted), Qt.ClipOperation.IntersectClip)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.smooth)
        draw_part(painter, image, QRectF(0, 0, image.width() * step, image.height() * step), wanted)
        painter.restore()
        return fresh

    @property
    def smooth(self) -> bool:
        """Whether pixels of the picture are blended when they are shown; large ones are squares."""
        pixel = self.scale * self.devicePixelRatioF()
        return pixel < SMOOTH_UNTIL and not (pixel == 1 and self.angle == 0)

    def refresh_later(self, shown: QRect) -> None:
        """Come back for ``shown`` (in coordinates of a pane): it took too long for now."""
        self._rest |= shown
        self._later.start(0)

    def _paint_checks(self, painter: QPainter) -> None:
        if self._checks.isNull():
            tokens = current_theme().tokens
            self._checks = QPixmap(2 * CHECK, 2 * CHECK)
            self._checks.fill(mix(tokens.bg0, tokens.text, 0.12))
            inner = QPainter(self._checks)
            colour = mix(tokens.bg0, tokens.text, 0.22)
            inner.fillRect(0, 0, CHECK, CHECK, colour)
            inner.fillRect(CHECK, CHECK, CHECK, CHECK, colour)
            inner.end()
        painter.save()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(self._checks))
        outline = self.transform_.to_view().map(QPolygonF(QRectF(self.document.rect)))
        painter.setBrushOrigin(outline.first())
        painter.drawPolygon(outline)
        painter.restore()

    def _paint_grid(self, painter: QPainter, shown: QRect) -> None:
        wanted = self.transform_.image_rect(QRectF(shown)) & self.document.rect
        if wanted.isEmpty():
            return
        painter.save()
        painter.setTransform(self.transform_.to_view(), True)
        painter.setClipRect(QRectF(wanted), Qt.ClipOperation.IntersectClip)
        colour = current_theme().color("text3")
        colour.setAlpha(round(110 * min(1.0, (self.scale - GRID_FROM) / GRID_FROM + 0.4)))
        pen = QPen(colour, 1 / self.devicePixelRatioF())
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, bool(math.fmod(self.angle, 90)))
        top, bottom = wanted.top(), wanted.bottom() + 1
        left, right = wanted.left(), wanted.right() + 1
        lines = [QLineF(x, top, x, bottom) for x in range(left, right + 1)]
        lines += [QLineF(left, y, right, y) for y in range(top, bottom + 1)]
        painter.drawLines(lines)
        painter.restore()

    @Slot()
    def _refresh_rest(self) -> None:
        rest, self._rest = self._rest, QRect()
        self.refresh_area(rest)


def _opaque(document: PaintDocument) -> bool:
    """Whether the bottom picture hides the ground."""
    layers = document.shown
    return bool(layers) and layers[0].covers(document.rect)
