"""Layers moved, scaled, turned and mirrored.

Quarter turns, mirroring and moves by whole pixels are exact. Everything else is resampled once, from what the
layer held before the first of several transforms: averaged down to the size it gets, then by the kernel that
suits it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPoint, QRect, QRectF, QSize
from PySide6.QtGui import QImage, QTransform

from pipelines.graph.values import check_size
from studio.mask.layers import Layer, Origin
from studio.mask.resample import image_of, is_opaque, shifted
from studio.mask.surface import Surface, image_array, tiles_from_array
from studio.mask.tile import Array
from studio.mask.warp import NEAR, goal_of, is_upright, upright, warped, worth_it

LARGE: Final = 2**20
"""Layers with more pixels than this are transformed in a worker thread."""


@dataclass(frozen=True, slots=True)
class Content:
    """What is transformed: pixels with their corner at ``corner``, and the way from there to the canvas."""

    pixels: Array
    corner: QPoint
    matrix: QTransform
    source: QImage | Surface

    def local(self, matrix: QTransform) -> QTransform:
        """From the pixels to where ``matrix`` (of the canvas) takes them."""
        return QTransform.fromTranslate(self.corner.x(), self.corner.y()) * self.matrix * matrix


def origin_of(layer: Layer) -> Origin | None:
    """Where its pixels come from, if nothing else has changed them since."""
    origin, content = layer.origin, layer.surface if layer.image is None else layer.image
    if origin is None or origin.made is not content:
        return None
    if isinstance(content, Surface) and content.revision != origin.revision:
        return None
    return origin


def bounds_of(layer: Layer) -> QRect:
    """The smallest rectangle that holds what a layer shows, on the canvas."""
    if layer.surface is None:
        return layer.place
    return layer.surface.bounds().translated(layer.x, layer.y)


def content_of(layer: Layer) -> Content:
    """What a transform of the layer starts from."""
    origin = origin_of(layer)
    source = layer.surface if layer.image is None else layer.image
    if source is None:
        raise ValueError("a layer without pixels can't be transformed")
    matrix = QTransform.fromTranslate(layer.x, layer.y)
    if origin is not None:
        source, matrix = origin.content, origin.matrix * matrix
    if isinstance(source, Surface):
        bounds = source.bounds()
        return Content(source.read(bounds), bounds.topLeft(), matrix, source)
    return Content(image_array(source), QPoint(0, 0), matrix, source)


def transformed(layer: Layer, matrix: QTransform, size: QSize, content: Content | None = None) -> Layer:
    """The layer with its pixels where ``matrix`` (affine, of the canvas) takes them; an empty one as it is.

    Args:
        size: of the canvas; what leaves it is cut off a surface, pictures hang over the edges.
        content: :func:`content_of` the layer, if it is known.

    Raises:
        ImageTooLarge: a picture would have more pixels than can be kept.
    """
    content = content_of(layer) if content is None else content
    if not content.pixels.size:
        return layer
    whole = content.matrix * matrix
    steps = _whole_pixels(matrix)
    if steps is not None and layer.image is not None:
        return layer.with_(x=layer.x + steps.x(), y=layer.y + steps.y())
    result = _moved(layer, content, whole, size)
    if result is None and steps is not None:
        result = _carried(layer, steps, size)
    if result is None:
        result = _resampled(layer, content, matrix, size)
    made = result.surface if result.image is None else result.image
    if made is None or made is content.source:
        return result.with_(origin=None)
    revision = made.revision if isinstance(made, Surface) else 0
    way = whole * QTransform.fromTranslate(-result.x, -result.y)
    return result.with_(origin=Origin(content.source, way, made, revision))


def is_move(matrix: QTransform) -> bool:
    """Whether it only moves, by whole pixels."""
    return _whole_pixels(matrix) is not None


def _whole_pixels(matrix: QTransform) -> QPoint | None:
    """How far it moves, if it does nothing but that, by whole pixels."""
    steps = QPoint(round(matrix.dx()), round(matrix.dy()))
    rest = matrix * QTransform.fromTranslate(-steps.x(), -steps.y())
    values = (rest.m11() - 1, rest.m12(), rest.m21(), rest.m22() - 1, rest.dx(), rest.dy())
    return steps if max(map(abs, values)) < NEAR else None


def _moved(layer: Layer, content: Content, whole: QTransform, size: QSize) -> Layer | None:
    """The layer with the pixels it came from, if they are where they were or moved by whole pixels."""
    steps = _whole_pixels(whole)
    if steps is None:
        return None
    if isinstance(content.source, Surface):
        return layer.with_(surface=shifted(content.source, steps.x(), steps.y(), size), x=0, y=0)
    return layer.with_(image=content.source, x=steps.x(), y=steps.y())


def _carried(layer: Layer, steps: QPoint, size: QSize) -> Layer | None:
    """A surface moved as it is, if none of it was cut off by the canvas."""
    inner = QRect(1, 1, size.width() - 2, size.height() - 2)
    if layer.surface is None or not inner.contains(bounds_of(layer)):
        return None
    return layer.with_(surface=shifted(layer.surface, steps.x(), steps.y(), size), x=0, y=0)


def _resampled(layer: Layer, content: Content, matrix: QTransform, size: QSize) -> Layer:
    local = content.local(matrix)
    height, width = content.pixels.shape[:2]
    goal = goal_of(local, width, height)
    if layer.image is None:
        goal = goal & QRect(QPoint(0, 0), size)
    else:
        check_size(goal.width(), goal.height())
    if is_upright(local) and worth_it(local, content.pixels, goal):
        pixels = upright(content.pixels, local, goal)
    else:
        pixels = warped(content.pixels, local, goal)
    if layer.image is not None:
        return layer.with_(image=image_of(pixels, opaque=is_opaque(pixels)), x=goal.x(), y=goal.y())
    return layer.with_(surface=_surface(pixels, goal, size, layer), x=0, y=0)


def _surface(pixels: Array, goal: QRect, size: QSize, layer: Layer) -> Surface:
    small = Surface(max(1, goal.width()), max(1, goal.height()), "mask" if layer.is_mask else "paint")
    small.put(tiles_from_array(pixels))
    return shifted(small, goal.x(), goal.y(), size)


def about(centre: QRectF, inner: QTransform) -> QTransform:
    """``inner`` (which has its origin at 0) about the middle of a rectangle."""
    middle = centre.center()
    there = QTransform.fromTranslate(-middle.x(), -middle.y())
    return there * inner * QTransform.fromTranslate(middle.x(), middle.y())


def axis_mirror(horizontal: bool) -> QTransform:
    """Left and right exchanged, or top and bottom."""
    return QTransform.fromScale(-1, 1) if horizontal else QTransform.fromScale(1, -1)


def quarter_turn(quarters: int) -> QTransform:
    """Clockwise, exact."""
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarters % 4]
    return QTransform(cos, sin, -sin, cos, 0, 0)
