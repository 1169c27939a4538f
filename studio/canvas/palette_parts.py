"""Parts of the search palette: how a node type is listed, and the table of its ports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPaintEvent
from PySide6.QtWidgets import QListWidgetItem, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from pipelines.graph.node import Input, Output
from pipelines.graph.registry import NodeSchema
from studio.canvas.face import main_type
from studio.canvas.items.paint import CATEGORY_ICONS
from studio.canvas.style import CanvasStyle, hue_name
from studio.graph.edits import new_ports
from studio.theme import current_theme
from studio.translate import tr

Index = QModelIndex | QPersistentModelIndex
TYPE_ROLE = Qt.ItemDataRole.UserRole
CATEGORY_ROLE = Qt.ItemDataRole.UserRole + 1
ROW = 28


@dataclass(frozen=True, slots=True)
class Entry:
    """A node type as it is listed."""

    schema: NodeSchema
    title: str
    category: str
    icon: QIcon
    words: str
    """What a search looks in."""

    @classmethod
    def of(cls, schema: NodeSchema) -> Entry:
        title, category = tr(schema.title), tr(schema.category)
        hue = hue_name(main_type(schema, *new_ports(schema)))
        icon = current_theme().icon(CATEGORY_ICONS.get(schema.category, "info"), hue)
        return cls(schema, title, category, icon, f"{title} {category} {schema.id}")

    def item(self) -> QListWidgetItem:
        """A line of the list."""
        item = QListWidgetItem(self.icon, self.title)
        item.setData(TYPE_ROLE, self.schema.id)
        item.setData(CATEGORY_ROLE, self.category)
        return item


class NodeDelegate(QStyledItemDelegate):
    """Icon and name on the left, category on the right."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = current_theme()
        rect = QRectF(option.rect)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("bg3"))
            painter.drawRoundedRect(rect.adjusted(4, 1, -4, -1), 4, 4)
        icon = index.data(Qt.ItemDataRole.DecorationRole)
        side = 16
        icon.paint(painter, round(rect.x()) + 12, round(rect.center().y()) - side // 2, side, side)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme.font("body"))
        painter.setPen(theme.color("text"))
        words = rect.adjusted(36, 0, -12, 0)
        title = index.data(Qt.ItemDataRole.DisplayRole)
        painter.drawText(words, middle | Qt.AlignmentFlag.AlignLeft, title)
        painter.setFont(theme.font("label"))
        painter.setPen(theme.color("text2"))
        category = index.data(CATEGORY_ROLE)
        painter.drawText(words, middle | Qt.AlignmentFlag.AlignRight, category)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(200, current_theme().px(ROW))


class PortTable(QWidget):
    """The ports of a node type, each with its shape, name and type."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[tuple[str, Input | Output | None]] = []
        self._wanted: tuple[type, str] | None = None

    def show_ports(self, schema: NodeSchema | None, wanted: tuple[type, str] | None) -> None:
        """Show the ports of ``schema``; ``wanted``: class and name of the one that would be connected."""
        self._rows, self._wanted = [], wanted
        if schema is not None:
            inputs, outputs = new_ports(schema)
            groups: tuple[tuple[str, Sequence[Input | Output]], ...] = (
                (tr("Inputs"), inputs),
                (tr("Outputs"), outputs),
            )
            for heading, ports in groups:
                if ports:
                    self._rows.append((heading, None))
                    self._rows += [(tr(port.label), port) for port in ports]
        names = [f"{name} ({port.type})" if port else name for name, port in self._rows]
        self.setAccessibleName(", ".join(names))
        self.setFixedHeight(len(self._rows) * current_theme().px(20) + 4)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        style = CanvasStyle(theme)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        row, middle = theme.px(20), Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme.font("label"))
        for index, (name, port) in enumerate(self._rows):
            line = QRectF(0, index * row, self.width(), row)
            if port is None:
                painter.setPen(theme.color("text2"))
                painter.drawText(line, middle | Qt.AlignmentFlag.AlignLeft, name)
                continue
            style.paint_port(painter, QPointF(8, line.center().y()), port.type, linked=True)
            painter.setPen(theme.color("brass" if (type(port), port.name) == self._wanted else "text"))
            painter.drawText(line.adjusted(22, 0, 0, 0), middle | Qt.AlignmentFlag.AlignLeft, name)
            painter.setPen(theme.color("text2"))
            painter.drawText(line, middle | Qt.AlignmentFlag.AlignRight, str(port.type))
        painter.end()
