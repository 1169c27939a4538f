"""The ground of the canvas: a grid of dots, wider apart the further away it is."""

from __future__ import annotations

import math
from typing import Final

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter, QPixmap

from studio.canvas.style import GRID

LEAST: Final = 18.0
"""Pixels of the view that dots are at least apart."""


class DotGrid:
    """Paints rows of dots from a picture of one row, which is made again when the view is elsewhere.

    Dots are one pixel wide (of those that the system counts in) and lie on whole pixels of the screen.
    """

    def __init__(self) -> None:
        self._row = QPixmap()
        self._made_for: tuple[float, ...] = ()

    def paint(self, painter: QPainter, rect: QRectF, colour: QColor) -> None:
        """Paint the dots in a rectangle of the scene."""
        transform, ratio = painter.worldTransform(), painter.device().devicePixelRatio()
        step = float(GRID)
        while step * transform.m11() < LEAST:
            step *= 2
        apart = step * transform.m11()
        area, zero = transform.mapRect(rect), transform.map(QPointF(0, 0))
        row = self._row_of(apart, zero.x() % apart, area.right(), ratio, colour)
        first = math.floor((area.top() - zero.y()) / apart)
        last = math.ceil((area.bottom() - zero.y()) / apart)
        painter.save()
        painter.resetTransform()
        for number in range(first, last + 1):
            painter.drawPixmap(QPointF(0, _whole(zero.y() + number * apart, ratio)), row)
        painter.restore()

    def _row_of(self, apart: float, phase: float, width: float, ratio: float, colour: QColor) -> QPixmap:
        """One row: the first dot at ``phase``, the others ``apart``, in pixels of the view."""
        wanted = (apart, phase, ratio, float(colour.rgb()))
        if wanted != self._made_for or self._row.width() < width * ratio:
            self._made_for = wanted
            side = max(1, round(ratio))
            self._row = QPixmap(math.ceil((width + apart) * ratio), side)
            self._row.fill(QColor(0, 0, 0, 0))
            pen = QPainter(self._row)
            for number in range(math.ceil(width / apart) + 1):
                pen.fillRect(round((phase + number * apart) * ratio), 0, side, side, colour)
            pen.end()
            self._row.setDevicePixelRatio(ratio)
        return self._row


def _whole(length: float, ratio: float) -> float:
    """The nearest length that is a whole number of the screen's pixels."""
    return round(length * ratio) / ratio
