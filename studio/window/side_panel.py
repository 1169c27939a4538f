"""The panel at the side: everything about the document, in tabs. Each workspace remembers whether it is
shown."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from studio.panels.history import HistoryPanel
from studio.panels.log import LogPanel
from studio.panels.problems import ProblemsPanel
from studio.panels.queue import QueuePanel
from studio.parts import Parts
from studio.problems.book import ProblemBook
from studio.settings import SettingsStore
from studio.theme import current_theme
from studio.translate import tr

TABS: Final = (
    ("inspector", "Inspector", "inspector"),
    ("viewer", "Viewer", "eye"),
    ("problems", "Problems", "warning"),
    ("history", "History", "undo"),
    ("queue", "Queue", "queue"),
    ("log", "Log", "log"),
)
"""Name, title (a source text) and icon of each panel."""
PANELS: Final = tuple(name for name, _, _ in TABS)
WORKSPACES = ("create", "graph", "canvas")
"""Workspaces that can have the panel beside them."""


class SidePanel(QTabWidget):
    """Tabs are icons; the one in front says its name. Inspector and viewer are put in when the canvas is
    made."""

    def __init__(self, parts: Parts, book: ProblemBook) -> None:
        super().__init__()
        self._settings: SettingsStore = parts.settings
        self._book = book
        self.setDocumentMode(True)
        self.setMinimumWidth(260)
        self.setIconSize(QSize(16, 16))
        self.tabBar().setProperty("role", "icons")
        self.tabBar().setExpanding(False)
        self.setElideMode(Qt.TextElideMode.ElideNone)
        self._places = {name: QWidget() for name in ("inspector", "viewer")}
        for place in self._places.values():
            column = QVBoxLayout(place)
            column.setContentsMargins(0, 0, 0, 0)
        self.problems = ProblemsPanel(parts.document, book)
        self.history = HistoryPanel(parts.document)
        self.queue = QueuePanel(parts.tracker)
        self.log = LogPanel(parts.bridge)
        pages: dict[str, QWidget] = {
            **self._places, "problems": self.problems, "history": self.history, "queue": self.queue,
            "log": self.log,
        }  # fmt: skip
        for name, _, icon in TABS:
            self.addTab(pages[name], current_theme().icon(icon), "")
        self.currentChanged.connect(self._name_tabs)
        book.changed.connect(self._name_tabs)
        self._name_tabs()
        self.hide()

    @Slot()
    def _name_tabs(self) -> None:
        count = len(self._book.problems)
        for index, (name, title, _) in enumerate(TABS):
            words = tr(title)
            if name == "problems" and count:
                words = f"{words} ({count})"
            self.setTabToolTip(index, words)
            self.tabBar().setAccessibleTabName(index, words)
            number = str(count) if name == "problems" and count else ""
            self.setTabText(index, words if index == self.currentIndex() else number)

    def put_inspector(self, inspector: QWidget) -> None:
        """Show the inspector in its tab."""
        self._put("inspector", inspector)

    def put_viewer(self, viewer: QWidget) -> None:
        """Show the viewer in its tab."""
        self._put("viewer", viewer)

    def _put(self, name: str, widget: QWidget) -> None:
        layout = self._places[name].layout()
        if layout is not None:
            layout.addWidget(widget)

    def show_panel(self, name: str) -> None:
        """Bring one of :data:`PANELS` to the front."""
        self.setCurrentIndex(PANELS.index(name))

    def show_for(self, workspace: str) -> None:
        """Be there or not, as it was left in this workspace."""
        values = self._settings.values
        shown = {
            "create": values.panel_in_create,
            "graph": values.panel_in_graph,
            "canvas": values.panel_in_canvas,
        }
        self.setVisible(shown.get(workspace, False))

    def toggle(self, workspace: str) -> None:
        """Show or hide it, and remember that for the workspace."""
        shown = self.isHidden()
        self.setVisible(shown)
        if workspace in WORKSPACES:
            self._settings.change(**{f"panel_in_{workspace}": shown})
