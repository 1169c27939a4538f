"""A result that lies on the canvas without being part of it, and the ways to compare it with the picture."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QRect
from PySide6.QtGui import QImage


class CompareMode(StrEnum):
    """How a result and the picture below it are seen."""

    AFTER = "after"
    """The result, in its place."""
    SLIDER = "slider"
    """Before on one side of a line, after on the other; the line is dragged."""
    SIDE_BY_SIDE = "side_by_side"
    """The picture in the left half of the view, the result in the right one, moved together."""
    DIFFERENCE = "difference"
    """How far they are apart at each pixel, amplified."""
    FLICKER = "flicker"
    """One after the other."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run has made, or makes. It touches nothing until it is applied.

    Attributes:
        image: of any size: it is scaled to ``rect`` (previews of a run that goes on are small).
        rect: where it belongs, in pixels of the picture; it may reach beyond the canvas.
        mode: how it is compared; without one, as the one before it.
        split: the line of :attr:`CompareMode.SLIDER`, 0..1 of ``rect``'s width; without one, where it was.
        label: a few words shown with it ("2 of 4", "step 7 of 16").
    """

    image: QImage
    rect: QRect
    mode: CompareMode | None = None
    split: float | None = None
    label: str = ""
