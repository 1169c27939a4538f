"""Where one was in a document's graph: kept while another document is shown."""

from __future__ import annotations

from typing import Final, NamedTuple

from PySide6.QtCore import QObject, QPoint, Slot

from studio.canvas.scene import GraphScene
from studio.canvas.view import GraphView
from studio.documents.scoped_document import ScopedDocument

MEMORY: Final = "graph"
"""Where a sheet remembers its :class:`Place`."""


class Place(NamedTuple):
    """The groups one went into, what part of the graph was seen, and what was selected."""

    path: tuple[str, ...]
    zoom: float
    offset: QPoint
    selected: list[str]


class ViewMemory(QObject):
    """Notes the place when another document comes; :meth:`restore` goes back there."""

    def __init__(self, canvas: ScopedDocument, scene: GraphScene, view: GraphView, parent: QObject) -> None:
        super().__init__(parent)
        self._canvas, self._scene, self._view = canvas, scene, view
        canvas.whole.leaving.connect(self._note)

    @Slot()
    def _note(self) -> None:
        view = self._view
        place = Place(self._canvas.path_inside, view.zoom, view.offset(), list(self._scene.selected_nodes()))
        self._canvas.whole.sheet.memory[MEMORY] = place

    def restore(self) -> bool:
        """Go where one was in the document that is shown now; False if one never was in it."""
        place = self._canvas.whole.sheet.memory.pop(MEMORY, None)
        if place is None:
            return False
        self._canvas.go(place.path)
        self._view.set_zoom(place.zoom)
        self._view.set_offset(place.offset)
        self._scene.select([node for node in place.selected if node in self._scene.nodes])
        return True
