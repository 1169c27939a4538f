"""How a model's name is painted in its row: picture, title, a second line, the star of a favourite."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QImage, QPainter, QPainterPath
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from pipelines.engine.protocol import ModelInfo
from studio.models.table import INFO
from studio.models.thumbnails import Thumbnails
from studio.models.words import KINDS, program_text, reason_text, variant_text
from studio.theme import current_theme

ROW: Final = 44
_GAP: Final = 8
_STAR: Final = 14
_MARK: Final = 2
"""The mark of the row that keys act on, where the list has the focus."""


def second_line(info: ModelInfo) -> str:
    """What distinguishes a model from its like: why it can't be used, else variant, words, where it is."""
    if info.problem:
        return reason_text(info)
    words = ", ".join(info.trigger_words[:3])
    parts = [variant_text(info), words, ", ".join(info.user_tags[:3]), program_text(info.origin)]
    return " · ".join(part for part in parts if part)


class NameDelegate(QStyledItemDelegate):
    """For the first column; pictures come from ``thumbnails`` as they are read."""

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        info: ModelInfo | None = index.data(INFO)
        if info is None:
            return
        widget: QWidget | None = option.widget
        style = widget.style() if widget is not None else None
        if style is not None:
            style.drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, widget)
        cell: QRect = option.rect
        state: QStyle.StateFlag = option.state
        left_to_right = option.direction == Qt.LayoutDirection.LeftToRight
        side = cell.height() - _GAP
        picture = QRect(cell.x() + _GAP, cell.y() + _GAP // 2, side, side)
        words = cell.adjusted(side + 2 * _GAP, 0, -_GAP, 0)
        if not left_to_right:
            picture.moveRight(cell.right() - _GAP)
            words = cell.adjusted(_GAP, 0, -(side + 2 * _GAP), 0)
        painter.save()
        if state & QStyle.StateFlag.State_Selected and widget is not None and widget.hasFocus():
            edge = cell.x() if left_to_right else cell.right() - _MARK
            painter.fillRect(edge, cell.y(), _MARK + 1, cell.height(), current_theme().color("brass"))
        self._paint_picture(painter, picture, info)
        self._paint_words(painter, words, info, option.direction)
        painter.restore()

    def _paint_picture(self, painter: QPainter, place: QRect, info: ModelInfo) -> None:
        theme = current_theme()
        image = self._thumbnails.get(info.preview) if info.preview else None
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        shape = QPainterPath()
        shape.addRoundedRect(QRectF(place), 4, 4)
        painter.fillPath(shape, theme.color("bg2"))
        if image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.setClipPath(shape)
            painter.drawImage(QRectF(place), image, _square(image))
            painter.setClipping(False)
            return
        device = painter.device()
        ratio = device.devicePixelRatioF() if device is not None else 1.0
        role = "text3" if info.problem else "iris" if info.kind in ("language", "text_encoder") else "ember"
        icon = theme.pixmap(KINDS[info.kind][2], 18, role, ratio)
        painter.drawPixmap(place.center() - QPoint(8, 8), icon)

    def _paint_words(
        self, painter: QPainter, place: QRect, info: ModelInfo, direction: Qt.LayoutDirection
    ) -> None:
        theme = current_theme()
        align = Qt.AlignmentFlag.AlignVCenter | (
            Qt.AlignmentFlag.AlignLeft if direction == Qt.LayoutDirection.LeftToRight else
            Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignAbsolute
        )  # fmt: skip
        below = second_line(info)
        room = QRect(place)
        if info.favourite:
            device = painter.device()
            ratio = device.devicePixelRatioF() if device is not None else 1.0
            star = theme.pixmap("star_full", _STAR, "brass", ratio)
            x = place.right() - _STAR if direction == Qt.LayoutDirection.LeftToRight else place.x()
            painter.drawPixmap(x, place.center().y() - _STAR // 2, star)
            left = direction == Qt.LayoutDirection.LeftToRight
            room.adjust(0 if left else _STAR + 4, 0, -(_STAR + 4) if left else 0, 0)
        middle = room.height() // 2 if below else 0
        title = room.adjusted(0, 3, 0, -middle) if below else room
        painter.setPen(theme.color("text2" if info.problem else "text"))
        _draw(painter, title, info.title, theme.font("body"), align)
        if below:
            painter.setPen(theme.color("warn" if info.problem else "text2"))
            _draw(painter, room.adjusted(0, middle, 0, -3), below, theme.font("label"), align)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(current_theme().px(200), current_theme().px(ROW))


def _draw(painter: QPainter, place: QRect, text: str, font: QFont, align: Qt.AlignmentFlag) -> None:
    painter.setFont(font)
    line = text.replace("\n", " ")
    painter.drawText(
        place, align, QFontMetrics(font).elidedText(line, Qt.TextElideMode.ElideRight, place.width())
    )


def _square(image: QImage) -> QRectF:
    """The largest centred square of a picture."""
    side = min(image.width(), image.height())
    return QRectF((image.width() - side) / 2, (image.height() - side) / 2, side, side)
