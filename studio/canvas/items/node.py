"""A node in the scene: where it is, what it shows, where its ports are."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QGraphicsItem, QGraphicsRectItem, QStyleOptionGraphicsItem, QWidget

from studio.canvas.face import NodeFace, PortFace, RowFace
from studio.canvas.items.paint import Marks, extra_height, paint_node
from studio.canvas.items.sheet import Sheet, sheet_of
from studio.canvas.run_state import NodeState
from studio.canvas.style import BLOCK_DETAIL, CanvasStyle

if TYPE_CHECKING:
    from studio.canvas.node_index import NodeIndex

MARGIN = 14.0
"""Room round the body for ports, selection and badge."""
GRIP = 14.0
"""Side of the corner that resizes a thumbnail."""


class NodeItem(QGraphicsRectItem):
    """Paints a face and a state. Its position is the document's (or a gesture's until it is done).

    A rectangle item, so that Qt asks no Python code for its bounds; painted from a cache unless it changed.
    """

    def __init__(self, face: NodeFace, style: CanvasStyle) -> None:
        super().__init__()
        self.face, self.style = face, style
        self.state = NodeState()
        self.marks = Marks()
        self._height = face.height
        self.room = math.inf
        """Free pixels between the rows and the next node below."""
        self.area = (0.0, 0.0, 0.0, 0.0)
        """Left, top, right and bottom of the body in the scene."""
        self._index: NodeIndex[NodeItem] | None = None
        self._sheet: Sheet | None = None
        self.setPen(Qt.PenStyle.NoPen)
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemIsSelectable)
        self.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
        self.setZValue(1)
        self._measure()

    @property
    def node(self) -> str:
        return self.face.node

    @property
    def size(self) -> tuple[float, float]:
        return self.face.width, self._height

    def body(self) -> QRectF:
        """The node itself, in its own coordinates."""
        return QRectF(0, 0, self.face.width, self._height)

    @property
    def centre(self) -> QPointF:
        """The middle of the body in the scene."""
        left, top, right, bottom = self.area
        return QPointF((left + right) / 2, (top + bottom) / 2)

    def follow(self, index: NodeIndex[NodeItem] | None) -> None:
        """From now on tell an index where the node is; or no longer."""
        self._index = index
        if index is not None:
            index.put(self)

    def place(self, x: float, y: float) -> None:
        """Move to a point of the scene."""
        self.setPos(x, y)
        self._measure()

    def _measure(self) -> None:
        x, y = self.pos().x(), self.pos().y()
        self.area = (x, y, x + self.face.width, y + self._height)
        self.setRect(-MARGIN, -MARGIN, self.face.width + 2 * MARGIN, self._height + 2 * MARGIN)
        if self._index is not None:
            self._index.put(self)

    def set_face(self, face: NodeFace, style: CanvasStyle) -> None:
        self.style = style
        self.face = face
        self._sheet = None
        self._resized()

    def set_state(self, state: NodeState) -> None:
        self.state = state
        self._resized()

    @property
    def has_extra(self) -> bool:
        """Whether it shows a thumbnail or text below its rows."""
        return self._height > self.face.height

    def set_room(self, room: float) -> None:
        """Say how far the next node below is."""
        if room != self.room:
            self.room = room
            self._resized()

    def set_marks(self, **changes: Any) -> None:
        """Change some of the :class:`Marks`; repaints only if one differs."""
        if any(getattr(self.marks, name) != value for name, value in changes.items()):
            self.marks = replace(self.marks, **changes)
            self.update()

    def _resized(self) -> None:
        height = self.face.height + extra_height(self.face, self.state, self.style, self.room)
        self._height = height
        self._measure()
        self.update()

    def choose(self, chosen: bool) -> None:
        """Select it, or no longer. Qt's own way to be told, ``itemChange``, calls Python for every change."""
        self.setSelected(chosen)
        self.set_marks(selected=chosen)
        self.setZValue(2 if chosen else 1)

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        zoom = option.levelOfDetailFromTransform(painter.worldTransform())
        sheet = self._rows() if zoom >= BLOCK_DETAIL else None
        paint_node(painter, self.face, self.state, self.marks, self.style, self._height, zoom, sheet)

    def _rows(self) -> Sheet:
        """The rows, put together when they are first painted and when they differ."""
        marked = self.marks.problems.keys()
        if self._sheet is None or self._sheet.marked != marked:
            self._sheet = sheet_of(self.face, self.style, marked)
        return self._sheet

    # --- asking ----------------------------------------------------------------------------------------

    def port_at(self, at: QPointF, reach: float) -> PortFace | None:
        """The port nearest to a point of the scene, if it is within ``reach``."""
        local = at - self.pos()
        best: tuple[float, PortFace] | None = None
        for port in self.face.ports:
            away = (port.at - local).manhattanLength()
            if away <= reach and (best is None or away < best[0]):
                best = (away, port)
        return best[1] if best else None

    def port_position(self, name: str, is_output: bool) -> QPointF:
        """Where a port is in the scene; the title's end if the node has no such port."""
        port = self.face.port(name, is_output)
        if port is not None:
            return self.pos() + port.at
        x = self.face.width if is_output else 0.0
        return self.pos() + QPointF(x, self.style.metrics.title / 2)

    def grip_at(self, at: QPointF) -> bool:
        """Whether a point of the scene is in the corner that resizes the thumbnail."""
        if not (self.state.pictures and self.face.shows_preview):
            return False
        away = self.pos() + QPointF(self.face.width, self._height) - at
        return 0 <= away.x() <= GRIP and 0 <= away.y() <= GRIP

    def row_at(self, at: QPointF) -> RowFace | None:
        """The row under a point of the scene."""
        local = at - self.pos()
        return next((row for row in self.face.rows if row.rect.contains(local)), None)
