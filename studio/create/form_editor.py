"""Arranging the form of Create: order, labels and names of its fields, and what stands behind “More”."""

from __future__ import annotations

import json
import shlex
from typing import Final

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from studio.create.binding import Binding
from studio.create.form_arranged import usual_order
from studio.create.form_fields import TEXTS
from studio.documents.document import GraphDocument
from studio.graph.edits import title_of
from studio.graph.exposed import Argument, fault_of
from studio.translate import tr
from studio.widgets.dialog import Dialog

LABEL, NAME, MORE, LINE = range(4)
_BEFORE: Final = Qt.ItemDataRole.UserRole
"""The name an argument had until now."""
_SHOWN: Final = 40


class FormEditor(Dialog):
    """A draft of the form; pressing “Use this form” makes it one step of the document."""

    def __init__(self, document: GraphDocument, binding: Binding, parent: QWidget | None = None) -> None:
        super().__init__(tr("Form of Create"), parent)
        self._document, self._binding = document, binding
        self.resize(720, 520)
        self.tree = self._make_tree()
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setProperty("role", "hint")
        self.done_button = QPushButton(tr("Use this form"))
        self._fill()
        self._lay_out()
        self.tree.itemChanged.connect(self._changed)
        self.tree.currentItemChanged.connect(self._check)
        self._check()

    # --- building --------------------------------------------------------------------------------------

    def _make_tree(self) -> QTreeWidget:
        tree = QTreeWidget()
        tree.setAccessibleName(tr("Fields of the form, from top to bottom"))
        tree.setHeaderLabels([tr("Label"), tr("Name"), tr("Behind “More”"), tr("On the command line")])
        tree.setRootIsDecorated(False)
        tree.setUniformRowHeights(True)
        tree.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        tree.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        header = tree.header()
        header.setStretchLastSection(True)
        for column, width in ((LABEL, 200), (NAME, 150)):
            header.resizeSection(column, width)
        header.setSectionResizeMode(MORE, QHeaderView.ResizeMode.ResizeToContents)
        for keys, step in (("Alt+Up", self.move_up), ("Alt+Down", self.move_down), ("Delete", self.remove)):
            action = QAction(tree)
            action.setShortcut(QKeySequence(keys))
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.triggered.connect(step)
            tree.addAction(action)
        return tree

    def _fill(self) -> None:
        places = self._binding.names
        order = [(name, bool(self._binding.is_more(name))) for name in places]
        for name, more in order if self._binding.is_arranged else usual_order(self._binding):
            item = QTreeWidgetItem([self._binding.given_title(name), name, "", ""])
            item.setData(LABEL, _BEFORE, name)
            item.setFlags(
                Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEditable
                | Qt.ItemFlag.ItemIsDragEnabled | Qt.ItemFlag.ItemIsUserCheckable
            )  # fmt: skip
            item.setCheckState(MORE, Qt.CheckState.Checked if more else Qt.CheckState.Unchecked)
            self._describe(item)
            self.tree.addTopLevelItem(item)
        first = self.tree.topLevelItem(0)
        if first is not None:
            self.tree.setCurrentItem(first)

    def _lay_out(self) -> None:
        words = QLabel(
            tr(
                "Drag fields, or move them with Alt+Up and Alt+Down. "
                "Double-click a label or a name to change it."
            )
        )
        words.setWordWrap(True)
        words.setProperty("role", "body2")
        self.content.addWidget(words)
        self.content.addWidget(self.tree, 1)
        row = QHBoxLayout()
        steps = ((tr("Up"), self.move_up), (tr("Down"), self.move_down), (tr("Remove"), self.remove))
        for text, call in steps:
            button = QPushButton(text)
            button.setAutoDefault(False)
            button.clicked.connect(call)
            row.addWidget(button)
        row.addStretch(1)
        self.content.addLayout(row)
        self.content.addWidget(self.note)
        leave = QPushButton(tr("Cancel"))
        leave.setAutoDefault(False)
        leave.clicked.connect(self.reject)
        self.done_button.setProperty("role", "primary")
        self.done_button.clicked.connect(self.use)
        self.buttons.addWidget(self.done_button)
        self.buttons.addWidget(leave)

    def _describe(self, item: QTreeWidgetItem) -> None:
        """What the row says beside what can be edited: where it comes from, and how to write it."""
        before = str(item.data(LABEL, _BEFORE))
        place = self._binding.names[before]
        words = TEXTS.get(before)
        schema = self._binding.schema(before)
        own = tr(words.label) if words else tr(schema.title) if schema is not None else place.param
        source = title_of(self._document.graph, self._document.registry, place.node)
        item.setToolTip(LABEL, tr("{label} of {node}", label=own, node=source))
        if not item.text(LABEL):
            item.setText(LABEL, own)
        item.setText(LINE, f"{item.text(NAME)}={_written(self._binding.value(before))}")

    # --- what one does ---------------------------------------------------------------------------------

    @Slot()
    def move_up(self) -> None:
        """The field stands before the one above it."""
        self._move(-1)

    @Slot()
    def move_down(self) -> None:
        """The field stands after the one below it."""
        self._move(1)

    def _move(self, by: int) -> None:
        item = self.tree.currentItem()
        row = self.tree.indexOfTopLevelItem(item) if item is not None else -1
        if item is None or row < 0 or not 0 <= row + by < self.tree.topLevelItemCount():
            return
        self.tree.takeTopLevelItem(row)
        self.tree.insertTopLevelItem(row + by, item)
        self.tree.setCurrentItem(item)

    @Slot()
    def remove(self) -> None:
        """The field is no longer one of the form; the setting of the node stays as it is."""
        item = self.tree.currentItem()
        if item is not None:
            self.tree.takeTopLevelItem(self.tree.indexOfTopLevelItem(item))
            self._check()

    def items(self) -> list[QTreeWidgetItem]:
        """The fields as they stand now."""
        found = (self.tree.topLevelItem(row) for row in range(self.tree.topLevelItemCount()))
        return [item for item in found if item is not None]

    @Slot(QTreeWidgetItem, int)
    def _changed(self, item: QTreeWidgetItem, column: int) -> None:
        if column in (LABEL, NAME):
            self.tree.blockSignals(True)
            item.setText(column, item.text(column).strip())
            self._describe(item)
            self.tree.blockSignals(False)
            self._check()

    @Slot()
    def _check(self) -> None:
        """Names are unique, and can be written on a command line."""
        names = [item.text(NAME) for item in self.items()]
        text = ""
        for row, name in enumerate(names):
            fault = fault_of(name, names[:row] + names[row + 1 :])
            if fault == "form":
                text = tr(
                    "“{name}” can't be a name: use letters, digits, _ and -, beginning with a letter.",
                    name=name,
                )
            elif fault == "taken":
                text = tr(
                    "Two fields are called “{name}”: on the command line each needs a name of its own.",
                    name=name,
                )
            if fault:
                break
        self.note.setText(text or tr("The names are the graph's arguments, also for diptych run."))
        self.done_button.setEnabled(not text)

    @Slot()
    def use(self) -> None:
        """Make it one step of the document."""
        if not self.done_button.isEnabled():
            return
        places = self._binding.names
        wanted = []
        for item in self.items():
            before = str(item.data(LABEL, _BEFORE))
            more = item.checkState(MORE) == Qt.CheckState.Checked
            wanted.append((before, Argument(item.text(NAME), *places[before], self._title(item), None, more)))
        self._document.arrange_exposed(wanted)
        self.accept()

    def _title(self, item: QTreeWidgetItem) -> str:
        """The label, if it isn't the one that the field has of itself."""
        before = str(item.data(LABEL, _BEFORE))
        words, schema = TEXTS.get(before), self._binding.schema(before)
        own = tr(words.label) if words else tr(schema.title) if schema is not None else ""
        return "" if item.text(LABEL) == own and item.text(NAME) == before else item.text(LABEL)


def _written(value: object) -> str:
    """A value as one would write it on a command line, not too long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return shlex.quote(text) if text else "''"
