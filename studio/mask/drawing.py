"""Small things that are drawn on the canvas: part of a picture at any scale, and tags with a few words."""

from __future__ import annotations

import math
from typing import Final

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSizeF, Qt
from PySide6.QtGui import QFontMetricsF, QImage, QPainter

from studio.theme import current_theme
from studio.theme.tokens import RADIUS_FIELD

FAR: Final = 32_000
"""Qt counts the pixels that it scales in 16 bits before the point: further ones are never found."""
_ROOM: Final = 3
_TAG_OPACITY: Final = 0.92


def draw_part(painter: QPainter, image: QImage, goal: QRectF, wanted: QRect) -> None:
    """Draw ``image`` over ``goal``, but only what ``wanted`` needs of it (both in the painter's coordinates).

    At 64 times its size the whole of a picture is beyond what a painter counts.
    """
    across, down = goal.width() / image.width(), goal.height() / image.height()
    left = max(0, math.floor((wanted.left() - goal.left()) / across) - _ROOM)
    top = max(0, math.floor((wanted.top() - goal.top()) / down) - _ROOM)
    right = min(image.width(), math.ceil((wanted.right() + 1 - goal.left()) / across) + _ROOM)
    bottom = min(image.height(), math.ceil((wanted.bottom() + 1 - goal.top()) / down) + _ROOM)
    if right <= left or bottom <= top:
        return
    source = QRect(left, top, right - left, bottom - top)
    part = QRectF(
        goal.left() + left * across, goal.top() + top * down, source.width() * across, source.height() * down
    )
    if max(image.width(), image.height()) > FAR:
        image, source = image.copy(source), QRect(QPoint(0, 0), source.size())
    painter.drawImage(part, image, QRectF(source))


def tag_size(text: str) -> QSizeF:
    """How large a tag is."""
    metrics = QFontMetricsF(current_theme().font("label"))
    return QSizeF(math.ceil(metrics.horizontalAdvance(text)) + 14, math.ceil(metrics.height()) + 6)


def draw_tag(painter: QPainter, text: str, at: QPointF, role: str = "text") -> QRectF:
    """A few words on a small plate whose top left corner is ``at``; gives where it is."""
    theme = current_theme()
    box = QRectF(QPointF(round(at.x()), round(at.y())), tag_size(text))
    ground = theme.color("bg1")
    ground.setAlphaF(_TAG_OPACITY)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ground)
    painter.drawRoundedRect(box, RADIUS_FIELD, RADIUS_FIELD)
    painter.setFont(theme.font("label"))
    painter.setPen(theme.color(role))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
    painter.restore()
    return box


def crisp(point: QPointF, ratio: float) -> QPointF:
    """The nearest corner of device pixels."""
    return QPointF(round(point.x() * ratio) / ratio, round(point.y() * ratio) / ratio)
