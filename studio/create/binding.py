"""The arguments of a graph by name: what the Create form reads and writes. One edit, one undo step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from pipelines.graph import types
from pipelines.graph.document import Exposed, Graph
from pipelines.graph.registry import ParamSchema, Registry
from pipelines.graph.subgraph_file import SUBGRAPH
from studio.documents.document import GraphDocument
from studio.graph.edits import input_port
from studio.graph.exposed import Argument, arguments
from studio.graph.subgraph_ports import group_params
from studio.translate import tr
from studio.widgets.param_editors import param_of


class Binding(QObject):
    """A view of ``document.graph.exposed``. ``changed`` after any edit that may concern it."""

    changed = Signal()

    def __init__(self, document: GraphDocument, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._read: tuple[Graph, list[Argument]] | None = None
        document.changed.connect(self.changed)
        document.types_changed.connect(self.changed)

    @property
    def graph(self) -> Graph:
        """The graph as it is now."""
        return self._document.graph

    @property
    def registry(self) -> Registry:
        """The node types that are known."""
        return self._document.registry

    def replace(self, graph: Graph, text: str) -> None:
        """Another graph in place of this one, as one undo step."""
        self._document.replace(graph, text)

    def node_of(self, name: str) -> str:
        """The node that has an argument; empty if there is none."""
        place = self.names.get(name)
        return place.node if place is not None else ""

    @property
    def names(self) -> dict[str, Exposed]:
        """Every argument whose node is there, in the order of the form."""
        nodes = self._document.graph.nodes
        return {
            found.name: Exposed(found.node, found.param) for found in self._arguments() if found.node in nodes
        }

    def _arguments(self) -> list[Argument]:
        """Those of the document, read once for each graph."""
        graph = self._document.graph
        if self._read is None or self._read[0] is not graph:
            self._read = graph, arguments(graph)
        return self._read[1]

    def _argument(self, name: str) -> Argument | None:
        place = self.names.get(name)
        known = (found for found in self._arguments() if found.name == name)
        return next((found for found in known if place == (found.node, found.param)), None)

    @property
    def is_arranged(self) -> bool:
        """Whether somebody arranged the form; else it is laid out as always."""
        return any(found.order is not None for found in self._arguments())

    def is_more(self, name: str) -> bool | None:
        """Whether an argument stands behind “More”; ``None`` if nobody said."""
        found = self._argument(name)
        return found.more if found is not None else None

    def given_title(self, name: str) -> str:
        """The label somebody gave an argument."""
        found = self._argument(name)
        return found.title if found is not None else ""

    def has(self, name: str) -> bool:
        """Whether the graph has this argument, as a value (not fed by a link)."""
        place = self.names.get(name)
        return place is not None and place.param not in self._document.graph.nodes[place.node].inputs

    def is_linked(self, name: str) -> bool:
        """Whether the argument gets its value from another node."""
        place = self.names.get(name)
        return place is not None and place.param in self._document.graph.nodes[place.node].inputs

    def schema(self, name: str) -> ParamSchema | None:
        """What kind of value it is; ``None`` for a node type that isn't known."""
        place = self.names.get(name)
        if place is None:
            return None
        record = self._document.graph.nodes[place.node]
        kind = self._document.registry.get(record.type)
        if kind is not None and place.param in kind.params_by_name:
            return kind.params_by_name[place.param]
        graph, registry = self._document.graph, self._document.registry
        if record.type == SUBGRAPH and (inside := group_params(graph, registry, record).get(place.param)):
            return inside
        port = input_port(graph, registry, place.node, place.param)
        return param_of(port) if port is not None and port.takes_literal else None

    def value(self, name: str) -> Any:
        """The literal in the document, or the default."""
        place = self.names.get(name)
        if place is None:
            return None
        params = self._document.graph.nodes[place.node].params
        if place.param in params:
            return params[place.param]
        schema = self.schema(name)
        return schema.default if schema is not None else None

    def beside(self, name: str, param: str) -> Any:
        """The value of another param of the node that has an argument; ``None`` if it has no such param, or
        takes it from another node."""
        place = self.names.get(name)
        if place is None:
            return None
        record = self._document.graph.nodes[place.node]
        kind = self._document.registry.get(record.type)
        if kind is None or param not in kind.params_by_name or param in record.inputs:
            return None
        return record.params.get(param, kind.params_by_name[param].default)

    def set(self, name: str, value: Any) -> None:
        """Change one; what is typed in one go is one undo step."""
        place = self.names.get(name)
        if place is not None:
            self.set_at(place.node, place.param, value)

    def set_at(self, node: str, param: str, value: Any) -> None:
        """The same for a param that is no argument."""
        self._document.set_param(node, param, value, merge=f"{node}.{param}")

    def set_many(self, values: Mapping[str, Any], text: str, *, merge: str = "") -> None:
        """Change several as one undo step; names the graph doesn't have are left out. What follows soon with
        the same ``merge`` belongs to the same step."""
        known = self.names
        places = {
            (known[name].node, known[name].param): value
            for name, value in values.items()
            if name in known and not self.is_linked(name)
        }
        if places:
            self._document.set_params(places, text, merge=merge)

    def name_at(self, node: str | None, port: str | None) -> str | None:
        """The argument at a place of the graph (for errors); without a port, a node's first text."""
        if node is None:
            return None
        for name, place in self.names.items():
            if place.node == node and port is not None and place.param == port:
                return name
        return None

    def texts(self) -> list[str]:
        """Names of all arguments that are text of several lines."""
        found = []
        for name in self.names:
            schema = self.schema(name)
            if (
                schema is not None
                and schema.type == types.Text
                and schema.widget == "multiline"
                and self.has(name)
            ):
                found.append(name)
        return found

    def title(self, name: str) -> str:
        """What to call an argument: its title in the document, else its param's."""
        schema = self.schema(name)
        plain = name.replace("_", " ").capitalize()
        return self.given_title(name) or (tr(schema.title) if schema is not None else plain)

    @Slot()
    def touch(self) -> None:
        """Say that everything may have changed."""
        self.changed.emit()
