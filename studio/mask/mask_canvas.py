"""The image canvas as one widget: tools, options, the view and the layers. A workspace embeds it."""

from __future__ import annotations

from PySide6.QtCore import QMargins, QTimer, Signal, Slot
from PySide6.QtGui import QImage, QUndoStack
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from pipelines.errors import ErrorInfo
from pipelines.graph.values import Array, Mask, check_size
from studio.keys import Keymap
from studio.keys.image_keys import IMAGE_KEYS, LAYER, TOOL
from studio.keys.words import native
from studio.mask.amount_dialog import AmountDialog
from studio.mask.canvas_view import CanvasView
from studio.mask.compare_bar import CompareBar
from studio.mask.conversion import greatest
from studio.mask.layer_panel import LayerPanel
from studio.mask.layers import LayerKind
from studio.mask.operations import apply_operation, clear, operation
from studio.mask.options_bar import OptionsBar
from studio.mask.paint_document import MAX_PIXELS, PaintDocument
from studio.mask.preview import Preview
from studio.mask.surface import tiles_from_array
from studio.mask.tool_bar import ToolBar
from studio.mask.tool_settings import ToolSettings
from studio.theme import current_theme
from studio.translate import tr

HINT_MS = 5000
PANEL = 250


class MaskCanvas(QWidget):
    """``changed`` after every step that is done, undone or done again; ``stroke_finished`` when a brush is
    lifted; ``noticed`` carries an :class:`~pipelines.errors.ErrorInfo`.

    Results lie over the picture until somebody does what ``result_applied``, ``results_applied`` (all of them
    as layers) and ``result_discarded`` ask for; ``candidate_stepped`` carries -1 or 1, and
    ``expansion_changed`` how far each side grows while its edge is dragged.

    Args:
        undo_stack: where its steps go (the graph document's, say); one of its own without it.
    """

    changed = Signal()
    stroke_finished = Signal()
    noticed = Signal(object)
    candidate_stepped = Signal(int)
    result_applied = Signal()
    results_applied = Signal()
    result_discarded = Signal()
    compare_mode_changed = Signal(object)
    expansion_changed = Signal(QMargins)

    def __init__(self, undo_stack: QUndoStack | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document = PaintDocument(undo_stack, self)
        self.settings = ToolSettings(self)
        self.view = CanvasView(self.document, self.settings)
        self.tool_bar = ToolBar(self.settings)
        self.options = OptionsBar(self.settings)
        self.layer_panel = LayerPanel(self.document)
        self.layer_panel.setFixedWidth(current_theme().px(PANEL))
        self.addActions(list(self.layer_panel.layer_actions.values()))
        self.compare_bar = CompareBar(self.view)
        self._comparing, self._mode = True, self.view.compare_mode
        self.hint = QLabel(self.view)
        self.hint.setProperty("role", "floating")
        self.hint.hide()
        self._hint_timer = QTimer(self)
        self._hint_timer.setSingleShot(True)
        self._hint_timer.setInterval(HINT_MS)
        self._hint_timer.timeout.connect(self.hint.hide)
        self._arrange()
        self.setFocusProxy(self.view)
        self.options.operation_chosen.connect(self.ask_operation)
        self.options.zoom.clicked.connect(self.view.fit)
        self.view.scale_changed.connect(self._show_state)
        self.view.hinted.connect(self.show_hint)
        self.view.stroke_finished.connect(self.stroke_finished)
        self.document.stack_changed.connect(self._show_state)
        self.document.busy_changed.connect(self._show_busy)
        self.document.changed.connect(self.changed)
        self.document.noticed.connect(self._tell)
        self._connect_results()
        self._show_state()

    def _connect_results(self) -> None:
        bar, view = self.compare_bar, self.view
        bar.mode_chosen.connect(view.set_compare_mode)
        bar.mask_overlay_chosen.connect(view.set_mask_overlay)
        bar.previous.connect(self._step_back)
        bar.next.connect(self._step_on)
        bar.applied.connect(self.result_applied)
        bar.applied_all.connect(self.results_applied)
        bar.discarded.connect(self.result_discarded)
        # keys press the bar's buttons: whoever listens to either hears both
        view.candidate_stepped.connect(self._press_step)
        view.result_applied.connect(bar.applied)
        view.result_discarded.connect(bar.discarded)
        view.expansion_changed.connect(self.expansion_changed)
        view.preview_changed.connect(self._show_comparison)

    def _arrange(self) -> None:
        middle = QHBoxLayout()
        middle.setSpacing(0)
        for part in (self.tool_bar, self.view, self.layer_panel):
            middle.addWidget(part, 1 if part is self.view else 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.options)
        column.addLayout(middle, 1)

    # --- pictures and masks ----------------------------------------------------------------------------

    def use_keys(self, keymap: Keymap) -> None:
        """Follow a keymap: the window's, whose changes count at once."""
        keymap.add(*IMAGE_KEYS)
        self.view.keymap = keymap
        keymap.changed.connect(self._show_keys)
        self._show_keys()

    @Slot()
    def _show_keys(self) -> None:
        keymap = self.view.keymap
        self.tool_bar.show_keys(lambda tool: next(map(native, keymap.keys(TOOL + tool)), ""))
        self.layer_panel.use_keys(lambda id: keymap.keys(LAYER + id))

    def set_image(self, image: QImage, name: str = "") -> None:
        """Show a picture; masks and paint stay. The first one gets an empty mask to paint on.

        Raises:
            ImageTooLarge: the canvas can't take that many pixels; nothing was changed.
        """
        check_size(image.width(), image.height(), MAX_PIXELS)
        self.view.cancel_gesture()
        first = not self.document.stack.layers
        stack = self.document.undo_stack
        stack.beginMacro(tr("Set the picture"))
        self.document.set_image(image, name)
        if first:
            self.document.add_layer(LayerKind.MASK)
        stack.endMacro()

    def current_image(self) -> QImage | None:
        """The picture that a generation sees: image and paint layers that count, laid over each other."""
        stack = self.document.stack
        return None if stack.size.isEmpty() else self.document.flattened(counting=True)

    def current_mask(self) -> Mask | None:
        """The greatest of all masks that count for generation, 1 = repaint; ``None`` without a picture.

        What a stroke that has not ended yet has painted is in it.
        """
        stack = self.document.stack
        if stack.size.isEmpty():
            return None
        masks = [
            layer.surface.to_array()
            for layer in stack.layers
            if layer.kind is LayerKind.MASK and layer.counts and layer.surface is not None
        ]
        return greatest(masks, stack.width, stack.height)

    def set_mask(self, values: Mask | Array, layer: str = "", text: str = "") -> None:
        """Replace a mask layer's values (the active mask's by default) as one step.

        Args:
            values: height × width, 0..1, of the picture's size. ``ValueError`` if it has another one.
        """
        array = values.values if isinstance(values, Mask) else values
        stack = self.document.stack
        if array.shape != (stack.height, stack.width):
            raise ValueError(f"the mask is {array.shape}, the picture {(stack.height, stack.width)}")
        self.view.cancel_gesture()
        target = stack[layer] if layer else self.document.active
        if target is None or target.kind is not LayerKind.MASK:
            target = self.document.stack[self.document.add_layer(LayerKind.MASK)]
        if target.surface is not None:
            self.document.put_tiles(target.surface, tiles_from_array(array), text or tr("Set the mask"))

    # --- results ---------------------------------------------------------------------------------------

    def set_preview(self, preview: Preview | None) -> None:
        """Show a result over the picture, or none; nothing is changed by it."""
        self.view.set_preview(preview)

    def set_comparing(self, enabled: bool) -> None:
        """Whether the bar that compares is shown while there is a result."""
        self._comparing = enabled
        self._show_comparison()

    def set_candidates(self, index: int, count: int) -> None:
        """Which result is shown, from 0, and of how many; with none they can't be applied yet."""
        self.compare_bar.set_candidates(index, count)
        self.view.set_candidates(count)

    @Slot(int)
    def _press_step(self, by: int) -> None:
        (self.compare_bar.previous if by < 0 else self.compare_bar.next).emit()

    @Slot()
    def _step_back(self) -> None:
        self.candidate_stepped.emit(-1)

    @Slot()
    def _step_on(self) -> None:
        self.candidate_stepped.emit(1)

    @Slot()
    def _show_comparison(self) -> None:
        shown = self._comparing and self.view.preview is not None
        mode, before = self.view.compare_mode, self._mode
        self._mode = mode
        self.compare_bar.set_mode(mode)
        if mode is not before:
            self.compare_mode_changed.emit(mode)
        if shown and not self.compare_bar.isVisible():
            self.compare_bar.place()
        self.compare_bar.setVisible(shown)

    # --- operations ------------------------------------------------------------------------------------

    @Slot(str)
    def ask_operation(self, id: str) -> None:
        """Do an operation; one with an amount asks for it first."""
        amount = None if id == "clear" else operation(id).amount
        if amount is None:
            self.run_operation(id)
            return
        dialog = AmountDialog(operation(id), amount, self)
        dialog.accepted_with.connect(lambda value: self.run_operation(id, value))
        dialog.open()

    def run_operation(self, id: str, amount: float | None = None) -> None:
        """Do an operation to the active mask (see :mod:`studio.mask.operations`), or ``clear`` the layer."""
        self.view.cancel_gesture()
        done = clear(self.document) if id == "clear" else apply_operation(self.document, id, amount)
        layer = self.document.active
        if not done and id != "clear" and (layer is None or not layer.is_mask):
            self.show_hint(tr("This changes masks: choose a mask layer first."))

    # --- small things ----------------------------------------------------------------------------------

    @Slot(str)
    def show_hint(self, text: str) -> None:
        """A sentence at the bottom of the view, for a few seconds."""
        self.hint.setText(text)
        self.hint.setContentsMargins(10, 6, 10, 6)
        self.hint.adjustSize()
        self.hint.move(12, self.view.height() - self.hint.height() - 12)
        self.hint.show()
        self._hint_timer.start()

    @Slot(object)
    def _tell(self, error: ErrorInfo) -> None:
        self.show_hint(error.text(tr))
        self.noticed.emit(error)

    @Slot(bool)
    def _show_busy(self, busy: bool) -> None:
        if busy:
            self.show_hint(tr("Working…"))
            self._hint_timer.stop()
        else:
            self.hint.hide()
        self._show_state()

    @Slot()
    def _show_state(self) -> None:
        layer = self.document.active
        ready = layer is not None and layer.is_mask and not self.document.busy
        self.options.set_mask_operations(ready)
        self.options.show_zoom(self.view.percent)
