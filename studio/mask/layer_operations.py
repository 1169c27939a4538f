"""What can be done to a whole layer: one table, from which menus, buttons and keys are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QRectF
from PySide6.QtGui import QTransform

from studio.mask.layers import PICTURE, Layer
from studio.mask.paint_document import PaintDocument
from studio.mask.transforming import about, axis_mirror, bounds_of, quarter_turn
from studio.translate import tr

Ready = Callable[[PaintDocument, Layer], bool]
Do = Callable[[PaintDocument, Layer], object]


@dataclass(frozen=True, slots=True)
class LayerOperation:
    """``title`` is a source text; ``key`` works in the canvas and its panels; a ``group`` is apart from the
    next in menus."""

    id: str
    title: str
    icon: str
    group: str
    do: Do
    key: str = ""
    ready: Ready = lambda document, layer: True


def _shift(by: int) -> Do:
    return lambda document, layer: document.move_layer(layer.id, document.stack.index(layer.id) + by)


def _has_room(by: int) -> Ready:
    def ready(document: PaintDocument, layer: Layer) -> bool:
        return 0 <= document.stack.index(layer.id) + by < len(document.stack.layers)

    return ready


def _transform(title: str, inner: QTransform) -> Do:
    def do(document: PaintDocument, layer: Layer) -> None:
        bounds = bounds_of(layer)
        if not bounds.isEmpty():
            document.transform_layer(layer.id, about(QRectF(bounds), inner), tr(title))

    return do


def _movable(document: PaintDocument, layer: Layer) -> bool:
    return not document.busy and not (layer.surface is not None and layer.surface.is_open)


def _of(what: str) -> Do:
    return lambda document, layer: document.mask_from_layer(layer.id, what)


def _has_colours(document: PaintDocument, layer: Layer) -> bool:
    return not layer.is_mask


def _has_picture(document: PaintDocument, layer: Layer) -> bool:
    shown = sum(other.kind in PICTURE and other.visible for other in document.stack.layers)
    return shown > 1 and not document.busy


OPERATIONS: Final = (
    LayerOperation(
        "duplicate", "Duplicate", "copy", "edit", lambda d, layer: d.duplicate(layer.id), "Ctrl+J"
    ),
    LayerOperation("delete", "Delete", "trash", "edit", lambda d, layer: d.remove_layer(layer.id)),
    LayerOperation("up", "Move up", "chevron_up", "order", _shift(1), "Ctrl+]", _has_room(1)),
    LayerOperation("down", "Move down", "chevron_down", "order", _shift(-1), "Ctrl+[", _has_room(-1)),
    LayerOperation(
        "merge_down", "Merge down", "merge_down", "merge", lambda d, layer: d.merge_down(layer.id),
        "Ctrl+Alt+E", lambda d, layer: not d.busy and d.can_merge_down(layer.id),
    ),
    LayerOperation(
        "flatten", "Flatten the picture", "layers", "merge", lambda d, layer: d.flatten(), "", _has_picture
    ),
    LayerOperation("mask", "Use as mask", "mask", "mask", _of("")),
    LayerOperation(
        "mask_alpha", "Mask from its transparency", "", "mask", _of("alpha"), ready=_has_colours
    ),
    LayerOperation(
        "mask_luminance", "Mask from its brightness", "", "mask", _of("luminance"), ready=_has_colours
    ),
    LayerOperation(
        "flip_horizontal", "Flip horizontally", "flip_horizontal", "transform",
        _transform("Flip horizontally", axis_mirror(True)), ready=_movable,
    ),
    LayerOperation(
        "flip_vertical", "Flip vertically", "flip_vertical", "transform",
        _transform("Flip vertically", axis_mirror(False)), ready=_movable,
    ),
    LayerOperation(
        "rotate_right", "Turn right by 90°", "rotate_right", "transform",
        _transform("Turn right by 90°", quarter_turn(1)), ready=_movable,
    ),
    LayerOperation(
        "rotate_left", "Turn left by 90°", "rotate_left", "transform",
        _transform("Turn left by 90°", quarter_turn(3)), ready=_movable,
    ),
)  # fmt: skip
_BY_ID: Final = {entry.id: entry for entry in OPERATIONS}


def layer_operation(id: str) -> LayerOperation:
    """The operation of that id. Raises :class:`KeyError` if there is none."""
    return _BY_ID[id]


def can_apply(document: PaintDocument, id: str) -> bool:
    """Whether :func:`apply_to_layer` would do something to the active layer."""
    layer = document.active
    return layer is not None and layer_operation(id).ready(document, layer)


def apply_to_layer(document: PaintDocument, id: str) -> bool:
    """Do it to the active layer, as one step; ``False`` if there is none, or it can't be done to it."""
    layer = document.active
    if layer is None or not can_apply(document, id):
        return False
    layer_operation(id).do(document, layer)
    return True
