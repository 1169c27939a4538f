"""Adding nodes: by the search palette, at the end of a wire, from the library of groups, of pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QPointF, Slot

from pipelines.errors import DiptychError, ErrorInfo
from pipelines.graph.document import Graph
from pipelines.graph.registry import NodeSchema
from studio.canvas.actions import CanvasActions
from studio.canvas.face import PortFace
from studio.canvas.group_actions import GroupActions
from studio.canvas.palette import SearchPalette
from studio.canvas.view import GraphView
from studio.documents.document import GraphDocument
from studio.documents.scoped_document import ScopedDocument
from studio.graph.group_schemas import KEPT, OWN, group_schemas, instance_of
from studio.translate import tr

PICTURE: Final = "image.load"
"""The type of a node that opens a picture."""


class Adding(QObject):
    """Where the palette was opened, and what becomes of what is chosen in it. ``refuse`` says why nothing
    does."""

    def __init__(
        self,
        document: GraphDocument,
        canvas: ScopedDocument,
        view: GraphView,
        palette: SearchPalette,
        actions: CanvasActions,
        groups: GroupActions,
        refuse: Callable[[ErrorInfo], None],
    ) -> None:
        super().__init__(view)
        self._document, self._canvas, self._view = document, canvas, view
        self._palette, self._actions, self._groups, self._refuse = palette, actions, groups, refuse
        self._drop: tuple[QPointF, PortFace | None] = (QPointF(), None)
        palette.more = self._listed
        palette.chosen.connect(self._add_chosen)
        palette.dismissed.connect(view.setFocus)

    @Slot(object, object)
    def open_palette(self, at: QPointF, anchor: PortFace | None) -> None:
        """Search a node to put at a point of the scene; with ``anchor``, to connect with that port."""
        self._drop = (at, anchor)
        place = self._view.viewport().mapTo(self._palette.owner, self._view.mapFromScene(at))
        self._palette.open_at(place, anchor)

    @Slot(str)
    def place_kept(self, name: str) -> None:
        """A group of the library, at the pointer."""
        self._drop = (self._view.pointer(), None)
        self._palette.list_more()
        self._add_chosen(f"{KEPT}{name}")

    def add_picture(self, file: str, at: QPointF) -> None:
        """A node that opens a picture, at a point of the scene; further ones stand below it."""
        with self._canvas.macro(tr("Add {name}", name=Path(file).name)):
            node = self._add(PICTURE, self._actions.snapped(at))
            self._canvas.set_param(node, "path", file)
        self._go_to(node)

    @Slot(str)
    def _add_chosen(self, type_id: str) -> None:
        at, anchor = self._drop
        schema = self._palette.schema(type_id)
        if schema is None:
            return
        metrics = self._view.graph_scene.style_.metrics
        if anchor is not None:
            x = at.x() if anchor.is_output else at.x() - metrics.width
            at = QPointF(x, at.y() - metrics.title - metrics.row / 2)
        at = self._actions.snapped(at)
        try:
            with self._canvas.macro(tr("Add {name}", name=tr(schema.title))):
                node = self._add(type_id, at)
                port = self._palette.wanted_port(schema) if anchor is not None else None
                if anchor is not None and port is not None:
                    ends = (anchor.node, anchor.name, node, port)
                    self._canvas.connect_ports(*(ends if anchor.is_output else (node, port, *ends[:2])))
        except DiptychError as error:
            self._refuse(error.info())
            return
        self._go_to(node)

    def _go_to(self, node: str) -> None:
        self._view.graph_scene.select([node])
        self._view.setFocus()
        self._view.reveal(node)

    def _listed(self) -> list[NodeSchema]:
        """The groups of the document and of the library, for the palette."""
        return group_schemas(self._document.graph, self._document.registry, self._groups.library)

    def _add(self, type_id: str, at: QPointF) -> str:
        """A node of a type, or one that stands for a group."""
        place = (at.x(), at.y())
        if type_id.startswith(OWN):
            name = type_id.removeprefix(OWN)
            subgraphs = self._document.graph.fields["subgraphs"]
            part = Graph({"group": instance_of(name)}, {"subgraphs": subgraphs})
            return self._canvas.place(part, place, tr("Add {name}", name=name))[0]
        if type_id.startswith(KEPT):
            name = type_id.removeprefix(KEPT)
            part = self._groups.library.load(name)
            return self._canvas.place(part, place, tr("Add {name}", name=name), foreign=True)[0]
        return self._canvas.add_node(type_id, place)
