"""Keeps the canvas's layers in the document: what is painted becomes assets that a node names.

Strokes are undo steps of their own; the node that holds the layers is only noted, a moment after each change
and before each run, so that neither pixels nor their encoding ever stand in the way of the pointer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from pipelines.errors import DiptychError, ErrorInfo
from studio.background import in_background
from studio.documents.document import GraphDocument
from studio.inpaint.canvas_graph import CANVAS
from studio.inpaint.layer_records import (
    Loaded,
    PixelKey,
    Pixels,
    load_layers,
    pixel_key,
    pixels_of,
    record_of,
)
from studio.mask.layer_document import Aside
from studio.mask.layers import Layer, Stack
from studio.mask.paint_document import PaintDocument

DELAY_MS = 900
PARAMS = ("layers", "width", "height")


class Kept(NamedTuple):
    """The layers of a document that isn't shown, and what is known of their assets."""

    aside: Aside
    node: str
    assets: dict[str, tuple[PixelKey, str]]
    lost: tuple[Mapping[str, Any], ...]
    more: Mapping[str, Mapping[str, Any]]
    first: tuple[Mapping[str, Any], Mapping[str, Any]]


class LayerKeeper(QObject):
    """Between a :class:`PaintDocument` and the node :attr:`node` of a graph.

    ``kept`` after the node holds what is painted; ``loaded`` after layers were read; ``noticed`` for errors.
    """

    kept = Signal()
    loaded = Signal()
    noticed = Signal(object)

    def __init__(self, document: GraphDocument, paint: PaintDocument, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document, self._paint = document, paint
        self.node = ""
        self._assets: dict[str, tuple[PixelKey, str]] = {}
        self._lost: tuple[Mapping[str, Any], ...] = ()
        self._more: Mapping[str, Mapping[str, Any]] = {}
        self._first: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})
        """What the node held when its layers were read, and what is written for the same layers."""
        self._waiting: list[Callable[[], object]] = []
        self._busy = False
        self._loads = 0
        self._loading = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._keep_soon)
        paint.changed.connect(self._changed)
        document.node_changed.connect(self._node_changed)

    # --- from the document -----------------------------------------------------------------------------

    @property
    def is_loading(self) -> bool:
        """Whether layers are being read; the canvas shows others until then."""
        return self._loading

    def load(self, node: str) -> None:
        """Show the layers of a node instead of those shown now; ``""`` empties the canvas."""
        self._timer.stop()
        self._loads += 1
        self._loading = False
        self._waiting.clear()
        self.node, self._assets, self._lost, self._more = node, {}, (), {}
        params = self._document.graph.nodes[node].params if node else {}
        held = {name: params[name] for name in PARAMS if name in params}
        records = params.get("layers")
        records = [item for item in records if isinstance(item, Mapping)] if isinstance(records, list) else []
        if not records:
            self._take(Loaded(Stack(), {}, {}), held)
            return
        self._loading = True
        store, number = self._document.assets, self._loads
        size = [value if isinstance(value := params.get(side), int) else 0 for side in ("width", "height")]

        def done(found: Loaded) -> None:
            if number == self._loads:
                self._loading = False
                self._take(found, held)
                if self._waiting:
                    self.keep()

        def failed(error: ErrorInfo) -> None:
            if number == self._loads:
                self._loading = False
                self._refuse(error)

        in_background(self, lambda: load_layers(records, store, size[0], size[1]), done, failed)

    def put_aside(self) -> Kept | None:
        """What is shown, for :meth:`take_up`; ``None`` where it is still being read, or there is nothing."""
        if self._loading or not self.node:
            return None
        return Kept(self._paint.put_aside(), self.node, self._assets, self._lost, self._more, self._first)

    def take_up(self, kept: Kept) -> None:
        """Show again what was put aside, with its history, if the node still is what it was."""
        self._timer.stop()
        self._loads += 1
        self._loading = False
        self._waiting.clear()
        self.node, self._assets, self._lost = kept.node, kept.assets, kept.lost
        self._more, self._first = kept.more, kept.first
        self._paint.take_up(kept.aside)
        self.loaded.emit()

    def _take(self, found: Loaded, held: Mapping[str, Any]) -> None:
        try:
            self._paint.set_layers(found.stack)
        except DiptychError as error:
            self._refuse(error.info())
            return
        self._lost, self._more = found.lost, found.more
        self._assets = {
            layer.id: (pixel_key(layer), found.assets.get(layer.id, "")) for layer in self._paint.stack.layers
        }
        self._first = (held, self._values(self._paint.stack))
        for problem in found.problems:
            self.noticed.emit(problem)
        self.loaded.emit()

    def _refuse(self, error: ErrorInfo) -> None:
        """The layers can't be shown: the node keeps what it has, and nothing is written into it."""
        self.node = ""
        self._waiting.clear()
        self._paint.set_layers(Stack())
        self.noticed.emit(error)
        self.loaded.emit()

    # --- into the document -----------------------------------------------------------------------------

    @Slot()
    def _changed(self) -> None:
        if self.node and not self._timer.isActive():
            self._timer.start()

    @Slot(str)
    def _node_changed(self, node: str) -> None:
        """An undone edit can bring back layers of an earlier moment."""
        if node == self.node and not self._loading:
            self._changed()

    @Slot()
    def _keep_soon(self) -> None:
        self.keep()

    @property
    def _can_keep(self) -> bool:
        return bool(self.node) and self.node in self._document.graph.nodes

    def keep(self, then: Callable[[], object] | None = None) -> None:
        """Let the node hold what is painted now, then do ``then``: at once if it does already."""
        if then is not None:
            self._waiting.append(then)
        if self._busy or self._loading:
            return  # the end of that comes here again
        self._timer.stop()
        stale = self._stale() if self._can_keep else []
        if not stale:
            if self._can_keep:
                self._note()
            self._finish()
            return
        self._busy = True
        pixels, store, number = [pixels_of(layer) for layer in stale], self._document.assets, self._loads

        def put() -> list[tuple[Pixels, str]]:
            return [(item, store.put(data) if (data := item.encoded()) else "") for item in pixels]

        def done(names: list[tuple[Pixels, str]]) -> None:
            self._busy = False
            if number == self._loads:  # else other layers are shown by now
                for item, name in names:
                    self._assets[item.layer] = (item.key, name)
            self.keep()  # what was painted meanwhile is kept too

        def failed(error: ErrorInfo) -> None:
            self._busy = False
            self._waiting.clear()
            self.noticed.emit(error)

        in_background(self, put, done, failed)

    def keep_now(self) -> None:
        """:meth:`keep` before returning: at the end, or before other layers are shown."""
        if not self._loading and self._can_keep:
            try:
                for item in map(pixels_of, self._stale()):
                    data = item.encoded()
                    self._assets[item.layer] = (item.key, self._document.assets.put(data) if data else "")
            except DiptychError as error:
                self.noticed.emit(error.info())
            self._note()
        self._finish()

    def _stale(self) -> list[Layer]:
        """Layers whose pixels aren't kept as they are now."""
        known = self._assets
        return [
            layer
            for layer in self._paint.stack.layers
            if layer.id not in known or known[layer.id][0] != pixel_key(layer)
        ]

    def _values(self, stack: Stack) -> dict[str, Any]:
        """What the node is to hold for these layers."""
        records = []
        for layer in stack.layers:
            _, asset = self._assets.get(layer.id, (None, ""))
            records.append({**record_of(layer, asset), **self._more.get(layer.id, {})})
        node = self._document.graph.nodes.get(self.node)
        if node is not None and node.type != CANVAS:
            records = [record for record in records if record["kind"] == "mask"]
        values: dict[str, Any] = dict.fromkeys(PARAMS)
        if records or self._lost:
            values["layers"] = [*records, *(dict(item) for item in self._lost)]
        if not stack.size.isEmpty():
            values |= {"width": stack.width, "height": stack.height}
        return values

    def _note(self) -> None:
        """Write what is painted into the node; layers that are as they were read stay as written."""
        values = self._values(self._paint.stack)
        held, same = self._first
        if values == same:
            values = {name: held.get(name) for name in PARAMS}
        self._document.note_layers(self.node, values)
        kept = {layer.id for layer in self._paint.stack.layers}
        self._assets = {id: value for id, value in self._assets.items() if id in kept}
        self._timer.stop()
        self.kept.emit()

    def _finish(self) -> None:
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then()
