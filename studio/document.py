"""The document of the studio: the only writer of a graph, with undo of everything.

A graph is immutable and shares what did not change, so one command class is enough: it holds the graph before
and after, undo swaps them, and the fine signals come from comparing records by identity.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from pipelines import paths
from pipelines.errors import AssetsNeedArchive, DocumentReadOnly, GraphFromTheFuture, GraphNotSaved
from pipelines.files import atomic_write
from pipelines.graph import jsontext
from pipelines.graph.assets import AssetStore, asset_of_entry, assets_of
from pipelines.graph.document import MODES, Graph, NodeRecord, drop
from pipelines.graph.registry import Registry, builtin
from pipelines.graph.storage import ARCHIVE_SUFFIX, file_bytes, read_any, read_bytes, read_data, read_file
from studio.graph import edits as graph_edits
from studio.graph import fragments, subgraph_edits
from studio.graph.annotations import Box, Kind, boxes, with_boxes, without_boxes
from studio.graph.exposed import Argument, exposed, unexposed, with_arguments, with_port
from studio.graph.previews import Preview, with_previews
from studio.graph.waypoints import End, Points, following, with_waypoints, without_lost
from studio.translate import tr

Keys = Collection[tuple[Kind, str]]
"""Frames and notes by kind and id."""
MERGE_SECONDS = 2.0
"""Edits with the same merge key become one undo step if they follow each other this quickly."""
Stamp = tuple[int, int]
"""A file as it was once: its size in bytes and its time in ns."""


def stamp_of(path: Path) -> Stamp | None:
    """The file as it is now; ``None`` if there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


class Edit(QUndoCommand):
    """One step: the graph before and after."""

    def __init__(self, document: GraphDocument, before: Graph, after: Graph, text: str, merge: str) -> None:
        super().__init__(text)
        self.document, self.before, self.after, self.merge = document, before, after, merge
        self.time = time.monotonic()

    def redo(self) -> None:
        self.document._show(self.after)

    def undo(self) -> None:
        self.document._show(self.before)

    def id(self) -> int:
        return 1 if self.merge else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, Edit) or other.merge != self.merge or other.time - self.time > MERGE_SECONDS:
            return False
        self.after, self.time = other.after, other.time
        return True


class GraphDocument(QObject):
    """A graph, its file and its history. Views connect to the signals and never write on their own.

    ``node_changed`` comes when a record differs in anything; ``links_changed`` once per edit if any link
    differs; ``view_changed`` for positions and the like; ``changed`` after all of them. ``replaced`` says
    that another document is shown now (opened, new): views start over.
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
    closed = Signal()
    """Another document comes; this one can still be looked at."""
    refused = Signal()
    """An edit of a document that can only be looked at was taken back."""

    def __init__(
        self,
        graph: Graph | None = None,
        registry: Registry | None = None,
        parent: QObject | None = None,
        assets: AssetStore | None = None,
    ) -> None:
        super().__init__(parent)
        self.assets = assets or AssetStore(paths.assets_dir())
        """The pixels that its nodes name."""
        self._graph = graph or Graph()
        self._registry = registry
        self._path: Path | None = None
        self._name = ""
        self._files: Mapping[str, bytes] = {}
        """What else was in the archive it came from."""
        self._stamp: Stamp | None = None
        self._in_file: Graph | None = None
        self.read_only: DocumentReadOnly | None = None
        """Why it can only be looked at; ``None`` where it can be edited."""
        self._macro: list[str] = []
        self._macro_start: Graph | None = None
        self._copied = ""
        self.from_elsewhere = False
        """Whether something of it was made elsewhere: opened, dropped or pasted. It never runs by itself, and
        paths outside the user's folders are asked about first."""
        self.undo_stack = QUndoStack(self)
        # told by way of this object: a history that is taken apart with it then tells nobody
        self.undo_stack.indexChanged.connect(self.history_changed)
        self.undo_stack.cleanChanged.connect(self.history_changed)

    # --- looking ---------------------------------------------------------------------------------------

    @property
    def graph(self) -> Graph:
        """The graph as it is now: immutable, safe to keep."""
        return self._graph

    @property
    def registry(self) -> Registry:
        """The node types this document is edited with."""
        if self._registry is None:
            self._registry = builtin()
        return self._registry

    @property
    def path(self) -> Path | None:
        """The file it was opened from or saved to."""
        return self._path

    @property
    def title(self) -> str:
        """What to call it in a window title; empty for a new document without a title."""
        title = self._graph.fields.get("title")
        if self._path is not None:
            return self._path.stem
        return self._name or (title if isinstance(title, str) else "")

    @property
    def is_modified(self) -> bool:
        """Whether it differs from what is in the file."""
        return not self.undo_stack.isClean()

    @property
    def files(self) -> Mapping[str, bytes]:
        """What else was in the archive it came from, beside the graph and its assets."""
        return self._files

    @property
    def stamp(self) -> Stamp | None:
        """Its file as it was last read or written."""
        return self._stamp

    @property
    def in_file(self) -> Graph | None:
        """The graph as it was last read from or written to its file, as far as that is known."""
        return self._in_file

    def is_changed_on_disk(self) -> bool:
        """Whether its file is there and isn't as it was last read or written: by size and time."""
        now = stamp_of(self._path) if self._path is not None else None
        return now is not None and now != self._stamp

    # --- params, links, modes --------------------------------------------------------------------------

    def set_param(self, node: str, name: str, value: Any, *, merge: str = "") -> None:
        """Set a literal; a link of that name is removed. Nothing happens if it is that value already.

        Raises:
            KeyError: there is no such node.
            ValueError: JSON can't say the value (NaN, infinity).
        """
        graph = self._with_param(self._graph, node, name, value)
        if graph is not self._graph:
            self._edit(graph, tr("Change {setting} of {node}", **self._words(node, name)), merge)

    def set_params(self, values: Mapping[tuple[str, str], Any], text: str, *, merge: str = "") -> None:
        """Set several literals, ``{(node, name): value}``, as one step."""
        graph = self._graph
        for (node, name), value in values.items():
            graph = self._with_param(graph, node, name, value)
        self._edit(graph, text, merge)

    def clear_param(self, node: str, name: str) -> None:
        """Remove a literal, so that the default counts."""
        record = self._graph.nodes[node]
        text = tr("Reset {setting} of {node}", **self._words(node, name))
        self._edit_node(node, record.without_param(name), text)

    def _words(self, node: str, name: str) -> dict[str, str]:
        """What a setting and its node are called, for the history."""
        label = graph_edits.label_of(self._graph, self.registry, node, name)
        return {"setting": tr(label), "node": tr(graph_edits.title_of(self._graph, self.registry, node))}

    def connect_ports(self, source_node: str, output: str, target_node: str, input: str) -> None:
        """Connect an output with an input or param, instead of whatever was there.

        Raises:
            CycleFound, IncompatibleLink, UnknownInput, UnknownOutput: why it is refused.
            KeyError: there is no such node.
        """
        why = graph_edits.refusal(self._graph, self.registry, source_node, output, target_node, input)
        if why is not None:
            raise why
        record = self._graph.nodes[target_node]
        if record.inputs.get(input) != (source_node, output):
            graph = with_waypoints(self._graph, {(target_node, input): ()})
            self._edit(graph.with_link(target_node, input, (source_node, output)), self.tr("Connect"))

    def disconnect_port(self, node: str, input: str) -> None:
        """Remove the link that ends in ``input``."""
        self._edit_node(node, self._graph.nodes[node].without_input(input), self.tr("Disconnect"))

    def show_port(self, node: str, param: str, on: bool) -> None:
        """Let a param show a port on its node; without one, what is linked to it goes, too."""
        text = self.tr("Show a port") if on else self.tr("Hide a port")
        self._edit_node(node, with_port(self._graph.nodes[node], param, on), text)

    def set_exposed(self, node: str, param: str, on: bool, title: str = "") -> None:
        """Make a param an argument of the graph (a field of Create), or no longer; ``title`` is its label."""
        if on:
            self._edit(exposed(self._graph, node, param, title), self.tr("Put into the form"))
        else:
            self._edit(unexposed(self._graph, node, param), self.tr("Take out of the form"))

    def arrange_exposed(self, wanted: Iterable[tuple[str, Argument]]) -> None:
        """Arrange, rename and remove arguments: (name until now, argument) in the order of the form."""
        self._edit(with_arguments(self._graph, wanted), self.tr("Arrange the form"))

    def set_title(self, node: str, title: str) -> None:
        """Name a node; an empty title shows its type's."""
        record = self._graph.nodes[node]
        if record.title != title:
            self._edit_node(node, record.with_title(title), self.tr("Rename a node"))

    def set_mode(self, nodes: str | Collection[str], mode: str) -> None:
        """``active``, ``bypassed`` or ``muted`` for one or several nodes."""
        if mode not in MODES:
            raise ValueError(f"{mode!r} is not a mode")
        graph = self._graph
        for node in (nodes,) if isinstance(nodes, str) else nodes:
            if graph.nodes[node].mode != mode:
                graph = graph.with_node(node, graph.nodes[node].with_mode(mode))
        texts = {"active": self.tr("Activate"), "bypassed": self.tr("Bypass"), "muted": self.tr("Mute")}
        self._edit(graph, texts[mode])

    # --- nodes -----------------------------------------------------------------------------------------

    def add_node(
        self, type_id: str, position: tuple[float, float], params: Mapping[str, Any] | None = None
    ) -> str:
        """Add a node of a known type and give its id. Raises :class:`KeyError` for an unknown type."""
        schema = self.registry[type_id]
        node = self._graph.free_id(type_id)
        record = NodeRecord.new(type_id, schema.node.version, params=params)
        graph = graph_edits.with_positions(self._graph.with_node(node, record), {node: position})
        self._edit(graph, self.tr("Add a node"))
        return node

    def copy(self, nodes: Collection[str], held: Keys = ()) -> str:
        """These nodes, frames and notes, with the links among them, as JSON text for the clipboard."""
        self._copied = fragments.fragment(self._graph, nodes, held).dumps().decode()
        return self._copied

    def paste(self, text: str, position: tuple[float, float], *, linked: bool = False) -> list[str]:
        """Add the nodes of a JSON text, their top left corner at ``position``; gives the new ids.

        With ``linked``, what fed them where they were copied feeds them here, as far as it is here and fits.

        Raises:
            GraphUnreadable, GraphFromTheFuture: the text is not a graph.
        """
        part = Graph.loads(text, self.tr("What was pasted"))
        links = fragments.links_again(self._graph, self.registry, part) if linked else None
        graph, ids, _ = fragments.pasted(self._graph, part, position, links)
        self.from_elsewhere = self.from_elsewhere or text != self._copied
        self._edit(graph, self.tr("Paste"))
        return ids

    def duplicate(
        self, nodes: Collection[str], offset: tuple[float, float], *, linked: bool = True, held: Keys = ()
    ) -> list[str]:
        """Copy nodes (and frames and notes) beside themselves. Gives the new ids.

        ``linked``: links from other nodes are kept.
        """
        part = fragments.fragment(self._graph, nodes, held)
        outside = {
            node: {port: link for port, link in links.items() if link.node in self._graph.nodes}
            for node, links in fragments.incoming_links(part).items()
        }
        places = [part.position(node) or (0.0, 0.0) for node in part.nodes]
        places += [box.rect[:2] for box in boxes(part).values()]
        corner = (min((x for x, _ in places), default=0.0), min((y for _, y in places), default=0.0))
        at = (corner[0] + offset[0], corner[1] + offset[1])
        graph, ids, _ = fragments.pasted(self._graph, part, at, outside if linked else None)
        self._edit(graph, self.tr("Duplicate"))
        return ids

    def remove_nodes(self, ids: Collection[str], held: Keys = ()) -> None:
        """Remove nodes and every link to or from them; ``held`` are frames and notes that go, too."""
        graph = without_boxes(graph_edits.without_nodes(self._graph, ids), held)
        self._edit(graph, self.tr("Delete"))

    def move_nodes(
        self,
        positions: Mapping[str, tuple[float, float]],
        merge: str = "",
        moved: Iterable[Box] = (),
        dots: Mapping[End, Points] | None = None,
    ) -> None:
        """Put nodes elsewhere on the canvas, frames and notes where ``moved`` says, and wires' dots where
        ``dots`` says. Other dots follow if both ends of their wire move alike."""
        graph = following(self._graph, graph_edits.with_positions(self._graph, positions))
        graph = with_waypoints(graph, dots or {})
        self._edit(with_boxes(graph, moved), self.tr("Move"), merge)

    # --- frames, notes, subgraphs ----------------------------------------------------------------------

    def set_boxes(self, changed: Iterable[Box], text: str, merge: str = "") -> None:
        """Add or change frames and notes."""
        self._edit(with_boxes(self._graph, changed), text, merge)

    def group_nodes(self, nodes: Collection[str], name: str, held: Keys = ()) -> str:
        """Put nodes into a new subgraph called ``name``; gives the node that stands for them.

        Raises:
            GroupHasNodeBetween: a node outside is fed by them and feeds them.
        """
        graph, node = subgraph_edits.group(self._graph, nodes, name, held)
        self._edit(graph, self.tr("Group"))
        return node

    def dissolve(self, nodes: Collection[str]) -> list[str]:
        """Put what is inside of subgraphs in place of the nodes that stand for them; gives the ids.

        Raises:
            UnknownSubgraph, SubgraphBroken: nothing is changed.
        """
        graph, ids = self._graph, []
        for node in nodes:
            graph, inside = subgraph_edits.dissolve(graph, node)
            ids += inside
        self._edit(graph, self.tr("Dissolve the group"))
        return ids

    def make_independent(self, nodes: Collection[str]) -> None:
        """Give each of these nodes a subgraph of its own."""
        graph = subgraph_edits.made_independent(self._graph, nodes)
        self._edit(graph, self.tr("Make independent"))

    def set_previews(self, previews: Mapping[str, Preview]) -> None:
        """Show nodes' thumbnails in another size, or not at all."""
        self._edit(with_previews(self._graph, previews), self.tr("Change a thumbnail"))

    def note_layers(self, node: str, values: Mapping[str, Any]) -> None:
        """Let a node hold what is painted now: no step of its own, since each stroke is one. ``None`` takes a
        param away."""
        if self.read_only is not None:
            return
        graph = self._graph
        for name, value in values.items():
            record = graph.nodes[node]
            if value is not None:
                graph = self._with_param(graph, node, name, value)
            elif name in record.params:
                record = record.without_param(name)
                if not record.params:
                    record = NodeRecord.from_json(drop(record.fields, "params"))
                graph = graph.with_node(node, record)
        self._show(graph)

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
        self.from_elsewhere = False
        self._reset(graph or Graph(), None, name, {})

    def load(self, path: Path) -> None:
        """Open a file.

        Raises:
            FileMissing, GraphUnreadable, GraphFromTheFuture: the document stays as it was. A newer format
                that is understood well enough can be looked at: see :attr:`read_only`.
        """
        stamp = stamp_of(path)  # before reading: what is written meanwhile is noticed
        newer: DocumentReadOnly | None = None
        try:
            graph, assets = read_file(path)
        except GraphFromTheFuture as error:
            graph, assets = read_any(read_data(path), path.name)
            newer = DocumentReadOnly(**error.arguments)
        self.from_elsewhere = True
        self._reset(graph, path, "", assets, stamp, newer)

    def resume(
        self, graph: Graph, name: str, files: Mapping[str, bytes], path: Path | None = None,
        stamp: Stamp | None = None,
    ) -> None:  # fmt: skip
        """Go on with a document that isn't saved as it is.

        Args:
            name: what to call it while it has no file.
            files: its assets, and what else is in the archive.
            path: the file it belongs to; ``stamp`` is that file as it was when it was opened.
        """
        self._reset(graph, path, name, files, stamp)
        self._in_file = None
        self.undo_stack.resetClean()

    def load_bytes(self, data: bytes, name: str) -> None:
        """Open a document that has no file of its own (a template, the graph inside a picture)."""
        graph, assets = read_bytes(data, name)
        self.from_elsewhere = True
        self._reset(graph, None, name, assets)

    def save(self, path: Path | None = None) -> None:
        """Write the file atomically: afterwards it holds this document, or what it held before.

        Raises:
            GraphNotSaved, DiskFull: it could not be written; nothing is lost.
            AssetsNeedArchive: the file would have no room for painted layers.
            DocumentReadOnly: see :attr:`read_only`.
            ValueError: no path was given, and there is none.
        """
        goal = path or self._path
        if goal is None:
            raise ValueError("a document without a file needs a path")
        if self.read_only is not None:
            raise self.read_only
        atomic_write(goal, self._file_bytes(goal), failure=GraphNotSaved)
        self._stamp, self._in_file = stamp_of(goal), self._graph
        self.undo_stack.setClean()
        if goal != self._path:
            self._path = goal
            self.path_changed.emit()
        self.saved.emit()

    def _file_bytes(self, goal: Path) -> bytes:
        named = assets_of(self._graph)
        if goal.suffix.lower() != ARCHIVE_SUFFIX:
            if named:
                raise AssetsNeedArchive(name=goal.name)
            return file_bytes(self._graph, {}, goal.suffix)
        there = self.assets.entries(name for name in named if name in self.assets)
        return file_bytes(self._graph, {**self._files, **there}, goal.suffix)

    # --- the one way a graph changes -------------------------------------------------------------------

    def _with_param(self, graph: Graph, node: str, name: str, value: Any) -> Graph:
        text = jsontext.canonical(value)
        record = graph.nodes[node]
        if name in record.params and jsontext.canonical(record.params[name]) == text:
            return graph
        return graph.with_node(node, record.with_param(name, value))

    def _edit_node(self, node: str, record: NodeRecord, text: str) -> None:
        if record is not self._graph.nodes[node]:
            self._edit(self._graph.with_node(node, record), text)

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

    def _reset(
        self,
        graph: Graph,
        path: Path | None,
        name: str,
        assets: Mapping[str, bytes],
        stamp: Stamp | None = None,
        read_only: DocumentReadOnly | None = None,
    ) -> None:
        self.closed.emit()
        moved = path != self._path
        self.assets.take_in(assets)
        self._files = {name: data for name, data in assets.items() if asset_of_entry(name) is None}
        self._graph, self._path, self._name = graph, path, name
        self._stamp, self._in_file, self.read_only = stamp, graph if path is not None else None, read_only
        self.undo_stack.clear()
        if moved:
            self.path_changed.emit()
        self.replaced.emit()
        self.changed.emit()
