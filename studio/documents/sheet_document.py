"""The document before anybody edits it: the sheet that is shown, how its graph changes, its history and its
file.

A graph is immutable and shares what did not change, so one command class is enough: it holds the graph before
and after, undo swaps them, and the fine signals come from comparing records by identity.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from pipelines import paths
from pipelines.errors import AssetsNeedArchive, DocumentReadOnly, GraphFromTheFuture
from pipelines.graph.assets import AssetStore, asset_of_entry, assets_of
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import OpenRegistry, Registry, builtin
from pipelines.graph.requires import with_requires
from pipelines.graph.storage import read_any, read_bytes, read_data, read_file
from studio.documents.saving import Saving, is_archive
from studio.documents.sheet import Sheet, Stamp, stamp_of
from studio.documents.undo_stack import UndoStack, weak
from studio.graph.waypoints import without_lost

MERGE_SECONDS = 2.0
"""Edits with the same merge key become one undo step if they follow each other this quickly."""


class Edit(QUndoCommand):
    """One step: the graph before and after."""

    def __init__(self, document: SheetDocument, before: Graph, after: Graph, text: str, merge: str) -> None:
        super().__init__(text)
        self.before, self.after, self.merge = before, after, merge
        self._show = weak(document._show)
        self.time = time.monotonic()

    def redo(self) -> None:
        self._show(self.after)

    def undo(self) -> None:
        self._show(self.before)

    def id(self) -> int:
        return 1 if self.merge else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, Edit) or other.merge != self.merge or other.time - self.time > MERGE_SECONDS:
            return False
        self.after, self.time = other.after, other.time
        return True


class SheetDocument(QObject):
    """A graph, its file and its history. Views connect to the signals and never write on their own.

    ``node_changed`` comes when a record differs in anything; ``links_changed`` once per edit if any link
    differs; ``view_changed`` for positions and the like; ``changed`` after all of them. ``replaced`` says
    that another :attr:`sheet` is shown now (opened, new, another tab): views start over, or go on from what
    they left in its memory.
    """

    changed = Signal()
    node_added = Signal(str)
    node_removed = Signal(str)
    node_changed = Signal(str)
    links_changed = Signal()
    view_changed = Signal()
    exposed_changed = Signal()
    replaced = Signal()
    path_changed = Signal()
    history_changed = Signal()
    saved = Signal()
    leaving = Signal()
    """Another sheet comes: what views still hold of this one is to be written now."""
    left = Signal()
    """All of that was written; this one can still be looked at."""
    types_changed = Signal()
    """Node types from outside came, went or have other ports: views look at each node again."""
    refused = Signal()
    """An edit of a document that can only be looked at was taken back."""

    def __init__(
        self,
        graph: Graph | None = None,
        registry: Registry | None = None,
        parent: QObject | None = None,
        assets: AssetStore | None = None,
        undo_stack: QUndoStack | None = None,
    ) -> None:
        super().__init__(parent)
        self.assets = assets or AssetStore(paths.assets_dir())
        """The pixels that its nodes name."""
        self._registry = registry
        self._macro: list[str] = []
        self._macro_start: Graph | None = None
        self._copied = ""
        self.sheet = Sheet(undo_stack or self._new_stack(), graph or Graph())
        """What is shown and edited now."""

    def _new_stack(self) -> QUndoStack:
        stack = UndoStack(self)
        # told by way of this object: a history that is taken apart with it then tells nobody
        stack.indexChanged.connect(self.history_changed)
        stack.cleanChanged.connect(self.history_changed)
        return stack

    # --- looking ---------------------------------------------------------------------------------------

    @property
    def graph(self) -> Graph:
        """The graph as it is now: immutable, safe to keep."""
        return self._graph

    @property
    def _graph(self) -> Graph:
        return self.sheet.graph

    @_graph.setter
    def _graph(self, graph: Graph) -> None:
        self.sheet.graph = graph

    @property
    def undo_stack(self) -> QUndoStack:
        """The history of what is shown now."""
        return self.sheet.undo_stack

    @property
    def registry(self) -> Registry:
        """The node types this document is edited with."""
        if self._registry is None:
            self._registry = OpenRegistry(builtin())
        return self._registry

    @property
    def path(self) -> Path | None:
        """The file it was opened from or saved to."""
        return self.sheet.path

    @property
    def title(self) -> str:
        """What to call it in a window title; empty for a new document without a title."""
        return self.sheet.title

    @property
    def is_modified(self) -> bool:
        """Whether it differs from what is in the file."""
        return self.sheet.is_modified

    @property
    def read_only(self) -> DocumentReadOnly | None:
        """Why it can only be looked at; ``None`` where it can be edited."""
        return self.sheet.read_only

    @property
    def from_elsewhere(self) -> bool:
        """See :attr:`Sheet.from_elsewhere`."""
        return self.sheet.from_elsewhere

    @from_elsewhere.setter
    def from_elsewhere(self, value: bool) -> None:
        self.sheet.from_elsewhere = value

    # --- several ---------------------------------------------------------------------------------------

    def show_sheet(self, sheet: Sheet) -> None:
        """Show and edit another one; the one before stays as it is, with its history."""
        if sheet is self.sheet:
            return
        self.leaving.emit()
        self.left.emit()
        moved = sheet.path != self.sheet.path
        self.sheet = sheet
        if moved:
            self.path_changed.emit()
        self.replaced.emit()
        self.changed.emit()
        self.history_changed.emit()
        later, sheet.later = sheet.later, []
        for do in later:
            do()

    def when_shown(self, sheet: Sheet, do: Callable[[], object]) -> None:
        """Do something with a sheet: at once if it is shown, else when it is shown again."""
        if sheet is self.sheet:
            do()
        else:
            sheet.later.append(do)

    # --- the whole -------------------------------------------------------------------------------------

    def replace(self, graph: Graph, text: str) -> None:
        """Another graph in place of this one, as one step that can be undone."""
        self._edit(graph, text)

    @contextmanager
    def macro(self, text: str) -> Iterator[None]:
        """Several edits as one step. If the block raises, none of them stays."""
        self._macro.append(text)
        if self._macro_start is None:
            self._macro_start = self._graph
        start = self._graph
        try:
            yield
        except BaseException:
            self._show(start)
            raise
        finally:
            self._macro.pop()
            if not self._macro:
                before, self._macro_start = self._macro_start, None
                self._push(before, self._graph, text, "")

    def new(self, graph: Graph | None = None, name: str = "") -> None:
        """Start over with a template (or nothing): no file, no history."""
        self.show_sheet(Sheet(self._new_stack(), graph or Graph(), name=name))

    def load(self, path: Path) -> None:
        """Open a file; see :meth:`read`."""
        self.show_sheet(self.read(path))

    def read(self, path: Path) -> Sheet:
        """The document in a file, not shown yet.

        Raises:
            FileMissing, GraphUnreadable, GraphFromTheFuture: nothing is changed. A newer format that is
                understood well enough can be looked at: see :attr:`Sheet.read_only`.
        """
        stamp = stamp_of(path)  # before reading: what is written meanwhile is noticed
        newer: DocumentReadOnly | None = None
        try:
            graph, assets = read_file(path)
        except GraphFromTheFuture as error:
            graph, assets = read_any(read_data(path), path.name)
            newer = DocumentReadOnly(**error.arguments)
        sheet = self.sheet_of(graph, assets, path=path, stamp=stamp)
        sheet.in_file, sheet.read_only, sheet.from_elsewhere = graph, newer, True
        return sheet

    def resume(
        self, graph: Graph, name: str, files: Mapping[str, bytes], path: Path | None = None,
        stamp: Stamp | None = None, *, from_elsewhere: bool = False,
    ) -> None:  # fmt: skip
        """Go on with a document that isn't saved as it is; see :meth:`sheet_of`."""
        sheet = self.sheet_of(graph, files, name=name, path=path, stamp=stamp)
        sheet.from_elsewhere = from_elsewhere
        sheet.undo_stack.resetClean()
        self.show_sheet(sheet)

    def load_bytes(self, data: bytes, name: str) -> None:
        """Open a document that has no file of its own (a template, the graph inside a picture)."""
        graph, assets = read_bytes(data, name)
        sheet = self.sheet_of(graph, assets, name=name)
        sheet.from_elsewhere = True
        self.show_sheet(sheet)

    def sheet_of(
        self, graph: Graph, assets: Mapping[str, bytes], *, name: str = "", path: Path | None = None,
        stamp: Stamp | None = None,
    ) -> Sheet:  # fmt: skip
        """A sheet that isn't shown yet.

        Args:
            assets: its assets, and what else is in the archive.
            name: what to call it while it has no file.
            path: the file it belongs to; ``stamp`` is that file as it was when it was opened.
        """
        self.assets.take_in(assets)
        files = {name: data for name, data in assets.items() if asset_of_entry(name) is None}
        return Sheet(self._new_stack(), graph, path, name, files, stamp)

    def save(self, path: Path | None = None, sheet: Sheet | None = None) -> None:
        """Write the file atomically: afterwards it holds this document, or what it held before.

        Args:
            sheet: another than the one that is shown.

        Raises:
            GraphNotSaved, DiskFull: it could not be written; nothing is lost.
            AssetsNeedArchive, DocumentReadOnly, ValueError: see :meth:`saving`.
        """
        sheet = sheet or self.sheet
        saving = self.saving(path, sheet)
        stamp = saving.write()
        sheet.undo_stack.setClean()
        self.saving_ends(sheet, saving, stamp)

    def saving(self, path: Path | None, sheet: Sheet) -> Saving:
        """All that is to be written, as it is now.

        Raises:
            AssetsNeedArchive: the file would have no room for painted layers.
            DocumentReadOnly: see :attr:`read_only`.
            ValueError: no path was given, and there is none.
        """
        goal = path or sheet.path
        if goal is None:
            raise ValueError("a document without a file needs a path")
        if sheet.read_only is not None:
            raise sheet.read_only
        self._say_what_is_needed(sheet)
        if assets_of(sheet.graph) and not is_archive(goal):
            raise AssetsNeedArchive(name=goal.name)
        return Saving(sheet.graph, goal, sheet.files, self.assets)

    def saving_begins(self, sheet: Sheet, saving: Saving) -> None:
        """It is being written by somebody else. Edits from now on are steps of their own."""
        sheet.goal = saving.goal
        sheet.undo_stack.setClean()

    def saving_ends(self, sheet: Sheet, saving: Saving, stamp: Stamp | None) -> None:
        """It was written; ``stamp`` is the file as it was right then."""
        sheet.goal, sheet.stamp, sheet.in_file = None, stamp, saving.graph
        if saving.goal != sheet.path:
            sheet.path = saving.goal
            if sheet is self.sheet:
                self.path_changed.emit()
        self.saved.emit()
        self.history_changed.emit()

    def saving_failed(self, sheet: Sheet) -> None:
        """It could not be written: whatever its file holds, it isn't known to be this."""
        sheet.goal = None
        sheet.undo_stack.resetClean()
        self.history_changed.emit()

    def _say_what_is_needed(self, sheet: Sheet) -> None:
        """Let a graph that was edited name the packages and files that its nodes come from: no step of its
        own."""
        if sheet.graph is sheet.in_file:
            return
        graph = with_requires(sheet.graph, self.registry)
        if sheet is self.sheet:
            self._show(graph)
        else:
            sheet.graph = graph

    # --- the one way a graph changes -------------------------------------------------------------------

    def _edit(self, graph: Graph, text: str, merge: str = "") -> None:
        if graph is self._graph:
            return
        graph = without_lost(self._graph, graph)
        if self._macro:
            self._show(graph)
        else:
            self._push(self._graph, graph, text, merge)

    def _push(self, before: Graph | None, after: Graph, text: str, merge: str) -> None:
        if before is None or before is after:
            return
        if self.read_only is not None:  # shown and taken back, so that every view is as it was
            self._show(after)
            self._show(before)
            self.refused.emit()
            return
        self.undo_stack.push(Edit(self, before, after, text, merge))

    def _show(self, graph: Graph) -> None:
        before, self._graph = self._graph, graph
        if before is graph:
            return
        if before.nodes is not graph.nodes:
            self._tell_nodes(before.nodes, graph.nodes)
        if before.view is not graph.view:
            self.view_changed.emit()
        if before.fields.get("exposed") is not graph.fields.get("exposed"):
            self.exposed_changed.emit()
        self.changed.emit()

    def _tell_nodes(self, before: Mapping[str, NodeRecord], after: Mapping[str, NodeRecord]) -> None:
        removed = [node for node in before if node not in after]
        added = [node for node in after if node not in before]
        changed = [node for node, record in after.items() if node in before and before[node] is not record]
        for node in removed:
            self.node_removed.emit(node)
        for node in added:
            self.node_added.emit(node)
        for node in changed:
            self.node_changed.emit(node)
        relinked = any(before[node].inputs != after[node].inputs for node in changed)
        if (
            relinked
            or any(before[node].inputs for node in removed)
            or any(after[node].inputs for node in added)
        ):
            self.links_changed.emit()
