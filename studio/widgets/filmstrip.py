"""The strip of pictures that were made: thumbnails, arrow keys, drag out as files."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QContextMenuEvent, QImage, QPainter, QPainterPath, QPen, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from studio.pictures.results import MISSING_ROLE, THUMBNAIL_ROLE, ResultList
from studio.theme import current_theme
from studio.translate import tr

TILE = 72
GAP = 4


class _TileDelegate(QStyledItemDelegate):
    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        theme = current_theme()
        cell: QRect = option.rect
        side = min(cell.width(), cell.height()) - 2 * GAP
        rect = QRect(cell.x() + GAP, cell.y() + (cell.height() - side) // 2, side, side)
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        shape = QPainterPath()
        shape.addRoundedRect(QRectF(rect), 4, 4)
        painter.fillPath(shape, theme.color("bg2"))
        image = index.data(THUMBNAIL_ROLE)
        if isinstance(image, QImage):
            painter.setClipPath(shape)
            painter.drawImage(QRectF(rect), image, _cover(image))
            painter.setClipping(False)
        elif index.data(MISSING_ROLE):
            device = painter.device()
            ratio = device.devicePixelRatioF() if device is not None else 1.0
            icon = theme.pixmap("image", 20, "text3", ratio)
            painter.drawPixmap(rect.center() - QPoint(10, 10), icon)
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(QPen(theme.color("brass"), 2))
            painter.drawRoundedRect(QRectF(rect).adjusted(-2, -2, 2, 2), 6, 6)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(QPen(theme.color("text3"), 1))
            painter.drawRoundedRect(QRectF(rect).adjusted(-0.5, -0.5, 0.5, 0.5), 5, 5)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(TILE, TILE)


def _cover(image: QImage) -> QRectF:
    """The largest centred square of a picture."""
    side = min(image.width(), image.height())
    return QRectF((image.width() - side) / 2, (image.height() - side) / 2, side, side)


class Filmstrip(QListView):
    """One row of tiles. ``result_selected`` carries the row, whoever selected it; ``menu_requested`` the
    place."""

    result_selected = Signal(int)
    menu_requested = Signal(object)

    def __init__(self, results: ResultList, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(results)
        self.setItemDelegate(_TileDelegate(self))
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedHeight(TILE + 16)
        self.setAccessibleName(tr("Pictures made"))
        self.selectionModel().currentChanged.connect(self._current_changed)

    @property
    def row(self) -> int:
        """The row selected, or -1."""
        return self.currentIndex().row()

    def select(self, row: int) -> None:
        """Select a picture and bring it into view; nothing if there is no such row."""
        index = self.model().index(row, 0)
        if index.isValid():
            self.setCurrentIndex(index)
            self.scrollTo(index)

    @Slot(object, object)
    def _current_changed(self, current: QModelIndex, previous: QModelIndex) -> None:
        self.result_selected.emit(current.row())

    def wheelEvent(self, event: QWheelEvent) -> None:
        delta = event.angleDelta()
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - (delta.x() or delta.y()))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self.indexAt(event.pos()).isValid():
            self.menu_requested.emit(event.globalPos())
