"""Progress in twelve segments; unknown length is a segment that wanders (it stands still with reduced
motion)."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.theme import current_theme
from studio.translate import tr

SEGMENTS = 12
TICK_MS = 140


class SegmentBar(QWidget):
    """``set_fraction(0..1)``, or ``set_busy()`` while the length is not known."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fraction: float | None = 0.0
        self._at = 0
        self._hue = "ember"
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("Progress"))
        current_theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(132, 12)

    def set_fraction(self, fraction: float, hue: str = "ember") -> None:
        """A known part, in the hue of what is at work."""
        self._timer.stop()
        self._fraction, self._hue = min(max(fraction, 0.0), 1.0), hue
        self.setAccessibleDescription(f"{round(self._fraction * 100)} %")
        self.update()

    def set_busy(self, hue: str = "brass") -> None:
        """At work, for how long is not known."""
        self._fraction, self._hue = None, hue
        self.setAccessibleDescription(tr("At work"))
        if not current_theme().reduced_motion and not self._timer.isActive():
            self._timer.start()
        self.update()

    def stop(self) -> None:
        """Nothing is at work."""
        self.set_fraction(0.0)

    @Slot()
    def _tick(self) -> None:
        self._at = (self._at + 1) % SEGMENTS
        self.update()

    def _lit(self, index: int) -> float:
        if self._fraction is None:
            distance = (self._at - index) % SEGMENTS
            return (1.0, 0.6, 0.3)[distance] if distance < 3 else 0.0
        return min(max(self._fraction * SEGMENTS - index, 0.0), 1.0)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        theme = current_theme()
        width = (self.width() + 2) / SEGMENTS
        for index in range(SEGMENTS):
            place = QRectF(index * width, 0, width - 2, self.height())
            painter.setOpacity(1.0)
            painter.setBrush(theme.color("bg3"))
            painter.drawRoundedRect(place, 1.5, 1.5)
            lit = self._lit(index)
            if lit > 0:
                painter.setOpacity(lit)
                painter.setBrush(theme.color(self._hue))
                painter.drawRoundedRect(place, 1.5, 1.5)
        painter.end()
