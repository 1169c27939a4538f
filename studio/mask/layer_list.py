"""The rows of the layers: eye, thumbnail, name, what the layer is, whether it counts for generation."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QWidget,
)

from studio.mask.layer_model import LAYER_ROLE, REASON_ROLE, LayerModel
from studio.mask.layer_words import summary
from studio.mask.layers import Layer, LayerKind
from studio.mask.thumbnails import SIDE, Thumbnails, placed
from studio.theme import current_theme
from studio.theme.tokens import RADIUS_FIELD, mix
from studio.translate import tr

ROW = 48
MARK = 28
"""Width of the eye on the left and of the mark on the right."""
_ICONS = {
    LayerKind.IMAGE: "image", LayerKind.PAINT: "brush", LayerKind.MASK: "mask",
    LayerKind.CONTROL: "control", LayerKind.REGION: "region",
    LayerKind.REFERENCE: "reference",
}  # fmt: skip
_CHECK = 4
_Index = QModelIndex | QPersistentModelIndex


def kind_icon(kind: LayerKind) -> str:
    """The icon of a kind of layer."""
    return _ICONS[kind]


def eye_rect(row: QRect, direction: Qt.LayoutDirection = Qt.LayoutDirection.LeftToRight) -> QRect:
    """Where a row's eye is."""
    return QStyle.visualRect(direction, row, QRect(row.x() + 2, row.y(), MARK, row.height()))


def counts_rect(row: QRect, direction: Qt.LayoutDirection = Qt.LayoutDirection.LeftToRight) -> QRect:
    """Where a row says whether it counts for generation."""
    return QStyle.visualRect(direction, row, QRect(row.right() - MARK, row.y(), MARK, row.height()))


def thumbnail_rect(row: QRect, direction: Qt.LayoutDirection = Qt.LayoutDirection.LeftToRight) -> QRect:
    """The square that a row's thumbnail lies in."""
    box = QRect(row.x() + MARK + 4, row.y() + (row.height() - SIDE) // 2, SIDE, SIDE)
    return QStyle.visualRect(direction, row, box)


def words_rect(row: QRect, direction: Qt.LayoutDirection = Qt.LayoutDirection.LeftToRight) -> QRect:
    """Where a row's name, and the line below it, are."""
    return QStyle.visualRect(direction, row, row.adjusted(MARK + SIDE + 14, 0, -MARK - 4, 0))


class _LayerDelegate(QStyledItemDelegate):
    """Paints a row, and edits a name where it stands."""

    def __init__(self, thumbnails: Thumbnails, parent: QWidget) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        layer, reason = index.data(LAYER_ROLE), index.data(REASON_ROLE)
        rect, way = QRect(option.rect), option.direction
        device = painter.device()
        ratio = device.devicePixelRatioF() if device is not None else 1.0
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._ground(painter, option, rect)
        eye = ("eye", "text2") if layer.visible else ("eye_off", "text3")
        self._icon(painter, eye_rect(rect, way), *eye, ratio)
        used = layer.counts and not reason
        self._icon(painter, counts_rect(rect, way), "diffusion", "ember" if used else "text3", ratio)
        painter.setOpacity(0.45 if reason or not layer.visible else 1.0)
        self._thumbnail(painter, thumbnail_rect(rect, way), layer)
        painter.setOpacity(1.0)
        self._words(painter, words_rect(rect, way), way, layer, reason, ratio)
        painter.restore()

    @staticmethod
    def _ground(painter: QPainter, option: QStyleOptionViewItem, rect: QRect) -> None:
        theme, state = current_theme(), option.state
        painter.setPen(Qt.PenStyle.NoPen)
        if state & QStyle.StateFlag.State_Selected:
            painter.setBrush(theme.color("bg3"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(theme.color("bg2"))
        else:
            return
        painter.drawRoundedRect(rect.adjusted(0, 1, 0, -1), RADIUS_FIELD, RADIUS_FIELD)

    @staticmethod
    def _icon(painter: QPainter, area: QRect, name: str, role: str, ratio: float) -> None:
        corner = area.center() - QPoint(8, 8)
        painter.drawPixmap(corner, current_theme().pixmap(name, 18, role, ratio))

    def _thumbnail(self, painter: QPainter, box: QRect, layer: Layer) -> None:
        theme, image = current_theme(), self._thumbnails.of(layer)
        area = box if image is None else placed(image, box)
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(area), 3, 3)
        painter.save()
        painter.setClipPath(outline)
        if layer.kind is LayerKind.CONTROL:
            painter.fillRect(area, Qt.GlobalColor.black)
        elif image is None or image.hasAlphaChannel():
            _checks(painter, area)
        if image is not None:
            painter.drawImage(area.topLeft(), image)
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if layer.is_mask:
            painter.setPen(QPen(layer.overlay_colour(), 2))
            painter.drawRoundedRect(QRectF(area).adjusted(0, 0, 0, 0), 3, 3)
        else:
            painter.setPen(QPen(theme.color("line"), 1))
            painter.drawRoundedRect(QRectF(area).adjusted(-0.5, -0.5, 0.5, 0.5), 3, 3)

    @staticmethod
    def _words(
        painter: QPainter, area: QRect, way: Qt.LayoutDirection, layer: Layer, reason: str, ratio: float
    ) -> None:
        theme = current_theme()
        half = area.height() // 2
        dim = bool(reason) or not layer.visible
        lines = (
            (layer.name, "body", "text3" if dim else "text", area.adjusted(0, 5, 0, -half)),
            (
                tr("Unavailable") if reason else summary(layer), "label",
                "warn" if reason else "text3" if dim else "text2", area.adjusted(0, half + 1, 0, -6),
            ),
        )  # fmt: skip
        for index, (text, font, role, line) in enumerate(lines):
            painter.setPen(theme.color(role))
            painter.setFont(theme.font(font))  # type: ignore[arg-type]
            if index and reason:
                mark = QStyle.visualRect(way, line, QRect(line.x(), line.center().y() - 6, 13, 13))
                painter.drawPixmap(mark.topLeft(), theme.pixmap("warning", 13, "warn", ratio))
                line = QStyle.visualRect(way, line, line.adjusted(17, 0, 0, 0))
            shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, line.width())
            place = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
            painter.drawText(line, QStyle.visualAlignment(way, place), shown)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: _Index) -> None:
        words = words_rect(QRect(option.rect), option.direction)
        height = min(editor.sizeHint().height(), words.height())
        editor.setGeometry(words.x() - 6, words.y() + 2, words.width() + 6, height)

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(120, max(ROW, current_theme().px(ROW)))


def _checks(painter: QPainter, area: QRect) -> None:
    """What is seen through transparency."""
    tokens = current_theme().tokens
    painter.fillRect(area, mix(tokens.bg0, tokens.text, 0.12))
    colour = QColor(mix(tokens.bg0, tokens.text, 0.28))
    for row, y in enumerate(range(area.y(), area.bottom() + 1, _CHECK)):
        for x in range(area.x() + (row % 2) * _CHECK, area.right() + 1, 2 * _CHECK):
            painter.fillRect(x, y, _CHECK, _CHECK, colour)


class LayerList(QListView):
    """The rows; ``eye_pressed`` and ``counts_pressed`` carry the row."""

    eye_pressed = Signal(int)
    counts_pressed = Signal(int)

    def __init__(self, model: LayerModel, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model, self._thumbnails = model, thumbnails
        self.setModel(model)
        self.setItemDelegate(_LayerDelegate(thumbnails, self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        # F2 is an action's, so that it works from the canvas too
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setMinimumHeight(3 * ROW)
        self.setAccessibleName(tr("Layers"))
        thumbnails.updated.connect(self.viewport().update)
        thumbnails.set_ratio(self.devicePixelRatioF())

    def set_unavailable(self, reasons: Mapping[LayerKind, str]) -> None:
        """Grey out kinds of layers, each with the reason."""
        self._model.set_unavailable(reasons)
        self.viewport().update()

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.DevicePixelRatioChange, QEvent.Type.Show):
            self._thumbnails.set_ratio(self.devicePixelRatioF())
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        index = self.indexAt(at)
        if index.isValid() and event.button() == Qt.MouseButton.LeftButton:
            row = self.visualRect(index)
            if eye_rect(row, self.layoutDirection()).contains(at):
                self.eye_pressed.emit(index.row())
                return
            if counts_rect(row, self.layoutDirection()).contains(at):
                self.counts_pressed.emit(index.row())
                return
        super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and self.currentIndex().isValid():
            self.eye_pressed.emit(self.currentIndex().row())
        else:
            super().keyPressEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            text = self.tip_at(event.pos())
            QToolTip.showText(event.globalPos(), text, self) if text else QToolTip.hideText()
            return True
        return super().viewportEvent(event)

    def tip_at(self, at: QPoint) -> str:
        """What the tooltip at a point of the rows says."""
        index = self.indexAt(at)
        if not index.isValid():
            return ""
        layer, row, way = index.data(LAYER_ROLE), self.visualRect(index), self.layoutDirection()
        if eye_rect(row, way).contains(at):
            return (
                tr("Shown. Press to hide (Space)") if layer.visible else tr("Hidden. Press to show (Space)")
            )
        reason = str(index.data(REASON_ROLE))
        if reason:
            return reason
        if counts_rect(row, way).contains(at):
            used = tr("Used for generation. Press to leave it out")
            return used if layer.counts else tr("Not used for generation. Press to use it")
        return f"{layer.name}\n{summary(layer)}"
