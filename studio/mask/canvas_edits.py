"""What is done to the canvas as a whole, as arithmetic of stacks: crop, scale, merge, flatten, paste."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QImage, QPainter

from pipelines.graph.values import check_size
from studio.mask.compose import FORMAT, draw_layer, flattened
from studio.mask.layers import PICTURE, Frame, Layer, LayerKind, Stack
from studio.mask.resample import Kernel, image_of, is_opaque, resampled_layer, shifted_layer
from studio.mask.surface import FULL, Surface, image_array
from studio.mask.tile import Array


def resized(stack: Stack, rect: QRect) -> Stack:
    """The canvas cropped or extended to ``rect``: pixels keep their place in the picture, new area is empty.

    Pictures are not cut, they hang over the edges.
    """
    if rect == QRect(0, 0, stack.width, stack.height):
        return stack
    layers = tuple(shifted_layer(layer, -rect.x(), -rect.y(), rect.size()) for layer in stack.layers)
    frame = replace(stack.frame, left=stack.frame.left + rect.x(), top=stack.frame.top + rect.y())
    return replace(stack, width=rect.width(), height=rect.height(), layers=layers, frame=frame)


def scaled(stack: Stack, size: QSize, kernel: Kernel = "auto") -> Stack:
    """Everything resampled to a canvas of ``size``."""
    across, down = size.width() / stack.width, size.height() / stack.height
    layers = tuple(resampled_layer(layer, across, down, size, kernel) for layer in stack.layers)
    return replace(stack, width=size.width(), height=size.height(), layers=layers, frame=Frame())


def with_picture(stack: Stack, base: Layer) -> Stack:
    """``base`` (a picture) as the bottom layer in place of the one there, the canvas in its size; what lies
    above is resampled."""
    size = base.place.size()
    layers = stack.layers
    if layers and layers[0].kind is LayerKind.IMAGE:
        layers = layers[1:]
    if size != stack.size and not stack.size.isEmpty():
        across, down = size.width() / stack.width, size.height() / stack.height
        layers = tuple(resampled_layer(layer, across, down, size) for layer in layers)
    active = stack.active or base.id
    return Stack(size.width(), size.height(), (base, *layers), active)


def pasted(stack: Stack, layer: Layer, *, select: bool) -> Stack:
    """A picture laid on top of all that make the picture; the canvas grows where it reaches beyond it."""
    whole = QRect(0, 0, stack.width, stack.height)
    if not whole.contains(layer.place):
        grown = whole | layer.place
        stack = resized(stack, grown)
        layer = layer.with_(x=layer.x - grown.x(), y=layer.y - grown.y())
    return above_picture(stack, layer, select=select)


def above_picture(stack: Stack, layer: Layer, *, select: bool = False) -> Stack:
    """A layer above all that make the picture; it may hang over the edges."""
    above = max((at + 1 for at, other in enumerate(stack.layers) if other.kind in PICTURE), default=0)
    active = stack.active
    stack = stack.added(layer, above)
    return stack if select or not active else replace(stack, active=active)


# --- merging -------------------------------------------------------------------------------------------


def mergeable(stack: Stack, id: str) -> bool:
    """Whether a layer can be merged with the one below it: both shown, and of kinds that go together."""
    at = stack.index(id)
    if at == 0:
        return False
    above, below = stack.layers[at], stack.layers[at - 1]
    alike = above.kind is below.kind or {above.kind, below.kind} <= PICTURE
    return alike and above.visible and below.visible


def merged_down(stack: Stack, id: str) -> Stack:
    """A layer merged into the one below it, whose name and settings stay. ``ValueError`` if it can't be."""
    if not mergeable(stack, id):
        raise ValueError("this layer can't be merged with the one below it")
    at = stack.index(id)
    above, below = stack.layers[at], stack.layers[at - 1]
    if below.kind is LayerKind.IMAGE:
        reach = above.place if above.surface is None else above.surface.bounds()
        one = _picture(below, [below, above], below.place | reach)
    elif below.surface is not None and below.is_mask and above.surface is not None:
        values = np.maximum(_values(below.surface), _values(above.surface))
        one = below.with_(surface=Surface.from_array(values), origin=None)
    else:
        picture = laid([below, above], QRect(0, 0, stack.width, stack.height))
        one = below.with_(surface=Surface.from_image(picture), opacity=1.0, origin=None)
    return replace(stack.removed(id).changed(one), active=one.id)


def flat(stack: Stack, picture: Layer) -> Stack:
    """All visible layers that make the picture as one, at the place of the lowest of them; hidden ones,
    masks, controls and regions stay."""
    gone = [layer for layer in stack.layers if layer.kind in PICTURE and layer.visible]
    if not gone:
        return stack
    rect = QRect(0, 0, stack.width, stack.height)
    image = flattened(stack.layers, rect)
    one = picture.with_(image=tidy(image), x=0, y=0)
    left = [one if layer is gone[0] else layer for layer in stack.layers if layer not in gone[1:]]
    active = stack.active if any(layer.id == stack.active for layer in left) else one.id
    return replace(stack, layers=tuple(left), active=active)


def laid(layers: Sequence[Layer], rect: QRect) -> QImage:
    """Layers laid over each other (premultiplied), ``rect`` of them."""
    image = QImage(rect.size(), FORMAT)
    image.fill(0)
    painter = QPainter(image)
    painter.translate(-rect.topLeft())
    for layer in layers:
        draw_layer(painter, layer, rect)
    painter.end()
    return image


def tidy(image: QImage) -> QImage:
    """A picture without an alpha channel if all of it is opaque: such pictures are drawn quicker."""
    values = image_array(image)
    return image_of(values, opaque=True) if is_opaque(values) else image


def _picture(layer: Layer, layers: Sequence[Layer], rect: QRect) -> Layer:
    check_size(rect.width(), rect.height())
    image = tidy(laid(layers, rect))
    return layer.with_(image=image, x=rect.x(), y=rect.y(), opacity=1.0, origin=None)


def _values(surface: Surface) -> Array:
    return surface.read(surface.rect)


# --- masks of layers -----------------------------------------------------------------------------------


def mask_values(layer: Layer, rect: QRect, of: str = "") -> Array:
    """What a layer holds as values of a mask (uint16, ``rect`` of it).

    Args:
        of: ``alpha`` or ``luminance`` (Rec. 709 weights, less where it is transparent); without it a mask's
            own values, else the alpha of layers that have transparency, the luminance of those that have
            none.
    """
    if layer.surface is not None and layer.is_mask:
        return layer.surface.read(rect)
    values = image_array(laid([layer.with_(opacity=1.0)], rect))
    if (of or ("luminance" if is_opaque(values) else "alpha")) == "alpha":
        return values[..., 3].astype(np.uint16) * np.uint16(FULL // 255)
    return brightness(values)


def brightness(values: Array) -> Array:
    """Luminance of premultiplied colours (B, G, R, A) as values of a mask, uint16."""
    weights = np.array([0.0722, 0.7152, 0.2126], np.float32) * np.float32(FULL / 255)
    return np.rint(values[..., :3].astype(np.float32) @ weights).astype(np.uint16)
