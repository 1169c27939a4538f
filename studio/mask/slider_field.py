"""A number with a slider beside it, in one short row."""

from __future__ import annotations

import math

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSlider, QWidget

from studio.theme import current_theme
from studio.widgets.number_field import NumberField

STEPS = 1000
SHORTEST, LONGEST = 24, 140
"""Pixels (at 100 % text) of a slider that is of use, and of one that is long enough."""
GAP = 6
NUMBER = 80


class SliderField(QWidget):
    """Whole numbers from ``minimum`` to ``maximum``; ``value_changed`` when the user changes it.

    Args:
        logarithmic: equal ways of the slider are equal factors (sizes).
    """

    value_changed = Signal(int)

    def __init__(
        self,
        title: str,
        minimum: int,
        maximum: int,
        unit: str,
        tip: str = "",
        *,
        logarithmic: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._minimum, self._maximum, self._logarithmic = minimum, maximum, logarithmic
        self.label = QLabel(title)
        self.label.setProperty("role", "label")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, STEPS)
        self.slider.setPageStep(STEPS // 10)
        self.slider.setSingleStep(STEPS // 100)
        self.slider.setMinimumWidth(current_theme().px(SHORTEST))
        self.slider.setMaximumWidth(current_theme().px(LONGEST))
        self.slider.setAccessibleName(title)
        self.field = NumberField(minimum, minimum=minimum, maximum=maximum, unit=unit)
        self.field.setAccessibleName(title)
        for part in (self, self.slider, self.field):
            part.setToolTip(tip or title)
        self.label.setBuddy(self.field)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
        row.addWidget(self.label)
        row.addWidget(self.slider, 1)
        row.addWidget(self.field)
        self.slider.valueChanged.connect(self._slid)
        self.field.value_changed.connect(self._typed)
        current_theme().changed.connect(self._fit_text)
        self._fit_text()

    @Slot()
    def _fit_text(self) -> None:
        """Room for the largest number in the size that text has now."""
        self.field.setFixedWidth(current_theme().px(NUMBER))

    def width_without_slider(self) -> int:
        """Pixels that the name and the number take."""
        return self.label.sizeHint().width() + GAP + self.field.width()

    def set_slider_room(self, pixels: int) -> None:
        """Make the slider this wide, up to what is long enough; leave it out where it would be of no use."""
        width = min(pixels - GAP, current_theme().px(LONGEST))
        fits = width >= current_theme().px(SHORTEST)
        self.slider.setVisible(fits)
        if fits:
            self.slider.setFixedWidth(width)

    def value(self) -> int:
        return int(self.field.value())

    def set_value(self, value: int) -> None:
        """Show a number without telling anyone."""
        if value != self.value() or not self.field.text():
            self.field.set_value(value)
        with QSignalBlocker(self.slider):
            self.slider.setValue(self._place(value))

    def _place(self, value: int) -> int:
        low, high = self._minimum, self._maximum
        if self._logarithmic:
            return round(STEPS * math.log(max(value, low) / low) / math.log(high / low))
        return round(STEPS * (value - low) / (high - low))

    @Slot(int)
    def _slid(self, place: int) -> None:
        low, high, way = self._minimum, self._maximum, place / STEPS
        value = round(low * (high / low) ** way if self._logarithmic else low + (high - low) * way)
        if value != self.value():
            self.field.set_value(value)
            self.value_changed.emit(value)

    @Slot(object)
    def _typed(self, value: int) -> None:
        self.set_value(value)
        self.value_changed.emit(value)
