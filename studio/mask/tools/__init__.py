"""Tools of the canvas: one small class each, from press to release, cancelled by Esc.

``TOOLS`` is the table that the tool bar, the keys and the help are made from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from studio.mask.tools.arrange import Move
from studio.mask.tools.base import Gesture, Sample
from studio.mask.tools.fills import ColourRange, Eyedropper, FloodFill, Gradient, ObjectSelect
from studio.mask.tools.navigate import Pan, Rotate
from studio.mask.tools.paint import Brush, Eraser, Smear
from studio.mask.tools.shapes import Ellipse, Lasso, Polygon, Rectangle
from studio.mask.tools.transform import Transform


@dataclass(frozen=True, slots=True)
class Tool:
    """``title`` and ``tip`` are source texts; ``key`` works while the canvas has the focus."""

    id: str
    title: str
    key: str
    icon: str
    gesture: type[Gesture]
    tip: str


_AREA = "Shift adds, Alt subtracts, both intersect."
TOOLS: Final = (
    Tool("move", "Move", "V", "move", Move, "Drag the layer. Arrow keys move it by 1 px, with Shift by 10."),
    Tool(
        "transform",
        "Transform",
        "T",
        "transform",
        Transform,
        "Scale the layer at its handles, turn it outside of them (Shift by 15°). Enter applies.",
    ),
    Tool(
        "brush",
        "Brush",
        "B",
        "brush",
        Brush,
        "Paint. Shift draws straight lines, Alt takes away from a mask.",
    ),
    Tool("eraser", "Eraser", "E", "eraser", Eraser, "Take away what was painted. X swaps it with the brush."),
    Tool("smudge", "Smudge", "S", "smudge", Smear, "Take what is under the brush along."),
    Tool("rectangle", "Rectangle", "M", "select_rectangle", Rectangle, f"{_AREA} Ctrl makes a square."),
    Tool("ellipse", "Ellipse", "O", "select_ellipse", Ellipse, f"{_AREA} Ctrl makes a circle."),
    Tool("lasso", "Lasso", "L", "lasso", Lasso, f"Draw round something. {_AREA}"),
    Tool("polygon", "Polygon", "P", "polygon", Polygon, f"Click corner by corner, Enter closes. {_AREA}"),
    Tool("gradient", "Gradient", "G", "gradient", Gradient, f"Drag from full to nothing. {_AREA}"),
    Tool("fill", "Fill", "F", "fill", FloodFill, f"Click a colour: what hangs together with it. {_AREA}"),
    Tool(
        "colour_range",
        "Colour range",
        "W",
        "wand",
        ColourRange,
        f"Click a colour: all of it, anywhere. {_AREA}",
    ),
    Tool(
        "object",
        "Select an object",
        "A",
        "select_object",
        ObjectSelect,
        "Draw a box round a thing: the thing.",
    ),
    Tool("eyedropper", "Eyedropper", "I", "eyedropper", Eyedropper, "Take a colour from the picture."),
)

__all__ = ["TOOLS", "Gesture", "Pan", "Rotate", "Sample", "Tool"]
