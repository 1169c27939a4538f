"""Where a pixel of the picture is seen: scale, angle and the point in the middle of the view."""

from __future__ import annotations

import math
from typing import Final

from PySide6.QtCore import QPointF, QRect, QRectF, QSizeF
from PySide6.QtGui import QTransform

MIN_SCALE: Final = 0.02
MAX_SCALE: Final = 64.0
FIT_LIMIT: Final = 2.0
MARGIN: Final = 24


class ViewTransform:
    """``scale`` counts logical pixels of the screen per pixel of the picture, ``angle`` degrees clockwise."""

    def __init__(self) -> None:
        self.scale, self.angle = 1.0, 0.0
        self.centre = QPointF()
        self.view = QSizeF(1, 1)
        self.ratio = 1.0

    @property
    def middle(self) -> QPointF:
        return QPointF(self.view.width() / 2, self.view.height() / 2)

    def to_view(self) -> QTransform:
        """From pixels of the picture to the view. Upright pictures start on a whole device pixel."""
        turn = QTransform()
        turn.rotate(self.angle)
        turn.scale(self.scale, self.scale)
        corner = self.middle - turn.map(self.centre)
        if self.angle == 0:
            corner = QPointF(
                round(corner.x() * self.ratio) / self.ratio, round(corner.y() * self.ratio) / self.ratio
            )
        return turn * QTransform.fromTranslate(corner.x(), corner.y())

    def to_image(self, point: QPointF) -> QPointF:
        """A point of the view in pixels of the picture; pixel i reaches from i to i+1."""
        back, _ = self.to_view().inverted()
        return back.map(point)

    def image_rect(self, rect: QRectF) -> QRect:
        """The pixels that an area of the view may show, outward."""
        back, _ = self.to_view().inverted()
        return back.mapRect(rect).toAlignedRect().adjusted(-1, -1, 1, 1)

    def view_rect(self, rect: QRectF) -> QRect:
        """The area of the view that some pixels touch, outward, with room for smoothing."""
        room = 2 + self.scale
        return self.to_view().mapRect(rect).adjusted(-room, -room, room, room).toAlignedRect()

    def zoom_to(self, scale: float, fixed: QPointF) -> None:
        """Set the scale; what is seen at ``fixed`` stays there."""
        at = self.to_image(fixed)
        self.scale = min(max(scale, MIN_SCALE), MAX_SCALE)
        self._put(at, fixed)

    def turn_to(self, angle: float, fixed: QPointF) -> None:
        """Set the angle; what is seen at ``fixed`` stays there."""
        at = self.to_image(fixed)
        self.angle = (angle + 180) % 360 - 180
        self._put(at, fixed)

    def pan(self, by: QPointF) -> None:
        """Move the picture by so much of the view."""
        # never in place: whoever holds the point from before wants it as it was
        self.centre = self.centre - self._away(by)

    def fit(self, bounds: QRect) -> None:
        """All of ``bounds`` (pixels of the picture), at most twice as large as it is."""
        turned = QTransform().rotate(self.angle).mapRect(QRectF(bounds))
        room = QSizeF(max(1.0, self.view.width() - 2 * MARGIN), max(1.0, self.view.height() - 2 * MARGIN))
        scale = min(room.width() / turned.width(), room.height() / turned.height(), FIT_LIMIT)
        self.scale = min(max(scale, MIN_SCALE), MAX_SCALE)
        self.centre = QRectF(bounds).center()

    def keep(self, bounds: QRect) -> None:
        """The middle of the view stays on ``bounds`` (pixels of the picture), so that it is never lost."""
        edges = QRectF(bounds)
        self.centre = QPointF(
            min(max(self.centre.x(), edges.left()), edges.right()),
            min(max(self.centre.y(), edges.top()), edges.bottom()),
        )

    def _put(self, at: QPointF, fixed: QPointF) -> None:
        self.centre = at - self._away(fixed - self.middle)

    def _away(self, by: QPointF) -> QPointF:
        angle = math.radians(-self.angle)
        cos, sin = math.cos(angle) / self.scale, math.sin(angle) / self.scale
        return QPointF(by.x() * cos - by.y() * sin, by.x() * sin + by.y() * cos)
