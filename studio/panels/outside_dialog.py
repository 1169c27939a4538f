"""The question before a graph from elsewhere touches files outside the user's folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QTreeWidget, QTreeWidgetItem, QWidget

from pipelines.graph.outside import OutsidePath
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.dialog import Dialog

ROWS = 8
"""So many paths are shown without scrolling."""


class OutsideDialog(Dialog):
    """Lists node, path and what is done to it. Not running is the default."""

    def __init__(
        self, found: Sequence[OutsidePath], title_of: Callable[[str], str], parent: QWidget | None = None
    ) -> None:
        super().__init__(tr("This graph uses files outside your folders"), parent)
        words = QLabel(
            tr("It was not made here. Run it only if you trust where it comes from and expect these paths.")
        )
        words.setWordWrap(True)
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels([tr("Node"), tr("Access"), tr("Path")])
        self.tree.setRootIsDecorated(False)
        self.tree.setUniformRowHeights(True)
        self.tree.setAccessibleName(tr("Paths outside your folders"))
        for item in found:
            access = tr("write") if item.writes else tr("read")
            row = QTreeWidgetItem([title_of(item.node), access, str(item.path)])
            row.setToolTip(2, str(item.path))
            self.tree.addTopLevelItem(row)
        for column in (0, 1):
            self.tree.resizeColumnToContents(column)
            self.tree.setColumnWidth(column, self.tree.columnWidth(column) + 16)
        theme = current_theme()
        self.tree.setMinimumWidth(theme.px(520))
        self.tree.setFixedHeight(theme.px(28) * (min(len(found), ROWS) + 1) + 8)
        self.tree.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.content.addWidget(words)
        self.content.addWidget(self.tree)
        self.run_button, self.keep_button = QPushButton(tr("Run")), QPushButton(tr("Don't run"))
        self.keep_button.setDefault(True)
        self.run_button.setAutoDefault(False)
        self.run_button.clicked.connect(self.accept)
        self.keep_button.clicked.connect(self.reject)
        self.buttons.addWidget(self.run_button)
        self.buttons.addWidget(self.keep_button)
        self.keep_button.setFocus()
