"""What the canvas shows beside the document itself: thumbnails on or off, the heat, what the viewer has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QEvent, QObject, Signal, Slot

from studio.canvas.command import CanvasCommand
from studio.canvas.heat import HeatKind, HeatOverlay
from studio.canvas.heat_legend import HeatLegend
from studio.canvas.run_state import Bridge
from studio.canvas.scene import GraphScene
from studio.canvas.view import GraphView
from studio.canvas.viewer_slots import LETTERS, ViewerSlots
from studio.documents.scoped_document import ScopedDocument
from studio.graph.previews import preview_of, toggled


class CanvasDisplay(QObject):
    """:attr:`viewer` keeps what was sent to the viewer, :attr:`heat` what the overlay shows.

    ``viewer_wanted`` when something was sent there, so that the window can show it.
    """

    viewer_wanted = Signal()

    def __init__(
        self, document: ScopedDocument, scene: GraphScene, view: GraphView, bridge: Bridge | None
    ) -> None:
        super().__init__(view)
        self._document, self._scene, self._view = document, scene, view
        self.viewer = ViewerSlots(document, scene.run, bridge, self)
        self.heat = HeatOverlay(scene, self)
        self.legend = HeatLegend(self.heat, view)
        self.viewer.places_changed.connect(self._show_places)
        document.replaced.connect(self._start_over)
        view.installEventFilter(self)

    # --- commands --------------------------------------------------------------------------------------

    def commands(self) -> tuple[CanvasCommand, ...]:
        """Thumbnails, times and memory, and the nine places of the viewer."""

        def resized() -> bool:
            return bool(self._resized())

        def some() -> bool:
            return bool(self._scene.nodes)

        return (
            CanvasCommand("graph.thumbnails", "Thumbnails on or off", ("P",), self.toggle_thumbnails,
                          "image", some),
            CanvasCommand("graph.thumbnails_reset", "Thumbnails in their own size", (),
                          self.reset_thumbnails, "reset", resized),
            CanvasCommand("graph.times", "Show times, hottest first", ("T",), self.toggle("time"),
                          "clock", some),
            CanvasCommand("graph.memory", "Show memory, hottest first", ("Shift+T",), self.toggle("memory"),
                          "device", some),
            *(self._send_command(place) for place in range(len(LETTERS))),
        )  # fmt: skip

    def _send_command(self, place: int) -> CanvasCommand:
        title = f"Send to viewer {LETTERS[place]}"

        def send() -> None:
            self.send(place)

        return CanvasCommand(
            f"graph.viewer_{place + 1}", title, (str(place + 1),), send, "eye", self._has_chosen,
            hidden=place > 1,
        )  # fmt: skip

    def _has_chosen(self) -> bool:
        return bool(self._scene.selected_nodes())

    def toggle_thumbnails(self) -> None:
        """Thumbnails of the selected nodes (of all, if none is selected) off, or on again."""
        nodes = self._scene.selected_nodes() or list(self._scene.nodes)
        self._document.set_previews(toggled(self._document.graph, nodes))

    def reset_thumbnails(self) -> None:
        """The size that thumbnails have of themselves, for the selected nodes or all."""
        graph = self._document.graph
        self._document.set_previews(
            {node: replace(preview_of(graph, node), width=0, height=0) for node in self._resized()}
        )

    def _resized(self) -> list[str]:
        graph = self._document.graph
        nodes = self._scene.selected_nodes() or list(self._scene.nodes)
        return [node for node in nodes if (found := preview_of(graph, node)).width or found.height]

    def toggle(self, kind: HeatKind) -> Callable[[], None]:
        """A callback that shows or hides times or memory."""
        return lambda: self.heat.toggle(kind)

    def send(self, place: int) -> None:
        """Send the selected node to a place of the viewer; several go to this place and the next ones."""
        for index, node in enumerate(self._scene.selected_nodes()[: len(LETTERS) - place]):
            self.viewer.send(place + index, node)
        self.viewer_wanted.emit()

    # --- following -------------------------------------------------------------------------------------

    @Slot()
    def _start_over(self) -> None:
        """Other items are shown: another document, or another level of it."""
        self._show_places()
        self.heat.refresh()

    @Slot()
    def _show_places(self) -> None:
        for node, item in self._scene.nodes.items():
            item.set_marks(viewer=self.viewer.letters_of(node))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._view and event.type() == QEvent.Type.Resize and self.legend.isVisible():
            self.legend.place()
        return super().eventFilter(watched, event)
