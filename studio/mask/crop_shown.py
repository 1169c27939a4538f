"""What the model will see of the picture, drawn over it: the crop, and how far it draws and blends."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF, QTransform

from pipelines.graph.values import Mask
from studio.mask.contour import contour
from studio.mask.drawing import crisp, draw_tag, tag_size
from studio.mask.tile import Array
from studio.theme import current_theme
from studio.translate import tr

LARGE: Final = 2**18
"""Samples of a mask; contours in more are looked for in the background."""
_DASHES: Final = [5.0, 4.0]
_GAP: Final = 6


@dataclass(frozen=True, slots=True)
class CropShown:
    """The plan of an inpainting, as far as it is seen.

    Attributes:
        rect: what is cut out with its context, in pixels of the picture.
        drawn: the size that the model draws it at, if it is another one.
        denoise: where it draws, as values 0..1 over ``area`` on a grid of any fineness.
        composite: what replaces the picture in the end, in the same way.
        area: what both grids cover, in pixels of the picture; ``rect`` without one.
    """

    rect: QRect
    drawn: QSize | None = None
    denoise: Array | Mask | None = field(default=None, compare=False)
    composite: Array | Mask | None = field(default=None, compare=False)
    area: QRect | None = None

    @property
    def large(self) -> bool:
        """Whether looking for the contours is felt."""
        return any(grid is not None and _values(grid).size > LARGE for grid in (self.denoise, self.composite))

    @property
    def label(self) -> str:
        """What the crop is, in words."""
        width, height = self.rect.width(), self.rect.height()
        if self.drawn is None or self.drawn == self.rect.size():
            return tr("Seen by the model: {width} × {height}", width=width, height=height)
        return tr(
            "Seen by the model: {width} × {height}, drawn at {drawn_width} × {drawn_height}",
            width=width, height=height,
            drawn_width=self.drawn.width(), drawn_height=self.drawn.height(),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contours:
    """Lines round both masks of a crop, in pixels of the picture."""

    denoise: list[QLineF]
    composite: list[QLineF]


def contours_of(crop: CropShown) -> Contours:
    """Look for them. Safe in any thread."""
    area = QRectF(crop.rect if crop.area is None else crop.area)
    return Contours(_lines(crop.denoise, area), _lines(crop.composite, area))


class CropPainter:
    """Draws one crop and its contours."""

    def __init__(self, crop: CropShown, contours: Contours) -> None:
        self.crop, self._contours = crop, contours

    def paint(self, painter: QPainter, to_view: QTransform, view: QRect, ratio: float) -> None:
        """Draw it in coordinates of the view, ``view`` of which is seen; ``ratio`` device pixels each."""
        theme = current_theme()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        # the painter maps thousands of lines quicker than we do; pens are as wide at any scale
        scale = math.hypot(to_view.m11(), to_view.m12())
        painter.save()
        painter.setTransform(to_view, True)
        for lines, name in ((self._contours.composite, "text"), (self._contours.denoise, "brass")):
            painter.setPen(QPen(_under(), 2.5 / scale))
            painter.drawLines(lines)
            painter.setPen(QPen(theme.color(name), 1 / scale))
            painter.drawLines(lines)
        painter.restore()
        self._paint_frame(painter, to_view, ratio)
        self._paint_label(painter, to_view.mapRect(QRectF(self.crop.rect)), view)

    def _paint_frame(self, painter: QPainter, to_view: QTransform, ratio: float) -> None:
        frame = to_view.map(QPolygonF(QRectF(self.crop.rect)))
        upright = to_view.m12() == 0 and to_view.m21() == 0
        if upright:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            frame = QPolygonF([crisp(point, ratio) for point in frame.toList()])
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(_under(), 3))
        painter.drawPolygon(frame)
        pen = QPen(current_theme().color("brass"), 1.5)
        pen.setDashPattern(_DASHES)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        painter.drawPolygon(frame)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def _paint_label(self, painter: QPainter, frame: QRectF, view: QRect) -> None:
        size = tag_size(self.crop.label)
        above = frame.top() - size.height() - _GAP
        at = QPointF(frame.left(), above if above >= view.top() + _GAP else frame.top() + _GAP)
        if at.y() == frame.top() + _GAP:
            at.setX(frame.left() + _GAP)
        at.setX(min(max(at.x(), view.left() + _GAP), view.right() - size.width() - _GAP))
        at.setY(min(max(at.y(), view.top() + _GAP), view.bottom() - size.height() - _GAP))
        draw_tag(painter, self.crop.label, at)


def _under() -> QColor:
    """Below lines, so that they are seen on any picture."""
    colour = current_theme().color("on_brass")
    colour.setAlpha(170)
    return colour


def _lines(grid: Array | Mask | None, area: QRectF) -> list[QLineF]:
    """The contour of a grid over ``area``, in pixels of the picture."""
    if grid is None:
        return []
    found = contour(_values(grid))
    x, y, width, height = area.x(), area.y(), area.width(), area.height()
    return [
        QLineF(x + a * width, y + b * height, x + c * width, y + d * height) for a, b, c, d in found.tolist()
    ]


def _values(grid: Array | Mask) -> Array:
    return grid.values if isinstance(grid, Mask) else grid
