"""The history: every step of the document and the canvas, oldest first; a click goes to any of them."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, Slot
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QLabel,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QUndoView,
    QVBoxLayout,
    QWidget,
)

from studio.documents.document import GraphDocument
from studio.theme import current_theme
from studio.translate import tr

Index = QModelIndex | QPersistentModelIndex


class StepDelegate(QStyledItemDelegate):
    """Steps that were undone are dimmed: they can be done again until something else is done."""

    def __init__(self, document: GraphDocument, parent: QWidget) -> None:
        super().__init__(parent)
        self._document = document

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        super().initStyleOption(option, index)
        if index.row() > self._document.undo_stack.index():
            dim = current_theme().color("text3")
            for role in (QPalette.ColorRole.Text, QPalette.ColorRole.HighlightedText):
                option.palette.setColor(role, dim)
            option.font.setItalic(True)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(super().sizeHint(option, index).width(), current_theme().px(26))


class HistoryPanel(QWidget):
    """Both share one undo stack, so that one list shows in which order things were done."""

    def __init__(self, document: GraphDocument, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.setAccessibleName(tr("History"))
        self.words = QLabel()
        self.words.setProperty("role", "hint")
        self.words.setWordWrap(True)
        self.words.setMargin(10)
        self.steps = QUndoView(document.undo_stack)
        self.steps.setProperty("role", "history")
        self.steps.setEmptyLabel(tr("As it was opened"))
        self.steps.setAccessibleName(tr("Steps, oldest first"))
        self.steps.setUniformItemSizes(True)
        self.steps.setItemDelegate(StepDelegate(document, self))
        self.steps.setIconSize(QSize(14, 14))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.words)
        column.addWidget(self.steps, 1)
        document.history_changed.connect(self._count)
        document.replaced.connect(self._show_other)
        current_theme().changed.connect(self._restyle)
        self._restyle()
        self._count()

    @Slot()
    def _show_other(self) -> None:
        """Another document has another history."""
        self.steps.setStack(self._document.undo_stack)
        self._count()

    @Slot()
    def _restyle(self) -> None:
        # the step that the file holds
        self.steps.setCleanIcon(current_theme().icon("save"))

    @Slot()
    def _count(self) -> None:
        stack = self._document.undo_stack
        count, index = stack.count(), stack.index()
        if not count:
            self.words.setText(tr("What you do is listed here; a click goes back to any step."))
        elif index == count:
            self.words.setText(tr("1 step") if count == 1 else tr("{n} steps", n=count))
        else:
            self.words.setText(tr("Step {index} of {n}", index=index, n=count))
        self.steps.viewport().update()
