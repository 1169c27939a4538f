"""The window: menu, workspaces as tabs, the side panel, the status line. It shows; commands act through
Actions."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QByteArray, QPoint, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMenu,
    QMenuBar,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from pipelines.engine.protocol import Device, Lost, Models, Problems, Ready
from pipelines.errors import ErrorInfo
from studio.actions import Actions
from studio.commands import CommandTable, native
from studio.panels.create import CreateWorkspace
from studio.panels.dialog import ask
from studio.panels.log import LogPanel
from studio.panels.queue import QueuePanel
from studio.panels.start_page import StartPage
from studio.parts import Parts
from studio.phases import memory_text
from studio.runs import error_info
from studio.status_bar import StatusBar
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.banner import Banner
from studio.widgets.command_palette import CommandPalette, PaletteItem

VALIDATE_MS = 300
PART_MS = 20
PANELS = ("inspector", "queue", "log")
TABS = (("create", "view.create"), ("graph", "view.graph"))
Button = tuple[str, Callable[[], object]]


class MainWindow(QMainWindow):
    """``painted`` is sent once, after the window was first drawn; ``closing`` before it goes."""

    painted = Signal()
    closing = Signal()

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.parts = parts
        self.device: Device | None = None
        self.workspace = "start"
        self.graph: Any = None
        self._inspector: Any = None
        self._graph_commands = False
        self._imports: Iterator[str] | None = None
        self._painted = False
        self._asked = ""
        self._problems: tuple[ErrorInfo, ...] = ()
        self.setAcceptDrops(True)
        self.setWindowIcon(current_theme().icon("diptych"))
        self.start_page = StartPage()
        self.create_page = CreateWorkspace(parts.binding, parts.models, parts.tracker, parts.settings)
        self.status = StatusBar(parts.tracker)
        self.banner = Banner()
        self.actions_ = Actions(parts, self)
        self.commands = CommandTable(self.actions_, self)
        self.palette_ = CommandPalette(self)
        self._build()
        self._connect()
        self._restore_place()
        self._show_title()

    # --- building --------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.stack = QStackedWidget()
        self.stack.addWidget(self.start_page)
        self.stack.addWidget(self.create_page)
        banner_box = QVBoxLayout()
        banner_box.setContentsMargins(12, 0, 12, 0)
        banner_box.addWidget(self.banner)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(banner_box)
        column.addWidget(self.stack, 1)
        self.panel = self._side_panel()
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.setHandleWidth(1)
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(centre)
        self.split.addWidget(self.panel)
        self.split.setStretchFactor(0, 1)
        self.split.setStretchFactor(1, 0)
        self.split.setSizes([10_000, 320])
        body = QWidget()
        rows = QVBoxLayout(body)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self.split, 1)
        rows.addWidget(self.status)
        self.setCentralWidget(body)
        self.setMenuWidget(self._head())
        self.create_page.connect_commands(self.commands)

    def _head(self) -> QWidget:
        head = QWidget()
        bar = QMenuBar()
        self.menus = self.commands.fill(bar)
        top = QFrame()
        top.setProperty("role", "topbar")
        row = QHBoxLayout(top)
        row.setContentsMargins(14, 4, 10, 5)
        row.setSpacing(4)
        self._mark = QLabel()
        brand = QLabel("Diptych")
        brand.setProperty("role", "brand")
        row.addWidget(self._mark)
        row.addSpacing(4)
        row.addWidget(brand)
        row.addSpacing(16)
        self.tabs: dict[str, QToolButton] = {}
        for name, command in TABS:
            self.tabs[name] = self._tab(command)
            row.addWidget(self.tabs[name])
        row.addSpacing(12)
        self._title = QLabel()
        self._title.setProperty("role", "body2")
        row.addWidget(self._title)
        row.addStretch(1)
        self.device_button = self._device_button()
        row.addWidget(self.device_button)
        self.panel_button = self._icon_button("view.panel")
        row.addWidget(self.panel_button)
        column = QVBoxLayout(head)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(top)
        self._paint_mark()
        current_theme().changed.connect(self._paint_mark)
        return head

    @Slot()
    def _paint_mark(self) -> None:
        self._mark.setPixmap(current_theme().pixmap("diptych", 22, "text", self.devicePixelRatioF()))

    def _tab(self, command: str) -> QToolButton:
        action = self.commands.action(command)
        button = QToolButton()
        button.setProperty("role", "tab")
        button.setText(action.text())
        button.setToolTip(action.toolTip())
        button.setAccessibleName(action.text())
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(action.trigger)
        return button

    def _icon_button(self, command: str) -> QToolButton:
        button = QToolButton()
        button.setDefaultAction(self.commands.action(command))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        button.setIconSize(QSize(18, 18))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setAccessibleName(self.commands.action(command).text())
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
        menu.addAction(tr("Free its memory")).triggered.connect(self.parts.bridge.free_memory)
        menu.addAction(self.commands.action("run.rescan_models"))
        menu.addAction(self.commands.action("file.preferences"))
        button.setMenu(menu)
        return button

    def _side_panel(self) -> QTabWidget:
        panel = QTabWidget()
        panel.setDocumentMode(True)
        panel.setMinimumWidth(260)
        self._inspector_place = QWidget()
        self._inspector_column = QVBoxLayout(self._inspector_place)
        self._inspector_column.setContentsMargins(0, 0, 0, 0)
        self.queue = QueuePanel(self.parts.tracker)
        self.log = LogPanel(self.parts.bridge)
        for widget, title in (
            (self._inspector_place, tr("Inspector")),
            (self.queue, tr("Queue")),
            (self.log, tr("Log")),
        ):
            panel.addTab(widget, title)
        panel.hide()
        return panel

    def _connect(self) -> None:
        parts, bridge = self.parts, self.parts.bridge
        self.start_page.template_chosen.connect(self.actions_.open_template)
        self.start_page.file_chosen.connect(self.actions_.open_path)
        self.start_page.open_requested.connect(self.actions_.open)
        self.create_page.run_requested.connect(self.actions_.generate)
        self.create_page.cancel_requested.connect(self.actions_.cancel)
        self.create_page.new_seed_requested.connect(self.actions_.generate_new_seed)
        self.create_page.example_requested.connect(self._draw_example)
        self.create_page.save_elsewhere.connect(self.actions_.save_elsewhere)
        self.create_page.diagnostics_requested.connect(self.actions_.copy_diagnostics)
        self.banner.diagnostics_requested.connect(self.actions_.copy_diagnostics)
        self.palette_.chosen.connect(self.commands.run)
        self.status.problems_requested.connect(self.show_problems)
        self.status.queue_requested.connect(lambda: self.show_panel("queue"))
        self.queue.show_requested.connect(self._show_row)
        self._check = QTimer(self)
        self._check.setSingleShot(True)
        self._check.setInterval(VALIDATE_MS)
        self._check.timeout.connect(self._validate)
        parts.document.changed.connect(self._document_changed)
        parts.document.path_changed.connect(self._show_title)
        parts.document.undo_stack.cleanChanged.connect(self._show_title)
        parts.document.undo_stack.indexChanged.connect(self.commands.refresh)
        parts.tracker.changed.connect(self.commands.refresh)
        parts.tracker.run_failed.connect(self._run_failed)
        parts.settings.changed.connect(self._settings_changed)
        parts.models.changed.connect(self._show_model)
        bridge.ready.connect(self._engine_ready)
        bridge.engine_lost.connect(self._engine_lost)
        bridge.device_changed.connect(self._device_changed)
        bridge.models_listed.connect(self._models_listed)
        bridge.problems_found.connect(self._problems_found)
        self.start_page.set_recent(parts.settings.values.recent)

    # --- workspaces and panels -------------------------------------------------------------------------

    @Slot(str)
    def show_workspace(self, name: str) -> None:
        """``start``, ``create`` or ``graph``."""
        if name == "graph":
            self.prepare_graph()
        self.workspace = name
        pages: dict[str, QWidget] = {
            "start": self.start_page,
            "create": self.create_page,
            "graph": self.graph,
        }
        self.stack.setCurrentWidget(pages[name])
        for key, tab in self.tabs.items():
            tab.setChecked(key == name)
        values = self.parts.settings.values
        self.panel.setVisible(
            {"create": values.panel_in_create, "graph": values.panel_in_graph}.get(name, False)
        )
        if name == "graph":
            self.panel.setCurrentWidget(self._inspector_place)
            self.graph.setFocus()
        elif name == "start":
            self.start_page.set_recent(values.recent)
            self.start_page.setFocus()
        self._show_title()
        self.commands.refresh()

    @Slot()
    def prepare_soon(self) -> None:
        """Make the canvas while nobody waits for it, in parts too small to be felt: module by module (in this
        thread: importing Qt classes in another one crashes), then canvas, commands and inspector.
        """
        if self.graph is None and self._imports is None:
            self._imports = iter(self.parts.graph_modules())
            self._prepare_next()

    @Slot()
    def _prepare_next(self) -> None:
        name = next(self._imports, None) if self._imports is not None else None
        if name is not None and self.graph is None:
            importlib.import_module(name)
            QTimer.singleShot(PART_MS, self, self._prepare_next)
            return
        self._make_graph()
        QTimer.singleShot(PART_MS, self, self._make_graph_commands)
        QTimer.singleShot(3 * PART_MS, self, self.prepare_graph)

    @Slot()
    def prepare_graph(self) -> None:
        """Make the canvas and its inspector now, as far as they aren't made yet."""
        self._make_graph()
        self._make_graph_commands()
        self._make_inspector()

    def _make_graph(self) -> None:
        if self.graph is None:
            self.graph = self.parts.make_graph(self.parts.document, self.parts.bridge)
            self.stack.addWidget(self.graph)

    @Slot()
    def _make_graph_commands(self) -> None:
        if self._graph_commands:
            return
        self._graph_commands = True
        keys = {title: shortcut for _, title, shortcut in reversed(self.graph.keyboard())}
        for command in self.graph.commands():
            action = self.commands.add(replace(command, shortcut=keys.get(command.title, ""), scoped=True))
            if command.in_palette:
                self.menus[command.menu].addAction(action)
                self.menus[command.menu].menuAction().setVisible(True)

    def _make_inspector(self) -> None:
        if self._inspector is not None:
            return
        inspector = self._inspector = self.parts.make_inspector(self.parts.document, self.graph)
        self._inspector_column.addWidget(inspector)
        self.graph.selection_changed.connect(inspector.show_nodes)
        self.graph.edit_requested.connect(inspector.edit)
        self.graph.edit_requested.connect(lambda *_: self.show_panel("inspector"))
        inspector.node_requested.connect(self.graph.show_node)
        self.parts.bridge.models_listed.connect(inspector.show_models)
        if self.parts.models.models:
            inspector.show_models(Models(request="", models=self.parts.models.models))

    def show_panel(self, name: str) -> None:
        """Show one of the panels at the side."""
        if name == "inspector":
            self.prepare_graph()
        self.panel.setCurrentIndex(PANELS.index(name))
        if not self.panel.isVisible():
            self.toggle_panel()

    def toggle_panel(self) -> None:
        """Show or hide the side panel; each workspace remembers its own."""
        shown = self.panel.isHidden()
        self.panel.setVisible(shown)
        if self.workspace in ("create", "graph"):
            self.parts.settings.change(**{f"panel_in_{self.workspace}": shown})

    def zoom(self, how: str) -> None:
        """Zoom what is shown."""
        view = self.create_page.result.view
        if self.workspace == "graph" and self.graph is not None:
            self.graph.zoom(how)
        else:
            {"in": view.zoom_in, "out": view.zoom_out, "fit": view.fit, "actual": view.actual_size}[how]()

    def open_palette(self) -> None:
        """Every command that can be used now."""
        items = [
            PaletteItem(
                command.id, tr(command.title), tr(command.menu), native(command.shortcut), command.icon
            )
            for command in self.commands.available()
        ]
        self.palette_.open(items, QApplication.focusWidget())

    @Slot(int)
    def _show_row(self, row: int) -> None:
        self.show_workspace("create")
        self.create_page.strip.select(row)

    @Slot()
    def _draw_example(self) -> None:
        model = self.parts.models.find(str(self.parts.binding.value("model") or ""))
        if model is not None and model.examples and self.parts.binding.has("prompt"):
            self.parts.binding.set_many({"prompt": model.examples[0]}, tr("Use an example"))
        self.actions_.generate()

    # --- messages --------------------------------------------------------------------------------------

    def show_error(self, error: ErrorInfo, actions: tuple[Button, ...] = ()) -> None:
        """An error that belongs to no field and no node."""
        self.banner.show_error(error, actions)
        self.log.write_error(error)

    def show_message(self, heading: str, body: str, actions: tuple[Button, ...] = ()) -> None:
        """Something worth saying that is no error."""
        self.banner.show_text(heading, body, "info", actions)

    def offer_back(self, title: str) -> None:
        """Another document was opened: the one before is one click away."""
        name = title or tr("Untitled")
        self.banner.show_text(
            tr("Another graph is open now."),
            tr("{name} is kept until you open the next one.", name=name),
            "info",
            ((tr("Back to {name}", name=name), self._go_back),),
        )
        QTimer.singleShot(12_000, self.banner, self._hide_info)

    @Slot()
    def _hide_info(self) -> None:
        if self.banner.severity == "info":
            self.banner.hide()

    def _go_back(self) -> None:
        self.banner.hide()
        self.actions_.back_to_before()

    @Slot(object, object)
    def _run_failed(self, error: ErrorInfo, run: object) -> None:
        self.log.write_error(error)

    def ask_to_delete(self, name: str) -> bool:
        """Whether the picture may go to the bin."""
        text = tr("{name} is moved to the bin of your system; it can be restored from there.", name=name)
        return ask(self, tr("Move the picture to the bin?"), text, tr("Move to the bin"), tr("Keep it"))

    def show_problems(self) -> None:
        """The problems of the graph, each leading to its node."""
        menu = QMenu(self)
        if not self._problems:
            menu.addAction(tr("The graph has no problems")).setEnabled(False)
        for problem in self._problems:
            action = menu.addAction(problem.text(tr)[:160])
            action.triggered.connect(lambda _=False, node=problem.node: self._go_to_node(node))
        at = self.status.problems.mapToGlobal(QPoint(0, 0))
        menu.popup(at - QPoint(0, menu.sizeHint().height() + 4))

    def _go_to_node(self, node: str | None) -> None:
        self.show_workspace("graph")
        if node is not None:
            self.graph.show_node(node)

    # --- what others say -------------------------------------------------------------------------------

    @Slot()
    def _document_changed(self) -> None:
        self._check.start()
        self._show_title()
        self._show_model()

    @Slot()
    def _validate(self) -> None:
        if self.parts.bridge.state == "ready":
            self._asked = self.parts.bridge.validate(self.parts.document.graph)

    @Slot(object)
    def _problems_found(self, event: Problems) -> None:
        if event.request == self._asked:
            self._problems = tuple(error_info(item) for item in event.problems)
            self.status.set_problems(len(self._problems))

    @Slot(object)
    def _engine_ready(self, event: Ready) -> None:
        self.status.set_engine("")
        self._check.start()

    @Slot(object)
    def _engine_lost(self, event: Lost) -> None:
        self.status.set_engine(
            tr("starting the engine again") if event.restarting else tr("the engine is not running")
        )
        self.show_error(error_info(event.error))

    @Slot(object)
    def _device_changed(self, device: Device) -> None:
        before, self.device = self.device, device
        self.status.set_device(device)
        kind = device.device.split(":")[0].upper()
        memory = tr("{memory} free", memory=memory_text(device.free_bytes)) if device.free_bytes else ""
        self.device_button.setText(" · ".join(part for part in (kind, memory) if part) + " ▾")
        facts = [device.name, device.dtype]
        if device.total_bytes:
            facts.append(tr("{memory} in all", memory=memory_text(device.total_bytes)))
        self._device_line.setText(" · ".join(fact for fact in facts if fact))
        if device.problem is not None and (before is None or before.problem != device.problem):
            info = error_info(device.problem)
            self.banner.show_error(info if info.severity != "error" else replace(info, severity="warning"))

    @Slot(object)
    def _models_listed(self, event: Models) -> None:
        self.parts.models.set_models(event)

    @Slot()
    def _show_model(self) -> None:
        value = str(self.parts.binding.value("model") or "")
        model = self.parts.models.find(value)
        self.status.set_model(model.title if model is not None else "")

    @Slot()
    def _show_title(self) -> None:
        document = self.parts.document
        title = document.title or tr("Untitled")
        mark = "" if document.path is None or not document.is_modified else " •"
        shown = "" if self.workspace == "start" else title + mark
        self._title.setText(shown)
        self.setWindowTitle(f"{shown} — Diptych" if shown else "Diptych")

    @Slot()
    def _settings_changed(self) -> None:
        apply_theme(self.parts)
        self.start_page.set_recent(self.parts.settings.values.recent)

    # --- events ----------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self, self.painted.emit)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.palette_.close_palette()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.source() is None and any(url.isLocalFile() for url in event.mimeData().urls()):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()

    def dropEvent(self, event: QDropEvent) -> None:
        files = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if files:
            event.accept()
            self.actions_.open_path(files[0])

    def closeEvent(self, event: QCloseEvent) -> None:
        geometry = bytes(self.saveGeometry().toBase64().data()).decode("ascii")
        self.parts.settings.change(geometry=geometry)
        self.hide()
        # a history that is taken apart says so, and nobody is left to hear it
        self.parts.document.undo_stack.indexChanged.disconnect(self.commands.refresh)
        self.parts.document.undo_stack.cleanChanged.disconnect(self._show_title)
        self.closing.emit()
        super().closeEvent(event)

    def _restore_place(self) -> None:
        place = QByteArray.fromBase64(self.parts.settings.values.geometry.encode("ascii", "ignore"))
        if place.isEmpty() or not self.restoreGeometry(place):
            screen = self.screen().availableGeometry() if self.screen() is not None else None
            width, height = (screen.width(), screen.height()) if screen is not None else (1280, 800)
            self.resize(min(1480, round(width * 0.92)), min(940, round(height * 0.92)))


def apply_theme(parts: Parts) -> None:
    """The theme as the settings say; nothing happens if it is so already."""
    values, theme = parts.settings.values, current_theme()
    wanted = (values.theme, values.high_contrast, values.text_scale, values.reduced_motion)
    if theme.property("applied") != repr(wanted):
        theme.setProperty("applied", repr(wanted))
        theme.apply(
            values.theme,
            high_contrast=values.high_contrast,
            scale=values.text_scale,
            reduced_motion=values.reduced_motion,
        )
