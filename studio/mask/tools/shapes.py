"""Areas drawn by hand: rectangle, ellipse, lasso, polygon."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPolygonF

from studio.mask.areas import distance, path_area, path_coverage
from studio.mask.tools.base import AreaGesture, Sample, draw_outline, outline_rect
from studio.theme import current_theme
from studio.translate import tr

CLOSE = 8.0
"""How near (in the view) to its first point a click closes a polygon."""


class Shape(AreaGesture):
    """A drag from one corner to the other; whole pixels."""

    def begin(self) -> None:
        self.box = QRect()

    def moved(self, sample: Sample) -> None:
        start, end = self.press.at, sample.at
        if sample.control:
            side = max(abs(end.x() - start.x()), abs(end.y() - start.y()))
            end = QPointF(
                start.x() + (side if end.x() >= start.x() else -side),
                start.y() + (side if end.y() >= start.y() else -side),
            )
        corners = QRectF(start, end).normalized()
        left, top = round(corners.left()), round(corners.top())
        self.box = QRect(left, top, round(corners.right()) - left, round(corners.bottom()) - top)

    def path(self) -> QPainterPath:
        """The shape in pixels of the picture."""
        path = QPainterPath()
        path.addRect(QRectF(self.box))
        return path

    def released(self, sample: Sample) -> None:
        self.finished = True
        path = self.path()
        if not self.box.isEmpty():
            area = path_area(path, self.document.rect)
            self.lay(area, path_coverage(path, area), self.title())

    def title(self) -> str:
        """What the step is called."""
        return tr("Rectangle")

    def paint(self, painter: QPainter) -> None:
        draw_outline(painter, self._shown())

    def painted_rect(self) -> QRect:
        return outline_rect(self._shown())

    def _shown(self) -> QPainterPath:
        return self.view.transform_.to_view().map(self.path()) if not self.box.isEmpty() else QPainterPath()


class Rectangle(Shape):
    """A rectangle; with Ctrl a square."""


class Ellipse(Shape):
    """An ellipse; with Ctrl a circle."""

    def path(self) -> QPainterPath:
        path = QPainterPath()
        path.addEllipse(QRectF(self.box))
        return path

    def title(self) -> str:
        return tr("Ellipse")


class Lasso(AreaGesture):
    """A line round something, closed when the button goes up."""

    def begin(self) -> None:
        self._points = [self.press.at]

    def moved(self, sample: Sample) -> None:
        if distance(self.view.to_view(self._points[-1]), sample.view_at) >= 1.5:
            self._points.append(sample.at)

    def released(self, sample: Sample) -> None:
        self.finished = True
        self.lay_polygon(self._points, tr("Lasso"))

    def lay_polygon(self, points: list[QPointF], text: str) -> None:
        """Fill what the points surround."""
        path = QPainterPath()
        path.addPolygon(QPolygonF(points))
        path.closeSubpath()
        path.setFillRule(Qt.FillRule.WindingFill)
        area = path_area(path, self.document.rect)
        if len(points) > 2 and not area.isEmpty():
            self.lay(area, path_coverage(path, area), text)

    def _shown(self) -> QPainterPath:
        path = QPainterPath()
        path.addPolygon(self.view.transform_.to_view().map(QPolygonF(self._points)))
        return path

    def paint(self, painter: QPainter) -> None:
        draw_outline(painter, self._shown())

    def painted_rect(self) -> QRect:
        return outline_rect(self._shown())


class Polygon(Lasso):
    """A click for each corner; Enter, a double click or a click on the first corner closes it. Backspace
    takes the last corner back."""

    def begin(self) -> None:
        super().begin()
        self._pointer = self.press.at
        self._last_view = self.press.view_at

    def moved(self, sample: Sample) -> None:
        self._pointer = sample.at

    def released(self, sample: Sample) -> None:
        """The next corner is a click of its own."""

    def pressed(self, sample: Sample) -> None:
        first = self.view.to_view(self._points[0])
        again = distance(self._last_view, sample.view_at) < 2
        if len(self._points) > 2 and (again or distance(first, sample.view_at) <= CLOSE):
            self.accept()
        elif not again:
            self._points.append(sample.at)
        self._last_view = sample.view_at

    def accept(self) -> None:
        self.finished = True
        self.lay_polygon(self._points, tr("Polygon"))

    def step_back(self) -> None:
        self._points.pop()
        self._last_view = QPointF(QPoint(-100, -100))
        self.finished = not self._points

    def _shown(self) -> QPainterPath:
        path = QPainterPath()
        to_view = self.view.transform_.to_view()
        path.addPolygon(to_view.map(QPolygonF([*self._points, self._pointer])))
        return path

    def paint(self, painter: QPainter) -> None:
        super().paint(painter)
        theme = current_theme()
        painter.setPen(theme.color("on_brass"))
        painter.setBrush(theme.color("brass"))
        to_view = self.view.transform_.to_view()
        for point in self._points:
            painter.drawEllipse(to_view.map(point), 3.5, 3.5)

    def painted_rect(self) -> QRect:
        return super().painted_rect().adjusted(-2, -2, 2, 2)
