"""A field for one number: arithmetic, arrow keys, wheel while focused, a unit, a range that is explained."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QRect, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette, QWheelEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from pipelines.errors import fill
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.arithmetic import NotArithmetic, evaluate

ARROWS = 18


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
    ``noticed`` says so.
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
        self.setFont(current_theme().font("number"))
        self.setMinimumWidth(64)
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
        number = self._value + notches * self._step
        if not self._whole:
            number = round(number / self._step) * self._step if self._step >= 1e-6 else number
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
        if self.isEnabled() and event.position().x() >= self.width() - ARROWS:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self.step_by(1 if event.position().y() < self.height() / 2 else -1)
            return
        super().mousePressEvent(event)

    # --- look ------------------------------------------------------------------------------------------

    def _arrange(self) -> None:
        unit = self.fontMetrics().horizontalAdvance(self._unit) + 6 if self._unit else 0
        self.setTextMargins(0, 0, ARROWS + unit, 0)

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
            area = QRect(0, 0, self.width() - ARROWS - 6, self.height())
            painter.drawText(area, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self._unit)
        if self.isEnabled() and not self.isReadOnly():
            left, middle = self.width() - ARROWS + 2, self.height() // 2
            theme, ratio = current_theme(), self.devicePixelRatioF()
            painter.drawPixmap(left, middle - 10, theme.pixmap("chevron_up", 10, "text2", ratio))
            painter.drawPixmap(left, middle, theme.pixmap("chevron_down", 10, "text2", ratio))
