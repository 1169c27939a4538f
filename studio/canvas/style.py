"""How nodes, ports and wires look: metrics, and the colours of the theme's tokens as pens and brushes.

One :class:`CanvasStyle` belongs to a scene and is made again when the theme changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPolygonF

from pipelines.graph.types import PortType
from studio.theme import Theme
from studio.theme.tokens import RADIUS_NODE

GRID: Final = 20
"""Nodes snap to this, in scene pixels."""
FULL_DETAIL: Final = 0.55
"""Below this zoom the texts of rows are not drawn."""
BLOCK_DETAIL: Final = 0.22
"""Below this zoom a node is a block."""

_EMBER: Final = frozenset(
    {"Image", "Mask", "Latent", "DiffusionModel", "UpscaleModel", "ControlModel", "Adapter", "VAE",
     "Conditioning", "Stitch", "Layer", "Video"}
)  # fmt: skip
_IRIS: Final = frozenset({"Text", "LanguageModel", "Audio"})
_DIM: Final = frozenset({"Latent", "Conditioning", "Stitch"})
_SHAPES: Final[dict[str, str]] = {
    "Image": "circle", "Layer": "circle", "Text": "circle", "Audio": "circle", "Video": "circle",
    "Mask": "half", "Latent": "diamond", "Conditioning": "diamond", "Stitch": "diamond",
    "DiffusionModel": "model", "LanguageModel": "model", "UpscaleModel": "model", "ControlModel": "model",
    "Adapter": "model", "VAE": "model", "Number": "triangle", "Integer": "triangle",
    "Boolean": "hollow-diamond",
    "Seed": "star", "Choice": "square", "Size": "square", "Json": "square", "Any": "ring",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Metrics:
    """Lengths in scene pixels at a text scale of 1, times the scale."""

    scale: float = 1.0
    wide: float = 0.0
    """The width somebody gave a node, at a text scale of 1; never narrower than others."""

    @property
    def width(self) -> float:
        return round(max(232.0, self.wide) * self.scale)

    @property
    def title(self) -> float:
        return round(24 * self.scale)

    @property
    def row(self) -> float:
        return round(22 * self.scale)

    @property
    def line(self) -> float:
        """A line of running text."""
        return round(15 * self.scale)

    @property
    def pad(self) -> float:
        return 6.0

    @property
    def inset(self) -> float:
        """From the node's side to its texts."""
        return 12.0

    @property
    def picture(self) -> float:
        """Largest height of the thumbnail."""
        return round(132 * self.scale)

    radius: float = float(RADIUS_NODE)
    port: float = 4.5
    """Half the size of a port."""
    reach: float = 11.0
    """How near a press must be to a port."""


def hue_name(kind: PortType) -> str:
    """The token of a port type's hue."""
    if kind.name in _EMBER:
        return "ember"
    if kind.name in _IRIS:
        return "iris"
    return "brass" if kind.name == "Seed" else "text2"


def shape_name(kind: PortType) -> str:
    """circle, half, diamond, hollow-diamond, model, triangle, square, star or ring."""
    return _SHAPES.get(kind.name, "ring")


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


class CanvasStyle:
    """Colours, pens, fonts and metrics of a canvas, from the theme's tokens."""

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self.metrics = Metrics(theme.scale)
        self.body = theme.font("body")
        self.title = theme.font("body")
        self.title.setWeight(QFont.Weight.Medium)
        self.label = theme.font("label")
        self.number = theme.font("number")
        self.number.setPixelSize(self.label.pixelSize())
        self.body_metrics, self.title_metrics = QFontMetricsF(self.body), QFontMetricsF(self.title)
        self.label_metrics, self.number_metrics = QFontMetricsF(self.label), QFontMetricsF(self.number)
        self._colours = {name: QColor(value) for name, value in theme.tokens.colours().items()}
        self._mixed: dict[tuple[str, str, float], QColor] = {}

    def colour(self, name: str, alpha: float = 1.0) -> QColor:
        """The colour of a token, with opacity 0..1."""
        if alpha >= 1:
            return self._colours[name]
        colour = QColor(self._colours[name])
        colour.setAlphaF(alpha)
        return colour

    def mixed(self, first: str, second: str, amount: float) -> QColor:
        """``amount`` of the second token's colour over the first's, opaque."""
        key = (first, second, amount)
        found = self._mixed.get(key)
        if found is not None:
            return found

        def parts(colour: QColor) -> tuple[int, int, int]:
            return colour.red(), colour.green(), colour.blue()

        a, b = self._colours[first], self._colours[second]
        rgb = (round(x + (y - x) * amount) for x, y in zip(parts(a), parts(b), strict=True))
        self._mixed[key] = QColor(*rgb)
        return self._mixed[key]

    def hue(self, kind: PortType) -> QColor:
        """The hue of a port type; dim where the look says so."""
        name = hue_name(kind)
        return self.mixed("bg1", name, 0.72) if kind.name in _DIM else self._colours[name]

    def heat(self, share: float) -> QColor:
        """From cold (0) over ``warn`` to hot (1, ``bad``)."""
        step = round(min(1.0, max(0.0, share)) * 32) / 32
        cold, hot, amount = ("bg3", "warn", step * 2) if step < 0.5 else ("warn", "bad", step * 2 - 1)
        return QColor(self.mixed(cold, hot, amount))

    def hairline(self, colour: QColor, width: float = 1.0) -> QPen:
        """A pen that stays ``width`` device pixels wide at any zoom."""
        pen = QPen(colour, width)
        pen.setCosmetic(True)
        return pen

    def paint_port(
        self,
        painter: QPainter,
        at: QPointF,
        kind: PortType,
        *,
        linked: bool,
        lit: bool = False,
        quiet: bool = False,
    ) -> None:
        """Draw a port: shape and hue say its type, a doubled outline a list.

        ``lit``: under the pointer; ``quiet``: smaller and dimmer, for a value that needs no wire.
        """
        shape, colour = shape_name(kind), self.hue(kind)
        radius = self.metrics.port + (1.2 if lit else 0)
        if quiet:
            radius, colour = radius * 0.72, self.mixed("bg1", hue_name(kind), 0.55)
        ground = self.colour("bg0")
        painter.save()
        painter.translate(at)
        outline = port_outline(shape, radius)
        if kind.is_list:
            painter.setPen(QPen(colour, 1.2))
            painter.setBrush(ground)
            painter.drawPath(port_outline(shape, radius + 2.4))
        painter.setPen(QPen(ground, 1.5))
        painter.setBrush(ground)
        painter.drawPath(outline)
        pen = QPen(colour, 1.5)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        hollow = shape in ("hollow-diamond", "ring", "half", "model", "star")
        painter.setBrush(QBrush(colour) if not hollow else QBrush(ground))
        if shape == "star":
            for x, y in ((0.0, 1.15), (1.0, 0.58), (1.0, -0.58)):
                painter.drawLine(QPointF(-x * radius, -y * radius), QPointF(x * radius, y * radius))
        else:
            painter.drawPath(outline)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        if shape == "half":
            painter.drawPie(QRectF(-radius, -radius, 2 * radius, 2 * radius), 90 * 16, 180 * 16)
        elif shape == "model":
            painter.drawRect(QRectF(-radius * 0.42, -radius * 0.42, radius * 0.84, radius * 0.84))
        elif hollow and linked and shape != "star":
            painter.drawEllipse(QPointF(0, 0), radius * 0.4, radius * 0.4)
        painter.restore()
