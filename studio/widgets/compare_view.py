"""Two pictures in one place: one alone, both with a line between them, or how much they differ."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Slot
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QWidget

from studio.background import in_background
from studio.mask.drawing import draw_part, draw_tag, tag_size
from studio.mask.split_handle import STEPS, SplitHandle
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.image_view import FIT_LIMIT, ImageView

Comparing = Literal["", "slider", "difference"]
EDGE = 8
MOST_PIXELS = 4_000_000
"""Differences of larger pictures are computed at a smaller size: on a screen it is the same."""


class CompareView(ImageView):
    """The first picture as in :class:`ImageView`; the second takes its place, whatever size it has."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._other: QImage | None = None
        self._difference: QImage | None = None
        self._mode: Comparing = ""
        self._names = ("", "")
        self._split = 0.5
        self.handle = SplitHandle(self._split_at, self)
        self.handle.setAccessibleName(tr("Line between the pictures"))
        self.handle.dragged.connect(self.set_split)
        self.handle.valueChanged.connect(self._stepped)
        self.scale_changed.connect(self._place_handle)

    @property
    def mode(self) -> Comparing:
        """How the two are compared now; empty: they aren't."""
        return self._mode if self._other is not None and self.image is not None else ""

    @property
    def split(self) -> float:
        """Where the line is, 0..1 of the picture's width."""
        return self._split

    def set_names(self, first: str, second: str) -> None:
        """What the two are called on their plates."""
        self._names = (first, second)
        self.update()

    def compare(self, other: QImage | None, mode: Comparing) -> None:
        """Compare the picture with ``other``; ``None`` or an empty mode show it alone."""
        if other is not self._other or mode != self._mode:
            self._other, self._mode, self._difference = other, mode, None
        self._differ()
        self._place_handle()
        self.update()

    def set_image(self, image: QImage | None) -> None:
        """Show a picture; what it is compared with stays."""
        if image is not self.image or self.shows_preview:
            self._difference = None
            super().set_image(image)
        self._differ()
        self._place_handle()

    def set_preview(self, image: QImage, nominal: QSize) -> None:
        """Show a picture that is still forming; nothing is compared with it."""
        super().set_preview(image, nominal)
        self._place_handle()

    @Slot(float)
    def set_split(self, split: float) -> None:
        """Put the line elsewhere, 0..1 of the picture's width."""
        self._split = min(1.0, max(0.0, split))
        self._place_handle()
        self.update()

    # --- differences -----------------------------------------------------------------------------------

    def _differ(self) -> None:
        before, after = self.image, self._other
        if self.mode != "difference" or self._difference is not None or before is None or after is None:
            return
        # here, since modules with Qt classes must not be imported in a worker
        from studio.mask.comparison import difference

        size = before.size()
        if (pixels := size.width() * size.height()) > MOST_PIXELS:
            size = size * (MOST_PIXELS / pixels) ** 0.5

        def work() -> QImage:
            return difference(_sized(before, size), _sized(after, size))

        def show(found: QImage) -> None:
            if before is self.image and after is self._other:
                self._difference = found
                self.update()

        in_background(self, work, show)

    # --- painting --------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.mode or self.shows_preview or self._other is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.scale <= FIT_LIMIT)
        rect, seen = self.picture_rect(), self.rect()
        if self._mode == "difference":
            if self._difference is not None:
                draw_part(painter, self._difference, rect, seen)
            self._plates(painter, (tr("Difference of {a} and {b}", a=self._names[0], b=self._names[1]), ""))
        else:
            x = round(rect.left() + self._split * rect.width())
            painter.setClipRect(QRect(x, 0, seen.width() - x, seen.height()))
            painter.fillRect(rect, current_theme().color("bg0"))
            draw_part(painter, self._other, rect, seen)
            painter.setClipping(False)
            self._plates(painter, self._names)
            painter.setPen(QPen(current_theme().color("brass"), 2))
            top, bottom = max(rect.top(), 0.0), min(rect.bottom(), float(seen.height()))
            painter.drawLine(QPointF(x, top), QPointF(x, bottom))
        painter.end()

    def _plates(self, painter: QPainter, names: tuple[str, str]) -> None:
        """The names, in the lower corners of what is seen of the picture."""
        seen = self.picture_rect() & QRectF(self.rect())
        for text, right in zip(names, (False, True), strict=True):
            if text:
                size = tag_size(text)
                x = seen.right() - size.width() - EDGE if right else seen.left() + EDGE
                draw_tag(painter, text, QPointF(x, seen.bottom() - size.height() - EDGE))

    # --- the line --------------------------------------------------------------------------------------

    def _split_at(self, point: QPointF) -> float:
        rect = self.picture_rect()
        return (point.x() - rect.left()) / max(1.0, rect.width())

    @Slot(int)
    def _stepped(self, value: int) -> None:
        """An arrow key on the handle."""
        if round(self._split * STEPS) != value:
            self.set_split(value / STEPS)

    @Slot()
    def _place_handle(self) -> None:
        shown = self.mode == "slider" and not self.shows_preview
        self.handle.setVisible(shown)
        if not shown:
            return
        blocked = self.handle.blockSignals(True)
        self.handle.setValue(round(self._split * STEPS))
        self.handle.blockSignals(blocked)
        rect = self.picture_rect()
        x = rect.left() + self._split * rect.width()
        y = (rect & QRectF(self.rect())).center().y()
        side = self.handle.width() / 2
        x = min(max(x, side), self.width() - side)
        self.handle.move(round(x - side), round(y - side))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_handle()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._place_handle()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        super().keyPressEvent(event)
        self._place_handle()


def _sized(image: QImage, size: QSize) -> QImage:
    return image.scaled(
        size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
