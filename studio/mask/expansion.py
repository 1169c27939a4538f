"""The edges that the picture grows beyond: how far, which handle does what, and how it is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Final

from PySide6.QtCore import QMargins, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen, QPixmap, QPolygonF, QTransform

from studio.mask.drawing import crisp, draw_tag, tag_size
from studio.mask.paint_document import MAX_PIXELS
from studio.theme import current_theme
from studio.translate import tr

STEP: Final = 8
"""Pixels that a side grows in, if nothing else is said."""
MAX_SIDE: Final = 16_384
OUT: Final = 12.0
"""Pixels of the view from the edge to the middle of its handle."""
REACH: Final = 14.0
"""Pixels of the view round a handle that take hold of it."""
ROOM: Final = 0.12
"""Part of the sides that the view leaves round a picture that can grow."""
_HATCH: Final = 8


@dataclass(frozen=True, slots=True)
class Edge:
    """A handle: which way it looks, -1, 0 or 1 across and down."""

    across: int
    down: int

    @property
    def angle(self) -> float:
        """Degrees clockwise from the right."""
        return math.degrees(math.atan2(self.down, self.across))


EDGES: Final = tuple(
    Edge(across, down) for down in (-1, 0, 1) for across in (-1, 0, 1) if (across, down) != (0, 0)
)


@dataclass(frozen=True, slots=True)
class Growth:
    """How far each side of a picture grows."""

    size: QSize
    margins: QMargins = field(default_factory=QMargins)

    @property
    def frame(self) -> QRect:
        """The grown picture, in pixels of the present one."""
        return QRect(0, 0, self.size.width(), self.size.height()).marginsAdded(self.margins)

    def dragged(self, edge: Edge, by: QPointF, step: int, *, both: bool) -> Growth:
        """After a handle was dragged ``by`` so many pixels of the picture.

        Args:
            step: what each side that moves becomes a multiple of.
            both: move the opposite side as far outwards.
        """
        sides = {
            "left": -by.x() if edge.across < 0 else 0.0,
            "right": by.x() if edge.across > 0 else 0.0,
            "top": -by.y() if edge.down < 0 else 0.0,
            "bottom": by.y() if edge.down > 0 else 0.0,
        }
        moves = {"left": edge.across, "right": edge.across, "top": edge.down, "bottom": edge.down}
        if both:
            wide, tall = sides["left"] + sides["right"], sides["top"] + sides["bottom"]
            sides = {"left": wide, "right": wide, "top": tall, "bottom": tall}
        grown = {}
        for name, more in sides.items():
            was = getattr(self.margins, name)()
            alone = {"left": -1, "top": -1, "right": 1, "bottom": 1}[name] == moves[name]
            grown[name] = _snapped(was + more, step) if moves[name] and (both or alone) else was
        margins = QMargins(grown["left"], grown["top"], grown["right"], grown["bottom"])
        return replace(self, margins=margins).bounded(self.margins)

    def bounded(self, otherwise: QMargins) -> Growth:
        """This, or with other margins if it is larger than a canvas can be."""
        frame = self.frame
        return self if frame.width() * frame.height() <= MAX_PIXELS else replace(self, margins=otherwise)


def _snapped(value: float, step: int) -> int:
    return min(max(0, round(value / step) * step), MAX_SIDE // step * step)


def handle_at(edge: Edge, frame: QRect, to_view: QTransform, out: float = OUT) -> QPointF:
    """Where the middle of a handle is seen: ``out`` pixels of the view outside the frame."""
    box = QRectF(frame)
    middle = box.center()
    at = QPointF(middle.x() + edge.across * box.width() / 2, middle.y() + edge.down * box.height() / 2)
    origin = to_view.map(QPointF(0, 0))
    outwards = to_view.map(QPointF(edge.across, edge.down)) - origin
    length = math.hypot(outwards.x(), outwards.y())
    return to_view.map(at) + outwards * (out / length)


def edge_at(point: QPointF, frame: QRect, to_view: QTransform) -> Edge | None:
    """The handle at a point of the view; corners before sides."""
    for edge in sorted(EDGES, key=lambda edge: not (edge.across and edge.down)):
        away = handle_at(edge, frame, to_view) - point
        if max(abs(away.x()), abs(away.y())) <= REACH:
            return edge
    return None


def cursor_for(edge: Edge, turned: float) -> Qt.CursorShape:
    """The cursor that says which way an edge goes in a picture turned by so many degrees."""
    shapes = (
        Qt.CursorShape.SizeHorCursor,
        Qt.CursorShape.SizeFDiagCursor,
        Qt.CursorShape.SizeVerCursor,
        Qt.CursorShape.SizeBDiagCursor,
    )
    return shapes[round((edge.angle + turned) / 45) % 4]


class GrowthPainter:
    """Draws the added area, its sizes and the handles, in coordinates of the view."""

    def __init__(self, growth: Growth, to_view: QTransform, ratio: float, lit: Edge | None) -> None:
        self._growth, self._to_view, self._ratio, self._lit = growth, to_view, ratio, lit
        self._upright = to_view.m12() == 0 and to_view.m21() == 0

    def paint(self, painter: QPainter) -> None:
        frame, inner = self._growth.frame, QRect(0, 0, self._growth.size.width(), self._growth.size.height())
        outline, hole = self._polygon(frame), self._polygon(inner)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, not self._upright)
        if frame != inner:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QBrush(_hatch(self._ratio)))
            painter.setBrushOrigin(outline.first())
            # odd-even: the picture itself stays free
            around, within = outline.toList(), hole.toList()
            painter.drawPolygon(QPolygonF([*around, around[0], *within, within[0], around[0]]))
            self._line(painter, hole, "text2", 1)
        self._line(painter, outline, "brass", 1.5)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for edge in EDGES:
            self._paint_handle(painter, edge, frame)
        self._paint_sizes(painter, frame)

    def _polygon(self, rect: QRect) -> QPolygonF:
        found = self._to_view.map(QPolygonF(QRectF(rect)))
        return QPolygonF([crisp(point, self._ratio) for point in found.toList()]) if self._upright else found

    def _line(self, painter: QPainter, outline: QPolygonF, name: str, width: float) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(current_theme().color(name), width))
        painter.drawPolygon(outline)

    def _paint_handle(self, painter: QPainter, edge: Edge, frame: QRect) -> None:
        theme = current_theme()
        at = handle_at(edge, frame, self._to_view)
        turned = math.degrees(math.atan2(self._to_view.m12(), self._to_view.m11()))
        corner = bool(edge.across and edge.down)
        size = QRectF(-5, -5, 10, 10) if corner else QRectF(-3.5, -14, 7, 28)
        painter.save()
        painter.translate(at)
        painter.rotate(turned + (0 if corner or edge.across else 90))
        painter.setPen(QPen(theme.color("bg0"), 1.5))
        painter.setBrush(theme.color("text" if edge == self._lit else "brass"))
        painter.drawRoundedRect(size, 3.5, 3.5)
        painter.restore()

    def _paint_sizes(self, painter: QPainter, frame: QRect) -> None:
        margins, size = self._growth.margins, self._growth.size
        width, height = size.width(), size.height()
        strips = (
            (Edge(-1, 0), margins.left(), QRect(-margins.left(), 0, margins.left(), height)),
            (Edge(1, 0), margins.right(), QRect(width, 0, margins.right(), height)),
            (Edge(0, -1), margins.top(), QRect(0, -margins.top(), width, margins.top())),
            (Edge(0, 1), margins.bottom(), QRect(0, height, width, margins.bottom())),
        )
        for edge, pixels, strip in strips:
            text = tr("{pixels} px", pixels=pixels)
            room, box = self._to_view.mapRect(QRectF(strip)), tag_size(text)
            half = QPointF(box.width() / 2, box.height() / 2)
            fits = room.width() >= box.width() + 4 and room.height() >= box.height() + 4
            if pixels and fits:
                draw_tag(painter, text, room.center() - half)
            elif pixels:
                # beside the handle
                out = handle_at(edge, frame, self._to_view) - handle_at(edge, frame, self._to_view, 0.0)
                out = QPointF(*(0.0 if abs(by) < 1 else by / OUT for by in (out.x(), out.y())))
                away = QPointF(out.x() * (half.x() + 10), out.y() * (half.y() + 10))
                draw_tag(painter, text, handle_at(edge, frame, self._to_view) + away - half)
        if margins.isNull():
            return
        text = tr("{width} × {height} px", width=frame.width(), height=frame.height())
        shown, box = self._to_view.mapRect(QRectF(frame)), tag_size(text)
        draw_tag(painter, text, QPointF(shown.right() - box.width(), shown.bottom() + OUT + 10))


def with_room(frame: QRect) -> QRect:
    """``frame`` with room to drag its edges."""
    across, down = math.ceil(frame.width() * ROOM), math.ceil(frame.height() * ROOM)
    return frame.marginsAdded(QMargins(across, down, across, down))


def _hatch(ratio: float) -> QPixmap:
    """Slanted lines that go on from one tile to the next."""
    side = max(4, round(_HATCH * ratio))
    theme = current_theme()
    ground, line = theme.color("brass"), theme.color("brass")
    ground.setAlpha(26)
    line.setAlpha(110)
    tile = QPixmap(side, side)
    tile.fill(QColor(ground))
    painter = QPainter(tile)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(line, ratio))
    for shift in (-side, 0, side):
        painter.drawLine(QPointF(shift - 1, side + 1), QPointF(shift + side + 1, -1))
    painter.end()
    tile.setDevicePixelRatio(ratio)
    return tile
