"""The canvas as its tools and keys see it: with what is set, what keys do, and what is told of a gesture."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Signal
from PySide6.QtWidgets import QWidget

from studio.keys import Keymap
from studio.keys.image_keys import IMAGE_KEYS
from studio.mask.brush import StampCache
from studio.mask.canvas_stage import CanvasStage
from studio.mask.paint_document import PaintDocument
from studio.mask.tool_settings import ToolSettings


class CanvasHand(CanvasStage):
    """``hinted`` carries a sentence that says why a press did nothing. While results can be chosen (see
    :meth:`set_candidates`), keys ask for what is done with them: ``candidate_stepped`` carries -1 or 1."""

    stroke_finished = Signal()
    hinted = Signal(str)
    candidate_stepped = Signal(int)
    result_applied = Signal()
    result_discarded = Signal()

    def __init__(
        self, document: PaintDocument, settings: ToolSettings, parent: QWidget | None = None
    ) -> None:
        super().__init__(document, parent)
        self.settings = settings
        self.stamps = StampCache()
        self.keymap = Keymap(parent=self)
        """What keys do; the window puts its own here."""
        self.keymap.add(*IMAGE_KEYS)
        self._last_end: tuple[str, QPointF] | None = None

    def last_stroke_end(self, layer: str) -> QPointF | None:
        """Where the last stroke ended, if it was on this layer."""
        return self._last_end[1] if self._last_end is not None and self._last_end[0] == layer else None

    def stroke_ended(self, at: QPointF) -> None:
        """A brush was lifted here."""
        self._last_end = (self.document.stack.active, at)
        self.stroke_finished.emit()
