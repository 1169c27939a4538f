"""What a run of the canvas has made: candidates to step through, each a part of the picture and its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QRect, Signal
from PySide6.QtGui import QImage

from pipelines.graph.values import Array
from studio.inpaint.crop_watcher import Planned
from studio.mask.surface import image_array

_FORMAT = QImage.Format.Format_ARGB32_Premultiplied


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture for ``rect`` of the canvas (pixels of the canvas as it was): transparent where it changes
    nothing.

    ``info`` says how it was made, ``path`` where it was saved as a whole picture.
    """

    image: QImage
    rect: QRect
    info: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""

    @property
    def seed(self) -> int | None:
        """The seed it was drawn with."""
        found = self.info.get("seed")
        return found if isinstance(found, int) and not isinstance(found, bool) else None


def part_of(whole: QImage, before: QImage, planned: Planned | None) -> tuple[QImage, QRect]:
    """The part of a result that differs from the picture it was made of, and its place on the canvas.

    Args:
        whole: the whole result, of the (grown) canvas's size.
        before: the picture as it was, not grown.
        planned: what was cut out and blended; without it, the pixels that differ say where.
    """
    if planned is not None:
        left, top = planned.sides[0], planned.sides[1]
        rect = planned.rect
        pixels = image_array(whole.copy(rect.translated(left, top)))
        cover = planned.plan.composite.values > 0
        if any(planned.sides):
            inner = QRect(0, 0, before.width(), before.height()).translated(-rect.topLeft())
            cover = cover | ~_inside(cover.shape, inner)
        pixels[~cover] = 0
        return _image(pixels), rect
    if whole.size() != before.size():
        return whole, QRect(0, 0, whole.width(), whole.height())
    differs = (image_array(whole) != image_array(before)).any(axis=2)
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not len(rows):
        return whole, whole.rect()
    rect = QRect(int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
    return whole.copy(rect), rect


def _inside(shape: tuple[int, ...], rect: QRect) -> Array:
    inside = np.zeros(shape, bool)
    inside[max(rect.y(), 0) : max(rect.bottom() + 1, 0), max(rect.x(), 0) : max(rect.right() + 1, 0)] = True
    return inside


def _image(pixels: Array) -> QImage:
    pixels = np.ascontiguousarray(pixels)
    view = QImage(pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], _FORMAT)
    return view.copy()


class Candidates(QObject):
    """The candidates of one run and which of them is shown. ``changed`` after anything."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._items: tuple[Candidate, ...] = ()
        self._index = 0

    @property
    def items(self) -> tuple[Candidate, ...]:
        """All of them, in the order they were made."""
        return self._items

    @property
    def index(self) -> int:
        """The place of the one that is shown."""
        return self._index

    @property
    def current(self) -> Candidate | None:
        """The one that is shown."""
        return self._items[self._index] if self._items else None

    def set_items(self, items: tuple[Candidate, ...], index: int = 0) -> None:
        """Others instead of those that were there; the one at ``index`` is shown."""
        self._items, self._index = items, index
        self.changed.emit()

    def add(self, items: tuple[Candidate, ...]) -> None:
        """More of the same run."""
        self._items = (*self._items, *items)
        self.changed.emit()

    def step(self, by: int) -> None:
        """Show the next (or an earlier) one, round and round."""
        if self._items:
            self._index = (self._index + by) % len(self._items)
            self.changed.emit()

    def clear(self) -> None:
        """Let go of all."""
        if self._items:
            self.set_items(())
