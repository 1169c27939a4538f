"""The canvas as it is seen: zoom to the cursor, pan, rotate, fit, 100 %, pixel grid. It edits nothing."""

from __future__ import annotations

import math
from typing import Final

from PySide6.QtCore import QEvent, QLineF, QPoint, QPointF, QRect, QRectF, QSizeF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QBrush,
    QFocusEvent,
    QImage,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

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
FAR: Final = 32_000
"""Qt counts the pixels that it scales in 16 bits before the point: further ones are never found."""


class CanvasEye(QWidget):
    """Scales are logical pixels of the screen per pixel of the picture; 100 % is one device pixel each."""

    scale_changed = Signal(float)

    def __init__(self, document: PaintDocument, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.transform_ = ViewTransform()
        self._projection = Projection()
        self._fit = True
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
        self.update(self.transform_.view_rect(QRectF(rect)) & self.rect())

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
        shown = self.transform_.image_rect(QRectF(self.rect())) & self.document.rect
        return self._projection.is_fresh(shown, level)

    @property
    def fitted(self) -> bool:
        """Whether the picture follows the size of the view."""
        return self._fit

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
        self.transform_.keep(self.document.stack.size)
        self.scale_changed.emit(self.scale)
        self.update()

    def _refit(self) -> None:
        self.transform_.view = QSizeF(self.size())
        self.transform_.ratio = self.devicePixelRatioF()
        size = self.document.stack.size
        if self._fit and not size.isEmpty():
            self.transform_.fit(size)
            self.scale_changed.emit(self.scale)
        self.update()

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
        if not self.document.stack.size.isEmpty():
            self._paint_picture(painter, event.rect())
        self.paint_over(painter)
        if self._ringed:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(current_theme().color("brass"), FOCUS))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()

    def paint_over(self, painter: QPainter) -> None:
        """What lies above the picture, in coordinates of the view."""

    def _paint_picture(self, painter: QPainter, shown: QRect) -> None:
        layers, whole = self.document.stack.layers, self.document.rect
        ratio = self.devicePixelRatioF()
        level = self._projection.level_for(self.scale * ratio)
        wanted = self.transform_.image_rect(QRectF(shown)) & whole
        if wanted.isEmpty():
            return
        if not self._projection.refresh(layers, wanted, level, COMPOSE_SECONDS):
            self._rest |= shown
            self._later.start(0)
        image = self._projection.image(level)
        if not _opaque(self.document):
            self._paint_checks(painter)
        painter.save()
        painter.setTransform(self.transform_.to_view(), True)
        painter.setClipRect(QRectF(wanted), Qt.ClipOperation.IntersectClip)
        pixel = self.scale * ratio
        smooth = pixel < SMOOTH_UNTIL and not (pixel == 1 and self.angle == 0)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        self._draw_level(painter, image, level, wanted)
        if self.scale >= GRID_FROM:
            self._paint_grid(painter, wanted)
        painter.restore()

    def _draw_level(self, painter: QPainter, image: QImage, level: int, wanted: QRect) -> None:
        """Only the part that is seen: at 64 times its size the whole is beyond what a painter counts."""
        step = 1 << level
        room = 3 * step
        left = max(0, (wanted.left() - room) // step)
        top = max(0, (wanted.top() - room) // step)
        right = min(image.width(), -(-(wanted.right() + 1 + room) // step))
        bottom = min(image.height(), -(-(wanted.bottom() + 1 + room) // step))
        source = QRect(left, top, right - left, bottom - top)
        goal = QRectF(left * step, top * step, source.width() * step, source.height() * step)
        if max(image.width(), image.height()) > FAR:
            image, source = image.copy(source), QRect(QPoint(0, 0), source.size())
        painter.drawImage(goal, image, QRectF(source))

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

    def _paint_grid(self, painter: QPainter, wanted: QRect) -> None:
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

    @Slot()
    def _refresh_rest(self) -> None:
        rest, self._rest = self._rest, QRect()
        self.update(rest)


def _opaque(document: PaintDocument) -> bool:
    """Whether the bottom picture hides the ground."""
    layers = document.stack.layers
    if not layers:
        return False
    image = layers[0].image
    return image is not None and layers[0].visible and layers[0].opacity >= 1 and not image.hasAlphaChannel()
