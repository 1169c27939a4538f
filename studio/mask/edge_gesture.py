"""Dragging an edge: the picture grows on that side."""

from __future__ import annotations

from studio.mask.expansion import cursor_for
from studio.mask.tools.base import Gesture, Sample


class DragEdge(Gesture):
    """Outwards by whole steps; Shift grows the opposite side too, Alt doesn't keep to the steps."""

    draws = False

    def begin(self) -> None:
        self._start = self.view.growth
        self._edge = self.view.edge_at(self.press.view_at)
        self.finished = self._edge is None
        if self._edge is not None:
            # each edge has a cursor of its own
            self.cursor = cursor_for(self._edge, self.view.angle)  # type: ignore[misc]
            self.view.keep_still(True)

    def moved(self, sample: Sample) -> None:
        if self._edge is not None:
            step = 1 if sample.alt else self.view.expansion_step
            by = sample.at - self.press.at
            self.view.drag_expansion(self._start.dragged(self._edge, by, step, both=sample.shift))

    def released(self, sample: Sample) -> None:
        self.finished = True
        self.view.keep_still(False)

    def cancel(self) -> None:
        self.view.drag_expansion(self._start)
        self.view.keep_still(False)
