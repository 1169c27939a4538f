"""The soft shadow under what floats: a picture made once, so that a change in the thing costs nothing."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QMargins, QObject, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QGraphicsBlurEffect, QGraphicsScene, QWidget

from studio.theme import current_theme
from studio.theme.tokens import RADIUS_NODE

BLUR: Final = 28
DROP: Final = 6
"""Pixels that the shadow is lower than the thing."""
STRENGTH: Final = 0.4
EDGE: Final = 2 * BLUR + RADIUS_NODE
"""As much of each side of the picture as the rest of the shadow is not like."""


class Shadow(QWidget):
    """Lies under its owner, a sibling, wherever that goes. A graphics effect would blur the owner anew when
    anything in it is repainted."""

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner.parentWidget())
        self._owner = owner
        self._picture: QPixmap | None = None
        self._made_for: tuple[object, ...] = ()
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hide()
        owner.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._owner:
            match event.type():
                case QEvent.Type.Show:
                    self._follow()
                    self.show()
                case QEvent.Type.Hide:
                    self.hide()
                case QEvent.Type.Move | QEvent.Type.Resize | QEvent.Type.ZOrderChange:
                    self._follow()
        return False

    def _follow(self) -> None:
        margin = QMargins(BLUR, BLUR, BLUR, BLUR)
        self.setGeometry(self._owner.geometry().marginsAdded(margin).translated(0, DROP))
        self.stackUnder(self._owner)

    def paintEvent(self, event: QPaintEvent) -> None:
        ratio, colour = self.devicePixelRatioF(), current_theme().color("shadow")
        colour.setAlphaF(STRENGTH)
        if self._picture is None or self._made_for != (ratio, colour.rgba()):
            self._made_for, self._picture = (ratio, colour.rgba()), blurred(colour, ratio)
        painter = QPainter(self)
        _stretch(painter, self.rect(), self._picture, ratio)
        painter.end()


def blurred(colour: QColor, ratio: float) -> QPixmap:
    """The shadow of the smallest thing whose sides and corners can be told apart."""
    side = 2 * EDGE + 1
    shape = _clear(side, ratio)
    painter = QPainter(shape)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawRoundedRect(QRectF(BLUR, BLUR, side - 2 * BLUR, side - 2 * BLUR), RADIUS_NODE, RADIUS_NODE)
    painter.end()
    scene = QGraphicsScene()
    blur = QGraphicsBlurEffect()
    blur.setBlurRadius(BLUR / 2.5)  # Qt takes two and a half times as much for what it calls a radius here
    scene.addPixmap(shape).setGraphicsEffect(blur)
    picture = _clear(side, ratio)
    painter = QPainter(picture)
    scene.render(painter, QRectF(0, 0, side, side), QRectF(0, 0, side, side))
    painter.end()
    return picture


def _clear(side: int, ratio: float) -> QPixmap:
    pixmap = QPixmap(QSize(side, side) * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    return pixmap


def _stretch(painter: QPainter, area: QRect, picture: QPixmap, ratio: float) -> None:
    """Paint a picture over an area: its corners as they are, what is between them drawn out."""
    columns = ((0, EDGE, 0, EDGE), (EDGE, area.width() - 2 * EDGE, EDGE, 1),
               (area.width() - EDGE, EDGE, EDGE + 1, EDGE))  # fmt: skip
    rows = ((0, EDGE, 0, EDGE), (EDGE, area.height() - 2 * EDGE, EDGE, 1),
            (area.height() - EDGE, EDGE, EDGE + 1, EDGE))  # fmt: skip
    for x, width, from_x, wide in columns:
        for y, height, from_y, high in rows:
            part = QRectF(from_x * ratio, from_y * ratio, wide * ratio, high * ratio)
            painter.drawPixmap(QRectF(x, y, width, height), picture, part)
