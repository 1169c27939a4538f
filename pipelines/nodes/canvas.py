"""What is painted on the canvas, as values: the picture, the mask, and the layers that steer a drawing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines.diffusion.prompts.tagged_models import fingerprint_of_tags
from pipelines.errors import CanvasEmpty
from pipelines.graph.assets import is_asset_name
from pipelines.graph.node import (
    Context,
    Input,
    Inputs,
    Node,
    NodeParams,
    Output,
    Outputs,
    Param,
    Resources,
)
from pipelines.graph.types import Image, Layer, Mask, list_of
from pipelines.graph.values import Image as ImageValue
from pipelines.graph.values import Layer as LayerValue
from pipelines.graph.values import ListValue, check_size
from pipelines.graph.values import Mask as MaskValue
from pipelines.image.decode import decode_image
from pipelines.image.layers import Placed, lay
from pipelines.inpaint.fill import Fill, extend
from pipelines.inpaint.masks import fitted

MAX_SIDE = 65_536
MAX_LAYERS = 1_000
PICTURE = ("image", "paint")


class CanvasLayer(BaseModel):
    """One layer as a document keeps it; ``asset`` names its pixels, empty for none.

    Pixels are a PNG: RGBA for pictures, paint, control and references, grey of 16 bits for masks and regions.
    """

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    id: str = Field(max_length=64)
    kind: Literal["image", "paint", "mask", "control", "region", "reference"]
    name: str = Field("", max_length=1_000)
    asset: str = ""
    x: int = Field(0, ge=-MAX_SIDE, le=MAX_SIDE)
    y: int = Field(0, ge=-MAX_SIDE, le=MAX_SIDE)
    opacity: float = Field(1.0, ge=0, le=1)
    visible: bool = True
    counts: bool = True
    colour: str = Field("ember", max_length=32)
    prompt: str = ""
    control: str = Field("lineart", max_length=32)
    leads: str = Field("all", max_length=32)
    weight: float = Field(1.0, ge=0, le=2)
    start: float = Field(0.0, ge=0, le=1)
    end: float = Field(1.0, ge=0, le=1)

    @field_validator("asset")
    @classmethod
    def _is_asset(cls, value: str) -> str:
        if value and not is_asset_name(value):
            raise ValueError("An asset is named by 64 hexadecimal digits.")
        return value

    @field_validator("colour")
    @classmethod
    def _is_colour(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z]+|#[0-9a-fA-F]{6}", value):
            raise ValueError("A colour is a name, or written as #rrggbb.")
        return value


class _CanvasParams(NodeParams):
    width: int = Param(
        0, "Width", "Of the canvas.", unit="px", ge=0, le=MAX_SIDE, empty="the picture's", advanced=True
    )
    height: int = Param(
        0, "Height", "Of the canvas.", unit="px", ge=0, le=MAX_SIDE, empty="the picture's", advanced=True
    )
    layers: tuple[CanvasLayer, ...] = Param(
        (), "Layers", "What is painted, bottom first. The Canvas changes them.",
        widget="canvas", max_length=MAX_LAYERS,
    )  # fmt: skip


def _side(title: str) -> Any:
    return Param(0, title, "How far the picture is to grow on this side.", unit="px", ge=0, le=16_384, step=8)


class Canvas(Node):
    """The picture and the mask that are painted on the canvas, and the layers that steer a drawing."""

    id, title, category = "image.canvas", "Canvas", "Image"
    outputs = (
        Output("image", Image, description="The picture that its image and paint layers make."),
        Output("mask", Mask, description="What its masks show, together."),
        Output("regions", list_of(Layer), description="Masks with prompts of their own."),
        Output("controls", list_of(Layer), description="Layers that guide the drawing's shape."),
        Output("references", list_of(Layer), description="Layers whose look the drawing follows."),
    )
    preview = "image"

    class Params(_CanvasParams):
        left: int = _side("Left")
        top: int = _side("Top")
        right: int = _side("Right")
        bottom: int = _side("Bottom")
        beyond: bool = Param(
            True, "Only what is new", "Where the picture grows, what is masked in it doesn't count.",
            advanced=True,
        )  # fmt: skip
        whole: bool = Param(
            False, "All without a mask", "Where nothing is masked, the whole picture is.", advanced=True
        )

    @classmethod
    def fingerprint(cls, params: Mapping[str, Any], resources: Resources) -> str:
        """Of the embeddings that the prompts of regions name, so that a replaced file is never stale."""
        layers = [layer for layer in params.get("layers") or () if isinstance(layer, Mapping)]
        return fingerprint_of_tags(" ".join(str(layer.get("prompt", "")) for layer in layers), resources)

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        layers = [layer for layer in params.layers if layer.counts]
        pixels = _Pixels(context, params.width, params.height)
        placed = [
            Placed(pixels.image(layer), layer.x, layer.y, layer.opacity)
            for layer in layers
            if layer.kind in PICTURE and layer.visible and layer.asset
        ]
        if not placed:
            raise CanvasEmpty()
        pixels.fit(placed[0].image)
        image = lay(pixels.width, pixels.height, placed)
        mask = pixels.mask(layers)
        sides = (params.left, params.top, params.right, params.bottom)
        if any(sides):
            image, mask = _grown(image, None if params.beyond else mask, sides)
        if params.whole and not mask.values.any():
            mask = MaskValue(np.ones((image.height, image.width), np.float32))
        return {
            "image": image,
            "mask": mask,
            "regions": ListValue(_shifted(pixels.region(layer), sides) for layer in _of(layers, "region")),
            "controls": ListValue(_shifted(pixels.control(layer), sides) for layer in _of(layers, "control")),
            "references": ListValue(
                found for layer in _of(layers, "reference") if (found := pixels.reference(layer)) is not None
            ),
        }


class PaintMask(Node):
    """A mask painted by hand over a picture; the Canvas is its editor."""

    id, title, category = "mask.paint", "Paint mask", "Mask"
    inputs = (
        Input(
            "image", Image, description="The picture it is painted over, which gives its size.", default=None
        ),
    )
    outputs = (Output("mask", Mask),)
    preview = "mask"

    class Params(_CanvasParams):
        pass

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        image: ImageValue | None = inputs.get("image")
        pixels = _Pixels(context, params.width, params.height)
        if image is not None:
            pixels.fit(image)
        mask = pixels.mask([layer for layer in params.layers if layer.counts])
        return {"mask": mask if image is None else fitted(mask, image.width, image.height)}


def _of(layers: Iterable[CanvasLayer], kind: str) -> list[CanvasLayer]:
    return [layer for layer in layers if layer.kind == kind and layer.asset]


class _Pixels:
    """The pixels of layers, read from the document's assets; ``width`` and ``height`` are the canvas's."""

    def __init__(self, context: Context, width: int, height: int) -> None:
        self._context = context
        self.width, self.height = width, height

    def fit(self, image: ImageValue) -> None:
        """Take the size of this picture where the document says none."""
        self.width, self.height = self.width or image.width, self.height or image.height

    def image(self, layer: CanvasLayer) -> ImageValue:
        self._context.cancel.check()
        return decode_image(self._context.asset(layer.asset), layer.name or layer.id)

    def mask(self, layers: Iterable[CanvasLayer]) -> MaskValue:
        """The greatest of all masks, 1 = repaint."""
        check_size(max(self.width, 1), max(self.height, 1))
        values = np.zeros((max(self.height, 1), max(self.width, 1)), np.float32)
        for layer in _of(layers, "mask"):
            np.maximum(values, self._values(layer), out=values)
        return MaskValue(values)

    def region(self, layer: CanvasLayer) -> LayerValue:
        info = {"prompt": layer.prompt, "weight": min(layer.weight, 1.0)}
        return LayerValue("region", layer.name, mask=MaskValue(self._values(layer)), info=info)

    def control(self, layer: CanvasLayer) -> LayerValue:
        black = ImageValue(np.zeros((self.height, self.width, 3), np.uint8))
        picture = lay(self.width, self.height, [Placed(black), Placed(self.image(layer), layer.x, layer.y)])
        info = {
            "control": layer.control, "weight": layer.weight, "start": layer.start, "end": layer.end,
        }  # fmt: skip
        return LayerValue("control", layer.name, image=picture, info=info)

    def reference(self, layer: CanvasLayer) -> LayerValue | None:
        """What is painted on a layer, without the empty space round it; None if that is nothing."""
        image = self.image(layer)
        if image.channels == 4:
            rows, columns = (np.flatnonzero(image.pixels[..., 3].any(axis=side)) for side in (1, 0))
            if not rows.size:
                return None
            inner = image.pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            image = image.with_pixels(inner)
        info = {
            "leads": layer.leads, "weight": layer.weight, "start": layer.start, "end": layer.end,
        }  # fmt: skip
        return LayerValue("reference", layer.name, image=image, info=info)

    def _values(self, layer: CanvasLayer) -> Any:
        """A mask layer's values on the canvas: H×W float32."""
        image = self.image(layer)
        found = image.as_float()[..., 0]
        if found.shape == (self.height, self.width) and not (layer.x or layer.y):
            return found
        values = np.zeros((self.height, self.width), np.float32)
        left, top = max(layer.x, 0), max(layer.y, 0)
        bottom, right = max(self.height - layer.y, 0), max(self.width - layer.x, 0)
        part = found[max(-layer.y, 0) : bottom, max(-layer.x, 0) : right]
        values[top : top + part.shape[0], left : left + part.shape[1]] = part
        return values


def _grown(
    image: ImageValue, mask: MaskValue | None, sides: tuple[int, int, int, int]
) -> tuple[ImageValue, MaskValue]:
    """Picture and mask with the sides added: the picture's borders go on there, the mask shows all of it."""
    larger, new = extend(image, *sides, Fill.BORDER)
    if mask is None:
        return larger, new
    values = new.values.copy()
    left, top = sides[:2]
    inner = values[top : top + mask.height, left : left + mask.width]
    np.maximum(inner, mask.values, out=inner)
    return larger, MaskValue(values)


def _shifted(layer: LayerValue, sides: tuple[int, int, int, int]) -> LayerValue:
    """A layer on the grown canvas: nothing where that is new."""
    if not any(sides):
        return layer
    left, top, right, bottom = sides
    around = ((top, bottom), (left, right))
    if layer.mask is not None:
        return replace(layer, mask=MaskValue(np.pad(layer.mask.values, around)))
    if layer.image is not None:
        return replace(layer, image=ImageValue(np.pad(layer.image.pixels, (*around, (0, 0)))))
    return layer


NODES = (Canvas, PaintMask)
