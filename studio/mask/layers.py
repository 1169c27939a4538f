"""What lies on the canvas: layers as plain immutable data. The pixels hang below them in surfaces."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QColor, QImage, QTransform

from studio.mask.surface import Surface, area_of
from studio.theme import current_theme

OVERLAYS: Final = ("ember", "iris", "good", "warn", "bad")
"""Tokens that new masks are shown in, in turn."""
OVERLAY_OPACITY: Final = 0.55
CONTROL_OPACITY: Final = 0.7
CONTROLS: Final = ("lineart", "scribble", "canny", "depth", "normal", "pose")
"""What a control layer can hold."""
LINE_CONTROLS: Final = frozenset({"lineart", "scribble", "canny"})
"""Those that are white lines on black."""
LEADS: Final = ("all", "style", "composition")
"""What a drawing can take over from a reference."""


class LayerKind(Enum):
    """``IMAGE``: a picture that stays as it is. ``PAINT``: colours of a brush. ``MASK``: soft values, shown
    as a coloured overlay. ``CONTROL``: what guides the drawing (lines, depth, a pose), in colours on black.
    ``REGION``: a mask with a prompt of its own. ``REFERENCE``: a picture whose look is to be followed."""

    IMAGE = "image"
    PAINT = "paint"
    MASK = "mask"
    CONTROL = "control"
    REGION = "region"
    REFERENCE = "reference"


PICTURE: Final = frozenset({LayerKind.IMAGE, LayerKind.PAINT})
"""The kinds that make the picture."""
MASKS: Final = frozenset({LayerKind.MASK, LayerKind.REGION})
"""The kinds that hold values from 0 to 1, shown as an overlay."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a layer's pixels were made from by moving and transforming it, so that doing so again starts from
    there and loses nothing: the pixels, and the way from their coordinates to those of what was ``made``."""

    content: QImage | Surface
    matrix: QTransform
    made: QImage | Surface
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer. ``counts`` says whether a generation sees it; a mask's ``opacity`` is that of its overlay.

    ``colour`` is a token or ``#rrggbb`` (masks, regions). An image layer has ``image``, of any size, with its
    corner at ``x``, ``y`` of the canvas; the others have ``surface``, of the canvas's size (only drafts that
    a tool shows have it elsewhere). ``prompt`` is a region's, ``control`` one of :data:`CONTROLS`, ``leads``
    one of :data:`LEADS`; ``weight`` (0..2) belongs to all of these, ``start`` and ``end`` (0..1, parts of the
    steps) to controls and references.
    """

    id: str
    kind: LayerKind
    name: str
    opacity: float = 1.0
    visible: bool = True
    counts: bool = True
    colour: str = "ember"
    prompt: str = ""
    control: str = "lineart"
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    leads: str = "all"
    x: int = 0
    y: int = 0
    image: QImage | None = field(default=None, compare=False)
    surface: Surface | None = field(default=None, compare=False)
    origin: Origin | None = field(default=None, compare=False, repr=False)

    def with_(self, **changes: Any) -> Layer:
        """A copy with ``changes``."""
        return replace(self, **changes)

    def overlay_colour(self) -> QColor:
        """The colour of a mask in the present theme."""
        return QColor(self.colour) if self.colour.startswith("#") else current_theme().color(self.colour)

    @property
    def is_mask(self) -> bool:
        """Whether it holds values from 0 to 1 (masks and regions)."""
        return self.kind in MASKS

    @property
    def place(self) -> QRect:
        """Where its pixels can be, on the canvas; empty ones and those beyond the edges with them."""
        content = self.image if self.image is not None else self.surface
        if content is None:
            return QRect()
        width, height = (
            (content.width, content.height)
            if isinstance(content, Surface)
            else (content.width(), content.height())
        )
        return QRect(self.x, self.y, width, height)

    @property
    def area(self) -> QRect:
        """Where it may be seen: its picture, or the tiles that hold something."""
        if self.surface is None:
            return self.place
        return area_of(self.surface.tiles).translated(self.x, self.y) & self.place

    def covers(self, rect: QRect) -> bool:
        """Whether it is a picture that hides all that is below it in ``rect``."""
        return (
            self.image is not None
            and self.visible
            and self.opacity >= 1
            and not self.image.hasAlphaChannel()
            and self.place.contains(rect)
        )

    def looks_like(self, other: Layer) -> bool:
        """Whether the canvas shows both alike."""
        return self._look() == other._look()

    def _look(self) -> tuple[object, ...]:
        content = (id(self.image), id(self.surface))
        return (self.kind, self.opacity, self.visible, self.colour, self.x, self.y, *content)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Where a canvas lies: its corner on a plane, in pixels. Cropping and growing move the corner; what
    scales the canvas, or starts another one, begins another plane."""

    left: int = 0
    top: int = 0
    plane: object = field(default_factory=object)


@dataclass(frozen=True, slots=True)
class Stack:
    """All layers, bottom first, of a canvas of ``width`` × ``height`` pixels, and the one that is edited."""

    width: int = 0
    height: int = 0
    layers: tuple[Layer, ...] = ()
    active: str = ""
    frame: Frame = field(default_factory=Frame, compare=False, repr=False)

    @property
    def size(self) -> QSize:
        return QSize(self.width, self.height)

    def rect_of(self, earlier: Stack) -> QRect | None:
        """Where an earlier state of the canvas lies on this one; ``None`` if it was scaled or replaced."""
        if earlier.frame.plane is not self.frame.plane:
            return None
        left, top = earlier.frame.left - self.frame.left, earlier.frame.top - self.frame.top
        return QRect(left, top, earlier.width, earlier.height)

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

    def difference(self, other: Stack) -> QRect:
        """The part of the canvas that may look different in both, if they are equally large."""
        if [layer.id for layer in self.layers] != [layer.id for layer in other.layers]:
            return QRect(0, 0, self.width, self.height)
        area = QRect()
        for old, new in zip(self.layers, other.layers, strict=True):
            if not old.looks_like(new):
                area |= old.area | new.area
        return area & QRect(0, 0, self.width, self.height)
