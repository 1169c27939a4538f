"""The layers: a list with an eye, a name and what counts for generation; opacity and order below it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSignalBlocker,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from studio.mask.layer_model import LAYER_ROLE, LayerModel
from studio.mask.layers import Layer, LayerKind
from studio.mask.paint_document import PaintDocument
from studio.mask.slider_field import SliderField
from studio.mask.tool_bar import ColourButton
from studio.theme import current_theme
from studio.theme.tokens import RADIUS_FIELD
from studio.translate import tr

ROW = 36
MARK = 28
"""Width of the eye on the left and of the mark on the right."""
_ICONS = {LayerKind.IMAGE: "image", LayerKind.PAINT: "brush", LayerKind.MASK: "mask"}


class _LayerDelegate(QStyledItemDelegate):
    """Paints a row."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        layer = index.data(LAYER_ROLE)
        theme, rect, way = current_theme(), QRect(option.rect), option.direction
        state: QStyle.StateFlag = option.state
        device = painter.device()
        ratio = device.devicePixelRatioF() if device is not None else 1.0
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if state & QStyle.StateFlag.State_Selected:
            painter.setBrush(theme.color("bg3"))
            painter.drawRoundedRect(rect, RADIUS_FIELD, RADIUS_FIELD)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(theme.color("bg2"))
            painter.drawRoundedRect(rect, RADIUS_FIELD, RADIUS_FIELD)
        eye = ("eye", "text2") if layer.visible else ("eye_off", "text3")
        self._icon(painter, eye_rect(rect, way), *eye, ratio)
        counts = ("diffusion", "ember") if layer.counts else ("diffusion", "text3")
        self._icon(painter, counts_rect(rect, way), *counts, ratio)
        kind = QStyle.visualRect(way, rect, QRect(rect.x() + MARK + 4, rect.y(), 20, rect.height()))
        if layer.kind is LayerKind.MASK:
            painter.setBrush(layer.overlay_colour())
            painter.setPen(QPen(theme.color("line"), 1))
            painter.drawRoundedRect(QRect(kind.center().x() - 7, kind.center().y() - 7, 15, 15), 3, 3)
        else:
            self._icon(painter, kind, _ICONS[layer.kind], "text2", ratio)
        painter.setPen(theme.color("text" if layer.visible else "text3"))
        painter.setFont(theme.font("body"))
        words = QStyle.visualRect(way, rect, rect.adjusted(MARK + 33, 0, -MARK - 6, 0))
        text = painter.fontMetrics().elidedText(layer.name, Qt.TextElideMode.ElideRight, words.width())
        place = QStyle.visualAlignment(way, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        painter.drawText(words, place, text)
        painter.restore()

    @staticmethod
    def _icon(painter: QPainter, area: QRect, name: str, role: str, ratio: float) -> None:
        corner = area.center() - QPoint(8, 8)
        painter.drawPixmap(corner, current_theme().pixmap(name, 18, role, ratio))

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(120, current_theme().px(ROW))


def eye_rect(row: QRect, direction: Qt.LayoutDirection = Qt.LayoutDirection.LeftToRight) -> QRect:
    """Where a row's eye is."""
    return QStyle.visualRect(direction, row, QRect(row.x() + 2, row.y(), MARK, row.height()))


def counts_rect(row: QRect, direction: Qt.LayoutDirection = Qt.LayoutDirection.LeftToRight) -> QRect:
    """Where a row says whether it counts for generation."""
    return QStyle.visualRect(direction, row, QRect(row.right() - MARK, row.y(), MARK, row.height()))


class LayerList(QListView):
    """The rows; ``eye_pressed`` and ``counts_pressed`` carry the row."""

    eye_pressed = Signal(int)
    counts_pressed = Signal(int)

    def __init__(self, model: LayerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.setItemDelegate(_LayerDelegate(self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.setAccessibleName(tr("Layers"))

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
            index = self.indexAt(event.pos())
            row = self.visualRect(index)
            text = ""
            if index.isValid() and eye_rect(row, self.layoutDirection()).contains(event.pos()):
                text = tr("Show or hide (Space)")
            elif index.isValid() and counts_rect(row, self.layoutDirection()).contains(event.pos()):
                text = tr("Counts for generation")
            QToolTip.showText(event.globalPos(), text, self) if text else QToolTip.hideText()
            return True
        return super().viewportEvent(event)


class LayerPanel(QFrame):
    """Everything goes through the document, and undoes."""

    def __init__(self, document: PaintDocument, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._document = document
        self.model = LayerModel(document, self)
        self.list = LayerList(self.model)
        heading = QLabel(tr("Layers"))
        heading.setProperty("role", "heading")
        self.opacity = SliderField(tr("Opacity"), 0, 100, "%")
        self.colour = ColourButton(tr("Colour of the mask"), "#000000")
        self.colour.setFixedSize(30, 30)
        self.add = self._button("plus", tr("Add a layer"))
        menu = QMenu(self.add)
        menu.addAction(current_theme().icon("mask"), tr("Mask")).setData(LayerKind.MASK)
        menu.addAction(current_theme().icon("brush"), tr("Paint layer")).setData(LayerKind.PAINT)
        menu.triggered.connect(lambda action: document.add_layer(action.data()))
        self.add.setMenu(menu)
        self.add.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.up = self._button("chevron_up", tr("Move the layer up"))
        self.down = self._button("chevron_down", tr("Move the layer down"))
        self.copy = self._button("copy", tr("Duplicate the layer"))
        self.delete = self._button("trash", tr("Delete the layer"))
        self._arrange(heading)
        self._connect()
        self._show()

    def _button(self, icon: str, title: str) -> QToolButton:
        button = QToolButton()
        button.setIcon(current_theme().icon(icon))
        button.setIconSize(QSize(18, 18))
        button.setToolTip(title)
        button.setAccessibleName(title)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _arrange(self, heading: QLabel) -> None:
        settings = QHBoxLayout()
        settings.setSpacing(6)
        settings.addWidget(self.opacity, 1)
        settings.addWidget(self.colour)
        tools = QHBoxLayout()
        tools.setSpacing(2)
        tools.addWidget(self.add)
        tools.addStretch(1)
        for button in (self.up, self.down, self.copy, self.delete):
            tools.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 8)
        column.setSpacing(8)
        column.addWidget(heading)
        column.addWidget(self.list, 1)
        column.addLayout(settings)
        column.addLayout(tools)

    def _connect(self) -> None:
        document = self._document
        document.stack_changed.connect(self._show)
        current_theme().changed.connect(self._show)
        self.list.eye_pressed.connect(self._toggle_visible)
        self.list.counts_pressed.connect(self._toggle_counts)
        self.list.selectionModel().currentChanged.connect(self._selected)
        self.opacity.value_changed.connect(self._set_opacity)
        self.colour.colour_chosen.connect(self._set_colour)
        self.up.clicked.connect(lambda: self._move(1))
        self.down.clicked.connect(lambda: self._move(-1))
        self.copy.clicked.connect(lambda: self._on_active(lambda layer: document.duplicate(layer.id)))
        self.delete.clicked.connect(lambda: self._on_active(lambda layer: document.remove_layer(layer.id)))

    @Slot()
    def _show(self) -> None:
        stack = self._document.stack
        row = self.model.row_of(stack.active)
        with QSignalBlocker(self.list.selectionModel()):
            self.list.setCurrentIndex(self.model.index(row, 0))
        self.list.viewport().update()
        layer = self._document.active
        for part in (self.opacity, self.copy, self.delete):
            part.setEnabled(layer is not None)
        self.up.setEnabled(row > 0)
        self.down.setEnabled(0 <= row < len(stack.layers) - 1)
        self.add.setEnabled(not stack.size.isEmpty())
        self.colour.setVisible(layer is not None and layer.kind is LayerKind.MASK)
        if layer is not None:
            self.opacity.set_value(round(layer.opacity * 100))
            self.colour.set_colour(layer.overlay_colour().name())

    @Slot(QModelIndex, QModelIndex)
    def _selected(self, current: QModelIndex, previous: QModelIndex) -> None:
        if current.isValid():
            self._document.select(self.model.layer(current.row()).id)

    @Slot(int)
    def _toggle_visible(self, row: int) -> None:
        layer = self.model.layer(row)
        text = tr("Hide a layer") if layer.visible else tr("Show a layer")
        self._document.change_layer(layer.id, text, visible=not layer.visible)

    @Slot(int)
    def _toggle_counts(self, row: int) -> None:
        layer = self.model.layer(row)
        self._document.change_layer(layer.id, tr("What counts for generation"), counts=not layer.counts)

    @Slot(int)
    def _set_opacity(self, value: int) -> None:
        layer = self._document.active
        if layer is not None:
            self._document.change_layer(layer.id, tr("Opacity of a layer"), "opacity", opacity=value / 100)

    @Slot(str)
    def _set_colour(self, colour: str) -> None:
        layer = self._document.active
        if layer is not None:
            self._document.change_layer(layer.id, tr("Colour of a mask"), colour=QColor(colour).name())

    def _move(self, by: int) -> None:
        layer = self._document.active
        if layer is not None:
            self._document.move_layer(layer.id, self._document.stack.index(layer.id) + by)

    def _on_active(self, do: Callable[[Layer], object]) -> None:
        layer = self._document.active
        if layer is not None:
            do(layer)
