"""What can be done with subgraphs on the canvas: make, dissolve, go in and out, name, keep for later."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QRectF, Signal, Slot

from pipelines.errors import DiptychError, ErrorInfo
from studio.canvas.inline_editor import InlineEditor
from studio.canvas.library_dialog import LibraryDialog
from studio.canvas.scene import GraphScene
from studio.canvas.view import GraphView
from studio.documents.scoped_document import ScopedDocument
from studio.graph.group_library import GroupLibrary
from studio.graph.subgraph_edits import INPUTS, OUTPUTS, is_linked
from studio.graph.subgraph_ports import group_name
from studio.translate import tr


class GroupActions(QObject):
    """Edits of groups. Errors go to ``notice``; ``kept`` names a group that is in the library now,
    ``place_requested`` one of it that is to be put on the canvas."""

    kept = Signal(str)
    place_requested = Signal(str)

    def __init__(
        self,
        document: ScopedDocument,
        scene: GraphScene,
        view: GraphView,
        editor: InlineEditor,
        notice: Callable[[ErrorInfo], object],
    ) -> None:
        super().__init__(view)
        self._document, self._scene, self._view = document, scene, view
        self._editor, self._notice = editor, notice
        self.library = GroupLibrary()
        self._eyes: dict[tuple[str, ...], tuple[float, float, float]] = {}
        """Where the view was on each level that was left: middle and zoom."""

    # --- what is selected --------------------------------------------------------------------------------

    @property
    def groups(self) -> list[str]:
        """The selected nodes that stand for a subgraph."""
        nodes = self._document.graph.nodes
        return [node for node in self._scene.selected_nodes() if group_name(nodes[node])]

    def can_group(self) -> bool:
        return any(node not in (INPUTS, OUTPUTS) for node in self._scene.selected_nodes())

    def has_group(self) -> bool:
        return bool(self.groups)

    def one_group(self) -> bool:
        return len(self.groups) == 1

    def has_linked(self) -> bool:
        return any(is_linked(self._document.graph, node) for node in self.groups)

    def is_inside(self) -> bool:
        return bool(self._document.path_inside)

    # --- making and dissolving ---------------------------------------------------------------------------

    def group(self) -> None:
        """Make a subgraph of the selected nodes, and let the user name it."""
        nodes = [node for node in self._scene.selected_nodes() if node not in (INPUTS, OUTPUTS)]
        if not nodes:
            return
        places = self._scene.unwritten_positions()
        try:
            with self._document.macro(tr("Group")):
                self._document.move_nodes(places)
                made = self._document.group_nodes(nodes, tr("Group"), self._scene.boxes.selected)
        except DiptychError as error:
            self._notice(error.info())
            return
        self._scene.select([made])
        self._view.reveal(made)
        self.rename(made)

    def dissolve(self) -> None:
        """Put what is inside of the selected groups in their place."""
        try:
            self._scene.select(self._document.dissolve(self.groups))
        except DiptychError as error:
            self._notice(error.info())

    def make_independent(self) -> None:
        self._document.make_independent(self.groups)

    # --- names ---------------------------------------------------------------------------------------------

    def rename_chosen(self) -> None:
        if self.groups:
            self.rename(self.groups[0])

    def rename(self, node: str) -> None:
        """Edit the name of a group where it stands."""
        item = self._scene.nodes.get(node)
        record = self._document.graph.nodes.get(node)
        name = group_name(record) if record is not None else ""
        if item is None or not name:
            return
        area = QRectF(item.pos().x(), item.pos().y(), item.face.width, self._scene.style_.metrics.title)
        self._editor.edit(area, name, tr("Name of the group"), lambda words: self._rename(name, words))

    @Slot()
    def rename_shown(self) -> None:
        """Edit the name of the group that is shown."""
        name = self._document.group
        if name:
            corner = self._view.mapToScene(self._view.viewport().rect().topLeft())
            area = QRectF(corner.x(), corner.y(), 220 / self._view.zoom, 28 / self._view.zoom)
            self._editor.edit(area, name, tr("Name of the group"), lambda words: self._rename(name, words))

    def _rename(self, name: str, words: str) -> None:
        self._document.rename_group(name, words)

    def rename_port(self, node: str, port: str) -> bool:
        """Edit the name of a port, inside; whether there is such a port."""
        item = self._scene.nodes.get(node)
        if item is None or node not in (INPUTS, OUTPUTS):
            return False
        side = "inputs" if node == INPUTS else "outputs"
        row = next(
            (
                row
                for row in item.face.rows
                if port in {end.name for end in (row.input, row.output) if end is not None}
            ),
            None,
        )
        if row is None or port not in self._document.graph.nodes[node].params.get("ports", {}):
            return False

        def done(words: str) -> None:
            self._document.rename_port(side, port, words)

        self._editor.edit(row.rect.translated(item.pos()), port, tr("Name of the port"), done)
        return True

    # --- in and out --------------------------------------------------------------------------------------

    def enter(self, node: str) -> bool:
        """Go into a group; whether it is one."""
        record = self._document.graph.nodes.get(node)
        if record is None or not group_name(record):
            return False
        self._keep_eye()
        try:
            self._document.enter(node)
        except DiptychError as error:
            self._notice(error.info())
            return True
        self._show_level()
        return True

    def enter_chosen(self) -> None:
        if self.groups:
            self.enter(self.groups[0])

    def leave(self) -> None:
        """Go out by one level; the group one was in is selected."""
        self.leave_to(len(self._document.path_inside) - 1)

    @Slot(int)
    def leave_to(self, depth: int) -> None:
        path = self._document.path_inside
        if not 0 <= depth < len(path):
            return
        self._keep_eye()
        self._document.leave(depth)
        self._show_level()
        if path[depth] in self._scene.nodes:
            self._scene.select([path[depth]])

    def go(self, path: tuple[str, ...]) -> None:
        """Show another level."""
        if path != self._document.path_inside:
            self._keep_eye()
            self._document.go(path)
            self._show_level()

    def _keep_eye(self) -> None:
        self._editor.finish()
        middle = self._view.mapToScene(self._view.viewport().rect().center())
        self._eyes[self._document.path_inside] = (middle.x(), middle.y(), self._view.zoom)

    def _show_level(self) -> None:
        eye = self._eyes.get(self._document.path_inside)
        if eye is None:
            self._view.frame()
            return
        self._view.set_zoom(eye[2])
        self._view.centerOn(eye[0], eye[1])

    @Slot()
    def forget(self) -> None:
        """Another document."""
        self._eyes = {}

    # --- the library ---------------------------------------------------------------------------------------

    def keep(self) -> None:
        """Save the selected group to the user's library, to place it again in any document."""
        for node in self.groups[:1]:
            try:
                name = self.library.keep(self._document.graph, node)
            except DiptychError as error:
                self._notice(error.info())
            else:
                self.kept.emit(name)

    def has_kept(self) -> bool:
        """Whether there is a group in the library."""
        return bool(self.library.names())

    def show_library(self) -> None:
        """What is in the library, to be placed or taken out of it."""
        dialog = LibraryDialog(self.library, self._view.window())
        dialog.failed.connect(self._notice)
        dialog.place_requested.connect(self.place_requested)
        dialog.open()
