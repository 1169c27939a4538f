"""The shapes of ports as layers to paint, put together once for each look."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainterPath, QPen, QPolygonF

_NO_PEN, _NO_BRUSH = QPen(Qt.PenStyle.NoPen), QBrush(Qt.BrushStyle.NoBrush)


@dataclass(frozen=True, slots=True)
class Layer:
    """One path with its pen and brush, round (0, 0)."""

    path: QPainterPath
    pen: QPen
    brush: QBrush


def _polygon(points: list[tuple[float, float]]) -> QPainterPath:
    path = QPainterPath()
    path.addPolygon(QPolygonF([QPointF(x, y) for x, y in points]))
    path.closeSubpath()
    return path


def port_outline(shape: str, radius: float) -> QPainterPath:
    """The outline of a port round (0, 0)."""
    r = radius
    path = QPainterPath()
    match shape:
        case "diamond" | "hollow-diamond":
            s = r * 1.2
            return _polygon([(0, -s), (s, 0), (0, s), (-s, 0)])
        case "triangle":
            return _polygon([(0, -r * 1.1), (r * 1.1, r * 0.9), (-r * 1.1, r * 0.9)])
        case "square" | "model":
            s = r * 0.95
            path.addRoundedRect(QRectF(-s, -s, 2 * s, 2 * s), 1.5, 1.5)
        case _:
            path.addEllipse(QPointF(0, 0), r, r)
    return path


def port_layers(
    shape: str, radius: float, colour: QColor, ground: QColor, *, linked: bool, doubled: bool
) -> tuple[Layer, ...]:
    """What a port is painted from, lowest first.

    Args:
        shape: as :func:`studio.canvas.style.shape_name` says.
        radius: half its size, in pixels of the scene.
        ground: what is inside of hollow shapes.
        doubled: it has a second outline.
    """
    layers = []
    if doubled:
        layers.append(Layer(port_outline(shape, radius + 2.4), QPen(colour, 1.2), QBrush(ground)))
    outline = port_outline(shape, radius)
    if shape == "star" or doubled:
        layers.append(Layer(outline, QPen(ground, 1.5), QBrush(ground)))
    pen = QPen(colour, 1.5)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    hollow = shape in ("hollow-diamond", "ring", "half", "model")
    if shape == "star":
        layers.append(Layer(_star(radius), pen, _NO_BRUSH))
        return tuple(layers)
    layers.append(Layer(outline, pen, QBrush(ground if hollow else colour)))
    inner = _inner(shape, radius, linked) if hollow else None
    if inner is not None:
        layers.append(Layer(inner, _NO_PEN, QBrush(colour)))
    return tuple(layers)


def _star(radius: float) -> QPainterPath:
    path = QPainterPath()
    for x, y in ((0.0, 1.15), (1.0, 0.58), (1.0, -0.58)):
        path.moveTo(-x * radius, -y * radius)
        path.lineTo(x * radius, y * radius)
    return path


def _inner(shape: str, radius: float, linked: bool) -> QPainterPath | None:
    """What a hollow shape has inside."""
    path = QPainterPath()
    if shape == "half":
        path.arcTo(QRectF(-radius, -radius, 2 * radius, 2 * radius), 90, 180)
        path.closeSubpath()
    elif shape == "model":
        path.addRect(QRectF(-radius * 0.42, -radius * 0.42, radius * 0.84, radius * 0.84))
    elif linked:
        path.addEllipse(QPointF(0, 0), radius * 0.4, radius * 0.4)
    else:
        return None
    return path
