"""What gives a large graph order: groups, frames, notes, bookmarks, minimap, finding. One object owns it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Slot

from pipelines.errors import ErrorInfo
from studio.canvas.actions import CanvasActions
from studio.canvas.box_actions import BoxActions
from studio.canvas.breadcrumb import Breadcrumb
from studio.canvas.command import CanvasCommand, always
from studio.canvas.find_bar import FindBar
from studio.canvas.group_actions import GroupActions
from studio.canvas.inline_editor import InlineEditor
from studio.canvas.minimap import Minimap
from studio.canvas.scene import GraphScene
from studio.canvas.view import GraphView
from studio.documents.scoped_document import ScopedDocument
from studio.graph.bookmarks import Bookmark, bookmarks, with_bookmark
from studio.graph.search import Hit
from studio.translate import tr


class CanvasStructure(QObject):
    """Parts of the canvas beside its nodes, and their commands."""

    def __init__(
        self,
        document: ScopedDocument,
        scene: GraphScene,
        view: GraphView,
        notice: Callable[[ErrorInfo], object],
    ) -> None:
        super().__init__(view)
        self._document, self._scene, self._view = document, scene, view
        self.editor = InlineEditor(view)
        self.groups = GroupActions(document, scene, view, self.editor, notice)
        self.boxes = BoxActions(document, scene, view, self.editor)
        self.breadcrumb = Breadcrumb(document)
        self.minimap = Minimap(scene, view)
        self.find_bar = FindBar(document, view)
        self.breadcrumb.level_chosen.connect(self.groups.leave_to)
        self.breadcrumb.rename_requested.connect(self.groups.rename_shown)
        self.find_bar.hit_chosen.connect(self.show_hit)
        self.find_bar.closed.connect(view.setFocus)
        view.box_edit_requested.connect(self.boxes.edit)
        view.zoom_changed.connect(self.editor.close_taking)
        document.whole.replaced.connect(self.groups.forget)

    # --- commands --------------------------------------------------------------------------------------

    def commands(self, actions: CanvasActions) -> tuple[CanvasCommand, ...]:
        """All of them, for the workspace's table. Titles are source texts."""
        groups, boxes = self.groups, self.boxes

        def make(
            id: str, title: str, keys: str, callback: Callable[[], object], icon: str = "",
            enabled: Callable[[], bool] = always,
        ) -> CanvasCommand:  # fmt: skip
            return CanvasCommand(f"graph.{id}", title, tuple(keys.split()), callback, icon, enabled)

        return (
            make("leave", "Go out of the group", "Alt+Up", groups.leave, "chevron_up", groups.is_inside),
            make("group", "Group nodes", "Ctrl+G", groups.group, "layers", groups.can_group),
            make("ungroup", "Dissolve the group", "Ctrl+Shift+G", groups.dissolve, "", groups.has_group),
            make("enter", "Go into the group", "Alt+Down", groups.enter_chosen, "", groups.one_group),
            make("rename_group", "Rename the group", "Shift+F2", groups.rename_chosen, "pen",
                 groups.one_group),
            make(
                "independent", "Make the group independent", "", groups.make_independent, "unlock",
                groups.has_linked,
            ),
            make("keep_group", "Keep the group in the library", "", groups.keep, "save", groups.one_group),
            make("library", "Groups in the library…", "", groups.show_library, "folder", groups.has_kept),
            make("frame", "Put a frame round the selection", "Ctrl+J", boxes.frame_selection, "frame",
                 boxes.can_frame),
            make("note", "Put a note", "N", boxes.add_note, "text"),
            make("box_words", "Edit the words of the frame or note", "", boxes.edit_chosen, "pen",
                 boxes.one_chosen),
            make("box_colour", "Colour of the frame or note…", "Alt+J", boxes.choose_colour, "theme",
                 boxes.any_chosen),
            make("minimap", "Show or hide the map", "Shift+M", self.toggle_minimap, "landscape"),
            make("find", "Find in the graph", "Ctrl+F", self.find_bar.open, "search"),
            make("find_next", "Next hit", "F3", self.find_bar.next, "", self._searching),
            make("find_previous", "Previous hit", "Shift+F3", self.find_bar.previous, "", self._searching),
            self._backspace(actions),
            *(self._bookmark(number) for number in range(1, 10)),
            *(self._set_bookmark(number) for number in range(1, 10)),
        )  # fmt: skip

    def _backspace(self, actions: CanvasActions) -> CanvasCommand:
        """One key, as people expect it: out of the group one is in, else it deletes."""

        def go() -> None:
            if self.groups.is_inside():
                self.groups.leave()
            else:
                actions.delete()

        def possible() -> bool:
            return self.groups.is_inside() or bool(actions.chosen) or self._deletable()

        title = "Go out of the group, or delete"
        return CanvasCommand("graph.backspace", title, ("Backspace",), go, enabled=possible, hidden=True)

    def _deletable(self) -> bool:
        return self._scene.selected_wire() is not None or self.boxes.any_chosen()

    def _bookmark(self, number: int) -> CanvasCommand:
        return CanvasCommand(
            f"graph.bookmark_{number}", f"Go to bookmark {number}", (f"Shift+{number}",),
            lambda: self.go_to(number), enabled=lambda: number in bookmarks(self._document.whole.graph),
            hidden=True,
        )  # fmt: skip

    def _set_bookmark(self, number: int) -> CanvasCommand:
        return CanvasCommand(
            f"graph.set_bookmark_{number}", f"Set bookmark {number}", (f"Ctrl+Shift+{number}",),
            lambda: self.set_bookmark(number), hidden=True,
        )  # fmt: skip

    def _searching(self) -> bool:
        return bool(self.find_bar.hits)

    # --- bookmarks -------------------------------------------------------------------------------------

    def set_bookmark(self, number: int) -> None:
        """Remember what is in view now, in the document."""
        middle = self._view.mapToScene(self._view.viewport().rect().center())
        mark = Bookmark(middle.x(), middle.y(), self._view.zoom, self._document.path_inside)
        whole = self._document.whole
        whole.replace(with_bookmark(whole.graph, number, mark), tr("Set bookmark {n}", n=number))

    def go_to(self, number: int) -> None:
        """Show what a bookmark remembers."""
        mark = bookmarks(self._document.whole.graph).get(number)
        if mark is not None:
            self.groups.go(mark.path)
            self._view.set_zoom(mark.zoom)
            self._view.centerOn(mark.x, mark.y)

    # --- the map and finding ---------------------------------------------------------------------------

    def toggle_minimap(self) -> None:
        self.minimap.setVisible(not self.minimap.isVisible())
        self.minimap.place()

    @Slot(object)
    def show_hit(self, hit: Hit) -> None:
        """Go to where something was found, into groups if need be."""
        self.groups.go(hit.path)
        if hit.box is not None and hit.box in self._scene.boxes.items:
            self._scene.select([])
            self._scene.boxes.select([hit.box])
            self._view.ensureVisible(self._scene.boxes.items[hit.box].area, 40, 40)
        elif hit.node in self._scene.nodes:
            self._scene.select([hit.node])
            self._view.reveal(hit.node)

    def show_node(self, flat: str) -> str:
        """Go to the level of a node of the flattened document (``outer/inner``); gives its id there."""
        *path, node = flat.split("/")
        self.groups.go(tuple(path))
        return node if len(self._document.path_inside) == len(path) else self._document.path_inside[-1]
