"""Cut: a stroke with the right button and Ctrl removes the wires it crosses. One undo step."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QPainterPath
from PySide6.QtWidgets import QGraphicsPathItem

from studio.canvas.interactions.base import Canvas, Interaction, Press, begins
from studio.canvas.items import WireItem
from studio.graph.rewiring import with_links
from studio.graph.waypoints import End
from studio.translate import tr


class CutWires(Interaction):
    """The wires that will go turn red and dashed under the stroke."""

    cursor = Qt.CursorShape.CrossCursor
    armed_as = "cut"

    @classmethod
    def takes(cls, view: Canvas, press: Press) -> bool:
        return begins(view, press, "cut") is not None

    def begin(self) -> None:
        self._cut: dict[End, WireItem] = {}
        self._stroke: QGraphicsPathItem | None = None
        self._last = self.press.at

    def drag(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        if self._stroke is None:
            style = self.scene.style_
            self._path = QPainterPath(self._last)
            self._stroke = QGraphicsPathItem()
            pen = style.hairline(style.colour("bad"), 1.5 * self.view.devicePixelRatioF())
            pen.setDashPattern([4, 3])
            self._stroke.setPen(pen)
            self._stroke.setZValue(5)
            self.scene.addItem(self._stroke)
        self._path.lineTo(at)
        self._stroke.setPath(self._path)
        for wire in self.scene.wire_index.near(QRectF(self._last, at).normalized()):
            if wire.key not in self._cut and wire.crosses_line(self._last, at):
                self._cut[wire.key] = wire
                wire.set_look(cut=True)
        self._last = at

    def released(self, at: QPointF, view_at: QPoint, modifiers: Qt.KeyboardModifier) -> None:
        self._clean()
        graph = with_links(self.document.graph, dict.fromkeys(self._cut))
        self.document.replace(graph, tr("Cut wires"))

    def cancel(self) -> None:
        self._clean()

    def _clean(self) -> None:
        for wire in self._cut.values():
            wire.set_look(cut=False)
        if self._stroke is not None:
            self.scene.removeItem(self._stroke)
            self._stroke = None
