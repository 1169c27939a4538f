"""The head of the window: menus, the workspaces as tabs, the document's title, the device."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QMenuBar, QToolButton, QVBoxLayout, QWidget

from pipelines.engine.protocol import Device
from studio.commands.table import CommandTable
from studio.engine.phases import memory_text
from studio.parts import Parts
from studio.theme import current_theme
from studio.translate import tr

TABS = (("create", "view.create"), ("graph", "view.graph"), ("canvas", "view.canvas"),
        ("models", "view.models"))  # fmt: skip


class Head(QWidget):
    """Made from the command table; :attr:`menus` by their titles, :attr:`tabs` by their workspaces."""

    def __init__(self, commands: CommandTable, parts: Parts) -> None:
        super().__init__()
        self._commands, self._parts = commands, parts
        bar = QMenuBar()
        self.menus = commands.fill(bar)
        self.tabs: dict[str, QToolButton] = {}
        self._mark, self._title = QLabel(), QLabel()
        self.device_button = self._device_button()
        self.panel_button = self._icon_button("view.panel")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(self._top())
        self._paint_mark()
        current_theme().changed.connect(self._paint_mark)

    def _top(self) -> QFrame:
        top = QFrame()
        top.setProperty("role", "topbar")
        row = QHBoxLayout(top)
        row.setContentsMargins(14, 4, 10, 5)
        row.setSpacing(4)
        brand = QLabel("Diptych")
        brand.setProperty("role", "brand")
        row.addWidget(self._mark)
        row.addSpacing(4)
        row.addWidget(brand)
        row.addSpacing(16)
        for name, command in TABS:
            self.tabs[name] = self._tab(command)
            row.addWidget(self.tabs[name])
        row.addSpacing(12)
        self._title.setProperty("role", "body2")
        row.addWidget(self._title)
        row.addStretch(1)
        row.addWidget(self.device_button)
        row.addWidget(self.panel_button)
        return top

    @Slot()
    def _paint_mark(self) -> None:
        self._mark.setPixmap(current_theme().pixmap("diptych", 22, "text", self.devicePixelRatioF()))

    def _tab(self, command: str) -> QToolButton:
        action = self._commands.action(command)
        button = QToolButton()
        button.setProperty("role", "tab")
        button.setText(action.text())
        button.setToolTip(action.toolTip())
        button.setAccessibleName(action.text())
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(action.trigger)
        action.changed.connect(lambda: button.setToolTip(action.toolTip()))
        return button

    def _icon_button(self, command: str) -> QToolButton:
        button = QToolButton()
        button.setDefaultAction(self._commands.action(command))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        button.setIconSize(QSize(18, 18))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setAccessibleName(self._commands.action(command).text())
        return button

    def _device_button(self) -> QToolButton:
        button = QToolButton()
        button.setProperty("role", "quiet")
        button.setIcon(current_theme().icon("device"))
        button.setIconSize(QSize(16, 16))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setText(tr("starting"))
        button.setAccessibleName(tr("Device"))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        self._device_line = menu.addAction(tr("Not known yet"))
        self._device_line.setEnabled(False)
        menu.addSeparator()
        menu.addAction(tr("Free its memory")).triggered.connect(self._parts.bridge.free_memory)
        menu.addAction(self._commands.action("run.rescan_models"))
        menu.addAction(self._commands.action("file.preferences"))
        button.setMenu(menu)
        return button

    # --- what it shows ---------------------------------------------------------------------------------

    def show_workspace(self, name: str) -> None:
        """Mark the tab of a workspace; none for the start page."""
        for key, tab in self.tabs.items():
            tab.setChecked(key == name)

    def show_title(self, title: str) -> None:
        """The document's title."""
        self._title.setText(title)

    def show_device(self, device: Device) -> None:
        """Kind and free memory on the button, the facts in its menu."""
        kind = device.device.split(":")[0].upper()
        memory = tr("{memory} free", memory=memory_text(device.free_bytes)) if device.free_bytes else ""
        self.device_button.setText(" · ".join(part for part in (kind, memory) if part) + " ▾")
        facts = [device.name, device.dtype]
        if device.total_bytes:
            facts.append(tr("{memory} in all", memory=memory_text(device.total_bytes)))
        self._device_line.setText(" · ".join(fact for fact in facts if fact))
