"""What the model will see of the picture: the crop and its masks, computed in a worker after each change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PySide6.QtCore import QObject, QRect, QSize, QTimer, Signal, Slot

from pipelines.diffusion.sizes.size_limits import limits_for
from pipelines.engine.protocol import ModelInfo
from pipelines.errors import DiptychError, ErrorInfo
from pipelines.graph.values import Array, Mask
from pipelines.inpaint.geometry import CropPlan, MaskSettings, plan_crop
from studio.background import in_background
from studio.inpaint.layer_records import Pixels, pixels_of
from studio.mask.crop_shown import CropShown
from studio.mask.layers import LayerKind
from studio.mask.paint_document import PaintDocument
from studio.mask.surface import FULL, Surface

DELAY_MS = 180
Sides = tuple[int, int, int, int]
AUTOMATIC: Final = MaskSettings()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a plan is made from, beside the masks themselves.

    ``sides`` are how far the canvas grows: left, top, right, bottom. ``beyond``:
    where it grows, masks don't count. ``whole``: an empty mask means everything.
    """

    strength: float = 1.0
    settings: MaskSettings = AUTOMATIC
    sides: Sides = (0, 0, 0, 0)
    beyond: bool = True
    whole: bool = False
    family: str = ""
    native: tuple[int, int] | None = None
    multiple: int = 8

    @classmethod
    def of(cls, model: ModelInfo | None, **values: Any) -> Wish:
        """With what is known of a model."""
        if model is None:
            return cls(**values)
        return cls(**values, family=model.family, native=model.native_size, multiple=model.size_multiple)


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and the canvas it is for. ``origin`` is where the grown canvas begins, in its own pixels."""

    plan: CropPlan
    sides: Sides
    size: QSize

    @property
    def rect(self) -> QRect:
        """The crop, in pixels of the canvas as it is now."""
        box = self.plan.box
        return QRect(box.x - self.sides[0], box.y - self.sides[1], box.width, box.height)

    def shown(self) -> CropShown:
        """For the view."""
        work = self.plan.content
        return CropShown(self.rect, QSize(work.width, work.height), self.plan.denoise, self.plan.composite)


def selection_of(masks: list[Pixels], width: int, height: int, sides: Sides, *, whole: bool) -> Array:
    """The greatest of several masks on the grown canvas, as the node ``image.canvas`` makes it."""
    left, top, right, bottom = sides
    values = np.ones((height + top + bottom, width + left + right), np.float32)
    inner = values[top : top + height, left : left + width]
    inner[...] = 0
    for item in masks:
        if isinstance(item.content, Surface) and item.content.tiles:
            found = item.content.read(item.content.rect).astype(np.float32) / np.float32(FULL)
            np.maximum(inner, found[:height, :width], out=inner)
    if whole and not values.any():
        values[...] = 1
    return values


def plan_for(masks: list[Pixels], size: QSize, wish: Wish) -> Planned | None:
    """The plan of an inpainting; ``None`` if nothing is masked. For worker threads."""
    card = {"family": wish.family, "native_size": wish.native, "size_multiple": wish.multiple}
    counted = [] if any(wish.sides) and wish.beyond else masks
    values = selection_of(counted, size.width(), size.height(), wish.sides, whole=wish.whole)
    try:
        plan = plan_crop(Mask(values), wish.strength, limits_for(card), wish.settings)
    except DiptychError:
        return None
    return Planned(plan, wish.sides, size)


class CropWatcher(QObject):
    """:attr:`planned` is the newest plan; ``planned_changed`` after each.

    While one is computed, the next change waits: one worker at a time, the latest wins.
    """

    planned_changed = Signal()

    def __init__(self, paint: PaintDocument, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._paint = paint
        self.planned: Planned | None = None
        self._wish = Wish()
        self._busy = self._again = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._compute)
        paint.changed.connect(self._timer.start)
        paint.replaced.connect(self._timer.start)

    def set_wish(self, wish: Wish) -> None:
        """Compute with other numbers."""
        if wish != self._wish:
            self._wish = wish
            self._timer.start()

    @Slot()
    def _compute(self) -> None:
        if self._busy:
            self._again = True
            return
        stack = self._paint.stack
        masks = [pixels_of(layer) for layer in stack.layers if layer.kind is LayerKind.MASK and layer.counts]
        if stack.size.isEmpty():
            self._done(None)
            return
        self._busy = True
        size, wish = stack.size, self._wish
        in_background(self, lambda: plan_for(masks, size, wish), self._done, self._failed)

    def _done(self, planned: Planned | None) -> None:
        self._busy = False
        if self._again:
            self._again = False
            self._timer.start()
        self.planned = planned
        self.planned_changed.emit()

    def _failed(self, error: ErrorInfo) -> None:
        self._done(None)
