"""Putting the selected nodes in order: level, evenly spaced, joined by straight wires."""

from __future__ import annotations

from collections.abc import Callable

from studio.canvas.alignment import Edge, Point, Rect, aligned, distributed, straightened
from studio.canvas.command import CanvasCommand
from studio.canvas.scene import GraphScene
from studio.documents.document import GraphDocument
from studio.translate import tr


class Arranging:
    """Each is one step of undo."""

    def __init__(self, document: GraphDocument, scene: GraphScene) -> None:
        self._document, self._scene = document, scene

    def _rects(self, nodes: list[str]) -> dict[str, Rect]:
        found = ((node, self._scene.nodes[node]) for node in nodes)
        return {node: (item.pos().x(), item.pos().y(), *item.size) for node, item in found}

    def _write(self, places: dict[str, Point], text: str) -> None:
        if places:
            with self._document.macro(text):
                self._document.move_nodes({**self._scene.unwritten_positions(), **places})

    def align(self, edge: Edge) -> Callable[[], None]:
        """A callback that puts the selected nodes on one line."""
        return lambda: self._write(aligned(self._rects(self._scene.selected_nodes()), edge), tr("Align"))

    def distribute(self, *, vertically: bool) -> Callable[[], None]:
        """A callback that makes the gaps between the selected nodes the same."""

        def write() -> None:
            rects = self._rects(self._scene.selected_nodes())
            self._write(distributed(rects, vertically=vertically), tr("Distribute"))

        return write

    def straighten(self) -> None:
        """Move the selected nodes, or the end of the selected wire, until wires are straight."""
        nodes, wire = self._scene.selected_nodes(), self._scene.selected_wire()
        links = list(self._document.graph.links())
        if not nodes and wire is not None:
            nodes = [wire.target]
            links = [(node, name, link) for node, name, link in links if (node, name) == wire.key]
        links = [entry for entry in links if not self._has_dots(entry[:2])]
        rects = self._rects(list(self._scene.nodes))
        self._write(straightened(rects, nodes, links, self._height), tr("Straighten wires"))

    def _has_dots(self, end: tuple[str, str]) -> bool:
        return end in self._scene.dots.known()

    def _height(self, node: str, name: str, is_output: bool) -> float:
        item = self._scene.nodes[node]
        return item.port_position(name, is_output).y() - item.pos().y()


def arranging_commands(arranging: Arranging, scene: GraphScene) -> tuple[CanvasCommand, ...]:
    """The commands of an :class:`Arranging`, with their keys; titles are source texts."""

    def wires() -> bool:
        return bool(scene.selected_nodes()) or scene.selected_wire() is not None

    def several() -> bool:
        return len(scene.selected_nodes()) > 1

    def many() -> bool:
        return len(scene.selected_nodes()) > 2

    edges: tuple[tuple[Edge, str, str], ...] = (
        ("left", "Align left edges", "Shift+Left"),
        ("centre", "Align centres in a column", "Shift+C"),
        ("right", "Align right edges", "Shift+Right"),
        ("top", "Align top edges", "Shift+Up"),
        ("middle", "Align middles in a row", "Shift+E"),
        ("bottom", "Align bottom edges", "Shift+Down"),
    )
    across, down = arranging.distribute(vertically=False), arranging.distribute(vertically=True)
    return (
        CanvasCommand("graph.straighten", "Straighten wires", ("Q",), arranging.straighten, "align", wires),
        *(
            CanvasCommand(f"graph.align_{edge}", title, (key,), arranging.align(edge), "align", several)
            for edge, title, key in edges
        ),
        CanvasCommand("graph.distribute_across", "Space evenly side by side", ("Shift+H",), across, "", many),
        CanvasCommand("graph.distribute_down", "Space evenly up and down", ("Shift+V",), down, "", many),
    )
