"""The window: head, workspaces, the side panel, the status line. It shows; commands act through Actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from PySide6.QtCore import QByteArray, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QMainWindow, QSplitter, QVBoxLayout, QWidget

from pipelines import paths
from pipelines.engine.protocol import Device
from pipelines.errors import ErrorInfo
from pipelines.graph.outside import OutsidePath
from studio.actions.actions import Actions
from studio.actions.shell import Button
from studio.appearance import apply_theme
from studio.commands.table import CommandTable
from studio.create.workspace import CreateWorkspace
from studio.graph.edits import title_of
from studio.keeping.session_files import WORKSPACE
from studio.keys import Keymap
from studio.panels.outside_dialog import OutsideDialog
from studio.panels.start_page import StartPage
from studio.parts import Parts
from studio.problems.actions import ProblemActions
from studio.problems.book import ProblemBook
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.command_palette import CommandPalette, PaletteItem
from studio.widgets.dialog import Dialog
from studio.widgets.file_drops import FileDrops
from studio.widgets.page_stack import PageStack
from studio.window.document_tabs import DocumentTabs, tab_text
from studio.window.engine_news import EngineNews
from studio.window.graph_maker import GraphMaker
from studio.window.head import Head
from studio.window.messages import Messages
from studio.window.recent_menu import RecentMenu
from studio.window.side_panel import SidePanel
from studio.window.status_bar import StatusBar

OF_DOCUMENTS: Final = ("create", "graph", "canvas")
"""Workspaces that show the document."""


class MainWindow(QMainWindow):
    """The :class:`studio.actions.shell.Shell` of its actions.

    ``painted`` is sent once, after the window was first drawn; ``closing`` before it goes.
    """

    painted = Signal()
    closing = Signal()
    workspace_shown = Signal()

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.parts = parts
        self.workspace = "start"
        self.canvas_page: Any = None
        self._canvas_actions: Any = None
        self.models_page: Any = None
        self._painted = False
        self.setAcceptDrops(True)
        self.drops = FileDrops(self, self._open_dropped, self._convert_dropped)
        self.setWindowIcon(current_theme().icon("diptych"))
        self._make_places()
        self.start_page = StartPage(self.stack)
        self.create_page = CreateWorkspace(
            parts.binding, parts.models, parts.tracker, parts.settings, self.stack
        )
        self.tab_bar = DocumentTabs(parts.tabs)
        self.status = StatusBar(parts.tracker)
        self.book = ProblemBook(parts.document, parts.tracker, parts.models, parts.bridge, self)
        self.panel = SidePanel(parts, self.book)
        self.repairs = ProblemActions(parts.document, self)
        self.messages = Messages(self.panel.log, self)
        self.banner = self.messages.banner
        self.actions_ = Actions(parts, self)
        self.commands = CommandTable(self.actions_, self, keymap=Keymap(parts.settings, self))
        self.palette_ = CommandPalette(self)
        self.head = Head(self.commands, parts)
        opening = self.commands.action("file.open")
        self.recent = RecentMenu(self.head.menus["File"], opening, parts.settings, self.actions_.open_path)
        self.news = EngineNews(parts, self.head, self.status, self.messages, self)
        self.maker = GraphMaker(parts, self.commands, self.head.menus, self._show_inspector, self)
        self._lay_out()
        self._connect()
        self._restore_place()
        self._show_title()

    # --- building --------------------------------------------------------------------------------------

    def _make_places(self) -> None:
        """The places of the workspaces, outermost first.

        Qt styles everything in a widget anew with each widget that it is put into; what is made in its place
        is styled once.
        """
        body = QWidget(self)
        self._rows = QVBoxLayout(body)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(0)
        self.split = QSplitter(Qt.Orientation.Horizontal, body)
        self.split.setHandleWidth(1)
        self.split.setChildrenCollapsible(False)
        self._rows.addWidget(self.split, 1)
        centre = QWidget(self.split)
        self._column = QVBoxLayout(centre)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self.stack = PageStack(centre)
        self.split.addWidget(centre)
        self.setCentralWidget(body)

    def _lay_out(self) -> None:
        self.stack.addWidget(self.start_page)
        self.stack.addWidget(self.create_page)
        banner_box = QVBoxLayout()
        banner_box.setContentsMargins(12, 0, 12, 0)
        banner_box.addWidget(self.messages.banner)
        self._column.addWidget(self.tab_bar)
        self._column.addLayout(banner_box)
        self._column.addWidget(self.stack, 1)
        self.split.addWidget(self.panel)
        self.split.setStretchFactor(0, 1)
        self.split.setStretchFactor(1, 0)
        self.split.setSizes([10_000, 320])
        self._rows.addWidget(self.status)
        self.setMenuWidget(self.head)
        self.tab_bar.close_requested.connect(self.actions_.tabs.close)
        self.tab_bar.close_others_requested.connect(self.actions_.tabs.close_others)
        self.tab_bar.shown_requested.connect(self._show_own_workspace)
        self.create_page.connect_commands(self.commands)

    def _connect(self) -> None:
        parts, actions = self.parts, self.actions_
        self.start_page.template_chosen.connect(actions.open_template)
        self.start_page.file_chosen.connect(actions.open_path)
        self.start_page.open_requested.connect(actions.open)
        self.create_page.run_requested.connect(actions.generate)
        self.create_page.cancel_requested.connect(actions.cancel)
        self.create_page.new_seed_requested.connect(actions.generate_new_seed)
        self.create_page.example_requested.connect(actions.draw_example)
        self.create_page.save_elsewhere.connect(actions.pictures.save_elsewhere)
        self.create_page.diagnostics_requested.connect(actions.copy_diagnostics)
        self.messages.banner.diagnostics_requested.connect(actions.copy_diagnostics)
        self.palette_.chosen.connect(self.commands.run)
        self.status.problems_requested.connect(self.show_problems)
        self.news.problems_told.connect(self._tell_problems)
        self.book.changed.connect(self._count_problems)
        self.panel.problems.node_requested.connect(self._go_to_node)
        self.panel.problems.offer_chosen.connect(self.repairs.do)
        self.repairs.field_requested.connect(self._go_to_field)
        self.repairs.failed.connect(self.show_error)
        self.repairs.outside_requested.connect(actions.outside.show)
        self.repairs.convert_requested.connect(actions.models.convert_file)
        self.create_page.convert_requested.connect(actions.models.convert_file)
        self.create_page.models_wanted.connect(actions.models.get)
        self.start_page.models_wanted.connect(actions.models.get)
        self.start_page.follow_models(parts.models)
        self.create_page.follow_waiting(actions.models.getting.waiting)
        self.status.queue_requested.connect(lambda: self.show_panel("queue"))
        self.panel.queue.show_requested.connect(self._show_row)
        self.maker.graph_made.connect(self._put_graph)
        self.maker.inspector_made.connect(self._put_inspector)
        parts.document.replaced.connect(self._show_own_workspace)
        parts.document.changed.connect(self._show_title)
        parts.document.path_changed.connect(self._show_title)
        parts.document.history_changed.connect(self._show_title)
        parts.document.history_changed.connect(self.commands.refresh)
        parts.tracker.changed.connect(self.commands.refresh)
        actions.runs.changed.connect(self.commands.refresh)
        parts.tracker.run_failed.connect(self.messages.note_failure)
        parts.settings.changed.connect(self._settings_changed)
        self.start_page.set_recent(parts.settings.values.recent)

    # --- workspaces and panels -------------------------------------------------------------------------

    @property
    def graph(self) -> Any:
        """The Graph workspace; ``None`` before it is made."""
        return self.maker.graph

    def run_state(self) -> Callable[[str], Any]:
        """What is known of each node's last run, by the node's id."""
        self.prepare_graph()
        return lambda node: self.graph.run_state.state_at(node)

    @Slot(object)
    def _put_graph(self, graph: Any) -> None:
        graph.may_run = self.actions_.may_run
        graph.pictures_dropped.connect(self.actions_.pictures_on_graph)
        graph.hinted.connect(self.status.set_hint)
        self.stack.addWidget(graph)
        graph.problems.changed.connect(self._tell_problems)
        viewer = self.parts.make_viewer(graph)
        viewer.node_requested.connect(self._go_to_node)
        viewer.run_requested.connect(graph.run)
        graph.display.viewer_wanted.connect(self._show_viewer)
        self.panel.put_viewer(viewer)

    @property
    def canvas_actions(self) -> Any:
        """What is done on the canvas, which is made if it isn't there yet."""
        self.prepare_canvas()
        return self._canvas_actions

    def prepare_canvas(self) -> None:
        """Make the Canvas workspace now, if it isn't there yet."""
        if self.canvas_page is None:
            self.canvas_page, self._canvas_actions = self.parts.make_canvas(self.parts, self)
            self.canvas_page.drawing.may_run = self.actions_.may_run
            self.canvas_page.canvas.use_keys(self.commands.keymap)
            keys = self.commands.keymap.changed
            self.canvas_page.form.button.follow_keys(self.commands.keys_text, keys)
            self.canvas_page.content_changed.connect(self.commands.refresh)
            self.canvas_page.form.run_requested.connect(self.actions_.generate)
            self.canvas_page.form.cancel_requested.connect(self.actions_.cancel)
            self.canvas_page.runs.candidates.changed.connect(self.commands.refresh)
            self.stack.addWidget(self.canvas_page)

    def prepare_models(self) -> None:
        """Make the Models workspace now, if it isn't there yet."""
        if self.models_page is None:
            self.models_page = self.parts.make_models(self.parts, self)
            self.models_page.show_device(self.news.device)
            self.models_page.choice_changed.connect(self.commands.refresh)
            self.models_page.file_wanted.connect(self.actions_.open_path)
            self.stack.addWidget(self.models_page)

    @Slot(object)
    def _put_inspector(self, inspector: Any) -> None:
        self.panel.put_inspector(inspector)
        inspector.canvas_requested.connect(self.edit_on_canvas)

    @Slot(str)
    def edit_on_canvas(self, node: str) -> None:
        """Edit the layers of a node where they are painted."""
        if self.actions_.may_run():
            self.show_workspace("canvas")
            self.canvas_page.edit_node(node)

    @Slot(str)
    def show_workspace(self, name: str) -> None:
        """``start``, ``create``, ``graph``, ``canvas`` or ``models``."""
        if name == "graph":
            self.prepare_graph()
        elif name == "canvas":
            self.prepare_canvas()
        elif name == "models":
            self.prepare_models()
        self.workspace = name
        if name in OF_DOCUMENTS:
            self.parts.document.sheet.memory[WORKSPACE] = name
        pages: dict[str, QWidget] = {
            "start": self.start_page,
            "create": self.create_page,
            "graph": self.graph,
            "canvas": self.canvas_page,
            "models": self.models_page,
        }
        self.stack.setCurrentWidget(pages[name])
        self.head.show_workspace(name)
        self.panel.show_for(name)
        if name == "graph":
            self.panel.show_panel("inspector")
            self.graph.setFocus()
        elif name == "canvas":
            self.canvas_page.setFocus()
        elif name == "models":
            self.models_page.setFocus()
        elif name == "start":
            self.start_page.set_recent(self.parts.settings.values.recent)
            self.start_page.setFocus()
        self._show_title()
        self.commands.refresh()
        self.workspace_shown.emit()

    @Slot()
    def _show_own_workspace(self) -> None:
        """Each document is shown again where it was left."""
        wanted = self.parts.document.sheet.memory.get(WORKSPACE)
        if wanted in OF_DOCUMENTS and wanted != self.workspace:
            self.show_workspace(wanted)

    @Slot()
    def prepare_soon(self) -> None:
        """Make the canvas while nobody waits for it."""
        self.maker.make_soon()

    @Slot()
    def prepare_graph(self) -> None:
        """Make the canvas and its inspector now, as far as they aren't made yet."""
        self.maker.make()

    def show_panel(self, name: str) -> None:
        """Show one of the panels at the side."""
        if name in ("inspector", "viewer"):
            self.prepare_graph()
        self.panel.show_panel(name)
        if not self.panel.isVisible():
            self.toggle_panel()

    def add_foreign(self, path: str, title: str) -> None:
        """A picture that no run made joins the filmstrip."""
        self.actions_.pictures.add_foreign(path, title)

    def add_picture_node(self, file: str, at: Any) -> None:
        """A node that opens a picture, at a point of the graph."""
        self.prepare_graph()
        self.graph.adding.add_picture(file, at)

    def _show_inspector(self) -> None:
        self.show_panel("inspector")

    def toggle_panel(self) -> None:
        """Show or hide the side panel; each workspace remembers its own."""
        self.panel.toggle(self.workspace)

    def zoom(self, how: str) -> None:
        """Zoom what is shown: ``in``, ``out``, ``fit`` or ``actual``."""
        view = self.create_page.result.view
        if self.workspace == "graph" and self.graph is not None:
            self.graph.zoom(how)
        elif self.workspace == "canvas":
            self.canvas_page.zoom(how)
        else:
            {"in": view.zoom_in, "out": view.zoom_out, "fit": view.fit, "actual": view.actual_size}[how]()

    def open_palette(self) -> None:
        """Every command that can be used now."""
        items = [
            PaletteItem(
                command.id,
                tr(command.title),
                tr(command.menu),
                self.commands.keys_text(command.id),
                command.icon,
            )
            for command in self.commands.available()
        ]
        self.palette_.offer(items, QApplication.focusWidget())

    @Slot(int)
    def _show_row(self, row: int) -> None:
        self.show_workspace("create")
        self.create_page.strip.select(row)

    # --- messages --------------------------------------------------------------------------------------

    @property
    def device(self) -> Device | None:
        """The device that draws, once it is known."""
        return self.news.device

    def show_error(self, error: ErrorInfo, actions: tuple[Button, ...] = ()) -> None:
        """An error that belongs to no field and no node."""
        self.messages.show_error(error, actions)

    def show_message(self, heading: str, body: str, actions: tuple[Button, ...] = ()) -> None:
        """Something worth saying that is no error."""
        self.messages.show_message(heading, body, actions)

    def offer_again(self, title: str, open_again: Callable[[], object]) -> None:
        """A document was closed: it is one click away."""
        self.messages.offer_again(title, open_again)

    def ask_to_delete(self, name: str) -> bool:
        """Whether the picture may go to the bin."""
        return self.messages.ask_to_delete(name)

    def ask_to_run(self, found: tuple[OutsidePath, ...]) -> bool:
        """Whether a graph from elsewhere may touch paths outside the user's folders."""
        document = self.parts.document
        dialog = OutsideDialog(found, lambda node: title_of(document.graph, document.registry, node), self)
        return dialog.exec() == Dialog.DialogCode.Accepted

    @Slot()
    def show_problems(self) -> None:
        """The problems of the graph, each leading to its node."""
        self.show_panel("problems")

    @Slot()
    def _tell_problems(self) -> None:
        """Checking the document has found something, here or in the engine."""
        by_engine = self.sender() is self.news
        self.book.tell(self.news.problems if by_engine else self.graph.problems.problems, by_engine=by_engine)

    @Slot()
    def _count_problems(self) -> None:
        self.status.set_problems(len(self.book.problems))
        if self.graph is not None:
            self.graph.problems.set_more(self.book.missing)
            self.graph.show_told(self.book.problems)

    @Slot(str)
    def _go_to_node(self, node: str) -> None:
        """Show a node on the canvas; the panel stays as it is."""
        panel = self.panel.currentIndex()
        self.show_workspace("graph")
        self.graph.show_flat(node)
        self.panel.setCurrentIndex(panel)

    @Slot(str, str)
    def _go_to_field(self, node: str, param: str) -> None:
        self.show_workspace("graph")
        self.graph.show_flat(node)
        self.graph.edit_requested.emit(node.rsplit("/", 1)[-1], param)

    @Slot()
    def _show_viewer(self) -> None:
        self.show_panel("viewer")

    @Slot()
    def _show_title(self) -> None:
        shown = "" if self.workspace == "start" else tab_text(self.parts.document.sheet)
        several = len(self.parts.tabs.sheets) > 1
        self.head.show_title("" if several else shown)
        program = f"Diptych ({profile})" if (profile := paths.profile()) else "Diptych"
        self.setWindowTitle(f"{shown} — {program}" if shown else program)

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
        self.palette_.dismiss()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.drops.watch()

    def _open_dropped(self, file: str) -> None:
        self.actions_.open_path(file)

    def _convert_dropped(self, file: str) -> None:
        self.actions_.models.convert_file(file)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.actions_.files.finish():  # what went wrong is shown, and nothing is lost
            event.ignore()
            return
        geometry = bytes(self.saveGeometry().toBase64().data()).decode("ascii")
        self.parts.settings.change(geometry=geometry)
        self.hide()
        self.closing.emit()
        super().closeEvent(event)

    def _restore_place(self) -> None:
        place = QByteArray.fromBase64(self.parts.settings.values.geometry.encode("ascii", "ignore"))
        if place.isEmpty() or not self.restoreGeometry(place):
            screen = self.screen().availableGeometry() if self.screen() is not None else None
            width, height = (screen.width(), screen.height()) if screen is not None else (1280, 800)
            self.resize(min(1480, round(width * 0.92)), min(940, round(height * 0.92)))
