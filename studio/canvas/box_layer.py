"""The frames and notes of the scene: a projection of the document's, and which of them are selected."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from PySide6.QtCore import QObject, QPointF, Signal, Slot
from PySide6.QtWidgets import QGraphicsScene

from studio.canvas.items.box import BoxItem
from studio.canvas.style import CanvasStyle
from studio.documents.document import GraphDocument
from studio.graph.annotations import Box, Kind, boxes

Key = tuple[Kind, str]
LOWEST = -1000.0


class BoxLayer(QObject):
    """Items for every frame and note. It never writes; gestures do that."""

    selection_changed = Signal()

    def __init__(self, document: GraphDocument, style: CanvasStyle, scene: QGraphicsScene) -> None:
        super().__init__(scene)
        self._document, self._style, self._scene = document, style, scene
        self.items: dict[Key, BoxItem] = {}
        """Larger frames first, notes last."""
        self._shown: object = None
        document.view_changed.connect(self.sync)
        document.replaced.connect(self.sync)
        self.sync()

    @Slot()
    def sync(self) -> None:
        """Show what the document says."""
        view = self._document.graph.view
        shown = (view.get("frames"), view.get("notes"))
        if self._shown is not None and all(a is b for a, b in zip(shown, self._shown, strict=True)):  # type: ignore[call-overload]
            return
        self._shown = shown
        wanted = boxes(self._document.graph)
        lost = [item for key, item in self.items.items() if key not in wanted]
        for item in lost:
            self._scene.removeItem(item)
        kept = {key: item for key, item in self.items.items() if key in wanted}
        self.items = {}
        for index, (key, box) in enumerate(wanted.items()):
            known = kept.get(key)
            item = known if known is not None else BoxItem(box, self._style)
            if known is None:
                self._scene.addItem(item)
            item.show_box(box, self._style)
            item.setZValue(LOWEST + index)
            self.items[key] = item
        if any(item.selected for item in lost):
            self.selection_changed.emit()

    def restyle(self, style: CanvasStyle) -> None:
        self._style = style
        for item in self.items.values():
            item.show_box(item.box, style)

    def show_boxes(self, changed: Iterable[Box]) -> None:
        """Show frames and notes elsewhere or larger, without writing it."""
        for box in changed:
            if box.key in self.items:
                self.items[box.key].show_box(box, self._style)

    def show_document(self) -> None:
        """Forget what :meth:`show_boxes` showed."""
        self.show_boxes(boxes(self._document.graph).values())

    # --- asking ----------------------------------------------------------------------------------------

    def at(self, at: QPointF, zoom: float = 1.0) -> BoxItem | None:
        """The topmost frame or note that a press at a point of the scene takes hold of."""
        for item in reversed(self.items.values()):
            if item.edges_at(at, zoom) or item.held_at(at):
                return item
        return None

    @property
    def selected(self) -> list[Key]:
        return [key for key, item in self.items.items() if item.selected]

    def select(self, keys: Collection[Key]) -> None:
        """Select these frames and notes, and no other."""
        before = self.selected
        for key, item in self.items.items():
            item.set_selected(key in keys)
        if self.selected != before:
            self.selection_changed.emit()
