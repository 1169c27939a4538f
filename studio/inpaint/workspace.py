"""The Canvas workspace: the form, the image canvas, and what a run makes of what is painted there.

A view of the document: what is painted lies in the node that the canvas edits, what is set in the form in the
nodes that it feeds. Applying a result writes a layer, never a node.
"""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage
from PySide6.QtWidgets import QFrame, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from pipelines.errors import ErrorInfo
from pipelines.graph.values import check_size
from studio.inpaint.canvas_binding import CanvasBinding
from studio.inpaint.canvas_form import CanvasForm
from studio.inpaint.canvas_graph import MASK, find_parts, task_after, task_of, with_task, with_template
from studio.inpaint.canvas_runs import CanvasRuns
from studio.inpaint.crop_watcher import CropWatcher
from studio.inpaint.drawing import Drawing
from studio.inpaint.empty_page import EmptyPage
from studio.inpaint.layer_keeper import LayerKeeper
from studio.inpaint.results_view import ResultsView
from studio.inpaint.tasks import task
from studio.mask.layers import LayerKind
from studio.mask.mask_canvas import MaskCanvas
from studio.mask.paint_document import MAX_PIXELS
from studio.models.choices import family_values
from studio.parts import Parts
from studio.translate import tr
from studio.widgets.banner import Banner

SIZES = ("width", "height")
MEMORY = "canvas"
"""Where a sheet remembers its layers and candidates while another is shown."""


class CanvasWorkspace(QWidget):
    """``picture_dropped`` (paths, where) and the requests of the empty page are answered by its owner."""

    open_requested = Signal()
    last_requested = Signal()
    blank_requested = Signal()
    picture_dropped = Signal(object, object)
    noticed = Signal(object)
    content_changed = Signal()

    def __init__(self, parts: Parts, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._parts, self._showing = parts, False
        self.binding = CanvasBinding(parts.document, self)
        self.canvas = MaskCanvas(parts.document.undo_stack)
        self.paint = self.canvas.document
        self.keeper = LayerKeeper(parts.document, self.paint, self)
        self.runs = CanvasRuns(parts.document, parts.bridge, self)
        self.watcher = CropWatcher(self.paint, self)
        self.splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self._left = QFrame(self.splitter)
        self.form = CanvasForm(self.binding, parts.models, parts.settings, self._left)
        self.drawing = Drawing(parts, self.binding, self.canvas, self.keeper, self.runs, self.form, self)
        self.results = ResultsView(self.canvas, self.runs, self.binding, self)
        self.banner = Banner()
        self.empty = EmptyPage()
        self.setAcceptDrops(True)
        self._lay_out()
        self._connect()
        self.show_document()

    def _lay_out(self) -> None:
        left = self._left
        left.setProperty("role", "panel")
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.form)
        left.setMinimumWidth(260)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.empty)
        self.pages.addWidget(self.canvas)
        right = QWidget()
        stage = QVBoxLayout(right)
        stage.setContentsMargins(0, 0, 0, 0)
        stage.setSpacing(0)
        box = QVBoxLayout()
        box.setContentsMargins(12, 0, 12, 0)
        box.addWidget(self.banner)
        stage.addLayout(box)
        stage.addWidget(self.pages, 1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(1)
        self.splitter.addWidget(left)
        self.splitter.addWidget(right)
        self.splitter.setStretchFactor(0, 0)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([self._parts.settings.values.form_width, 10_000])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.splitter)

    def _connect(self) -> None:
        document, models = self._parts.document, self._parts.models
        document.leaving.connect(self._put_aside)
        document.replaced.connect(self.show_document)
        document.changed.connect(self._show_changed)
        models.changed.connect(self._show_wish)
        models.changed.connect(self._show_unavailable)
        self.splitter.splitterMoved.connect(self._moved)
        self.empty.open_requested.connect(self.open_requested)
        self.empty.last_requested.connect(self.last_requested)
        self.empty.blank_requested.connect(self.blank_requested)
        self.form.task_chosen.connect(self.choose_task)
        self.form.crop_toggled.connect(self._show_crop)
        self.paint.resized.connect(self._resized)
        self.paint.replaced.connect(self._show_page)
        self.keeper.noticed.connect(self.show_error)
        self.keeper.noticed.connect(self._show_loading)
        self.keeper.loaded.connect(self._show_loading)
        self.canvas.noticed.connect(self.noticed)
        self.watcher.planned_changed.connect(self._show_crop)
        self.canvas.view.expansion_changed.connect(self.drawing.set_expansion)
        self.drawing.refused.connect(self.show_banner)
        self.runs.failed.connect(self._failed)
        self.runs.changed.connect(self._show_running)
        self._parts.tracker.changed.connect(self._show_running)

    # --- the document ----------------------------------------------------------------------------------

    @Slot()
    def _put_aside(self) -> None:
        """Another document comes: this one holds what is painted, and the layers wait with their steps."""
        self.runs.live_due.stop()
        self.runs.cancel("live")
        self.canvas.view.cancel_gesture()
        self.keeper.keep_now()
        candidates, binding = self.runs.candidates, self.binding.canvas
        kept = self.keeper.put_aside()
        self._parts.document.sheet.memory[MEMORY] = (kept, binding, candidates.items, candidates.index)

    @Slot()
    def show_document(self) -> None:
        """Show the canvas of the document, if it has one: as it was left, if it was shown before."""
        document = self._parts.document
        kept, canvas, items, index = document.sheet.memory.pop(MEMORY, (None, "", (), 0))
        self._showing = True  # no run is late because another canvas is shown
        self.runs.candidates.clear()
        self.binding.canvas = canvas
        parts = self.binding.parts
        if kept is not None and kept.node in document.graph.nodes:
            self.keeper.take_up(kept)
            self.runs.candidates.set_items(items, index)
        else:
            self.paint.undo_stack = document.undo_stack
            self.keeper.load(parts.canvas if parts is not None else "")
        graph = document.graph
        self._set_task(task_of(graph, parts) if parts is not None else "fill")
        self._showing = False
        self.banner.hide()
        self._show_running()
        self._show_loading()
        self._show_page()
        self._show_wish()

    @Slot()
    def _show_loading(self) -> None:
        """Nothing can be drawn on layers that are about to be replaced by those of the document."""
        self.canvas.setEnabled(not self.keeper.is_loading)

    def edit_node(self, node: str) -> None:
        """Edit the layers of another node than the first canvas."""
        parts = find_parts(self._parts.document.graph, node)
        if parts is None or parts.canvas != node:
            return
        if self.keeper.node != node:
            self.keeper.keep_now()
            self.binding.canvas = node
            self.runs.candidates.clear()
            self.keeper.load(node)
            self._show_loading()
        record = self._parts.document.graph.nodes[node]
        link = record.inputs.get("image")
        if record.type == MASK and link is not None:
            self.drawing.fetch(link.node, lambda image: self._show_backdrop(node, image))

    def _show_backdrop(self, node: str, image: QImage) -> None:
        """The picture that a mask is painted over; it is no layer of the document."""
        if self.keeper.node == node:
            self.keeper.keep(lambda: self.canvas.set_image(image, tr("Picture")))

    def open_image(self, image: QImage, name: str = "") -> None:
        """Put a picture on the canvas, as one undo step; the nodes that draw come with the first one.

        Raises:
            ImageTooLarge: nothing was changed.
        """
        check_size(image.width(), image.height(), MAX_PIXELS)
        there = self.binding.parts
        if there is not None and self.keeper.node != there.canvas:
            self.keeper.load(there.canvas)
        if self.keeper.is_loading:  # it comes on top of what is being read
            self.keeper.keep(lambda: self.open_image(image, name))
            return
        document = self._parts.document
        text = tr("Put a picture on the canvas")
        document.undo_stack.beginMacro(text)
        try:
            if self.binding.parts is None:
                document.replace(with_template(document.graph), text)
                self._take_family_values()
            parts = self.binding.parts
            if parts is not None and self.keeper.node != parts.canvas:
                self.keeper.load(parts.canvas)
            self.canvas.set_image(image, name)
        finally:
            document.undo_stack.endMacro()
        self.runs.candidates.clear()
        self._show_page()
        self.canvas.view.fit()

    def _take_family_values(self) -> None:
        """Let the nodes that came draw as the chosen model asks for."""
        model = self._parts.models.find(str(self.binding.value("model") or ""))
        if model is not None and not model.problem:
            values = family_values(model, self._parts.settings.values.locked)
            values = {name: value for name, value in values.items() if name not in SIZES}
            self.binding.set_many(values, tr("Put a picture on the canvas"))

    # --- tasks -----------------------------------------------------------------------------------------

    @Slot(str)
    def choose_task(self, id: str) -> None:
        """Set the graph for a task, as one undo step."""
        parts, document = self.binding.parts, self._parts.document
        self._set_task(id)
        if parts is not None:
            text = tr("Choose the task {title}", title=tr(task(id).title))
            document.replace(with_task(document.graph, parts, id), text)
        if not self.drawing.has_mask() and task(id).needs_mask:
            self.canvas.show_hint(tr(task(id).hint))

    def _set_task(self, id: str) -> None:
        self.form.set_task(id)
        self.canvas.view.set_expansion_enabled(id == "expand")
        self._show_wish()

    # --- what is shown ---------------------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw on."""
        return self.paint.stack.size.isEmpty()

    @Slot()
    def _resized(self) -> None:
        """What was made for the canvas as it was lies elsewhere now."""
        if not self._showing and not self.keeper.is_loading:
            self.runs.drop("generate", "live")
            self.runs.candidates.clear()
        self._show_page()

    @Slot()
    def _show_page(self) -> None:
        self.empty.set_has_last(bool(self._parts.results.results))
        page = self.empty if self.is_empty else self.canvas
        focus = self.focusWidget()
        had_focus = page is self.canvas and focus is not None and self.empty.isAncestorOf(focus)
        self.pages.setCurrentWidget(page)
        self.setFocusProxy(page)
        if had_focus:
            page.setFocus()
        self.form.setEnabled(not self.is_empty)
        self.content_changed.emit()

    @Slot()
    def _show_changed(self) -> None:
        """The document was edited; an undone step can lead back to another task."""
        parts = self.binding.parts
        wanted = self.form.task
        if parts is not None:
            wanted = task_after(self._parts.document.graph, parts, wanted)
        if wanted != self.form.task:
            self._set_task(wanted)
        else:
            self._show_wish()

    @Slot()
    def _show_wish(self) -> None:
        """The document or the model differs: so does what is cut out."""
        self.watcher.set_wish(self.drawing.wish())
        self.canvas.view.set_expansion(self.drawing.margins())

    @Slot()
    def _show_crop(self) -> None:
        planned = self.watcher.planned
        self.form.show_resolved(planned.plan.settings if planned is not None else None)
        shown = planned is not None and self._parts.settings.values.show_crop and self.form.task != "remove"
        self.canvas.view.set_crop(planned.shown() if planned is not None and shown else None)

    @Slot()
    def _show_unavailable(self) -> None:
        """Layers that the chosen model can't use say so."""
        model = self._parts.models.find(str(self.binding.value("model") or ""))
        reasons = model.unavailable if model is not None else {}
        found = {
            kind: reasons[f"layer:{kind.value}"] for kind in LayerKind if f"layer:{kind.value}" in reasons
        }
        self.canvas.layer_panel.set_unavailable({kind: tr(reason) for kind, reason in found.items()})

    @Slot()
    def _show_running(self) -> None:
        self.form.button.set_running(self.runs.is_active("generate"))

    @Slot(int, int)
    def _moved(self, position: int, index: int) -> None:
        self._parts.settings.change(form_width=min(max(position, 240), 800))

    # --- messages --------------------------------------------------------------------------------------

    @Slot(object)
    def _failed(self, error: ErrorInfo) -> None:
        self.results.end_preview()
        name = self.binding.name_at(error.node, error.port)
        if name is not None:
            self.form.show_message(name, error.text(tr), "error")
        self.show_error(error)

    @Slot(object)
    def show_error(self, error: ErrorInfo) -> None:
        """An error, above the canvas."""
        self.banner.show_error(error)
        self.noticed.emit(error)

    @Slot(str, str, object)
    def show_banner(self, heading: str, body: str, buttons: object) -> None:
        """Something to decide, above the canvas."""
        self.banner.show_text(heading, body, "info", buttons if isinstance(buttons, tuple) else ())

    # --- what is dropped -------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasImage():
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()

    def take_pictures(self, files: list[str], at: QPoint, *, own: bool) -> None:
        """Pictures were dropped here (see :mod:`studio.widgets.file_drops`)."""
        self.picture_dropped.emit(files, at)

    def dropEvent(self, event: QDropEvent) -> None:
        if event.mimeData().hasImage():
            event.accept()
            at = self.mapToGlobal(event.position().toPoint())
            self.picture_dropped.emit(QImage(event.mimeData().imageData()), at)

    def zoom(self, how: str) -> None:
        """``in``, ``out``, ``fit`` or ``actual``."""
        view = self.canvas.view
        {"in": view.zoom_in, "out": view.zoom_out, "fit": view.fit, "actual": view.actual_size}[how]()
