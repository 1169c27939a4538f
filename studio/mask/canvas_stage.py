"""The canvas with what is drawn over the picture: the crop that the model will see, edges to drag. It changes
nothing."""

from __future__ import annotations

from PySide6.QtCore import QMargins, QPointF, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtWidgets import QWidget

from studio.background import in_background
from studio.mask.canvas_result import CanvasResult
from studio.mask.crop_shown import Contours, CropPainter, CropShown, contours_of
from studio.mask.expansion import STEP, Edge, Growth, GrowthPainter, edge_at, with_room
from studio.mask.paint_document import PaintDocument
from studio.theme import current_theme


class CanvasStage(CanvasResult):
    """``expansion_changed`` tells what the user's hand did, not what was set."""

    expansion_changed = Signal(QMargins)

    def __init__(self, document: PaintDocument, parent: QWidget | None = None) -> None:
        self._crop: CropPainter | None = None
        self._wanted: CropShown | None = None
        self._growing = False
        self._growth = Growth(QSize())
        self._lit: Edge | None = None
        self._above: tuple[object, QPixmap] | None = None
        self.expansion_step = STEP
        super().__init__(document, parent)
        document.resized.connect(self._grow_anew)

    # --- the crop --------------------------------------------------------------------------------------

    @property
    def crop(self) -> CropShown | None:
        """The crop that is shown, or will be in a moment."""
        return self._wanted

    def set_crop(self, crop: CropShown | None) -> None:
        """Show what the model will see, or stop showing it. Contours of large masks are looked for in the
        background; until then the crop before is shown."""
        self._wanted = crop
        if crop is None or not crop.large:
            self._show_crop(crop, contours_of(crop) if crop is not None else None)
            return

        def found(contours: Contours) -> None:
            if self._wanted is crop:
                self._show_crop(crop, contours)

        in_background(self, lambda: contours_of(crop), found)

    def _show_crop(self, crop: CropShown | None, contours: Contours | None) -> None:
        self._crop = None if crop is None or contours is None else CropPainter(crop, contours)
        self.update()

    @property
    def _crop_seen(self) -> CropPainter | None:
        """Not over results that are compared: there is nothing to plan then."""
        compared = self.preview is not None and self.candidates > 0 and not self.drawing
        return None if compared else self._crop

    # --- growing the picture ---------------------------------------------------------------------------

    @property
    def expansion(self) -> QMargins:
        """How far each side grows, in pixels of the picture."""
        return self._growth.margins

    @property
    def growth(self) -> Growth:
        """The picture's size and how far it grows."""
        return self._growth

    @property
    def expansion_enabled(self) -> bool:
        """Whether the edges can be dragged."""
        return self._growing

    def set_expansion_enabled(self, enabled: bool) -> None:
        """Show handles at the edges, and what is added."""
        if enabled != self._growing:
            self._growing, self._lit = enabled, None
            self._refit()

    def set_expansion(self, margins: QMargins) -> None:
        """Set how far each side grows; negative sides count as 0."""
        margins = QMargins(*(max(0, side) for side in _sides(margins)))
        if margins != self._growth.margins:
            self._growth = Growth(self.document.stack.size, margins).bounded(self._growth.margins)
            self._refit()

    @Slot()
    def reset_expansion(self) -> None:
        """No side grows."""
        self.set_expansion(QMargins())
        self.expansion_changed.emit(QMargins())

    def drag_expansion(self, growth: Growth) -> None:
        """A handle is being dragged: the view stays where it is until it is let go."""
        if growth != self._growth:
            self._growth = growth
            self.update()
            self.expansion_changed.emit(growth.margins)

    def edge_at(self, point: QPointF) -> Edge | None:
        """The handle at a point of the view."""
        if not self._growth_seen:
            return None
        return edge_at(point, self._growth.frame, self.transform_.to_view())

    @property
    def lit_edge(self) -> Edge | None:
        """The handle that the pointer is over."""
        return self._lit

    def light_edge(self, edge: Edge | None) -> None:
        """Show that the pointer is over a handle."""
        if edge != self._lit:
            self._lit = edge
            self.update()

    @property
    def _growth_seen(self) -> bool:
        """Not over a result that has grown: it is what was wished for."""
        if not self._growing or self.document.stack.size.isEmpty():
            return False
        return self.preview is None or self.document.rect.contains(self.preview.rect)

    @Slot()
    def _grow_anew(self) -> None:
        self._growth = Growth(self.document.stack.size, self._growth.margins)
        self._refit()

    # --- what is seen ----------------------------------------------------------------------------------

    def bounds(self) -> QRect:
        bounds = super().bounds()
        return bounds | with_room(self._growth.frame) if self._growing and not bounds.isEmpty() else bounds

    def paint_over(self, painter: QPainter) -> None:
        if self._crop_seen is not None or self._growth_seen:
            painter.drawPixmap(0, 0, self._drawn_above())

    def _drawn_above(self) -> QPixmap:
        """Crop and edges over the whole pane, drawn once: strokes only copy their part of it."""
        pane, ratio = self.panes()[0].area, self.devicePixelRatioF()
        to_view = self.transform_.to_view()
        growth, crop = self._growth if self._growth_seen else None, self._crop_seen
        key = (to_view, pane.size(), ratio, current_theme().tokens.name, crop, growth, self._lit)
        if self._above is None or self._above[0] != key:
            pixmap = QPixmap((pane.size().toSizeF() * ratio).toSize())
            pixmap.setDevicePixelRatio(ratio)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            if growth is not None:
                GrowthPainter(growth, to_view, ratio, self._lit).paint(painter)
            if crop is not None:
                crop.paint(painter, to_view, pane, ratio)
            painter.end()
            self._above = key, pixmap
        return self._above[1]


def _sides(margins: QMargins) -> tuple[int, int, int, int]:
    return margins.left(), margins.top(), margins.right(), margins.bottom()
