"""The minimap: the whole graph in a corner, what is in view as a rectangle; drag in it to go elsewhere.

The nodes are painted into a picture once after each change: panning costs one picture and a rectangle.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt, Slot
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPixmap, QTransform
from PySide6.QtWidgets import QWidget

from studio.canvas.scene import GraphScene
from studio.canvas.style import hue_name
from studio.canvas.view import GraphView
from studio.translate import tr

SIZE = QSize(200, 140)
MARGIN = 12
PAD = 6.0
ROOM = 0.06
"""Of the graph's size, left free round it."""


class Minimap(QWidget):
    """Floats over the lower right corner of the view."""

    def __init__(self, scene: GraphScene, view: GraphView) -> None:
        super().__init__(view)
        self._scene, self._view = scene, view
        self._picture: QPixmap | None = None
        self._area = QRectF()
        self._grab = QPointF()
        self.setFixedSize(SIZE * scene.style_.theme.scale)
        scene.restyled.connect(self._restyle)
        self.setAccessibleName(tr("Map of the graph"))
        self.setAccessibleDescription(tr("Arrow keys move what is in view."))
        self.setToolTip(tr("Drag to move what is in view"))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.OpenHandCursor)
        for signal in (scene.document.changed, scene.document.replaced, scene.document.view_changed):
            signal.connect(self.forget)
        for bar in (view.horizontalScrollBar(), view.verticalScrollBar()):
            bar.valueChanged.connect(self._moved)
        view.zoom_changed.connect(self._moved)
        view.installEventFilter(self)
        self.hide()

    @Slot()
    def forget(self) -> None:
        """The graph is another; the picture of it is made when it is next shown."""
        self._picture = None
        self.update()

    @Slot()
    def _restyle(self) -> None:
        self.setFixedSize(SIZE * self._scene.style_.theme.scale)
        self.place()
        self.forget()

    @Slot()
    def _moved(self) -> None:
        if self.isVisible():
            self.update()

    def place(self) -> None:
        """Keep to the corner."""
        area = self._view.rect()
        self.move(area.right() - self.width() - MARGIN, area.bottom() - self.height() - MARGIN)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._view and event.type() == QEvent.Type.Resize:
            self.place()
        return False

    # --- between map and scene ---------------------------------------------------------------------------

    def _measure(self) -> None:
        area = self._scene.bounds()
        if area.isNull():
            area = QRectF(-200, -150, 400, 300)
        room = ROOM * max(area.width(), area.height())
        self._area = area.adjusted(-room, -room, room, room)

    def transform(self) -> QTransform:
        """From the scene to the map."""
        inner = QRectF(self.rect()).adjusted(PAD, PAD, -PAD, -PAD)
        scale = min(inner.width() / self._area.width(), inner.height() / self._area.height())
        away = inner.center() - self._area.center() * scale
        return QTransform(scale, 0, 0, scale, away.x(), away.y())

    def _in_view(self) -> QRectF:
        return self._view.mapToScene(self._view.viewport().rect()).boundingRect()

    # --- painting --------------------------------------------------------------------------------------

    def _paint_nodes(self) -> QPixmap:
        self._measure()
        ratio = self.devicePixelRatioF()
        picture = QPixmap(self.size() * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        style, transform = self._scene.style_, self.transform()
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(style.hairline(style.colour("line")))
        painter.setBrush(style.colour("bg1", 0.92))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.setPen(Qt.PenStyle.NoPen)
        for box in self._scene.boxes.items.values():
            painter.setBrush(style.mixed("bg1", box.box.colour, 0.25))
            painter.drawRect(transform.mapRect(box.area))
        for hue, rects in self._rects_by_hue(transform).items():
            painter.setBrush(style.mixed("bg3", hue, 0.55))
            painter.drawRects(rects)
        painter.end()
        return picture

    def _rects_by_hue(self, transform: QTransform) -> dict[str, list[QRectF]]:
        """The nodes on the map, by the token of their hue; none smaller than two pixels."""
        scale, dx, dy = transform.m11(), transform.dx(), transform.dy()
        found: dict[str, list[QRectF]] = {}
        for item in self._scene.nodes.values():
            left, top, right, bottom = item.area
            size = max(2.0, (right - left) * scale), max(2.0, (bottom - top) * scale)
            rect = QRectF(left * scale + dx, top * scale + dy, *size)
            found.setdefault(hue_name(item.face.hue), []).append(rect)
        return found

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._picture is None or self._picture.devicePixelRatio() != self.devicePixelRatioF():
            self._picture = self._paint_nodes()
        style = self._scene.style_
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._picture)
        seen = self.transform().mapRect(self._in_view())
        seen = seen.intersected(QRectF(self.rect()).adjusted(2, 2, -2, -2))
        painter.setPen(style.hairline(style.colour("brass"), 1.5))
        painter.setBrush(style.colour("brass", 0.12))
        painter.drawRect(seen)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(style.hairline(style.colour("brass"), 2.0))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 6, 6)
        painter.end()

    # --- moving the view ---------------------------------------------------------------------------------

    def _scene_at(self, at: QPointF) -> QPointF:
        inverse, possible = self.transform().inverted()
        return inverse.map(at) if possible else QPointF()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self._area.isNull():
            self._measure()
        at, seen = self._scene_at(event.position()), self._in_view()
        self._grab = seen.center() - at if seen.contains(at) else QPointF()
        self.setCursor(Qt.CursorShape.ClosedHandCursor)
        self._view.centerOn(at + self._grab)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._view.centerOn(self._scene_at(event.position()) + self._grab)
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.setCursor(Qt.CursorShape.OpenHandCursor)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key
        steps = {key.Key_Left: (-1, 0), key.Key_Right: (1, 0), key.Key_Up: (0, -1), key.Key_Down: (0, 1)}
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        seen = self._in_view()
        self._view.centerOn(seen.center() + QPointF(step[0] * seen.width(), step[1] * seen.height()) * 0.25)
        event.accept()
