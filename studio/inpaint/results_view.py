"""Candidates on the canvas: the one shown, how it is compared, and what becomes of it."""

from __future__ import annotations

from PySide6.QtCore import QObject, QRect, Signal, Slot
from PySide6.QtGui import QImage

from pipelines.errors import DiptychError
from pipelines.graph.values import check_size
from studio.inpaint.candidates import Candidate
from studio.inpaint.canvas_binding import CanvasBinding
from studio.inpaint.canvas_graph import SIDES
from studio.inpaint.canvas_runs import CanvasRuns
from studio.mask.mask_canvas import MaskCanvas
from studio.mask.paint_document import MAX_PIXELS
from studio.mask.preview import Preview
from studio.translate import tr


class ResultsView(QObject):
    """``applied`` after a result became a layer; ``noticed`` (error) if it could not."""

    applied = Signal()
    noticed = Signal(object)

    def __init__(self, canvas: MaskCanvas, runs: CanvasRuns, binding: CanvasBinding, parent: QObject) -> None:
        super().__init__(parent)
        self._canvas, self._runs, self._binding = canvas, runs, binding
        self._candidates = runs.candidates
        self._candidates.changed.connect(self._show)
        runs.preview_arrived.connect(self._show_forming)
        runs.ended.connect(self._run_ended)
        canvas.set_comparing(True)
        canvas.candidate_stepped.connect(self._candidates.step)
        canvas.result_applied.connect(self.apply)
        canvas.results_applied.connect(self.apply_all)
        canvas.result_discarded.connect(self.discard)
        canvas.document.replaced.connect(self.discard)

    # --- what is shown ---------------------------------------------------------------------------------

    @property
    def has_results(self) -> bool:
        """Whether there is something to apply."""
        return bool(self._candidates.items)

    @Slot(object, QRect)
    def _show_forming(self, picture: QImage, rect: QRect) -> None:
        """The picture as far as it is drawn."""
        self._canvas.view.set_preview(Preview(picture, rect, label=tr("Drawing…")))
        self._canvas.set_candidates(0, 0)

    @Slot()
    def _show(self) -> None:
        current = self._candidates.current
        if current is None:
            self._canvas.view.set_preview(None)
            self._canvas.set_candidates(0, 0)
            return
        self._canvas.set_candidates(self._candidates.index, len(self._candidates.items))
        self._canvas.view.set_preview(Preview(current.image, current.rect, label=self._label(current)))

    @staticmethod
    def _label(candidate: Candidate) -> str:
        return tr("Seed {seed}", seed=candidate.seed) if candidate.seed is not None else ""

    @Slot(str, str)
    def _run_ended(self, purpose: str, status: str) -> None:
        if status != "finished":
            self.end_preview()

    def end_preview(self) -> None:
        """A run ended without a result: what was shown before it is shown again."""
        self._show()

    # --- what becomes of them --------------------------------------------------------------------------

    @Slot()
    def discard(self) -> None:
        """Let go of all candidates; those that were saved stay in the filmstrip."""
        self._candidates.clear()

    @Slot()
    def apply(self) -> None:
        """Make the candidate on show a layer."""
        if self._candidates.current is not None:
            self._apply((self._candidates.current,), tr("Apply the result"))

    @Slot()
    def apply_all(self) -> None:
        """Make every candidate a layer; only the one on show is visible."""
        shown = self._candidates.current
        if shown is not None:
            others = [item for item in self._candidates.items if item is not shown]
            self._apply((*others, shown), tr("Apply all results as layers"))

    def _apply(self, items: tuple[Candidate, ...], text: str) -> None:
        paint, stack = self._canvas.document, self._canvas.document.undo_stack
        grown = paint.rect
        for item in items:
            grown |= item.rect
        try:
            check_size(grown.width(), grown.height(), MAX_PIXELS)
        except DiptychError as error:
            self.noticed.emit(error.info())
            return
        shift_x, shift_y = 0, 0
        stack.beginMacro(text)
        try:
            for item in items:
                before = paint.rect
                rect = item.rect.translated(shift_x, shift_y)
                layer = paint.paste_result(item.image, rect, self._name(item), text)
                # the canvas may have grown to the left or the top: later results lie further in
                shift_x += max(0, -rect.x()) if paint.rect != before else 0
                shift_y += max(0, -rect.y()) if paint.rect != before else 0
                if item is not items[-1]:
                    paint.change_layer(layer, text, visible=False)
            if any(self._binding.value(side) for side in SIDES):
                self._binding.set_many(dict.fromkeys(SIDES, 0), text)
        finally:
            stack.endMacro()
        self._candidates.clear()
        self.applied.emit()

    @staticmethod
    def _name(item: Candidate) -> str:
        prompt = item.info.get("prompt")
        return prompt[:40] if isinstance(prompt, str) and prompt else tr("Result")
