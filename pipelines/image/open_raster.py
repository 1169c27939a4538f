"""OpenRaster, in which Krita, GIMP and others exchange pictures with layers: the values, and writing.

Source: OpenRaster specification, draft 0.0.5 (file layout, layer stack).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Final
from xml.etree import ElementTree

import numpy as np

from pipelines.errors import ErrorInfo, SaveFailed
from pipelines.files import atomic_write
from pipelines.graph.values import Array, Image
from pipelines.image.geometry import resize
from pipelines.image.layers import Placed, lay
from pipelines.image.mask_files import mask_from, mask_steps
from pipelines.image.png import png_bytes

MIME: Final = "image/openraster"
VERSION: Final = "0.0.5"
NAMESPACE: Final = "urn:diptych:openraster:1"
"""Of our own attributes: other programs ignore them, and most leave them out when they save."""
KIND: Final = "kind"
HELPERS: Final = frozenset({"mask", "region", "control", "reference"})
"""Kinds of layers that are no part of the picture."""
SHOWN: Final = "shown"
"""Our attribute for whether a hidden helper is shown in Diptych."""
VALUES: Final = "values"
"""Our attribute for a layer whose alpha holds a mask."""
THUMBNAIL: Final = 256
_KEY: Final = re.compile(r"[a-z][a-z0-9-]*")
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DATE: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class OraLayer:
    """One layer.

    Args:
        image: a picture (RGB, or RGBA with straight alpha, uint8), or of one channel: a mask's values, uint8
            or float32, 1 where it is selected. A mask is written as white with that alpha.
        x, y: where its top left corner lies on the canvas, in pixels; may be outside.
        opacity: 0..1.
        attributes: what only Diptych knows of it: ``kind`` (a layer's kind: image, paint, mask, region,
            control), ``prompt``, ``weight``… Names are lower case; text that XML can't hold is left out.
    """

    name: str
    image: Image
    x: int = 0
    y: int = 0
    opacity: float = 1.0
    visible: bool = True
    attributes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in self.attributes:
            if not _KEY.fullmatch(key) or key in (SHOWN, VALUES):
                raise ValueError(f"{key!r} is not the name of an attribute")
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))

    @property
    def kind(self) -> str:
        """``image``, ``paint``, ``mask``, ``region`` or ``control``; empty if another program made it."""
        return self.attributes.get(KIND, "")

    @property
    def is_mask(self) -> bool:
        """Whether its image holds the values of a mask."""
        return self.image.channels == 1

    @property
    def is_helper(self) -> bool:
        """Whether it is no part of the picture: other programs find it hidden."""
        return self.is_mask or self.kind in HELPERS


@dataclass(frozen=True, slots=True)
class OraPicture:
    """A picture of layers, bottom first. ``warnings`` say what of a file could not be kept."""

    width: int
    height: int
    layers: tuple[OraLayer, ...] = ()
    warnings: tuple[ErrorInfo, ...] = ()


def write_open_raster(path: Path, picture: OraPicture) -> Path:
    """Write a picture with its layers, whole or not at all; an existing file is replaced.

    Returns:
        The path that was written.

    Raises:
        SaveFailed, DiskFull: as their texts say.
    """
    if picture.width < 1 or picture.height < 1:
        raise SaveFailed(path=str(path), reason="The canvas has no pixels.")

    def write(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            _add(archive, "mimetype", MIME.encode())  # first and stored: programs look for it at byte 38
            _add(archive, "stack.xml", _stack(picture), zipfile.ZIP_DEFLATED)
            for index, layer in enumerate(picture.layers):
                _add(archive, _source(index), png_bytes(_stored(layer)))
            whole = merged(picture)
            _add(archive, "mergedimage.png", png_bytes(whole.pixels))
            _add(archive, "Thumbnails/thumbnail.png", png_bytes(_thumbnail(whole).pixels))

    return atomic_write(path, write)


def merged(picture: OraPicture) -> Image:
    """The layers that make the picture, laid over each other (RGB or RGBA, uint8)."""
    shown = [layer for layer in picture.layers if layer.visible and not layer.is_helper]
    placed = [Placed(Image(layer.image.as_uint8()), layer.x, layer.y, layer.opacity) for layer in shown]
    return lay(picture.width, picture.height, placed)


def recalled(picture: OraPicture, known: OraPicture) -> OraPicture:
    """A picture that comes back from another program, with what that program forgot of our layers.

    Most programs leave out attributes that they don't know. Layers without any get those of the layer of the
    same name in ``known``, if both have the name to themselves; masks become masks again.
    """
    names = [layer.name for layer in picture.layers]
    before = {layer.name: layer for layer in known.layers}
    unique = {name for name in before if [layer.name for layer in known.layers].count(name) == 1}
    unique &= {name for name in names if names.count(name) == 1}
    layers = [
        _recalled(layer, before[layer.name]) if layer.name in unique and not layer.attributes else layer
        for layer in picture.layers
    ]
    return replace(picture, layers=tuple(layers))


def mask_of_layer(image: Image) -> Image:
    """What a layer selects, as one channel: brightness times alpha, so that black and erased are not.

    White, as it is written, gives its alpha to the last bit.
    """
    if image.channels < 4:
        return Image(mask_from(image).values)
    white = 255 if image.pixels.dtype == np.uint8 else 1
    if (image.pixels[..., :3] == white).all():
        return Image(image.pixels[..., 3])
    pixels = image.as_float()
    return Image(mask_from(Image(pixels[..., :3])).values * pixels[..., 3])


def _recalled(layer: OraLayer, before: OraLayer) -> OraLayer:
    image = mask_of_layer(layer.image) if before.is_mask and not layer.is_mask else layer.image
    shown = layer.visible or (before.visible and before.kind in HELPERS)
    return replace(layer, image=image, visible=shown, attributes=before.attributes)


def _stored(layer: OraLayer) -> Array:
    """The pixels of a layer's file; a mask as white with its values as alpha, which may need 16 bits."""
    if not layer.is_mask:
        return layer.image.as_uint8()
    values = layer.image.pixels[..., 0]
    if values.dtype != np.uint8:
        values = mask_steps(np.clip(np.nan_to_num(values), 0, 1))
    return np.dstack([np.full_like(values, np.iinfo(values.dtype).max), values])


def _thumbnail(image: Image) -> Image:
    """At most :data:`THUMBNAIL` pixels a side, as the specification has it."""
    longer = max(image.width, image.height)
    if longer <= THUMBNAIL:
        return image
    width, height = (max(round(side * THUMBNAIL / longer), 1) for side in (image.width, image.height))
    return resize(image, width, height, "area")


def _stack(picture: OraPicture) -> bytes:
    size = {"w": str(picture.width), "h": str(picture.height)}
    root = ElementTree.Element("image", {"version": VERSION, **size, "xmlns:diptych": NAMESPACE})
    stack = ElementTree.SubElement(root, "stack")
    for index, layer in reversed(list(enumerate(picture.layers))):  # in the file the topmost comes first
        ElementTree.SubElement(stack, "layer", _described(layer, index))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _described(layer: OraLayer, index: int) -> dict[str, str]:
    visible = layer.visible and not layer.is_helper
    ours = {key: _NO_XML.sub("", text) for key, text in layer.attributes.items()}
    if layer.visible and not visible:
        ours[SHOWN] = "true"
    if layer.is_mask:
        ours[VALUES] = "alpha"
    return {
        "name": _NO_XML.sub("", layer.name),
        "src": _source(index),
        "x": str(layer.x),
        "y": str(layer.y),
        "opacity": repr(float(min(max(layer.opacity, 0), 1))),
        "visibility": "visible" if visible else "hidden",
        "composite-op": "svg:src-over",
        **{f"diptych:{key}": text for key, text in ours.items()},
    }


def _source(index: int) -> str:
    return f"data/layer{index:03d}.png"


def _add(archive: zipfile.ZipFile, name: str, data: bytes, packed: int = zipfile.ZIP_STORED) -> None:
    archive.writestr(zipfile.ZipInfo(name, _DATE), data, packed)
