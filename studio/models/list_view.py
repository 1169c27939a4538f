"""The list of models: arrows move, Enter uses, F2 edits the notes, Delete asks about the bin."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from pipelines.engine.protocol import ModelInfo
from studio.models.delegate import ROW, NameDelegate
from studio.models.shelf import Query
from studio.models.table import CHANGED, COLUMNS, DTYPE, FAMILY, FIT, KIND, NAME, SIZE, Index, ModelTable
from studio.models.thumbnails import Thumbnails
from studio.theme import current_theme
from studio.translate import tr

_WIDTHS: Final = {KIND: 108, FAMILY: 116, SIZE: 76, DTYPE: 78, FIT: 128, CHANGED: 96}
_LEAST: Final = 220
_FIRST_TO_GO: Final = (CHANGED, DTYPE, FAMILY, KIND, FIT, SIZE)
"""Columns that are left out, one after another, where there is no room for them."""


class ModelList(QTableView):
    """``chosen`` carries the :class:`ModelInfo` of the current row, or ``None``; ``used`` after Enter or a
    double click."""

    chosen = Signal(object)
    used = Signal()
    notes_wanted = Signal()
    removal_wanted = Signal()
    favourite_wanted = Signal()
    menu_wanted = Signal(object)
    order_wanted = Signal(str)

    def __init__(self, table: ModelTable, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table, self.thumbnails = table, thumbnails
        self._wanted = ""
        self.setModel(table)
        self.setItemDelegateForColumn(NAME, NameDelegate(thumbnails, self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setAccessibleName(tr("Models"))
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setMinimumSectionSize(20)
        header.sectionClicked.connect(self._sort)
        self.doubleClicked.connect(self.used)
        thumbnails.arrived.connect(self.viewport().update)
        table.modelAboutToBeReset.connect(self._note_current)
        table.modelReset.connect(self._find_current)
        current_theme().changed.connect(self._restyle)
        self.show_order(Query())
        self._restyle()

    # --- what is chosen --------------------------------------------------------------------------------

    @property
    def current(self) -> ModelInfo | None:
        """The model of the current row."""
        index = self.currentIndex()
        return self._table.info(index.row()) if index.isValid() else None

    def choose(self, path: str) -> bool:
        """Make a model the current one; False if it isn't shown."""
        row = self._table.row_of(path)
        if row < 0:
            return False
        index = self._table.index(row, NAME)
        self.setCurrentIndex(index)
        self.scrollTo(index)
        return True

    @Slot()
    def _note_current(self) -> None:
        current = self.current
        if current is not None:
            self._wanted = current.path

    @Slot()
    def _find_current(self) -> None:
        """After a reset: the same model again, else the first."""
        row = self._table.row_of(self._wanted) if self._wanted else -1
        index = self._table.index(max(row, 0), NAME)
        if index.isValid():
            self.setCurrentIndex(index)
            self.scrollTo(index)
        self.chosen.emit(self.current)

    def currentChanged(self, current: Index, previous: Index) -> None:
        super().currentChanged(current, previous)
        info = self.current
        if info is not None and current.row() != previous.row():
            self._wanted = info.path
            self.chosen.emit(info)

    # --- order -----------------------------------------------------------------------------------------

    @Slot(int)
    def _sort(self, column: int) -> None:
        self.order_wanted.emit(COLUMNS[column][0])

    def show_order(self, query: Query) -> None:
        """Mark the column that the list is sorted by."""
        columns = [order for order, _ in COLUMNS]
        header = self.horizontalHeader()
        if query.order not in columns:
            header.setSortIndicatorShown(False)
            return
        header.setSortIndicatorShown(True)
        down = query.reverse != (query.order in ("size", "modified"))
        order = Qt.SortOrder.DescendingOrder if down else Qt.SortOrder.AscendingOrder
        header.setSortIndicator(columns.index(query.order), order)

    # --- room ------------------------------------------------------------------------------------------

    @Slot()
    def _restyle(self) -> None:
        self.verticalHeader().setDefaultSectionSize(current_theme().px(ROW))
        self._share_room()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share_room()

    def _share_room(self) -> None:
        """The name takes what the other columns leave; the least needed go where it is narrow."""
        theme, room = current_theme(), self.viewport().width()
        shown = {column: theme.px(width) for column, width in _WIDTHS.items()}
        for column in _FIRST_TO_GO:
            if room - sum(shown.values()) >= theme.px(_LEAST):
                break
            shown.pop(column)
        for column in _WIDTHS:
            self.setColumnHidden(column, column not in shown)
            if column in shown:
                self.setColumnWidth(column, shown[column])
        self.setColumnWidth(NAME, max(room - sum(shown.values()), 60))

    # --- keys ------------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        wanted = {
            Qt.Key.Key_Return: self.used, Qt.Key.Key_Enter: self.used, Qt.Key.Key_F2: self.notes_wanted,
            Qt.Key.Key_Delete: self.removal_wanted, Qt.Key.Key_Space: self.favourite_wanted,
        }.get(Qt.Key(event.key())) if plain else None  # fmt: skip
        if wanted is None:
            super().keyPressEvent(event)
        elif self.current is not None:
            wanted.emit()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        index = (
            self.indexAt(event.pos())
            if event.reason() == QContextMenuEvent.Reason.Mouse
            else self.currentIndex()
        )
        if not index.isValid():
            return
        place = event.globalPos()
        if event.reason() != QContextMenuEvent.Reason.Mouse:
            place = self.viewport().mapToGlobal(self.visualRect(index).bottomLeft())
        self.menu_wanted.emit(place)
