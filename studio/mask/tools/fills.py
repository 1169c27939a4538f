"""Areas found or computed: gradient, flood fill, colour range; and the eyedropper."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QColor, QPainter, QPainterPath

from pipelines.graph.values import Image, Mask
from studio.mask.areas import LARGE, distance, gradient_coverage, mask_coverage
from studio.mask.conversion import image_value
from studio.mask.tools.base import AreaGesture, Gesture, Sample, draw_outline, handle, outline_rect
from studio.mask.tools.shapes import Rectangle
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
    """A click on a colour: everything like it that hangs together there."""

    title = "Fill"

    def begin(self) -> None:
        self.finished = True
        at, area = pixel_at(self.press), self.document.rect
        if area.contains(at):
            picture, tolerance = self.document.flattened(), self.settings.values.tolerance / 255
            find = mask_coverage(lambda: self.find(image_value(picture), at, tolerance))
            self.lay(area, find, tr(self.title), large=area.width() * area.height() > LARGE)

    @staticmethod
    def find(picture: Image, at: QPoint, tolerance: float) -> Mask:
        """The area; edges get a pixel of softness."""
        from pipelines.inpaint import feather, flood_fill

        return feather(flood_fill(picture, at.x(), at.y(), tolerance), 2)


class ColourRange(FloodFill):
    """A click on a colour: everything like it, anywhere."""

    title = "Colour range"

    @staticmethod
    def find(picture: Image, at: QPoint, tolerance: float) -> Mask:
        from pipelines.inpaint import color_range

        red, green, blue, *alpha = (int(value) for value in picture.as_uint8()[at.y(), at.x()])
        transparent = f"{alpha[0]:02x}" if alpha else ""
        return color_range(picture, f"#{red:02x}{green:02x}{blue:02x}{transparent}", tolerance)


class ObjectSelect(Rectangle):
    """A box round a thing: the thing."""

    def released(self, sample: Sample) -> None:
        self.finished = True
        box = self.box & self.document.rect
        if box.isEmpty():
            return
        picture = self.document.flattened()

        def find() -> Mask:
            from pipelines.inpaint import Box, select_object

            return select_object(image_value(picture), Box(box.x(), box.y(), box.width(), box.height()))

        self.lay(self.document.rect, mask_coverage(find), tr("Select an object"), large=True)


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
