"""Words laid out once and painted often: glyphs are kept, not looked up at each repaint."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QStaticText, QTransform

KEPT: Final = 4_096
"""Words that are kept: about those of a few hundred nodes."""
CENTRE, LEFT, RIGHT = Qt.AlignmentFlag.AlignHCenter, Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
_PLAIN: Final = QTransform()


class Lettering:
    """One font and the words that were painted in it lately."""

    def __init__(self, font: QFont) -> None:
        self.font = font
        self.metrics = QFontMetricsF(font)
        self.elided = lru_cache(KEPT)(self._elided)
        """``elided(text, room)``: the text, cut with an ellipsis if it is wider."""
        self.laid_out = lru_cache(KEPT)(self._laid_out)
        """``laid_out(text)``: its glyphs. Painting them needs :attr:`font` on the painter."""
        self.width = lru_cache(KEPT)(self.metrics.horizontalAdvance)
        """``width(text)``, in pixels."""

    def _elided(self, text: str, room: float) -> str:
        return self.metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)

    def _laid_out(self, text: str) -> QStaticText:
        words = QStaticText(text)
        words.setTextFormat(Qt.TextFormat.PlainText)
        words.setPerformanceHint(QStaticText.PerformanceHint.AggressiveCaching)
        words.prepare(_PLAIN, self.font)
        return words

    def corner(self, area: QRectF, text: str, side: Qt.AlignmentFlag = LEFT) -> QPointF:
        """Where the words' top left corner is, if they stand in the middle of an area's height."""
        size = self.laid_out(text).size()
        y = area.y() + (area.height() - size.height()) / 2
        if side == RIGHT:
            return QPointF(area.right() - size.width(), y)
        return QPointF(area.x() if side == LEFT else area.x() + (area.width() - size.width()) / 2, y)

    def paint(self, painter: QPainter, area: QRectF, text: str, side: Qt.AlignmentFlag = LEFT) -> None:
        """Paint one line in the middle of an area's height, with the painter's pen."""
        painter.setFont(self.font)
        painter.drawStaticText(self.corner(area, text, side), self.laid_out(text))
