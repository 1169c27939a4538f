"""The handle between before and after: dragged along the picture, or moved with the arrow keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QEnterEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QTabletEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractSlider, QWidget

from studio.theme import current_theme
from studio.theme.tokens import FOCUS
from studio.translate import tr

SIDE: Final = 32
STEPS: Final = 1000
STEP: Final = 20
FAR_STEP: Final = 100
_RADIUS: Final = 13.0


class SplitHandle(QAbstractSlider):
    """Counts from 0 to :data:`STEPS`; ``dragged`` carries where the pointer wants it, 0..1.

    Args:
        towards: the place (0..1 along the picture) that a point of the parent stands for.
    """

    dragged = Signal(float)

    def __init__(self, towards: Callable[[QPointF], float], parent: QWidget) -> None:
        super().__init__(parent)
        self._towards = towards
        self._away = 0.0
        self._held = self._hovered = False
        self.setRange(0, STEPS)
        self.setSingleStep(STEP)
        self.setPageStep(FAR_STEP)
        self.setOrientation(Qt.Orientation.Horizontal)
        # pictures are not mirrored where words are read from right to left
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        self.setFixedSize(SIDE, SIDE)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setAccessibleName(tr("Line between before and after"))
        self.setToolTip(tr("Drag to compare (, and . move it, a double click puts it in the middle)"))
        self.hide()

    def _place(self, event: QMouseEvent | QTabletEvent) -> float:
        return self._towards(event.position() + QPointF(self.pos()))

    def _take(self, event: QMouseEvent | QTabletEvent) -> None:
        self._held = True
        self._away = self.value() / STEPS - self._place(event)
        self.update()

    def _drag(self, event: QMouseEvent | QTabletEvent) -> None:
        if self._held:
            self.dragged.emit(min(1.0, max(0.0, self._place(event) + self._away)))

    def _let_go(self) -> None:
        self._held = False
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._take(event)
        else:
            event.ignore()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._drag(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._let_go()

    def tabletEvent(self, event: QTabletEvent) -> None:
        # one that is not taken here would paint on the canvas below
        if event.type() == QEvent.Type.TabletPress:
            self._take(event)
        elif event.type() == QEvent.Type.TabletRelease:
            self._let_go()
        else:
            self._drag(event)
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        # zooming goes on over the handle
        event.ignore()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.dragged.emit(0.5)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hovered = True
        self.update()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = False
        self.update()
        super().leaveEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = QRectF(self.rect()).center()
        lit = self._held or self._hovered
        painter.setPen(QPen(theme.color("text" if self.hasFocus() else "brass"), FOCUS))
        painter.setBrush(theme.color("brass" if lit else "bg1"))
        painter.drawEllipse(middle, _RADIUS, _RADIUS)
        pen = QPen(theme.color("on_brass" if lit else "brass"), 1.75)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for side in (-1, 1):
            tip, back = middle.x() + side * 7.5, middle.x() + side * 4
            y = middle.y()
            painter.drawPolyline([QPointF(back, y - 3.5), QPointF(tip, y), QPointF(back, y + 3.5)])
        painter.end()
