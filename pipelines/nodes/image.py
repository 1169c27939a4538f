"""Nodes that make and change pictures."""

from __future__ import annotations

import re
from typing import Any, Final

from pydantic import field_validator

from pipelines.graph import types
from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param
from pipelines.graph.types import Image, Mask
from pipelines.graph.values import Size
from pipelines.image import BlendMode, Resampling, adjust, blend, crop, resize, solid

MAX_SIDE: Final = 65_536


def _percent(title: str, description: str) -> Any:
    return Param(0.0, title, description, unit="%", ge=-100, le=100, step=1, widget="slider", primary=True)


class SolidImage(Node):
    """A picture of one colour."""

    id, title, category = "image.solid", "Plain colour", "Image"
    outputs = (Output("image", Image),)
    preview = "image"

    class Params(NodeParams):
        color: str = Param(
            "#808080",
            "Colour",
            "As #rrggbb, or #rrggbbaa with transparency.",
            widget="color",
            max_length=9,
            primary=True,
        )
        width: int = Param(512, "Width", "Of the picture.", unit="px", ge=1, le=MAX_SIDE, primary=True)
        height: int = Param(512, "Height", "Of the picture.", unit="px", ge=1, le=MAX_SIDE, primary=True)

        @field_validator("color")
        @classmethod
        def _is_colour(cls, value: str) -> str:
            if not re.fullmatch(r"#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?", value):
                raise ValueError("Write a colour as #rrggbb or #rrggbbaa.")
            return value

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        return {"image": solid(params.color, params.width, params.height)}


class ResizeImage(Node):
    """Resample a picture to a given size."""

    id, title, category = "image.resize", "Resize", "Image"
    inputs = (Input("image", Image, description="The picture to resize."),)
    outputs = (Output("image", Image),)
    preview = "image"

    class Params(NodeParams):
        width: int = Param(512, "Width", "Of the result.", unit="px", ge=1, le=MAX_SIDE, primary=True)
        height: int = Param(512, "Height", "Of the result.", unit="px", ge=1, le=MAX_SIDE, primary=True)
        method: Resampling = Param(
            "lanczos", "Resampling",
            "Lanczos is sharpest, area is good for shrinking, nearest keeps hard pixels.", primary=True,
        )  # fmt: skip

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        return {"image": resize(inputs["image"], params.width, params.height, params.method)}


class CropImage(Node):
    """Cut a rectangle out of a picture."""

    id, title, category = "image.crop", "Crop", "Image"
    inputs = (Input("image", Image, description="The picture to cut from."),)
    outputs = (Output("image", Image),)
    preview = "image"

    class Params(NodeParams):
        x: int = Param(0, "Left", "Distance from the left edge.", unit="px", ge=0, le=MAX_SIDE, primary=True)
        y: int = Param(0, "Top", "Distance from the top edge.", unit="px", ge=0, le=MAX_SIDE, primary=True)
        width: int = Param(256, "Width", "Of the part.", unit="px", ge=1, le=MAX_SIDE, primary=True)
        height: int = Param(256, "Height", "Of the part.", unit="px", ge=1, le=MAX_SIDE, primary=True)

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        return {"image": crop(inputs["image"], params.x, params.y, params.width, params.height)}


class BlendImages(Node):
    """Lay one picture over another of the same size."""

    id, title, category = "image.blend", "Blend", "Image"
    inputs = (
        Input("image", Image, "Image", "The picture below."),
        Input("b", Image, "Second image", "The picture laid over it."),
        Input(
            "mask", Mask, "Mask", "Where the second picture shows; everywhere without a mask.", default=None
        ),
    )
    outputs = (Output("image", Image),)
    preview = "image"

    class Params(NodeParams):
        mode: BlendMode = Param("normal", "Mode", "How the two are combined.", primary=True)
        opacity: float = Param(
            1.0,
            "Opacity",
            "How much of the second picture shows.",
            ge=0,
            le=1,
            step=0.05,
            widget="slider",
            primary=True,
        )

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        return {"image": blend(inputs["image"], inputs["b"], params.mode, params.opacity, inputs.get("mask"))}


class AdjustImage(Node):
    """Change brightness, contrast and saturation."""

    id, title, category = "image.adjust", "Adjust", "Image"
    inputs = (Input("image", Image, description="The picture to change."),)
    outputs = (Output("image", Image),)
    preview = "image"

    class Params(NodeParams):
        brightness: float = _percent("Brightness", "Lighter or darker; ±100 is white or black.")
        contrast: float = _percent("Contrast", "Further from the middle grey or nearer to it.")
        saturation: float = _percent("Saturation", "More colour or less; −100 is grey.")

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        return {"image": adjust(inputs["image"], params.brightness, params.contrast, params.saturation)}


class ImageSize(Node):
    """Tell how large a picture is."""

    id, title, category = "image.size", "Size of image", "Image"
    inputs = (Input("image", Image, description="The picture to measure."),)
    outputs = (
        Output("width", types.Integer, description="In pixels."),
        Output("height", types.Integer, description="In pixels."),
        Output("size", types.Size),
    )
    preview = "size"

    def run(self, inputs: Inputs, params: Any, context: Context) -> Outputs:
        image = inputs["image"]
        return {"width": image.width, "height": image.height, "size": Size(image.width, image.height)}


NODES = (SolidImage, ResizeImage, CropImage, BlendImages, AdjustImage, ImageSize)
