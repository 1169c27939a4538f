"""The dialog of nodes from outside: what there is, whether it is in use, and its code before one agrees."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from pipelines import paths
from pipelines.engine.protocol import NodeSource
from pipelines.errors import ErrorInfo, OutsideChanged
from pipelines.outside.sources import Source, installed, read_source
from studio.background import in_background
from studio.engine.runs import error_info
from studio.outside.types import OutsideTypes
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.dialog import Dialog

STATES: Final = {
    "on": ("good", "good", "In use"),
    "new": ("info", "brass", "Not agreed to"),
    "changed": ("warning", "warn", "Changed since you agreed"),
    "failed": ("error", "bad", "Can't be used"),
}
"""State -> icon, colour, words."""


class Does(Protocol):
    """:class:`studio.outside.actions.OutsideActions`."""

    types: OutsideTypes

    def agree(self, key: str, digest: str, version: str) -> None: ...
    def withdraw(self, key: str) -> None: ...
    def reload(self) -> None: ...
    def open_folder(self) -> None: ...


def look(source: NodeSource) -> Source | None:
    """A source as it is on the disk now; ``None`` if it is gone. For worker threads; nothing is executed."""
    if source.source == "file":
        found = read_source(paths.nodes_dir(), source.name)
        return found if found.code or found.problem else None
    return next((package for package in installed() if package.name == source.name), None)


class OutsideNodesDialog(Dialog):
    """Agreeing is to the bytes whose code is shown, and never the default button."""

    def __init__(self, actions: Does, parent: QWidget | None = None) -> None:
        super().__init__(tr("Nodes from outside"), parent)
        self._actions = actions
        self._shown: Source | None = None
        self._listed: tuple[NodeSource, ...] = ()
        theme = current_theme()
        self.resize(theme.px(880), theme.px(600))
        words = QLabel(
            tr(
                "Packages and files of your own can bring nodes. Their code can do all that you can do on "
                "this computer: agree only to what you have read, or to whom you trust."
            )
        )
        words.setWordWrap(True)
        words.setProperty("role", "body2")
        self.content.addWidget(words)
        self.tree = self._make_tree()
        self.empty = QLabel(
            tr("There are none yet. For example, this command writes a first one: {command}",
               command="diptych nodes new soft_glow")
        )  # fmt: skip
        self.empty.setWordWrap(True)
        self.empty.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(self.tree)
        split.addWidget(self._make_details())
        split.setSizes([theme.px(160), theme.px(320)])
        self.content.addWidget(self.empty)
        self.content.addWidget(split, 1)
        self._add_buttons()
        self.tree.currentItemChanged.connect(self._chosen)
        actions.types.changed.connect(self._list)
        self._list()

    # --- building --------------------------------------------------------------------------------------

    def _make_tree(self) -> QTreeWidget:
        tree = QTreeWidget()
        tree.setHeaderLabels([tr("Name"), tr("State"), tr("Nodes")])
        tree.setRootIsDecorated(False)
        tree.setUniformRowHeights(True)
        tree.setAccessibleName(tr("Files and packages with nodes"))
        tree.setColumnWidth(0, current_theme().px(260))
        tree.setColumnWidth(1, current_theme().px(220))
        return tree

    def _make_details(self) -> QWidget:
        self.problem, self.heading = QLabel(), QLabel()
        self.problem.setWordWrap(True)
        self.problem.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.heading.setProperty("role", "label")
        self.file = QComboBox()
        self.file.setAccessibleName(tr("File"))
        self.file.currentIndexChanged.connect(self._show_file)
        self.code = QPlainTextEdit()
        self.code.setReadOnly(True)
        self.code.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.code.setFont(current_theme().font("mono"))
        self.code.setAccessibleName(tr("Code"))
        self.agree_button, self.withdraw_button = QPushButton(), QPushButton(tr("Withdraw"))
        for button, act in ((self.agree_button, self._agree), (self.withdraw_button, self._withdraw)):
            button.setAutoDefault(False)
            button.clicked.connect(act)
        row = QHBoxLayout()
        row.addWidget(self.heading)
        row.addWidget(self.file, 1)
        row.addWidget(self.withdraw_button)
        row.addWidget(self.agree_button)
        details = QWidget()
        column = QVBoxLayout(details)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.problem)
        column.addLayout(row)
        column.addWidget(self.code, 1)
        return details

    def _add_buttons(self) -> None:
        for at, (text, act) in enumerate(
            ((tr("Open the folder"), self._actions.open_folder), (tr("Reload"), self._actions.reload))
        ):
            button = QPushButton(text)
            button.setAutoDefault(False)
            button.clicked.connect(act)
            self.buttons.insertWidget(at, button)
        self.add_close().setFocus()

    # --- the list --------------------------------------------------------------------------------------

    @Slot()
    def _list(self) -> None:
        """Show what was told last; the same row stays chosen."""
        before = self.chosen
        self._listed = self._actions.types.sources
        self.tree.blockSignals(True)
        self.tree.clear()
        for source in self._listed:
            icon, colour, words = STATES[source.state]
            name = f"{source.name} {source.version}".strip()
            row = QTreeWidgetItem([name, tr(words), ", ".join(source.types)])
            row.setIcon(1, current_theme().icon(icon, colour))
            row.setToolTip(2, ", ".join(source.types))
            self.tree.addTopLevelItem(row)
        names = [(source.source, source.name) for source in self._listed]
        same = (
            names.index((before.source, before.name))
            if before and (before.source, before.name) in names
            else 0
        )
        self.empty.setVisible(not self._listed)
        self.tree.setVisible(bool(self._listed))
        if (current := self.tree.topLevelItem(same)) is not None:
            self.tree.setCurrentItem(current)
        self.tree.blockSignals(False)
        self._chosen()

    @property
    def chosen(self) -> NodeSource | None:
        """The source of the chosen row."""
        item = self.tree.currentItem()
        row = self.tree.indexOfTopLevelItem(item) if item is not None else -1
        return self._listed[row] if 0 <= row < len(self._listed) else None

    @Slot()
    def _chosen(self) -> None:
        """Read the code of the chosen source; until it is there, nothing can be agreed to."""
        source = self.chosen
        self._show(None)
        if source is None:
            return
        self.problem.setText("\n".join(error_info(error).text(tr) for error in source.errors))
        self.problem.setVisible(bool(source.errors))
        was_agreed = source.state in ("on", "changed") or (source.state == "failed" and bool(source.hash))
        self.withdraw_button.setVisible(was_agreed)
        in_background(self, lambda: look(source), lambda found: self._read(source, found), self._failed)

    def _read(self, source: NodeSource, found: Source | None) -> None:
        if source == self.chosen:
            self._show(found)
            if found is not None and found.digest != source.hash:
                self._failed(OutsideChanged(name=source.name).info())
                self._actions.reload()

    def _failed(self, error: ErrorInfo) -> None:
        self.problem.setText(error.text(tr))
        self.problem.show()

    def _show(self, found: Source | None) -> None:
        """Show code, and what can be done about it."""
        self._shown, source = found, self.chosen
        files = tuple(found.code) if found is not None else ()
        self.file.blockSignals(True)
        self.file.clear()
        root = Path(files[0]).parent if files else Path()
        for path in files:
            inside = Path(path).is_relative_to(root)
            self.file.addItem(Path(path).relative_to(root).as_posix() if inside else path)
        self.file.blockSignals(False)
        self.heading.setText(tr("What it would run:"))
        self.heading.setVisible(bool(files))
        self.file.setVisible(bool(files))
        self._show_file()
        same = source is not None and found is not None and found.digest == source.hash
        agreed = same and source is not None and source.state in ("on", "failed")
        self.agree_button.setText(tr("Agree again") if source and source.state == "changed" else tr("Agree"))
        self.agree_button.setVisible(bool(files) and not agreed)
        if source is None:
            self.problem.hide()
            self.withdraw_button.hide()

    @Slot()
    def _show_file(self) -> None:
        code = list(self._shown.code.values()) if self._shown is not None else []
        at = self.file.currentIndex()
        self.code.setPlainText(code[at].decode("utf-8", "replace") if 0 <= at < len(code) else "")

    # --- what is done ----------------------------------------------------------------------------------

    @Slot()
    def _agree(self) -> None:
        if self._shown is not None:
            self._actions.agree(self._shown.key, self._shown.digest, self._shown.version)

    @Slot()
    def _withdraw(self) -> None:
        source = self.chosen
        if source is not None:
            self._actions.withdraw(f"{source.source} {source.name}")
