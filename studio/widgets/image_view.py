"""The picture on its ground: zoom to the cursor, pan, fit, 100 %, and the live preview while it forms.

Large pictures are halved several times in a worker thread; painting takes the smallest one that is large
enough, so a
repaint costs what the view has pixels, not what the picture has.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, QSizeF, Qt, Signal, Slot
from PySide6.QtGui import (
    QImage,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from studio.background import in_background
from studio.theme import current_theme
from studio.translate import tr

MIN_SCALE, MAX_SCALE = 0.02, 64.0
FIT_LIMIT = 4.0
"""Fitting never enlarges further than this, smoothly; beyond it a picture is shown pixel by pixel."""
MARGIN = 24
HALVE_FROM = 1_000_000
"""Pictures with more pixels than this are halved for display."""


class ImageView(QWidget):
    """Scales are logical pixels of the screen per pixel of the picture; 100 % is one device pixel each."""

    scale_changed = Signal(float)
    drag_requested = Signal()
    menu_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)
        self.setAccessibleName(tr("Picture"))
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._image: QImage | None = None
        self._levels: list[QImage] = []
        self._preview: QImage | None = None
        self._nominal = QSize()
        self._fit = True
        self._scale = 1.0
        self._centre = QPointF()
        self._grabbed: QPointF | None = None
        self._pressed: QPointF | None = None
        current_theme().changed.connect(self.update)

    # --- what is shown ---------------------------------------------------------------------------------

    @property
    def image(self) -> QImage | None:
        """The finished picture on show (not the preview)."""
        return self._image

    @property
    def shows_preview(self) -> bool:
        """Whether a preview covers the picture."""
        return self._preview is not None

    def set_image(self, image: QImage | None) -> None:
        """Show a finished picture; a preview is dropped. The zoom stays if the size does."""
        same = image is not None and self._size() == image.size()
        self._image, self._preview, self._levels = image, None, []
        if not same:
            self._fit = True
        if image is not None and image.width() * image.height() > HALVE_FROM:
            in_background(self, lambda: halved(image), lambda levels: self._halved(image, levels))
        self._refit()
        self.setAccessibleDescription("" if image is None else f"{image.width()} × {image.height()}")

    def _halved(self, image: QImage, levels: list[QImage]) -> None:
        if image is self._image:
            self._levels = levels
            self.update()

    def set_preview(self, image: QImage, nominal: QSize) -> None:
        """Show a picture that is still forming, in the place the finished one (of size ``nominal``) will
        have."""
        if nominal != self._size():
            self._fit = True
        self._preview, self._nominal = image, nominal
        self._refit()

    def clear_preview(self) -> None:
        """Back to the finished picture (a run was cancelled)."""
        if self._preview is not None:
            self._preview = None
            self._refit()

    def _size(self) -> QSize:
        if self._preview is not None:
            return self._nominal
        return self._image.size() if self._image is not None else QSize()

    # --- zoom ------------------------------------------------------------------------------------------

    @property
    def scale(self) -> float:
        """Logical pixels per pixel of the picture."""
        return self._scale

    @property
    def percent(self) -> float:
        """The scale as device pixels per pixel of the picture, in percent."""
        return self._scale * self.devicePixelRatioF() * 100

    @property
    def fitted(self) -> bool:
        """Whether the picture follows the size of the view."""
        return self._fit

    @Slot()
    def fit(self) -> None:
        """The whole picture, as large as the view allows, up to :data:`FIT_LIMIT` times its size."""
        self._fit = True
        self._refit()

    @Slot()
    def actual_size(self) -> None:
        """100 %: one pixel of the picture on one of the screen."""
        self.zoom_to(1 / self.devicePixelRatioF(), QRectF(self.rect()).center())

    @Slot()
    def zoom_in(self) -> None:
        """A quarter larger, about the middle."""
        self.zoom_to(self._scale * 1.25, QRectF(self.rect()).center())

    @Slot()
    def zoom_out(self) -> None:
        """A fifth smaller, about the middle."""
        self.zoom_to(self._scale / 1.25, QRectF(self.rect()).center())

    def zoom_to(self, scale: float, fixed: QPointF) -> None:
        """Set the scale so that the point of the picture at ``fixed`` (of the view) stays there."""
        if self._size().isEmpty():
            return
        scale = min(max(scale, MIN_SCALE), MAX_SCALE)
        at = self.to_image(fixed)
        self._fit = False
        self._scale = scale
        middle = QRectF(self.rect()).center()
        self._centre = at - (fixed - middle) / scale
        self._keep_inside()
        self.scale_changed.emit(scale)
        self.update()

    def _refit(self) -> None:
        size = self._size()
        if self._fit and not size.isEmpty():
            room = QSizeF(max(1, self.width() - 2 * MARGIN), max(1, self.height() - 2 * MARGIN))
            self._scale = min(room.width() / size.width(), room.height() / size.height(), FIT_LIMIT)
            self._centre = QPointF(size.width() / 2, size.height() / 2)
            self.scale_changed.emit(self._scale)
        self.update()

    def to_image(self, point: QPointF) -> QPointF:
        """A point of the view in pixels of the picture."""
        return self._centre + (point - QRectF(self.rect()).center()) / self._scale

    def picture_rect(self) -> QRectF:
        """Where the picture lies in the view."""
        size, middle = self._size(), QRectF(self.rect()).center()
        corner = middle - self._centre * self._scale
        return QRectF(corner, QSizeF(size.width() * self._scale, size.height() * self._scale))

    def _keep_inside(self) -> None:
        """The middle of the view stays on the picture, so that it is never lost."""
        size = self._size()
        self._centre = QPointF(
            min(max(self._centre.x(), 0.0), float(size.width())),
            min(max(self._centre.y(), 0.0), float(size.height())),
        )

    @property
    def _can_pan(self) -> bool:
        rect = self.picture_rect()
        return rect.width() > self.width() or rect.height() > self.height()

    # --- painting --------------------------------------------------------------------------------------

    def _source(self) -> QImage | None:
        if self._preview is not None:
            return self._preview
        if self._image is None:
            return None
        needed = self._image.width() * self._scale * self.devicePixelRatioF()
        fitting = [level for level in self._levels if level.width() >= needed]
        return fitting[-1] if fitting else self._image

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme = current_theme()
        painter.fillRect(event.rect(), theme.color("bg0"))
        source = self._source()
        if source is not None:
            large = source is self._image and source.width() * source.height() > HALVE_FROM
            waiting = large and self._scale < 0.5 and not self._levels
            smooth = self._preview is not None or (self._scale <= FIT_LIMIT and not waiting)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
            painter.drawImage(self.picture_rect(), source, QRectF(source.rect()))
        if self.hasFocus():
            painter.setPen(QPen(theme.color("brass"), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._refit()

    # --- pointer and keys ------------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:
        notches = event.angleDelta().y() / 120
        if notches:
            self.zoom_to(self._scale * 1.2**notches, event.position())

    def event(self, event: QEvent) -> bool:
        if (
            isinstance(event, QNativeGestureEvent)
            and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
        ):
            self.zoom_to(self._scale * (1 + event.value()), event.position())
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            self._pressed = event.position()
            if self._can_pan or event.button() == Qt.MouseButton.MiddleButton:
                self._grabbed = event.position()
                self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grabbed is not None:
            self._fit = False
            self._centre -= (event.position() - self._grabbed) / self._scale
            self._grabbed = event.position()
            self._keep_inside()
            self.update()
        elif self._pressed is not None and self._image is not None:
            moved = (event.position() - self._pressed).manhattanLength()
            if moved >= QApplication.startDragDistance() and self.picture_rect().contains(self._pressed):
                self._pressed = None
                self.drag_requested.emit()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._grabbed = self._pressed = None
        self.unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._fit:
            self.zoom_to(1 / self.devicePixelRatioF(), event.position())
        else:
            self.fit()

    def contextMenuEvent(self, event: object) -> None:
        self.menu_requested.emit(event.globalPos())  # type: ignore[attr-defined]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = 60 / self._scale
        moves = {
            Qt.Key.Key_Left: QPointF(-step, 0),
            Qt.Key.Key_Right: QPointF(step, 0),
            Qt.Key.Key_Up: QPointF(0, -step),
            Qt.Key.Key_Down: QPointF(0, step),
        }
        move = moves.get(Qt.Key(event.key()))
        if move is not None and self._can_pan:
            self._fit = False
            self._centre += move
            self._keep_inside()
            self.update()
        else:
            super().keyPressEvent(event)


def halved(image: QImage) -> list[QImage]:
    """The picture at 1/2, 1/4, 1/8… of its size, smoothly reduced, down to about 256 pixels."""
    levels, level = [], image
    while max(level.width(), level.height()) > 512:
        level = level.scaled(
            max(1, level.width() // 2),
            max(1, level.height() // 2),
            Qt.AspectRatioMode.IgnoreAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        levels.append(level)
    return levels
