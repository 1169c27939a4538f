"""The Graph workspace: the view with its bar, the search palette, notices, all wired to the document."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPoint, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from pipelines.errors import ErrorInfo
from studio.canvas.accessible import GraphAccess
from studio.canvas.actions import CanvasActions
from studio.canvas.adding import Adding
from studio.canvas.arming import arming_commands
from studio.canvas.bar import GraphBar
from studio.canvas.command import MENU, CanvasCommand
from studio.canvas.commands import canvas_commands
from studio.canvas.context_menu import context_menu
from studio.canvas.display import CanvasDisplay
from studio.canvas.keys import CanvasKeys
from studio.canvas.menus import grouped
from studio.canvas.palette import SearchPalette
from studio.canvas.problems import ProblemList
from studio.canvas.run_state import Bridge, RunState
from studio.canvas.scene import GraphScene
from studio.canvas.structure import CanvasStructure
from studio.canvas.style import CanvasStyle
from studio.canvas.view import GraphView
from studio.canvas.view_memory import ViewMemory
from studio.commands.command import Command
from studio.documents.document import GraphDocument
from studio.documents.scoped_document import ScopedDocument
from studio.graph.places import titles
from studio.graph.subgraph_edits import INPUTS, OUTPUTS
from studio.keys import Keymap
from studio.theme import current_theme
from studio.translate import tr
from studio.widgets.banner import Banner

NOTICE_MS = 7000
FLOW_MS = 40


class GraphWorkspace(QWidget):
    """The document as nodes and wires.

    ``selection_changed`` carries the ids of the selected nodes; ``edit_requested(node, param)`` asks the
    inspector for its field (an empty param is the node's title); ``hinted`` what to do next, or nothing.
    """

    selection_changed = Signal(object)
    edit_requested = Signal(str, str)
    pictures_dropped = Signal(object, object)
    """Files from elsewhere, and a point of the scene."""
    hinted = Signal(str)

    def __init__(
        self, document: GraphDocument, bridge: Bridge | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.document, self.bridge = document, bridge
        self.may_run: Callable[[], bool] = lambda: True
        """Asked before each run; the window puts its question here."""
        self.run_state = RunState(bridge, document.registry, self)
        self._show_states()
        self.canvas = ScopedDocument(document, self)
        """What is shown: the document, or the inside of one of its groups."""
        self.scene = GraphScene(self.canvas, self.run_state, CanvasStyle(current_theme()), self)
        self.view = GraphView(self.scene)
        self.problems = ProblemList(document, self)
        self.palette_ = SearchPalette(document.registry, self)
        self.notice = Banner(self)
        self.actions_ = CanvasActions(self.canvas, self.scene, self.view, self.show_notice)
        self.access = GraphAccess(self.view, self.actions_.ports, self.edit)
        self.structure = CanvasStructure(self.canvas, self.scene, self.view, self.show_notice)
        self.adding = Adding(
            document, self.canvas, self.view, self.palette_, self.actions_, self.structure.groups,
            self.show_notice,
        )  # fmt: skip
        self.display = CanvasDisplay(self.canvas, self.scene, self.view, bridge)
        self._commands = grouped((
            *canvas_commands(self), *self.display.commands(), *self.structure.commands(self.actions_),
            *arming_commands(self.view.arming),
        ))  # fmt: skip
        self._by_id = {command.id: command for command in self._commands}
        self.keys = CanvasKeys(self.view, self.actions_.ports, self._commands)
        self.bar = GraphBar(self.command)
        self.empty = self._empty_state()
        self._told: Sequence[ErrorInfo] | None = None
        self._framed = False
        self._memory = ViewMemory(self.canvas, self.scene, self.view, self)
        self._notice_timer = self._timer(NOTICE_MS, self.notice.hide, single=True)
        self._flow_timer = self._timer(FLOW_MS, self._advance_flow)
        self.setAccessibleName(tr("Graph"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.bar)
        layout.addWidget(self.structure.breadcrumb)
        layout.addWidget(self.view, 1)
        self.setFocusProxy(self.view)
        self._connect()
        self._describe_view()
        self._show_keys()

    def _timer(self, interval: int, slot: Callable[[], object], *, single: bool = False) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(interval)
        timer.setSingleShot(single)
        timer.timeout.connect(slot)
        return timer

    def _empty_state(self) -> QFrame:
        empty = QFrame(self.view)
        column = QVBoxLayout(empty)
        column.setSpacing(12)
        words = QLabel(tr("Nodes do the work, wires carry the results."))
        words.setProperty("role", "heading")
        button = QPushButton(tr("Add a node"))
        button.setProperty("role", "primary")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(self.add_node)
        example = QLabel(tr("For example: type “text”, press Enter, and drag a wire from its port."))
        example.setProperty("role", "body2")
        for widget in (words, example, button):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        return empty

    def _connect(self) -> None:
        document, view = self.document, self.view
        document.changed.connect(self._document_changed)
        document.replaced.connect(self._document_replaced)
        self.canvas.scope_changed.connect(self._scope_changed)
        self.structure.groups.kept.connect(self._group_kept)
        self.structure.groups.place_requested.connect(self.adding.place_kept)
        self.scene.boxes.selection_changed.connect(self._describe_view)
        self.scene.selected_nodes_changed.connect(self._selection_changed)
        view.palette_requested.connect(self.adding.open_palette)
        self.keys.hinted.connect(self.hinted)
        self.keys.changed.connect(self._show_keys)
        view.edit_requested.connect(self._edit_at)
        view.noticed.connect(self.show_notice)
        view.menu_requested.connect(self._open_menu)
        view.zoom_changed.connect(self._show_zoom)
        self.notice.closed.connect(self.notice.hide)
        self.problems.changed.connect(self._show_problems)
        self.bar.problem_chosen.connect(self.show_flat)
        self.display.legend.node_chosen.connect(self.show_node)
        self.run_state.running_changed.connect(self._show_running)
        current_theme().changed.connect(self._restyle)
        self._show_zoom()
        self._show_problems()
        self._place_floating()

    # --- commands --------------------------------------------------------------------------------------

    def commands(self) -> tuple[Command, ...]:
        """Everything that can be done here, for the window's command table."""
        return tuple(command.for_window() for command in self._commands)

    def keyboard(self) -> list[tuple[str, str, str]]:
        """The keys of the canvas as (menu, title, keys), for the keyboard table."""
        return [(MENU, command.title, keys) for command in self._commands for keys in command.keys]

    def zoom(self, how: str) -> None:
        """``in``, ``out``, ``fit`` or ``actual``."""
        names = {"in": "zoom_in", "out": "zoom_out", "fit": "frame_all", "actual": "actual_size"}
        self.command(f"graph.{names[how]}").callback()

    def command(self, id: str) -> CanvasCommand:
        """A command by its id."""
        return self._by_id[id]

    @property
    def keymap(self) -> Keymap:
        """The keys of the commands."""
        return self.keys.keymap

    def use_keys(self, keymap: Keymap) -> None:
        """Follow a keymap: the window's, whose changes count at once."""
        self.keys.use(keymap)

    @Slot()
    def _show_keys(self) -> None:
        self.bar.show_keys(self.keys.text)

    def add_node(self) -> None:
        """Open the search palette at the pointer; for a wire that is led by keys, with what it fits."""
        if not self.actions_.ports.ask_for_node():
            self.adding.open_palette(self.view.pointer(), None)

    def rename(self) -> None:
        """Edit the name of what is selected: a frame, a group, or a node (in the inspector)."""
        if self.structure.boxes.one_chosen():
            self.structure.boxes.edit_chosen()
        elif self.structure.groups.one_group():
            self.structure.groups.rename_chosen()
        elif self.actions_.chosen:
            self.edit_requested.emit(self.actions_.chosen[0], "")

    def edit(self) -> None:
        """On a port, connect it. Else go into the selected group, or ask the inspector for the first value of
        the selected node."""
        if self.actions_.ports.press():
            return
        if self.structure.boxes.one_chosen():
            self.structure.boxes.edit_chosen()
        elif self.structure.groups.one_group():
            self.structure.groups.enter_chosen()
        elif self.actions_.chosen:
            face = self.scene.nodes[self.actions_.chosen[0]].face
            first = next((row.param for row in face.rows if row.param and row.box is not None), "")
            self.edit_requested.emit(face.node, first)

    @Slot(str, str)
    def _edit_at(self, node: str, param: str) -> None:
        """A double-click: into a group, to a port's name, or to a value in the inspector."""
        groups, item = self.structure.groups, self.scene.nodes.get(node)
        row = item.row_at(self.view.last_at) if item is not None and self.view.last_at is not None else None
        ends = [end.name for end in (row.input, row.output) if end is not None] if row is not None else []
        if any(groups.rename_port(node, port) for port in ends) or (not param and groups.enter(node)):
            return
        self.edit_requested.emit(node, param)

    def run_to_selected(self) -> None:
        """Run what the selected nodes need, and them."""
        inside = self.canvas.prefix
        self.run(tuple(inside + node for node in self.actions_.chosen if node not in (INPUTS, OUTPUTS)))

    def run(self, targets: tuple[str, ...] | None = None) -> str:
        """Run the graph (``targets`` None: every node nothing depends on); gives the job's id, or nothing."""
        if self.bridge is None or targets == () or not self.may_run():
            return ""
        path = self.document.path
        base = str(path.parent) if path is not None else ""
        return self.bridge.submit(self.document.graph, targets, self.document.title, base)

    # --- adding ----------------------------------------------------------------------------------------

    def take_pictures(self, files: list[str], at: QPoint, *, own: bool) -> None:
        """Pictures were dropped here (see :mod:`studio.widgets.file_drops`); our own ones become nodes."""
        viewport = self.view.viewport()
        place = self.view.mapToScene(viewport.mapFromGlobal(at))
        if not own:
            self.pictures_dropped.emit(files, place)
            return
        for file in files:
            self.adding.add_picture(file, place)

    # --- notices and the menu --------------------------------------------------------------------------

    @Slot(object)
    def show_notice(self, error: ErrorInfo) -> None:
        """Say why nothing happened, for a while."""
        what, why, remedy = error.sentences(tr)
        self.notice.show_text(what, " ".join(part for part in (why, remedy) if part), "warning")
        self._place_floating()
        self.notice.raise_()
        self._notice_timer.start()

    @Slot(object)
    def _open_menu(self, at: QPoint) -> None:
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(at)

    def menu(self) -> QMenu:
        """The context menu for what is selected now."""
        return context_menu(self, self._by_id, self.keys.text)

    # --- following -------------------------------------------------------------------------------------

    @Slot()
    def _document_changed(self) -> None:
        self.run_state.set_graph(self.document.graph)
        self._describe_view()
        self.empty.setVisible(not self.document.graph.nodes)

    @Slot()
    def _document_replaced(self) -> None:
        self.view.cancel_gesture()
        self.view.forget_hover()
        self._show_states()
        self.palette_.dismiss()
        self._framed = self._memory.restore()
        if self.isVisible():
            self._frame_first()

    def _show_states(self) -> None:
        path = self.document.path
        base = str(path.parent) if path is not None else ""
        self.run_state.show(self.document.sheet.id, self.document.graph, base)

    @Slot(str)
    def _group_kept(self, name: str) -> None:
        """Say where a group is now."""
        words = tr("Find it by its name wherever you add a node.")
        self.notice.show_text(tr("“{name}” is in your library.", name=name), words, "info")
        self._place_floating()
        self.notice.raise_()
        self._notice_timer.start()

    @Slot()
    def _scope_changed(self) -> None:
        """Another level is shown: gestures and states are of the one before."""
        self.view.cancel_gesture()
        self.view.forget_hover()
        self.palette_.dismiss()
        self.run_state.prefix = self.problems.prefix = self.canvas.prefix
        QTimer.singleShot(0, self, self._show_problems)

    def _frame_first(self) -> None:
        if not self._framed:
            self._framed = True
            self.view.frame()

    @Slot()
    def _show_zoom(self) -> None:
        self.bar.show_zoom(self.view.zoom)

    @Slot()
    def _show_problems(self) -> None:
        self.scene.problems.show(self.problems.problems)
        self._list_problems()

    def show_told(self, problems: Sequence[ErrorInfo]) -> None:
        """List these in the bar: the window knows of failed runs, too."""
        self._told = problems
        self._list_problems()

    def _list_problems(self) -> None:
        problems = self._told if self._told is not None else self.problems.problems
        graph, registry = self.document.graph, self.document.registry
        self.bar.show_problems(
            [(titles(graph, registry, item.node) if item.node else "", item) for item in problems]
        )

    @Slot(str)
    def show_flat(self, node: str) -> None:
        """Show a node of the flattened document (``outer/inner``), on the level it is on."""
        if node:
            self.show_node(self.structure.show_node(node))

    @Slot(str)
    def show_node(self, node: str) -> None:
        """Select a node and bring it into view."""
        if node in self.scene.nodes:
            self.scene.select([node])
            self.view.reveal(node)
            self.view.setFocus()

    @Slot()
    def _selection_changed(self) -> None:
        self._describe_view()
        self.selection_changed.emit(self.scene.selected_nodes())

    def _describe_view(self) -> None:
        """What a screen reader says about the canvas: what is selected."""
        names = [self.scene.nodes[node].face.title for node in self.scene.selected_nodes()]
        held = [self.scene.boxes.items[key].box for key in self.scene.boxes.selected]
        words = {"frames": tr("frame"), "notes": tr("note")}
        self.bar.show_count(len(self.scene.nodes), len(names))
        self.view.setAccessibleName(tr("Nodes and wires"))
        text = tr("{n} nodes.", n=len(self.scene.nodes))
        names += [f"{words[box.kind]} {box.text[:60]}".strip() for box in held]
        if names:
            text += " " + tr("Selected: {names}.", names=", ".join(names))
        self.view.setAccessibleDescription(text)

    @Slot()
    def _show_running(self) -> None:
        if self.run_state.is_running and not current_theme().reduced_motion:
            self._flow_timer.start()
        else:
            self._flow_timer.stop()

    @Slot()
    def _advance_flow(self) -> None:
        if self.isVisible():
            self.scene.advance_flow(1.2)

    @Slot()
    def _restyle(self) -> None:
        self.scene.restyle(CanvasStyle(current_theme()))
        self._show_running()
        self.view.restyle()

    # --- events ----------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._place_floating()
        QTimer.singleShot(0, self, self._frame_first)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_floating()

    def _place_floating(self) -> None:
        width = min(520, self.width() - 32)
        self.notice.setFixedWidth(max(200, width))
        self.notice.adjustSize()
        self.notice.move((self.width() - self.notice.width()) // 2, self.height() - self.notice.height() - 16)
        self.empty.adjustSize()
        centre = self.view.rect().center() - self.empty.rect().center()
        self.empty.move(centre)
        self.empty.setVisible(not self.document.graph.nodes)
