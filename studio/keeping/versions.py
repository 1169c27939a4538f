"""Earlier versions of the document: when, why they were kept, what differs from now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from pipelines.errors import DiptychError
from pipelines.graph.delta import Counts, counted
from pipelines.graph.document import Graph
from studio.background import in_background
from studio.keeping import journal
from studio.keeping.backups import Backups, Version
from studio.keeping.file_changed import counts_text
from studio.keeping.moments import moment_text
from studio.translate import tr
from studio.widgets.dialog import Dialog

STEPS: Final = 60
"""So many steps of a journal are listed, the newest."""
WHY: Final = {
    "timed": "while you worked",
    "before": "before a save replaced it",
    "other": "what another program or an earlier file held",
    "closed": "closed without saving",
    "crashed": "found after Diptych ended unexpectedly",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: the graph is ``None`` where it can't be read."""

    time: float
    why: str
    graph: Graph | None
    counts: Counts | None
    ours: bool
    """Whether it is a version of the document that is open."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where versions come from; ``load`` reads them in a worker, given what to compare with."""

    title: str
    name: str
    load: Callable[[Graph], list[Entry]]


def entry_of(version: Version, now: Graph, ours: bool) -> Entry:
    """A backup compared with the document as it is now."""
    why = WHY.get(version.why, "")
    try:
        graph = version.read()
    except DiptychError:
        return Entry(version.time, why, None, None, ours)
    return Entry(version.time, why, graph, counted(now, graph), ours)


def backup_source(backups: Backups, key: str, title: str, name: str, ours: bool) -> Source:
    """The backups of a document."""
    return Source(
        title, name, lambda now: [entry_of(version, now, ours) for version in backups.versions(key)]
    )


def step_source(path: Path, key: str, title: str) -> Source:
    """The steps of an earlier session."""

    def load(now: Graph) -> list[Entry]:
        states = journal.read(path).states[-STEPS:]
        return [
            Entry(state.time, state.text, state.graph, counted(now, state.graph), state.key == key)
            for state in reversed(states)
            if state.graph.nodes
        ]

    return Source(title, "", load)


def sources(backups: Backups, key: str, name: str, folder: Path | None) -> list[Source]:
    """All there is: this document's, the steps of last time, other documents'."""
    found = [backup_source(backups, key, tr("This document: {name}", name=name), name, True)]
    if folder is not None and (folder / journal.BEFORE).exists():
        title = tr("The session before, step by step")
        found.append(step_source(folder / journal.BEFORE, key, title))
    for document in backups.documents():
        if document.key != key:
            called = document.name or tr("Untitled")
            when = moment_text(document.time)
            title = tr("{name} · {time}", name=called, time=when)
            found.append(backup_source(backups, document.key, title, called, False))
    return found


class VersionsDialog(Dialog):
    """``restore_requested`` carries a graph and its moment in words, ``open_requested`` a graph and a
    name."""

    restore_requested = Signal(object, str)
    open_requested = Signal(object, str)

    def __init__(
        self, now: Graph, available: list[Source], can_restore: bool, parent: QWidget | None = None
    ) -> None:
        super().__init__(tr("Earlier versions"), parent)
        self._now, self._can_restore = now, can_restore
        self._sources, self._entries = available, list[Entry]()
        self._asked = 0
        self.resize(680, 460)
        self.choice = QComboBox()
        self.choice.setAccessibleName(tr("Document"))
        for source in available:
            self.choice.addItem(source.title)
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels([tr("When"), tr("Why it was kept"), tr("Compared with now")])
        self.tree.setRootIsDecorated(False)
        self.tree.setUniformRowHeights(True)
        self.tree.setAccessibleName(tr("Versions"))
        self.tree.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.hint = QLabel()
        self.hint.setProperty("role", "body2")
        self.hint.setWordWrap(True)
        self.content.addWidget(self.choice)
        self.content.addWidget(self.hint)
        self.content.addWidget(self.tree, 1)
        self.restore_button = QPushButton(tr("Restore"))
        self.restore_button.setToolTip(tr("Put it in place of what is open. Undo brings that back."))
        self.open_button = QPushButton(tr("Open as a new document"))
        for button in (self.restore_button, self.open_button):
            button.setAutoDefault(False)
            self.buttons.addWidget(button)
        self.add_close()
        self.restore_button.clicked.connect(self._restore)
        self.open_button.clicked.connect(self._open)
        self.tree.itemDoubleClicked.connect(self._open_item)
        self.tree.currentItemChanged.connect(self._refresh)
        self.choice.currentIndexChanged.connect(self._load)
        self._load()
        self.tree.setFocus()

    @property
    def entry(self) -> Entry | None:
        """The row that is chosen."""
        row = self.tree.indexOfTopLevelItem(item) if (item := self.tree.currentItem()) is not None else -1
        return self._entries[row] if 0 <= row < len(self._entries) else None

    @Slot()
    def _load(self) -> None:
        self.tree.clear()
        self._entries = []
        self._asked += 1
        asked, source, now = self._asked, self._sources[self.choice.currentIndex()], self._now
        self.hint.setText(tr("Reading…"))
        self._refresh()
        in_background(self, lambda: source.load(now), lambda found: self._show(asked, found))

    def _show(self, asked: int, entries: list[Entry]) -> None:
        if asked != self._asked:
            return
        self._entries = entries
        for entry in entries:
            differs = counts_text(entry.counts) if entry.counts is not None else tr("can't be read")
            why = tr(entry.why) if entry.why in WHY.values() else entry.why
            item = QTreeWidgetItem([moment_text(entry.time), why, differs])
            if entry.graph is None:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
            self.tree.addTopLevelItem(item)
        self.hint.setText(
            tr("Versions are kept every 10 minutes, then each hour, then each day.")
            if entries
            else tr(
                "There is no earlier version yet. One is kept every 10 minutes while you work, and "
                "whenever a save replaces something."
            )
        )
        first = self.tree.topLevelItem(0)
        if first is not None:
            self.tree.setCurrentItem(first)
        self._refresh()

    @Slot()
    def _refresh(self) -> None:
        entry = self.entry
        readable = entry is not None and entry.graph is not None
        self.open_button.setEnabled(readable)
        ours = entry is not None and entry.ours and self._can_restore
        self.restore_button.setEnabled(readable and ours)

    @Slot()
    def _restore(self) -> None:
        entry = self.entry
        if entry is not None and entry.graph is not None:
            self.accept()
            self.restore_requested.emit(entry.graph, moment_text(entry.time))

    @Slot()
    def _open(self) -> None:
        entry = self.entry
        if entry is not None and entry.graph is not None:
            name = self._sources[self.choice.currentIndex()].name or tr("Untitled")
            self.accept()
            self.open_requested.emit(
                entry.graph, tr("{name} of {time}", name=name, time=moment_text(entry.time))
            )

    @Slot()
    def _open_item(self) -> None:
        if self.restore_button.isEnabled():
            self._restore()
        elif self.open_button.isEnabled():
            self._open()
