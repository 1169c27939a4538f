"""The document of the studio: the only writer of a graph. Every edit is one step that undo takes back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pipelines.graph import jsontext
from pipelines.graph.document import MODES, Graph, NodeRecord, drop
from studio.documents.sheet_document import SheetDocument
from studio.graph import edits as graph_edits
from studio.graph import fragments, subgraph_edits
from studio.graph.annotations import Box, Kind, boxes, with_boxes, without_boxes
from studio.graph.exposed import Argument, exposed, unexposed, with_arguments, with_port
from studio.graph.previews import Preview, with_previews
from studio.graph.waypoints import End, Points, following, with_waypoints
from studio.translate import tr

Keys = Collection[tuple[Kind, str]]
"""Frames and notes by kind and id."""


class GraphDocument(SheetDocument):
    """What can be done with a graph; signals: see :class:`~studio.documents.sheet_document.SheetDocument`."""

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
        graph, node = subgraph_edits.group(self._graph, nodes, name, held, self.registry)
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

    def _with_param(self, graph: Graph, node: str, name: str, value: Any) -> Graph:
        text = jsontext.canonical(value)
        record = graph.nodes[node]
        if name in record.params and jsontext.canonical(record.params[name]) == text:
            return graph
        return graph.with_node(node, record.with_param(name, value))

    def _edit_node(self, node: str, record: NodeRecord, text: str) -> None:
        if record is not self._graph.nodes[node]:
            self._edit(self._graph.with_node(node, record), text)
