"""Layers as a document keeps them: a record each, the pixels as assets. For worker threads; no widgets."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from pydantic import ValidationError
from PySide6.QtGui import QImage

from pipelines.errors import AssetMissing, DiptychError, ErrorInfo, InvalidParameter, describe
from pipelines.graph.assets import AssetStore
from pipelines.graph.values import Array
from pipelines.image import decode_image
from pipelines.nodes.canvas import CanvasLayer
from studio.inpaint.reading import encode_mask_png, encode_png, qimage_of
from studio.mask.layers import MASKS, OVERLAYS, Layer, LayerKind, Stack
from studio.mask.surface import Surface, image_array, tiles_from_array

FIELDS: Final = (
    "name", "opacity", "visible", "counts", "colour", "x", "y", "prompt", "control", "leads",
    "weight", "start", "end",
)  # fmt: skip
_DEFAULTS: Final[Mapping[str, Any]] = {
    "opacity": 1.0, "visible": True, "counts": True, "colour": "ember", "x": 0, "y": 0, "prompt": "",
    "control": "lineart", "leads": "all", "weight": 1.0, "start": 0.0, "end": 1.0,
}  # fmt: skip
KNOWN: Final = frozenset({"id", "kind", "asset", *FIELDS})
"""What a record has by this version."""
PixelKey = tuple[object, int]
"""What tells whether a layer's pixels are still the same. A surface is held, so that no other takes its place
in memory."""


def pixel_key(layer: Layer) -> PixelKey:
    """Of a layer as it is now."""
    if layer.image is not None:
        return layer.image.cacheKey(), 0
    return (layer.surface, layer.surface.revision) if layer.surface is not None else (None, 0)


@dataclass(frozen=True, slots=True)
class Pixels:
    """A layer's pixels as they were at one moment: safe to read in a worker thread."""

    layer: str
    key: PixelKey
    content: QImage | Surface

    def encoded(self) -> bytes:
        """As PNG; empty if there is nothing."""
        if isinstance(self.content, QImage):
            return b"" if self.content.isNull() else encode_png(self.content)
        if not self.content.tiles:
            return b""
        if self.content.kind == "mask":
            return encode_mask_png(self.content.read(self.content.rect))
        return encode_png(self.content.to_image())


def pixels_of(layer: Layer) -> Pixels:
    """The pixels of a layer, as they are now."""
    key = pixel_key(layer)
    if layer.image is not None:
        return Pixels(layer.id, key, layer.image)
    if layer.surface is None:
        return Pixels(layer.id, key, QImage())
    copy = layer.surface.empty_copy()
    copy.put(layer.surface.snapshot())
    return Pixels(layer.id, key, copy)


def record_of(layer: Layer, asset: str) -> dict[str, Any]:
    """A layer as the document writes it; what has its default is left out."""
    values = {name: getattr(layer, name) for name in FIELDS}
    kept = {name: value for name, value in values.items() if value != _DEFAULTS.get(name)}
    return {"id": layer.id, "kind": layer.kind.value, **({"asset": asset} if asset else {}), **kept}


@dataclass(frozen=True, slots=True)
class Loaded:
    """Layers read from a document. ``lost`` are records that can't be shown, with ``problems``; ``more`` is
    what the others have that this version doesn't know, by layer."""

    stack: Stack
    assets: Mapping[str, str]
    more: Mapping[str, Mapping[str, Any]]
    lost: tuple[Mapping[str, Any], ...] = ()
    problems: tuple[ErrorInfo, ...] = ()


def load_layers(records: Sequence[Mapping[str, Any]], store: AssetStore, width: int, height: int) -> Loaded:
    """Read the layers of a document.

    Args:
        width, height: of the canvas; 0 is the first picture's.
    """
    read: list[tuple[CanvasLayer, Any]] = []
    more: dict[str, Mapping[str, Any]] = {}
    lost: list[Mapping[str, Any]] = []
    problems: list[ErrorInfo] = []
    for record in records:
        try:
            layer = _checked(record, more)
            pixels = decode_image(store.get(layer.asset), layer.name) if layer.asset else None
            if layer.kind == LayerKind.IMAGE.value and pixels is None:
                raise AssetMissing(name=layer.name or layer.id)
        except DiptychError as error:
            lost.append(record)
            problems.append(describe(error))
        else:
            read.append((layer, pixels))
            more[layer.id] = {name: value for name, value in record.items() if name not in KNOWN}
    if not (width and height):
        first = next((pixels for _, pixels in read if pixels is not None), None)
        width, height = (first.width, first.height) if first is not None else (0, 0)
    made = tuple(_layer(layer, pixels, width, height) for layer, pixels in read) if width and height else ()
    masks = [layer.id for layer in made if layer.kind is LayerKind.MASK]
    active = masks[-1] if masks else made[-1].id if made else ""
    assets = {layer.id: layer.asset for layer, _ in read}
    return Loaded(Stack(width, height, made, active), assets, more, tuple(lost), tuple(problems))


def _checked(record: Mapping[str, Any], taken: Container[str]) -> CanvasLayer:
    """A record as the node reads it. Raises :class:`InvalidParameter`."""
    try:
        layer = CanvasLayer.model_validate(record)
    except ValidationError as error:
        reason = "; ".join(item["msg"] for item in error.errors(include_url=False))
        raise InvalidParameter(title="Layers", value=str(record)[:80], reason=reason) from error
    if layer.id in taken:
        raise InvalidParameter(title="Layers", value=layer.id, reason="Two layers have this id.")
    return layer


def _layer(record: CanvasLayer, picture: Any, width: int, height: int) -> Layer:
    kind = LayerKind(record.kind)
    layer = Layer(record.id, kind, **{name: getattr(record, name) for name in FIELDS})
    if not layer.colour.startswith("#") and layer.colour not in OVERLAYS:
        layer = layer.with_(colour=OVERLAYS[0])
    if kind is LayerKind.IMAGE:
        return layer.with_(image=qimage_of(picture))
    surface = Surface(width, height, "mask" if kind in MASKS else "paint")
    if picture is not None:
        values = picture.as_float()[..., 0] if kind in MASKS else image_array(qimage_of(picture))
        surface.put(tiles_from_array(_moved(values, layer.x, layer.y, surface)))
    # a surface is as large as the canvas, and lies where that does
    return layer.with_(surface=surface, x=0, y=0)


def _moved(values: Array, x: int, y: int, surface: Surface) -> Array:
    """``values`` at ``x``, ``y`` of an array of the surface's size; what hangs over is left out."""
    height, width = surface.height, surface.width
    if (x, y) == (0, 0) and values.shape[:2] == (height, width):
        return values
    moved = np.zeros((height, width, *values.shape[2:]), values.dtype)
    left, top = max(x, 0), max(y, 0)
    part = values[max(-y, 0) : max(height - y, 0), max(-x, 0) : max(width - x, 0)]
    moved[top : top + part.shape[0], left : left + part.shape[1]] = part
    return moved
