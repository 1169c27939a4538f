"""The canvas's layers as an OpenRaster picture, and back. For worker threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from PySide6.QtGui import QImage, QPainter

from pipelines.graph.values import Image
from pipelines.image.open_raster import OraLayer, OraPicture
from studio.inpaint.layer_records import Pixels
from studio.inpaint.reading import qimage_of
from studio.mask.conversion import image_value
from studio.mask.layers import MASKS, Layer, LayerKind, Stack
from studio.mask.surface import FULL, Surface

_TEXTS: Final = ("colour", "prompt", "control")
_NUMBERS: Final = ("weight", "start", "end")


def picture_of(layers: Sequence[Layer], pixels: Sequence[Pixels], width: int, height: int) -> OraPicture:
    """The layers with their pixels, bottom first; masks and the like keep what they are in attributes."""
    found = tuple(
        OraLayer(layer.name, _image(item), layer.x, layer.y, layer.opacity, layer.visible, _attributes(layer))
        for layer, item in zip(layers, pixels, strict=True)
    )
    return OraPicture(width, height, found)


def _image(item: Pixels) -> Image:
    if isinstance(item.content, QImage):
        return image_value(item.content)
    if item.content.kind == "mask":
        values = item.content.read(item.content.rect)
        return Image((values.astype(np.float32) / np.float32(FULL))[..., None])
    return image_value(item.content.to_image())


def _attributes(layer: Layer) -> dict[str, str]:
    values: dict[str, Any] = {"kind": layer.kind.value, "counts": "yes" if layer.counts else "no"}
    values |= {name: getattr(layer, name) for name in (*_TEXTS, *_NUMBERS)}
    return {name: str(value) for name, value in values.items() if value != ""}


def stack_of(picture: OraPicture) -> Stack:
    """Layers from a picture of another program, or from one of ours."""
    layers = tuple(_layer(f"layer{index + 1}", item, picture) for index, item in enumerate(picture.layers))
    masks = [layer.id for layer in layers if layer.kind is LayerKind.MASK]
    active = masks[-1] if masks else layers[-1].id if layers else ""
    return Stack(picture.width, picture.height, layers, active)


def _layer(id: str, item: OraLayer, picture: OraPicture) -> Layer:
    values = _values(item.attributes)
    kind = _kind(item)
    layer = Layer(id, kind, item.name, item.opacity, item.visible, **values)
    if kind is LayerKind.IMAGE:
        return layer.with_(image=qimage_of(item.image), x=item.x, y=item.y)
    if kind in MASKS:
        found = item.image.as_float()[..., 0]
        whole = np.zeros((picture.height, picture.width), np.float32)
        _put(whole, found, item.x, item.y)
        return layer.with_(surface=Surface.from_array(whole))
    canvas = QImage(picture.width, picture.height, QImage.Format.Format_ARGB32_Premultiplied)
    canvas.fill(0)
    painter = QPainter(canvas)
    painter.drawImage(item.x, item.y, qimage_of(item.image))
    painter.end()
    return layer.with_(surface=Surface.from_image(canvas))


def _kind(item: OraLayer) -> LayerKind:
    try:
        kind = LayerKind(item.kind) if item.kind else LayerKind.IMAGE
    except ValueError:
        kind = LayerKind.IMAGE
    # a mask whose values were lost on the way is a picture
    return kind if item.is_mask or kind not in MASKS else LayerKind.IMAGE


def _values(attributes: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {name: attributes[name] for name in _TEXTS if name in attributes}
    for name in _NUMBERS:
        try:
            number = float(attributes[name])
        except (KeyError, ValueError):
            continue
        if np.isfinite(number):
            values[name] = min(max(number, 0.0), 2.0 if name == "weight" else 1.0)
    values["counts"] = attributes.get("counts") != "no"
    return values


def _put(whole: Any, part: Any, x: int, y: int) -> None:
    """Lay ``part`` at a place of ``whole``; what hangs over is left out."""
    height, width = whole.shape
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + part.shape[1], width), min(y + part.shape[0], height)
    if left < right and top < bottom:
        whole[top:bottom, left:right] = part[top - y : bottom - y, left - x : right - x]
