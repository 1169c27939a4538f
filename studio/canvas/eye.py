"""The eye of the view: how large the scene is shown, which part of it, and on what ground."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from PySide6.QtCore import QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPixmapCache, QTransform
from PySide6.QtWidgets import QGraphicsView, QWidget

from studio.canvas.dot_grid import DotGrid
from studio.canvas.scene import GraphScene
from studio.documents.document import GraphDocument

MIN_ZOOM, MAX_ZOOM = 0.05, 3.0
MARGIN = 60.0
CACHE_KB = 64 * 1024
"""For painted nodes: what a large screen shows at once, twice."""


class GraphEye(QGraphicsView):
    """Pan and zoom; places in the scene are the document's, whatever the size of text."""

    zoom_changed = Signal()

    def __init__(self, scene: GraphScene, parent: QWidget | None = None) -> None:
        super().__init__(scene, parent)
        self.graph_scene = scene
        self._text_scale = scene.style_.theme.scale
        self._grid = DotGrid()
        self.setFrameShape(QGraphicsView.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.MinimalViewportUpdate)
        self.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontAdjustForAntialiasing, False)
        QPixmapCache.setCacheLimit(max(QPixmapCache.cacheLimit(), CACHE_KB))
        self._show_scale(1.0)

    @property
    def document(self) -> GraphDocument:
        return self.graph_scene.document

    @property
    def zoom(self) -> float:
        """How much larger than life things are: at 1, texts have the size that people chose for them."""
        return self.transform().m11() / self._text_scale

    def offset(self) -> QPoint:
        return QPoint(self.horizontalScrollBar().value(), self.verticalScrollBar().value())

    def set_offset(self, offset: QPoint) -> None:
        self.horizontalScrollBar().setValue(offset.x())
        self.verticalScrollBar().setValue(offset.y())

    def pan_by(self, pixels: QPoint) -> None:
        """Move the scene under the view."""
        self.set_offset(self.offset() - pixels)

    def shown_area(self) -> QRectF:
        """What is in view, in the scene."""
        return self.mapToScene(self.viewport().rect()).boundingRect()

    def set_zoom(self, zoom: float, anchor: QPoint | None = None) -> None:
        """Zoom so that the point of the scene under ``anchor`` (the middle by default) stays there."""
        zoom = min(max(zoom, MIN_ZOOM), MAX_ZOOM)
        at = anchor if anchor is not None else self.viewport().rect().center()
        before = self.mapToScene(at)
        self._show_scale(zoom)
        away = self.mapFromScene(before) - at
        self.set_offset(self.offset() + away)
        self.zoom_changed.emit()

    def _show_scale(self, zoom: float) -> None:
        """The one place where the size of text meets the scene, whose positions are the document's."""
        scale = zoom * self._text_scale
        self.setTransform(QTransform.fromScale(scale, scale))

    def restyle(self) -> None:
        """Theme or size of text are others; the same place stays in view."""
        scale = self.graph_scene.style_.theme.scale
        if scale != self._text_scale:
            middle, zoom = self.mapToScene(self.viewport().rect().center()), self.zoom
            self._text_scale = scale
            self._show_scale(zoom)
            self.centerOn(middle)
        self.viewport().update()

    def frame(self, nodes: Collection[str] | None = None) -> None:
        """Show these nodes (all of them by default), never larger than life."""
        area = self.graph_scene.bounds(nodes)
        if area.isNull():
            area = QRectF(-200, -150, 400, 300)
        area.adjust(-MARGIN, -MARGIN, MARGIN, MARGIN)
        room = self.viewport().rect()
        fit = min(room.width() / area.width(), room.height() / area.height())
        self.set_zoom(min(1.0, fit / self._text_scale))
        self.centerOn(area.center())

    def reveal(self, node: str) -> None:
        """Bring a node into view, if it is out of it."""
        item = self.graph_scene.nodes.get(node)
        if item is None:
            return
        area = item.body().translated(item.pos())
        if not self.mapToScene(self.viewport().rect()).boundingRect().contains(area):
            self.ensureVisible(area, 40, 40)

    def walk(self, dx: int, dy: int) -> None:
        """Select the nearest node in a direction (from the selected one, else from the middle)."""
        nodes = self.graph_scene.nodes
        chosen = self.graph_scene.selected_nodes()
        start = nodes[chosen[-1]].centre if chosen else self.mapToScene(self.viewport().rect().center())
        best: tuple[float, str] | None = None
        for node, item in nodes.items():
            away = item.centre - start
            along = away.x() * dx + away.y() * dy
            across = abs(away.x() * dy) + abs(away.y() * dx)
            if node in chosen or (chosen and along <= 1):
                continue
            cost = math.hypot(away.x(), away.y()) if not chosen else along + 2.2 * across
            if best is None or cost < best[0]:
                best = (cost, node)
        if best is not None:
            self.graph_scene.select([best[1]])
            self.reveal(best[1])

    def drawBackground(self, painter: QPainter, rect: QRectF | Any) -> None:
        """The ground and a grid of dots, wider apart the further away it is."""
        style = self.graph_scene.style_
        painter.fillRect(rect, style.colour("bg0"))
        self._grid.paint(painter, rect, style.mixed("bg0", "line", 0.75))
