"""A field for one number: arithmetic, arrow keys, dragging, a unit, a range that is explained."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QRect, Qt, Signal, Slot
from PySide6.QtGui import (
    QFocusEvent,
    QGuiApplication,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget

from pipelines.errors import fill
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.arithmetic import NotArithmetic, evaluate

ARROWS = 18
DRAG_PIXELS = 4
"""To the side, for one step."""


def written(value: int | float, decimals: int = 6) -> str:
    """A number as the field shows it: no trailing zeros, whole numbers in full."""
    if isinstance(value, int):
        return str(value)
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".") if abs(value) >= 1e-4 else f"{value:.3g}"


class NumberField(QLineEdit):
    """``value_changed`` carries the new number (an ``object``: an int may have 64 bits).

    A value out of range becomes the nearest in range, a text that is no number the value before;
    ``noticed`` says so. A drag to the side that begins before one types changes it step by step: with Shift
    by tenths, with Ctrl by tens; Esc takes it back. In a layout from right to left, arrows and unit stand at
    the left; the number itself is always written from left to right.
    """

    value_changed = Signal(object)
    noticed = Signal(str)

    def __init__(
        self,
        value: int | float = 0,
        *,
        whole: bool = True,
        minimum: float | None = None,
        maximum: float | None = None,
        step: float = 1,
        unit: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._whole, self._minimum, self._maximum = whole, minimum, maximum
        self._step, self._unit = step or 1, unit
        self._value: int | float = value
        self._just_entered = False
        """The press that is about to come gave it the focus."""
        self._drag: tuple[float, int | float] | None = None
        """Where a drag began, and with which number."""
        self._dragging = False
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self.setFont(current_theme().font("number"))
        self.setMinimumWidth(64)
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        self._arrange()
        self.set_value(value)
        self.editingFinished.connect(self._commit)

    # --- value -----------------------------------------------------------------------------------------

    def value(self) -> int | float:
        """The last number that was accepted."""
        return self._value

    def set_value(self, value: int | float) -> None:
        """Show a number without telling anyone."""
        self._value = value
        self.setText(written(value))
        self.setCursorPosition(0)

    @Slot()
    def _commit(self) -> None:
        text = self.text().strip()
        if text == written(self._value):
            return
        try:
            number = evaluate(text)
        except NotArithmetic:
            self.noticed.emit(
                tr("“{text}” is not a number; it stays {value}.", text=text[:40], value=written(self._value))
            )
            self.set_value(self._value)
            return
        self._offer(number)

    def _offer(self, number: int | float) -> None:
        wanted = round(number) if self._whole else float(number)
        value = self._within(wanted)
        changed = value != self._value
        self.set_value(value)
        if changed:
            self.value_changed.emit(value)
        if value != wanted:
            side = tr("The highest is {value}.") if value < wanted else tr("The lowest is {value}.")
            self.noticed.emit(fill(side, {"value": written(value)}))

    def _within(self, value: int | float) -> int | float:
        if self._minimum is not None and value < self._minimum:
            return math.ceil(self._minimum) if self._whole else self._minimum
        if self._maximum is not None and value > self._maximum:
            return math.floor(self._maximum) if self._whole else self._maximum
        return value

    def step_by(self, notches: int) -> None:
        """Add ``notches`` steps, on the grid of the step."""
        self._commit()
        self._step_from(self._value, notches, self._step)

    def _step_from(self, start: int | float, notches: int, step: float) -> None:
        number = start + notches * step
        if not self._whole:
            number = round(number / step) * step if step >= 1e-6 else number
            number = round(number, 6)
        self._offer(self._within(number))

    # --- keys and pointer ------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        notches = {
            Qt.Key.Key_Up: 1,
            Qt.Key.Key_Down: -1,
            Qt.Key.Key_PageUp: 10,
            Qt.Key.Key_PageDown: -10,
        }.get(Qt.Key(event.key()))
        if notches is not None and not self.isReadOnly():
            self.step_by(notches)
        elif event.key() == Qt.Key.Key_Escape and self._drag is not None and self._dragging:
            self._offer(self._drag[1])
            self._end_drag()
        elif event.key() == Qt.Key.Key_Escape and self.text() != written(self._value):
            self.set_value(self._value)
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not self.hasFocus() or self.isReadOnly():
            event.ignore()
            return
        delta = event.angleDelta().y()
        if delta:
            self.step_by(1 if delta > 0 else -1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.isEnabled() and self._arrows().contains(event.position().toPoint()):
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self.step_by(1 if event.position().y() < self.height() / 2 else -1)
            return
        left = event.button() == Qt.MouseButton.LeftButton
        if left and self._just_entered and not self.isReadOnly():
            self._drag = event.position().x(), self._value
        self._just_entered = False
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is None:
            super().mouseMoveEvent(event)
            return
        way = event.position().x() - self._drag[0]
        self._dragging = self._dragging or abs(way) >= QApplication.startDragDistance()
        if self._dragging:
            self.setCursor(Qt.CursorShape.SizeHorCursor)
            self._step_from(self._drag[1], round(way / DRAG_PIXELS), self._drag_step(event))

    def _drag_step(self, event: QMouseEvent) -> float:
        held = event.modifiers()
        if held & Qt.KeyboardModifier.ControlModifier:
            return self._step * 10
        fine = bool(held & Qt.KeyboardModifier.ShiftModifier) and (not self._whole or self._step >= 10)
        return self._step / 10 if fine else self._step

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        dragged = self._dragging
        self._end_drag()
        if dragged:
            self.selectAll()
        else:
            super().mouseReleaseEvent(event)

    def _end_drag(self) -> None:
        self._drag, self._dragging = None, False
        self.setCursor(Qt.CursorShape.IBeamCursor)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._just_entered = event.reason() == Qt.FocusReason.MouseFocusReason
        self.setCursor(Qt.CursorShape.IBeamCursor)
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._end_drag()
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        super().focusOutEvent(event)

    # --- look ------------------------------------------------------------------------------------------

    def _is_mirrored(self) -> bool:
        """Whether it stands among things that are laid out from right to left."""
        parent = self.parentWidget()
        direction = parent.layoutDirection() if parent is not None else QGuiApplication.layoutDirection()
        return direction == Qt.LayoutDirection.RightToLeft

    def _arrange(self) -> None:
        unit = self.fontMetrics().horizontalAdvance(self._unit) + 6 if self._unit else 0
        left, right = (ARROWS + unit, 0) if self._is_mirrored() else (0, ARROWS + unit)
        self.setTextMargins(left, 0, right, 0)
        side = Qt.AlignmentFlag.AlignRight if self._is_mirrored() else Qt.AlignmentFlag.AlignLeft
        self.setAlignment(side | Qt.AlignmentFlag.AlignVCenter)

    def _arrows(self) -> QRect:
        """Where the arrows are."""
        return self._visual(QRect(self.width() - ARROWS, 0, ARROWS, self.height()))

    def _visual(self, area: QRect) -> QRect:
        """A place of the layout from left to right, as it is now."""
        if self._is_mirrored():
            area.moveLeft(self.width() - area.right() - 1)
        return area

    def showEvent(self, event: QShowEvent) -> None:
        self._arrange()
        super().showEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._arrange()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        role = "text2" if self.isEnabled() else "text3"
        painter.setPen(
            self.palette().color(QPalette.ColorRole.Text) if not self._unit else current_theme().color(role)
        )
        if self._unit:
            area = self._visual(QRect(0, 0, self.width() - ARROWS - 6, self.height()))
            side = Qt.AlignmentFlag.AlignLeft if self._is_mirrored() else Qt.AlignmentFlag.AlignRight
            painter.drawText(area, side | Qt.AlignmentFlag.AlignVCenter, self._unit)
        if self.isEnabled() and not self.isReadOnly():
            left = self._visual(QRect(self.width() - ARROWS + 2, 0, 10, 10)).left()
            middle = self.height() // 2
            theme, ratio = current_theme(), self.devicePixelRatioF()
            painter.drawPixmap(left, middle - 10, theme.pixmap("chevron_up", 10, "text2", ratio))
            painter.drawPixmap(left, middle, theme.pixmap("chevron_down", 10, "text2", ratio))
