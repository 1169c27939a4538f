"""What the tools are set to: the one in hand, brushes, colour, tolerance, how areas are combined."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor

from studio.mask.brush import MAX_SIZE, MIN_SIZE, BrushSettings

BRUSHES = ("brush", "eraser", "smudge")


class Combine(Enum):
    """What an area does to the layer: Shift adds, Alt subtracts, both intersect."""

    REPLACE = "replace"
    ADD = "add"
    SUBTRACT = "subtract"
    INTERSECT = "intersect"


@dataclass(frozen=True, slots=True)
class ToolValues:
    """``colour`` is what paint layers are painted with, ``#rrggbb``; ``tolerance`` the largest difference of
    a channel, 0..255, that still is the same colour."""

    tool: str = "brush"
    brush: BrushSettings = field(default_factory=BrushSettings)
    eraser: BrushSettings = field(default_factory=BrushSettings)
    smudge: BrushSettings = field(
        default_factory=lambda: BrushSettings(hardness=0.3, opacity=0.6, spacing=0.05)
    )
    colour: str = "#202020"
    combine: Combine = Combine.ADD
    tolerance: int = 24


class ToolSettings(QObject):
    """The values in use; ``changed`` after every change."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.values = ToolValues()

    def change(self, **values: Any) -> None:
        """Set fields of :class:`ToolValues`."""
        after = replace(self.values, **values)
        if after != self.values:
            self.values = after
            self.changed.emit()

    @property
    def tool(self) -> str:
        return self.values.tool

    @property
    def brush_name(self) -> str:
        """The brush that size and hardness belong to now."""
        return self.values.tool if self.values.tool in BRUSHES else "brush"

    @property
    def brush(self) -> BrushSettings:
        """The settings of the brush in hand."""
        found: BrushSettings = getattr(self.values, self.brush_name)
        return found

    def change_brush(self, **values: Any) -> None:
        """Set fields of the brush in hand."""
        self.change(**{self.brush_name: replace(self.brush, **values)})

    @property
    def colour(self) -> QColor:
        return QColor(self.values.colour)

    def resize_brush(self, steps: int) -> None:
        """Larger or smaller by about an eighth a step, at least a pixel."""
        size = self.brush.size
        for _ in range(abs(steps)):
            size = max(size * 1.125, size + 1) if steps > 0 else min(size / 1.125, size - 1)
        self.change_brush(size=float(round(min(max(size, MIN_SIZE), MAX_SIZE))))

    def harden_brush(self, steps: int) -> None:
        """Harder or softer by a tenth a step."""
        self.change_brush(hardness=round(self.brush.hardness * 10 + steps) / 10)

    def swap_eraser(self) -> None:
        """From brush to eraser and back."""
        self.change(tool="brush" if self.tool == "eraser" else "eraser")
