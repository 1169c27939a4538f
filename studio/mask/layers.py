"""What lies on the canvas: layers as plain immutable data. The pixels hang below them in surfaces."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QImage

from studio.mask.surface import Surface
from studio.theme import current_theme

OVERLAYS: Final = ("ember", "iris", "good", "warn", "bad")
"""Tokens that new masks are shown in, in turn."""
OVERLAY_OPACITY: Final = 0.55


class LayerKind(Enum):
    """``IMAGE``: a picture that stays as it is. ``PAINT``: colours of a brush. ``MASK``: soft values, shown
    as a coloured overlay."""

    IMAGE = "image"
    PAINT = "paint"
    MASK = "mask"


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer. ``counts`` says whether a generation sees it; a mask's ``opacity`` is that of its overlay.

    ``colour`` is a token or ``#rrggbb`` (masks). An image layer has ``image``, the others have ``surface``.
    """

    id: str
    kind: LayerKind
    name: str
    opacity: float = 1.0
    visible: bool = True
    counts: bool = True
    colour: str = "ember"
    image: QImage | None = field(default=None, compare=False)
    surface: Surface | None = field(default=None, compare=False)

    def with_(self, **changes: Any) -> Layer:
        """A copy with ``changes``."""
        return replace(self, **changes)

    def overlay_colour(self) -> QColor:
        """The colour of a mask in the present theme."""
        return QColor(self.colour) if self.colour.startswith("#") else current_theme().color(self.colour)

    def looks_like(self, other: Layer) -> bool:
        """Whether the canvas shows both alike."""
        return (self.opacity, self.visible, self.colour, id(self.image), id(self.surface)) == (
            other.opacity, other.visible, other.colour, id(other.image), id(other.surface),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stack:
    """All layers, bottom first, of a canvas of ``width`` × ``height`` pixels, and the one that is edited."""

    width: int = 0
    height: int = 0
    layers: tuple[Layer, ...] = ()
    active: str = ""

    @property
    def size(self) -> QSize:
        return QSize(self.width, self.height)

    def index(self, id: str) -> int:
        """Place of a layer, 0 at the bottom. Raises :class:`KeyError` if there is none of that id."""
        for index, layer in enumerate(self.layers):
            if layer.id == id:
                return index
        raise KeyError(id)

    def __getitem__(self, id: str) -> Layer:
        return self.layers[self.index(id)]

    def get(self, id: str) -> Layer | None:
        return next((layer for layer in self.layers if layer.id == id), None)

    def added(self, layer: Layer, index: int | None = None) -> Stack:
        """With one more layer (on top), which is then the active one."""
        at = len(self.layers) if index is None else index
        return replace(self, layers=(*self.layers[:at], layer, *self.layers[at:]), active=layer.id)

    def removed(self, id: str) -> Stack:
        """Without a layer; the one below it becomes active if it was."""
        at = self.index(id)
        layers = (*self.layers[:at], *self.layers[at + 1 :])
        active = self.active
        if active == id:
            active = layers[max(0, at - 1)].id if layers else ""
        return replace(self, layers=layers, active=active)

    def moved(self, id: str, index: int) -> Stack:
        """With a layer at another place, 0 at the bottom."""
        layer = self[id]
        rest = [other for other in self.layers if other.id != id]
        rest.insert(min(max(index, 0), len(rest)), layer)
        return replace(self, layers=tuple(rest))

    def changed(self, layer: Layer) -> Stack:
        """With ``layer`` in place of the one with its id."""
        at = self.index(layer.id)
        return replace(self, layers=(*self.layers[:at], layer, *self.layers[at + 1 :]))
