"""What all gestures on the canvas have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPainterPath, QPen

from studio.mask.areas import LARGE, Coverage, combined
from studio.mask.layers import LINE_CONTROLS, Layer, LayerKind
from studio.mask.stroke import Ink
from studio.mask.surface import Surface
from studio.mask.tool_settings import Combine, ToolSettings
from studio.theme import current_theme

if TYPE_CHECKING:
    from studio.mask.canvas_hand import CanvasHand


@dataclass(frozen=True, slots=True)
class Sample:
    """The pointer at one moment: ``at`` in pixels of the picture, ``view_at`` in the view; a mouse's pressure
    is 1."""

    at: QPointF
    view_at: QPointF
    pressure: float = 1.0
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    button: Qt.MouseButton = Qt.MouseButton.LeftButton
    eraser: bool = False
    """The pen's other end."""

    @property
    def shift(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.ShiftModifier)

    @property
    def alt(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.AltModifier)

    @property
    def control(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.ControlModifier)


class Gesture:
    """One gesture, from a press until it is ``finished``. ``cancel`` leaves everything as it was before."""

    draws: ClassVar[bool] = True
    """Whether it needs a layer that can be drawn on."""
    edits: ClassVar[bool] = False
    """Whether it ends when the document or the tool changes under it; those that draw do."""
    cursor: ClassVar[Qt.CursorShape | None] = None

    def __init__(self, view: CanvasHand, press: Sample) -> None:
        self.view, self.press = view, press
        self.document, self.settings = view.document, view.settings
        self.finished = False

    def begin(self) -> None:
        """The press itself."""

    def moved(self, sample: Sample) -> None:
        """The pointer moved, with the button down (or up, between the clicks of a polygon)."""

    def pressed(self, sample: Sample) -> None:
        """Another press of a gesture that goes on after the release."""

    def released(self, sample: Sample) -> None:
        """The button went up."""
        self.finished = True

    def accept(self) -> None:
        """Enter."""

    def step_back(self) -> None:
        """Backspace."""

    def left(self) -> None:
        """Another tool was taken: what is not ``finished`` by that is cancelled."""

    def cancel(self) -> None:
        """Esc, or the view lost the pointer."""

    def paint(self, painter: QPainter) -> None:
        """Lines over the picture, in coordinates of the view."""

    def painted_rect(self) -> QRect:
        """Where :meth:`paint` draws, in the view."""
        return QRect()

    def key(self, key: int, far: bool) -> None:
        """Another key; ``far`` with Shift."""

    # --- the tool in hand, before a press --------------------------------------------------------------

    @classmethod
    def paint_idle(cls, view: CanvasHand, painter: QPainter) -> None:
        """Lines over the picture while the tool is in hand and nothing is going on."""

    @classmethod
    def cursor_at(cls, view: CanvasHand, at: QPointF) -> Qt.CursorShape | None:
        """The cursor at a point of the view while nothing is going on; ``None`` for the usual one."""
        return None

    @classmethod
    def key_action(cls, view: CanvasHand, event: QKeyEvent) -> Callable[[], object] | None:
        """What a key does while the tool is in hand, before the keys of the view."""
        return None

    # --- help for those that draw ----------------------------------------------------------------------

    def target(self) -> tuple[Layer, Surface] | None:
        """The layer to draw on."""
        layer = self.document.active
        if layer is None or layer.surface is None:
            return None
        return layer, layer.surface


def ink_for(settings: ToolSettings, layer: Layer | None = None, *, erase: bool = False) -> Ink:
    """The ink of the present colour; on a ``layer`` that holds the lines of a control it is white."""
    colour = settings.colour
    if layer is not None and layer.kind is LayerKind.CONTROL and layer.control in LINE_CONTROLS:
        colour = QColor(Qt.GlobalColor.white)
    alpha = colour.alphaF()
    blue, green, red = (value * 255 * alpha for value in (colour.blueF(), colour.greenF(), colour.redF()))
    return Ink(erase, (blue, green, red, 255 * alpha))


def combine_for(settings: ToolSettings, press: Sample) -> Combine:
    """How an area is laid on the layer: what is set, or what the keys say (Shift adds, Alt subtracts, both
    intersect)."""
    if press.shift and press.alt:
        return Combine.INTERSECT
    if press.shift:
        return Combine.ADD
    return Combine.SUBTRACT if press.alt else settings.values.combine


class AreaGesture(Gesture):
    """A gesture that ends in an area, laid on the active layer as one step."""

    def lay(self, area: QRect, coverage: Coverage, text: str, *, large: bool = False) -> None:
        """Lay it. ``large``: finding the coverage itself takes long."""
        target = self.target()
        if target is None:
            return
        surface = target[1]
        combine, ink = combine_for(self.settings, self.press), ink_for(self.settings, target[0])
        tiles = surface.snapshot()
        inside = area & surface.rect
        large = large or inside.width() * inside.height() > LARGE
        self.document.compute(
            surface, lambda: combined(surface, tiles, area, coverage, combine, ink), text, large=large
        )


def draw_outline(painter: QPainter, path: QPainterPath) -> None:
    """A line that is seen on any picture: brass, with an edge that contrasts with it."""
    theme = current_theme()
    under, over = theme.color("on_brass"), theme.color("brass")
    under.setAlpha(190)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(under, 3))
    painter.drawPath(path)
    painter.setPen(QPen(over, 1.5))
    painter.drawPath(path)


def outline_rect(path: QPainterPath) -> QRect:
    """The area :func:`draw_outline` touches."""
    return path.boundingRect().adjusted(-4, -4, 4, 4).toAlignedRect() if not path.isEmpty() else QRect()


def handle(at: QPointF, size: float = 4) -> QRectF:
    """A small square round a point."""
    return QRectF(at.x() - size, at.y() - size, 2 * size, 2 * size)
