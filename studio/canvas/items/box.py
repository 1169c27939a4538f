"""Frames and sticky notes in the scene, below wires and nodes; painted from a cache unless they changed."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QGraphicsItem, QGraphicsRectItem, QStyleOptionGraphicsItem, QWidget

from studio.canvas.style import BLOCK_DETAIL, CanvasStyle
from studio.graph.annotations import Box, Kind

EDGE = 6.0
"""How near to an edge a press takes hold of it, in pixels of the view."""
MARGIN = 4.0
PAD = 10.0


class BoxItem(QGraphicsRectItem):
    """Shows a :class:`~studio.graph.annotations.Box`. A rectangle item: Qt asks no Python for its bounds."""

    def __init__(self, box: Box, style: CanvasStyle) -> None:
        super().__init__()
        self.box, self.style = box, style
        self.selected = False
        self.setPen(Qt.PenStyle.NoPen)
        self.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
        self.show_box(box, style)

    @property
    def key(self) -> tuple[Kind, str]:
        return self.box.key

    @property
    def area(self) -> QRectF:
        """Where it is in the scene."""
        return QRectF(*self.box.rect)

    @property
    def title_height(self) -> float:
        """Of the strip that a frame is held by."""
        return self.style.metrics.title

    def show_box(self, box: Box, style: CanvasStyle) -> None:
        """Show other contents, or the same elsewhere or larger."""
        if (box, style) != (self.box, self.style):
            self.update()
        moved = self.box.rect[:2] != box.rect[:2]
        self.box, self.style = box, style
        x, y, width, height = box.rect
        if moved or self.rect().isNull():
            self.setPos(x, y)
        self.setRect(QRectF(0, 0, width, height).adjusted(-MARGIN, -MARGIN, MARGIN, MARGIN))

    def set_selected(self, selected: bool) -> None:
        if selected != self.selected:
            self.selected = selected
            self.update()

    # --- asking ----------------------------------------------------------------------------------------

    def edges_at(self, at: QPointF, zoom: float) -> str:
        """Which edges are under a point of the scene: some of ``l``, ``r``, ``t`` and ``b``, or none."""
        area, reach = self.area, EDGE / zoom
        if not area.adjusted(-reach, -reach, reach, reach).contains(at):
            return ""
        near = {
            "l": at.x() - area.left(), "r": area.right() - at.x(),
            "t": at.y() - area.top(), "b": area.bottom() - at.y(),
        }  # fmt: skip
        return "".join(name for name, away in near.items() if abs(away) <= reach)

    def held_at(self, at: QPointF) -> bool:
        """Whether a press at a point of the scene takes hold: a note anywhere, a frame by its title."""
        area = self.area
        if self.box.kind == "frames":
            area.setHeight(self.title_height)
        return area.contains(at)

    def text_area(self) -> QRectF:
        """Where the words are, in the scene: what an editor of them covers."""
        area = self.area
        if self.box.kind == "frames":
            area.setHeight(self.title_height)
            return area
        return area

    # --- painting --------------------------------------------------------------------------------------

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        zoom = option.levelOfDetailFromTransform(painter.worldTransform())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, zoom >= BLOCK_DETAIL)
        body = QRectF(0, 0, self.box.rect[2], self.box.rect[3])
        if self.box.kind == "frames":
            self._frame(painter, body, zoom)
        else:
            self._note(painter, body, zoom)

    def _outline(self, painter: QPainter, body: QRectF, radius: float, strength: float) -> None:
        style = self.style
        colour = style.colour("brass") if self.selected else style.mixed("bg0", self.box.colour, strength)
        width = 2.0 * painter.device().devicePixelRatio() if self.selected else 1.0
        painter.setPen(style.hairline(colour, width))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(body, radius, radius)

    def _frame(self, painter: QPainter, body: QRectF, zoom: float) -> None:
        style, colour = self.style, self.box.colour
        radius = style.metrics.radius
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(style.mixed("bg0", colour, 0.07))
        painter.drawRoundedRect(body, radius, radius)
        painter.save()
        painter.setClipRect(QRectF(0, 0, body.width(), self.title_height), Qt.ClipOperation.IntersectClip)
        painter.setBrush(style.mixed("bg0", colour, 0.2))
        painter.drawRoundedRect(body, radius, radius)
        painter.restore()
        self._outline(painter, body, radius, 0.4)
        if self.box.text and zoom >= BLOCK_DETAIL:
            room = body.width() - 2 * PAD
            painter.setPen(style.colour("text"))
            words = style.titles.elided(self.box.text, room)
            style.titles.paint(painter, QRectF(PAD, 0, room, self.title_height), words)

    def _note(self, painter: QPainter, body: QRectF, zoom: float) -> None:
        style, colour = self.style, self.box.colour
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(style.mixed("bg1", colour, 0.14))
        painter.drawRoundedRect(body, 4, 4)
        painter.setBrush(style.mixed("bg1", colour, 0.75))
        painter.drawRoundedRect(QRectF(0, 0, 4, body.height()), 2, 2)
        self._outline(painter, body, 4, 0.3)
        if not self.box.text:
            return
        if zoom < BLOCK_DETAIL:
            return
        painter.setFont(style.body)
        painter.setPen(style.colour("text"))
        flags = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft
        room = body.adjusted(PAD, PAD - 2, -PAD, -PAD + 2)
        painter.drawText(room, int(flags) | int(Qt.TextFlag.TextWordWrap), self.box.text)


_CURSORS = {
    "l": Qt.CursorShape.SizeHorCursor, "r": Qt.CursorShape.SizeHorCursor,
    "t": Qt.CursorShape.SizeVerCursor, "b": Qt.CursorShape.SizeVerCursor,
    "lt": Qt.CursorShape.SizeFDiagCursor, "rb": Qt.CursorShape.SizeFDiagCursor,
    "rt": Qt.CursorShape.SizeBDiagCursor, "lb": Qt.CursorShape.SizeBDiagCursor,
}  # fmt: skip


def box_cursor(item: BoxItem | None, at: QPointF, zoom: float) -> Qt.CursorShape:
    """The cursor over a frame or note: which way it can be resized there, or that it can be moved."""
    if item is None:
        return Qt.CursorShape.ArrowCursor
    return _CURSORS.get(item.edges_at(at, zoom), Qt.CursorShape.SizeAllCursor)
