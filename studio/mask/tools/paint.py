"""Brush, eraser and smudging: freehand strokes, and straight lines with Shift."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect

from studio.mask.dab_path import DabPath
from studio.mask.smudge import Smudge
from studio.mask.stroke import Stroke
from studio.mask.tools.base import Gesture, Sample, ink_for
from studio.translate import tr


class Brush(Gesture):
    """A stroke. With Shift a straight line, from where the last stroke on this layer ended (or from here) to
    where the button goes up. On a mask Alt takes away."""

    erases = False

    def begin(self) -> None:
        target = self.target()
        if target is None:
            self.finished = True
            return
        layer, self._surface = target
        away = layer.is_mask and self.press.alt
        erase = (self.erases or self.press.eraser) != away
        self._brush = self.settings.values.eraser if self.press.eraser else self.settings.brush
        self._ink = ink_for(self.settings, layer, erase=erase)
        self._text = tr("Erase") if erase else tr("Brush stroke")
        self._stroke = self._new_stroke()
        self._from: QPointF | None = None
        if self.press.shift:
            last = self.view.last_stroke_end(layer.id)
            self._from = self.press.at if last is None else last
            self._draw_line(self.press)
        else:
            self._touch(self._stroke.add(self.press.at.x(), self.press.at.y(), self.press.pressure))

    def _new_stroke(self) -> DabPath:
        return Stroke(self._surface, self._brush, self._ink, self.view.stamps)

    def moved(self, sample: Sample) -> None:
        if self._from is not None:
            self._draw_line(sample)
        else:
            self._touch(self._stroke.add(sample.at.x(), sample.at.y(), sample.pressure))

    def _draw_line(self, sample: Sample) -> None:
        """Draw the line anew, from its start to here."""
        if self._from is None:
            return
        before = self._stroke.cancel()
        self._stroke = self._new_stroke()
        start = self._stroke.add(self._from.x(), self._from.y(), sample.pressure)
        self._touch(before | start | self._stroke.line(sample.at.x(), sample.at.y(), sample.pressure))

    def _touch(self, rect: QRect) -> None:
        self.document.touched(rect)

    def released(self, sample: Sample) -> None:
        self.finished = True
        if self._from is None:
            self._touch(self._stroke.finish())
        self.document.commit(self._surface, self._text)
        self.view.stroke_ended(sample.at)

    def cancel(self) -> None:
        self._touch(self._stroke.cancel())


class Eraser(Brush):
    """The same with the eraser's settings."""

    erases = True


class Smear(Brush):
    """Takes what is under the brush along."""

    def begin(self) -> None:
        super().begin()
        self._text = tr("Smudge")

    def _new_stroke(self) -> DabPath:
        return Smudge(self._surface, self._brush, self.view.stamps)
