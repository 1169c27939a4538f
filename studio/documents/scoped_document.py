"""What the canvas edits: the document, or the inside of one of its subgraphs, by the same means."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QUndoStack

from pipelines.errors import DiptychError, SubgraphNotPlaced
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.subgraph_file import NAME, Definitions
from studio.documents.document import GraphDocument, Keys
from studio.documents.sheet import Sheet
from studio.graph import subgraph_scope
from studio.graph.edits import input_port, output_port
from studio.graph.fragments import needed_definitions, pasted
from studio.graph.subgraph_edits import INPUTS, OUTPUTS, free_name
from studio.graph.subgraph_ports import group_name
from studio.graph.subgraph_scope import NEW, PORTS, ScopedRegistry
from studio.graph.waypoints import without_lost


class ScopedDocument(GraphDocument):
    """A view of a document that can go into its subgraphs: ``graph`` is what is inside there.

    Every edit becomes an edit of the whole document, on its one history. ``scope_changed`` when another level
    is shown; ``replaced`` comes with it, so that views start over.
    """

    scope_changed = Signal()

    def __init__(self, whole: GraphDocument, parent: QObject | None = None) -> None:
        registry, stack = ScopedRegistry(whole.registry), whole.undo_stack
        super().__init__(whole.graph, registry, parent or whole, whole.assets, stack)
        self.whole = whole
        self.path_inside: tuple[str, ...] = ()
        """Ids of the nodes one went into, from the outside in."""
        whole.changed.connect(self._follow)
        whole.replaced.connect(self._start_over)
        whole.path_changed.connect(self.path_changed)
        whole.history_changed.connect(self.history_changed)
        whole.exposed_changed.connect(self.exposed_changed)
        whole.types_changed.connect(self.types_changed)

    # --- where one is ----------------------------------------------------------------------------------

    @property
    def prefix(self) -> str:
        """What stands before a node's id in the flattened document: ``outer/inner/``, or nothing."""
        return "".join(f"{node}/" for node in self.path_inside)

    @property
    def group(self) -> str:
        """The name of the subgraph that is shown; empty outside."""
        names = self._names(self.path_inside)
        return names[-1] if names else ""

    def trail(self) -> list[str]:
        """The names of the subgraphs one went into, from the outside in."""
        return self._names(self.path_inside) or []

    def _names(self, path: tuple[str, ...]) -> list[str] | None:
        """The subgraphs on a path, as far as they can be read; ``None`` if the path leads nowhere."""
        graph, definitions = self.whole.graph, Definitions(self.whole.graph)
        nodes: Mapping[str, NodeRecord] = graph.nodes
        names: list[str] = []
        for node in path:
            record = nodes.get(node)
            if record is None or not group_name(record):
                return None
            try:
                definition = definitions.of(record)
            except DiptychError:
                return None
            names.append(definition.name)
            nodes = definition.nodes
        return names

    def enter(self, node: str) -> None:
        """Go into a subgraph.

        Raises:
            UnknownSubgraph, SubgraphBroken: there is nothing that could be shown.
        """
        Definitions(self.whole.graph).of(self._graph.nodes[node])
        self._go((*self.path_inside, node))

    def leave(self, depth: int | None = None) -> None:
        """Go out by one level, or to ``depth`` levels inside (0: out of all)."""
        goal = max(0, len(self.path_inside) - 1) if depth is None else depth
        if goal < len(self.path_inside):
            self._go(self.path_inside[:goal])

    def go(self, path: tuple[str, ...]) -> None:
        """Show the level that a path leads to, or as much of it as there is."""
        while path and self._names(path) is None:
            path = path[:-1]
        if path != self.path_inside:
            self._go(path)

    def _go(self, path: tuple[str, ...]) -> None:
        self.path_inside = path
        self._graph = self._shown(None)
        self.scope_changed.emit()
        self.replaced.emit()
        self.changed.emit()

    def _shown(self, known: Mapping[str, NodeRecord] | None) -> Graph:
        name, whole = self.group, self.whole
        return subgraph_scope.inside(whole.graph, name, whole.registry, known) if name else whole.graph

    # --- following -------------------------------------------------------------------------------------

    @Slot()
    def _follow(self) -> None:
        if self.path_inside and self._names(self.path_inside) is None:
            self.go(self.path_inside)
            return
        before, graph = self._graph, self._shown(self._graph.nodes if self.path_inside else None)
        if before is graph or (self.path_inside and graph == before):
            self.changed.emit()
        else:
            self._show(graph)

    @Slot()
    def _start_over(self) -> None:
        inside, self.path_inside = bool(self.path_inside), ()
        self._graph = self.whole.graph
        if inside:
            self.scope_changed.emit()
        self.replaced.emit()

    # --- writing ---------------------------------------------------------------------------------------

    def _edit(self, graph: Graph, text: str, merge: str = "") -> None:
        if graph is not self._graph:
            self.whole._edit(self._around(without_lost(self._graph, graph)), text, merge)

    def _around(self, graph: Graph) -> Graph:
        """The whole document with ``graph`` in place of what is shown now."""
        name = self.group
        if not name:
            return graph
        if name in needed_definitions(graph, graph.nodes.values()):
            raise SubgraphNotPlaced(name=name)
        return subgraph_scope.outside(self.whole.graph, name, graph)

    @contextmanager
    def macro(self, text: str) -> Iterator[None]:
        with self.whole.macro(text):
            yield

    def rename_group(self, name: str, wanted: str) -> None:
        """Call a subgraph something else, at all its uses."""
        self.whole._edit(subgraph_scope.renamed(self.whole.graph, name, wanted), self.tr("Rename a group"))

    def rename_port(self, side: str, port: str, wanted: str) -> None:
        """Call a port of the subgraph that is shown something else; ``side`` is ``inputs`` or ``outputs``."""
        graph = subgraph_scope.with_port_name(self.whole.graph, self.group, side, port, wanted)
        self.whole._edit(graph, self.tr("Rename a port"))

    def connect_ports(self, source_node: str, output: str, target_node: str, input: str) -> None:
        if source_node == INPUTS or target_node == OUTPUTS:
            self._connect_port(source_node, output, target_node, input)
        else:
            super().connect_ports(source_node, output, target_node, input)

    def _connect_port(self, source: str, output: str, target: str, input: str) -> None:
        """A wire from or to a port of the subgraph; the port called :data:`NEW` becomes a new one."""
        if source == INPUTS and target == OUTPUTS:
            return  # an input that is an output: no node inside would be concerned
        graph = self._graph
        if source == INPUTS:
            into = input_port(graph, self.registry, target, input)
            output = self._named(INPUTS, output, input)
            kind = str(into.type) if into is not None else "Any"
            graph = self._with_port(graph, INPUTS, output, kind)
            record = graph.nodes[target]
            links = {port: list(link) for port, link in record.inputs.items()} | {input: [INPUTS, output]}
            # what the node has there itself stays, for where nothing is given
            graph = graph.with_node(target, NodeRecord.from_json({**record.fields, "inputs": links}))
        else:
            out = output_port(graph, self.registry, source, output)
            input = self._named(OUTPUTS, input, output)
            graph = self._with_port(graph, OUTPUTS, input, str(out.type) if out is not None else "Any")
            graph = graph.with_node(OUTPUTS, graph.nodes[OUTPUTS].with_input(input, (source, output)))
        self._edit(graph, self.tr("Connect"))

    def _named(self, node: str, port: str, wanted: str) -> str:
        taken = {*self._graph.nodes[node].params[PORTS], NAME, NEW}
        return port if port != NEW else free_name(taken, wanted)

    @staticmethod
    def _with_port(graph: Graph, node: str, port: str, kind: str) -> Graph:
        record = graph.nodes[node]
        ports = record.params[PORTS]
        return graph if port in ports else graph.with_param(node, PORTS, {**ports, port: kind})

    def place(self, part: Graph, at: tuple[float, float], text: str, *, foreign: bool = False) -> list[str]:
        """Add the nodes of another graph, their top left corner at ``at``; gives their ids.

        ``foreign``: they may have been made elsewhere.
        """
        graph, ids, _ = pasted(self._graph, part, at)
        self.whole.from_elsewhere = self.whole.from_elsewhere or foreign
        self._edit(graph, text)
        return ids

    # --- what the nodes that stand for ports can't do ----------------------------------------------------

    @staticmethod
    def _real(nodes: str | Collection[str]) -> list[str]:
        given = (nodes,) if isinstance(nodes, str) else nodes
        return [node for node in given if node not in (INPUTS, OUTPUTS)]

    def remove_nodes(self, ids: Collection[str], held: Keys = ()) -> None:
        super().remove_nodes(self._real(ids), held)

    def set_mode(self, nodes: str | Collection[str], mode: str) -> None:
        super().set_mode(self._real(nodes), mode)

    def copy(self, nodes: Collection[str], held: Keys = ()) -> str:
        return super().copy(self._real(nodes), held)

    def duplicate(
        self, nodes: Collection[str], offset: tuple[float, float], *, linked: bool = True, held: Keys = ()
    ) -> list[str]:
        return super().duplicate(self._real(nodes), offset, linked=linked, held=held)

    def group_nodes(self, nodes: Collection[str], name: str, held: Keys = ()) -> str:
        return super().group_nodes(self._real(nodes), name, held)

    def set_title(self, node: str, title: str) -> None:
        if node not in (INPUTS, OUTPUTS):
            super().set_title(node, title)

    def set_param(self, node: str, name: str, value: Any, *, merge: str = "") -> None:
        if node not in (INPUTS, OUTPUTS):
            super().set_param(node, name, value, merge=merge)

    # --- the file is the whole document's ------------------------------------------------------------------

    @property
    def undo_stack(self) -> QUndoStack:
        return self.whole.undo_stack

    @property
    def path(self) -> Path | None:
        return self.whole.path

    @property
    def title(self) -> str:
        return self.whole.title

    @property
    def is_modified(self) -> bool:
        return self.whole.is_modified

    def paste(self, text: str, position: tuple[float, float], *, linked: bool = False) -> list[str]:
        self.from_elsewhere = False
        ids = super().paste(text, position, linked=linked)
        self.whole.from_elsewhere = self.whole.from_elsewhere or self.from_elsewhere
        return ids

    def save(self, path: Path | None = None, sheet: Sheet | None = None) -> None:
        self.whole.save(path, sheet)

    def note_layers(self, node: str, values: Mapping[str, Any]) -> None:
        self.whole.note_layers(node, values)
