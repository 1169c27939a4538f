"""The command palette: a few letters find every action that can be used now."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Slot,
)
from PySide6.QtGui import QIcon, QPainter
from PySide6.QtWidgets import (
    QLabel,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.fuzzy import search
from studio.widgets.palette import Palette

SHORTCUT_ROLE = Qt.ItemDataRole.UserRole + 1
MENU_ROLE = Qt.ItemDataRole.UserRole + 2
_NO_INDEX = QModelIndex()


class PaletteItem:
    """One line: an id, what it is called, where it stands, its keys and its icon."""

    __slots__ = ("icon", "id", "menu", "shortcut", "title")

    def __init__(self, id: str, title: str, menu: str = "", shortcut: str = "", icon: str = "") -> None:
        self.id, self.title, self.menu, self.shortcut, self.icon = id, title, menu, shortcut, icon


class _Items(QAbstractListModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.items: list[PaletteItem] = []

    def show(self, items: Sequence[PaletteItem]) -> None:
        self.beginResetModel()
        self.items = list(items)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(self.items)

    def data(
        self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        item = self.items[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return item.title
        if role == Qt.ItemDataRole.DecorationRole and item.icon:
            return current_theme().icon(item.icon)
        if role == SHORTCUT_ROLE:
            return item.shortcut
        return item.menu if role == MENU_ROLE else None


class _Delegate(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(200, current_theme().px(32))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        theme = current_theme()
        rect: QRect = option.rect
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("bg3"))
            painter.drawRoundedRect(rect.adjusted(2, 1, -2, -1), 4, 4)
        icon = index.data(Qt.ItemDataRole.DecorationRole)
        if isinstance(icon, QIcon):
            icon.paint(painter, QRect(rect.left() + 10, rect.center().y() - 8, 18, 18))
        line = rect.adjusted(38, 0, -12, 0)
        flags = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(theme.color("text2"))
        painter.setFont(theme.font("label"))
        right = "   ".join(part for part in (index.data(MENU_ROLE), index.data(SHORTCUT_ROLE)) if part)
        painter.drawText(line, flags | Qt.AlignmentFlag.AlignRight, right)
        painter.setPen(theme.color("text"))
        painter.setFont(theme.font("body"))
        painter.drawText(line, flags | Qt.AlignmentFlag.AlignLeft, str(index.data()))
        painter.restore()


class CommandPalette(Palette):
    """Floats over its window. ``chosen`` carries the id; Esc or a click elsewhere closes it."""

    def __init__(self, window: QWidget) -> None:
        view = QListView()
        super().__init__(window, tr("What would you like to do?"), view)
        self._window = window
        self.setAccessibleName(tr("Command palette"))
        self._items: list[PaletteItem] = []
        self._model = _Items(self)
        self.field.setAccessibleName(tr("Find a command"))
        view.setModel(self._model)
        view.setItemDelegate(_Delegate(view))
        view.setUniformItemSizes(True)
        view.setAccessibleName(tr("Commands"))
        self.nothing = QLabel(tr("No command has these letters."))
        self.nothing.setProperty("role", "body2")
        self.nothing.setContentsMargins(10, 8, 10, 8)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(6)
        layout.addWidget(self.field)
        layout.addWidget(self.nothing)
        layout.addWidget(self.list, 1)

    def offer(self, items: Sequence[PaletteItem], before: QWidget | None = None) -> None:
        """Open it with these commands; ``before`` gets the focus back."""
        self._items = list(items)
        window = self._window
        theme = current_theme()
        width = min(theme.px(560), window.width() - 32)
        height = min(theme.px(420), window.height() - 120)
        self.setGeometry((window.width() - width) // 2, 64, width, height)
        self.open(before)

    @Slot(str)
    def search(self, text: str) -> None:
        found = search(text, self._items, lambda item: f"{item.title} {item.menu} {item.id}")
        self._model.show(found)
        self.nothing.setVisible(not found)
        if found:
            self.list.setCurrentIndex(self._model.index(0))

    def id_at(self, row: int) -> str:
        return self._model.items[row].id
