"""The keyboard table: every command with its keys, made from the command table."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHeaderView, QLineEdit, QTreeWidget, QTreeWidgetItem, QWidget

from studio.commands import CommandTable, native
from studio.panels.dialog import Dialog
from studio.translate import tr
from studio.widgets.fuzzy import score


class KeyboardDialog(Dialog):
    """A list that can be searched."""

    def __init__(self, commands: CommandTable, parent: QWidget | None = None) -> None:
        super().__init__(tr("Keyboard"), parent)
        self.resize(560, 600)
        self.line = QLineEdit()
        self.line.setPlaceholderText(tr("Search"))
        self.line.setAccessibleName(tr("Search"))
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels([tr("Action"), tr("Keys")])
        self.tree.setRootIsDecorated(False)
        self.tree.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.header().setStretchLastSection(False)
        self.tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        for command in commands:
            keys = native(command.shortcut)
            self.tree.addTopLevelItem(QTreeWidgetItem([f"{tr(command.menu)} · {tr(command.title)}", keys]))
        self.content.addWidget(self.line)
        self.content.addWidget(self.tree, 1)
        self.line.textChanged.connect(self._search)
        self.add_close()
        self.line.setFocus()

    def _search(self, text: str) -> None:
        for row in range(self.tree.topLevelItemCount()):
            item = self.tree.topLevelItem(row)
            if item is not None:
                words = f"{item.text(0)} {item.text(1)}"
                item.setHidden(bool(text.strip()) and score(text, words) is None)
