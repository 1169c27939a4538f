"""Areas found or computed: gradient, flood fill, colour range; and the eyedropper."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QColor, QPainter, QPainterPath

from studio.mask.areas import LARGE, colour_coverage, distance, flood_coverage, gradient_coverage
from studio.mask.surface import image_array
from studio.mask.tools.base import AreaGesture, Gesture, Sample, draw_outline, handle, outline_rect
from studio.translate import tr


def pixel_at(sample: Sample) -> QPoint:
    """The pixel under the pointer."""
    return QPoint(int(sample.at.x() // 1), int(sample.at.y() // 1))


class Gradient(AreaGesture):
    """From full where the drag starts to nothing where it ends."""

    def begin(self) -> None:
        self._end = self.press.at

    def moved(self, sample: Sample) -> None:
        self._end = sample.at

    def released(self, sample: Sample) -> None:
        self.finished = True
        if distance(self.press.at, sample.at) >= 1:
            self.lay(self.document.rect, gradient_coverage(self.press.at, sample.at), tr("Gradient"))

    def _shown(self) -> QPainterPath:
        start, end = self.view.to_view(self.press.at), self.view.to_view(self._end)
        path = QPainterPath(start)
        path.lineTo(end)
        path.addEllipse(handle(start, 5))
        path.addEllipse(handle(end, 3))
        return path

    def paint(self, painter: QPainter) -> None:
        draw_outline(painter, self._shown())

    def painted_rect(self) -> QRect:
        return outline_rect(self._shown())


class FloodFill(AreaGesture):
    """A click on a colour: everything of that colour that hangs together there."""

    title = "Fill"
    find = staticmethod(flood_coverage)

    def begin(self) -> None:
        at = pixel_at(self.press)
        self.finished = True
        area = self.document.rect
        if not area.contains(at):
            return
        picture = image_array(self.document.flattened())
        tolerance = self.settings.values.tolerance
        large = area.width() * area.height() > LARGE
        self.lay(area, self.find(picture, at, tolerance), tr(self.title), large=large)


class ColourRange(FloodFill):
    """A click on a colour: everything of that colour, anywhere."""

    title = "Colour range"
    find = staticmethod(colour_coverage)


class Eyedropper(Gesture):
    """Takes the colour of the picture under the pointer."""

    draws = False

    def begin(self) -> None:
        self._before = self.settings.values.colour
        self._take(self.press)

    def moved(self, sample: Sample) -> None:
        self._take(sample)

    def _take(self, sample: Sample) -> None:
        at = pixel_at(sample)
        if not self.document.rect.contains(at):
            return
        colour = self.document.flattened(QRect(at.x(), at.y(), 1, 1)).pixelColor(0, 0)
        if colour.alpha():
            self.settings.change(colour=QColor(colour.rgb()).name())

    def cancel(self) -> None:
        self.settings.change(colour=self._before)
