"""How nodes, ports and wires look: metrics, and the colours of the theme's tokens as pens and brushes.

One :class:`CanvasStyle` belongs to a scene and is made again when the theme changes. Everything here is in
pixels of the scene, which are those of the document: the size of text that was chosen is in the view's zoom.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen

from pipelines.graph.types import PortType
from studio.canvas.lettering import Lettering
from studio.canvas.port_shapes import Layer, port_layers
from studio.theme import Theme
from studio.theme.theme import FontRole
from studio.theme.tokens import FONT_BODY, FONT_LABEL, RADIUS_NODE

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
    """Lengths in pixels of the scene."""

    width: float = 232.0
    """Of a node that nobody made wider."""
    title: float = 24.0
    row: float = 22.0
    line: float = 15.0
    """A line of running text."""
    pad: float = 6.0
    inset: float = 12.0
    """From the node's side to its texts."""
    picture: float = 132.0
    """Largest height of the thumbnail."""
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


class CanvasStyle:
    """Colours, pens, fonts and metrics of a canvas, from the theme's tokens."""

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self.metrics = Metrics()
        self.body, self.title = self._font("body", FONT_BODY), self._font("body", FONT_BODY)
        self.title.setWeight(QFont.Weight.Medium)
        self.label, self.number = self._font("label", FONT_LABEL), self._font("number", FONT_LABEL)
        self.titles, self.labels, self.numbers = (
            Lettering(font) for font in (self.title, self.label, self.number)
        )
        """Words of nodes by font."""
        self._ports = lru_cache(512)(self._port)
        self._pens: dict[tuple[str, float, tuple[int, ...]], QPen] = {}
        self._colours = {name: QColor(value) for name, value in theme.tokens.colours().items()}
        self._mixed: dict[tuple[str, str, float], QColor] = {}

    def _font(self, role: FontRole, size: int) -> QFont:
        """A font of the theme in its size at a text scale of 1."""
        font = self.theme.font(role)
        font.setPixelSize(size)
        if self.theme.scale != 1:
            # laid out for one size and shown in another: whole pixels of the one would be uneven in the other
            font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
        return font

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

    def wire_pen(self, colour: QColor, width: float, dashes: tuple[int, ...] = ()) -> QPen:
        """A pen of a wire, shared by all that look alike."""
        key = (colour.name(), width, dashes)
        if key not in self._pens:
            pen = QPen(colour, width)
            pen.setJoinStyle(Qt.PenJoinStyle.BevelJoin)
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            if dashes:
                pen.setDashPattern(dashes)
            self._pens[key] = pen
        return self._pens[key]

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
        painter.translate(at)
        for layer in self._ports(kind, linked, lit, quiet):
            painter.setPen(layer.pen)
            painter.setBrush(layer.brush)
            painter.drawPath(layer.path)
        painter.translate(-at.x(), -at.y())

    def _port(self, kind: PortType, linked: bool, lit: bool, quiet: bool) -> tuple[Layer, ...]:
        radius, colour = self.metrics.port + (1.2 if lit else 0), self.hue(kind)
        if quiet:
            radius, colour = radius * 0.72, self.mixed("bg1", hue_name(kind), 0.55)
        shape = shape_name(kind)
        return port_layers(shape, radius, colour, self.colour("bg0"), linked=linked, doubled=kind.is_list)
