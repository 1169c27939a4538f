"""The panel at the side: inspector, queue and log as tabs. Each workspace remembers whether it is shown."""

from __future__ import annotations

from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from studio.panels.log import LogPanel
from studio.panels.queue import QueuePanel
from studio.parts import Parts
from studio.settings import SettingsStore
from studio.translate import tr

PANELS = ("inspector", "queue", "log")
WORKSPACES = ("create", "graph", "canvas")
"""Workspaces that can have the panel beside them."""


class SidePanel(QTabWidget):
    """:attr:`queue` and :attr:`log`; the inspector is put in when the canvas is made."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self._settings: SettingsStore = parts.settings
        self.setDocumentMode(True)
        self.setMinimumWidth(260)
        self._place = QWidget()
        self._column = QVBoxLayout(self._place)
        self._column.setContentsMargins(0, 0, 0, 0)
        self.queue = QueuePanel(parts.tracker)
        self.log = LogPanel(parts.bridge)
        self.addTab(self._place, tr("Inspector"))
        self.addTab(self.queue, tr("Queue"))
        self.addTab(self.log, tr("Log"))
        self.hide()

    def put_inspector(self, inspector: QWidget) -> None:
        """Show the inspector in its tab."""
        self._column.addWidget(inspector)

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
